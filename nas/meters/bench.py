"""What a meter runs on: device, precision, layout, resolution and threads, settled once from `Timing`."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nas.arch import Architecture
from nas.errors import NasError
from nas.foreign import Foreign
from nas.recipe import Timing

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Bench:
    """One network's measuring bench. `seed` draws weights and images; no reading should depend on it.

    `image_flops`: multiply-adds of one image at `resolution`, of a Foreign, where a rule needs them.
    """

    arch: Architecture | Foreign
    timing: Timing
    device: torch.device
    seed: int = 0
    image_flops: int | None = None

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def resolution(self) -> int:
        """Side of the images in pixels: the network's own, scaled, and never below its total stride where known."""
        least = self.arch.total_stride if isinstance(self.arch, Architecture) else 1
        return max(least, round(self.arch.resolution * self.timing.resolution_scale))

    @property
    def precision(self) -> str:
        """`bf16` (autocast, fp32 weights) or `fp32`."""
        return ("bf16" if self.on_gpu else "fp32") if self.timing.precision == "auto" else self.timing.precision

    @property
    def memory_format(self) -> str:
        if self.timing.memory_format == "auto":
            return "channels_last"  # on CPU too: the fastest for these networks, ours and others' (benchmarks/)
        return self.timing.memory_format

    def eager(self) -> Bench:
        """The same bench without torch.compile."""
        return replace(self, timing=self.timing.model_copy(update={"compile": False}))

    def ready(self, net: nn.Module, *, train: bool) -> nn.Module:
        """A copy of `net` on the device, in its memory format and mode; `net` itself is never run."""
        ready = copy.deepcopy(net).to(self.device).to(memory_format=FORMATS[self.memory_format])
        ready.requires_grad_(train).train(train)
        if not self.timing.compile:
            return ready
        torch.compiler.reset()  # else the ninth network falls back to eager: dynamo caches eight a function
        compiled: nn.Module = torch.compile(ready)  # type: ignore[assignment]
        return compiled

    def images(self, batch: int) -> Tensor:
        """(batch, 3, resolution, resolution) of noise, resident on the device."""
        size = (batch, 3, self.resolution, self.resolution)
        return torch.randn(size, device=self.device).to(memory_format=FORMATS[self.memory_format])

    def labels(self, batch: int) -> Tensor:
        """(batch,) of class numbers, resident on the device."""
        return torch.randint(self.arch.classes, (batch,), device=self.device)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")


def resolve_device(name: str) -> torch.device:
    """The device called `cpu`, `cuda` or `cuda:N`. Raises: NasError when this machine has no such device."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise NasError(f"unknown device '{name}'", "use cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise NasError(f"device '{name}' is not supported", "use cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise NasError(f"device '{name}': torch sees {torch.cuda.device_count()} GPUs", "use --device cpu")
    return device


@contextlib.contextmanager
def as_found(bench: Bench, *, threads: int | None = None) -> Iterator[None]:
    """Seed and set up torch for measuring, and put the process back: random state, threads, cuDNN, GPU memory."""
    found = (torch.get_num_threads(), torch.backends.cudnn.benchmark)
    wanted = threads or bench.timing.threads
    with torch.random.fork_rng([bench.device] if bench.on_gpu else []), torch.enable_grad():
        try:
            if wanted:
                torch.set_num_threads(wanted)
            torch.backends.cudnn.benchmark = bench.on_gpu  # shapes are fixed: let cuDNN choose, before counting
            torch.default_generator.manual_seed(bench.seed)  # torch.manual_seed would seed every GPU as well
            if bench.on_gpu:
                with torch.cuda.device(bench.device):
                    torch.cuda.manual_seed(bench.seed)
            yield
        finally:
            torch.set_num_threads(found[0])
            torch.backends.cudnn.benchmark = found[1]
            if bench.timing.compile:
                torch.compiler.reset()
            if bench.on_gpu:
                torch.cuda.empty_cache()
