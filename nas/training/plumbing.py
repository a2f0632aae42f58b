"""Device, precision and processes, by Lightning Fabric (docs/decisions/0011)."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn
from torch import distributed as dist

from nas.training.outcome import TrainingError

for _name in ("lightning.fabric", "lightning_fabric"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # it says at length what was asked of it


def under_torchrun() -> bool:
    """Whether `torchrun` started this process, beside others or alone."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "LOCAL_RANK" in os.environ


def rank() -> int:
    """The number of this process among those that `torchrun` started; 0 where it is alone."""
    return int(os.environ.get("RANK", "0")) if under_torchrun() else 0


def fabric_on(device: torch.device, precision: str, *, together: bool = False) -> Fabric:
    """Fabric on `device`, in `bf16` or `fp32`; `together`: with the other processes that torchrun started.

    What runs on its own must not take torchrun's or Slurm's variables for its own: a search's workers run under both.
    """
    kind: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if precision == "bf16" else "32-true"
    accelerator = "cuda" if device.type == "cuda" else "cpu"
    if together:
        warnings.filterwarnings("ignore", message="Grad strides do not match")  # of 1×1 filters; nothing is lost
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of machines that have a GPU which is not asked for, or Slurm
        if not together:
            devices: Any = [device.index or 0] if device.type == "cuda" else 1
            return Fabric(accelerator=accelerator, devices=devices, precision=kind, plugins=[LightningEnvironment()])
        here, all_of_them = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return Fabric(
            accelerator=accelerator, devices=here, num_nodes=all_of_them // here, strategy="ddp", precision=kind,
            plugins=[TorchElasticEnvironment()],
        )  # fmt: skip


def check_norms(net: nn.Module) -> None:
    """Raises: TrainingError for batch norms that are something else too, which sharing would take away, as timm's are
    the activation."""
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d) and type(module) not in (nn.BatchNorm2d, _SharedBatchNorm):
            raise TrainingError(
                f"'{name}' is a {type(module).__name__}, whose statistics several processes cannot share",
                "train it in one process",
            )


def share_batch_norm(net: nn.Module, device: torch.device) -> nn.Module:
    """`net` with batch norms that take their statistics over the batches of all processes, as one process would."""
    if device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
        return shared
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SharedBatchNorm  # the same parameters and buffers, another way to count
    return net


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; and on the way back, that of its gradients."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _summed(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)
    return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """(N, C, H, W) → (N, C, H, W): what `nn.SyncBatchNorm` is on a GPU, for CPUs, where torch has none."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.momentum is None or not dist.is_initialized():
            return super().forward(x)
        exact = x.float()
        count = torch.full((1,), x.numel() / x.shape[1], device=x.device)
        sums = torch.cat((exact.sum((0, 2, 3)), count))
        total = _summed(sums)
        mean = total[:-1] / total[-1]
        spread = _summed((exact - mean[:, None, None]).square().sum((0, 2, 3)))
        variance = spread / total[-1]
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                unbiased = variance * total[-1] / (total[-1] - 1).clamp_min(1)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean.detach(), self.momentum)
                self.running_var.lerp_(unbiased.detach(), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = ((exact - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)
        return normal
