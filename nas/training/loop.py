"""Train a network for a short while and say how accurate it became on images it never saw."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.arch import Architecture
from nas.data import Data
from nas.data.split import Batches
from nas.errors import NasError
from nas.recipe import Training
from nas.training.optimizer import make_optimizers, set_rate
from nas.training.proxy import build_for_training
from nas.training.schedule import rate

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class TrainingError(NasError):
    """A training that cannot start or did not end in a network."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training curve. Accuracies in percent; `train_pct` on the augmented batches while training.

    `held_pct` is on `held_images` images: all of them after the last epoch, and about the first 1,024 of a fixed
    shuffle before, so the last point of a curve may lie on another set than the others.
    """

    epoch: int
    loss: float
    train_pct: float
    held_pct: float
    held_images: int
    seconds: float  # since the training began


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended: held-out top-1 accuracy in percent, its curve, wall-clock seconds, optimizer steps."""

    top1_pct: float
    curve: tuple[Epoch, ...]
    seconds: float
    steps: int
    batch: int  # images a step: the recipe's, or all of them where there are fewer
    arch: str  # notation of the network trained; empty for a module that is none of ours


def train(
    net_or_arch: nn.Module | Architecture,
    data: Data,
    training: Training,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train on `data.train` by the recipe and measure top-1 accuracy on `data.held`.

    An Architecture (see `proxy`) is built from `seed`; a module (N, 3, R, R) → (N, classes) is trained in place. The
    same seed, recipe and data give the same result on one CPU, whatever its cores. Global random state is left alone.

    Raises: TrainingError when the classes or the resolution differ from the data's, when the loss is no longer finite,
    or when no image could be read.
    """
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _threads(training.threads):
        _seed(seed, device)
        net = net_or_arch
        if isinstance(net, Architecture):
            if net.classes != data.classes:
                raise TrainingError(
                    f"a network of {net.classes} classes cannot be trained on {data.name}: it has {data.classes}",
                    "train proxy(arch, training, data.classes)",
                )
            if net.resolution != data.resolution:
                raise TrainingError(
                    f"a network of {net.resolution} px cannot be trained on {data.name} of {data.resolution} px",
                    "load the data at proxy_resolution(arch, training)",
                )
            net = build_for_training(net, training)
        run = _Run(net.to(device).to(memory_format=FORMATS[memory_format(training)]), data, training, seed, device)
        return run.through(on_epoch)


class _Run:
    """One training under way."""

    def __init__(self, net: nn.Module, data: Data, training: Training, seed: int, device: torch.device) -> None:
        self.net, self.data, self.training, self.device = net, data, training, device
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizers = make_optimizers(net, training)
        self.batch = max(1, min(training.batch, len(data.train)))
        self.steps = training.epochs * (len(data.train) // self.batch)
        self.step = 0

    def through(self, on_epoch: Callable[[Epoch], None] | None) -> Trained:
        began = time.perf_counter()
        curve: list[Epoch] = []
        for number in range(1, self.training.epochs + 1):
            loss, train_pct = self._epoch()
            if not math.isfinite(loss):
                raise TrainingError(
                    f"training diverged: the loss is {loss} in epoch {number} of {self.training.epochs}",
                    f"lower learning_rate (now {self.training.learning_rate:g}) or raise warmup "
                    f"(now {self.training.warmup:g})",
                )
            last = number == self.training.epochs
            if last and self.training.recalibrate:
                self._recalibrate()
            held_pct, held_images = self._accuracy(None if last else 1024)
            curve.append(Epoch(number, loss, train_pct, held_pct, held_images, time.perf_counter() - began))
            if on_epoch:
                on_epoch(curve[-1])
        notation = str(getattr(self.net, "arch", ""))
        seconds = time.perf_counter() - began
        return Trained(curve[-1].held_pct, tuple(curve), seconds, self.step, self.batch, notation)

    def _epoch(self) -> tuple[float, float]:
        """One epoch of steps: mean loss, and accuracy in percent on its batches."""
        self.net.train()
        total, right, seen = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        for images, labels in self._on_device(self._training_batches()):
            set_rate(self.optimizers, self.training.learning_rate * rate(self.step, self.steps, self.training.warmup))
            with self._autocast():
                logits = self.net(images)
                loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.training.label_smoothing)
            self.net.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in self.optimizers:
                optimizer.step()
            self.step += 1
            total += loss.detach() * len(labels)
            right += (logits.detach().argmax(1) == labels).sum()
            seen += len(labels)
        if not seen:
            raise TrainingError(f"data '{self.data.name}': no training image could be read")
        return float(total) / seen, 100 * float(right) / seen

    @torch.no_grad()
    def _recalibrate(self) -> None:
        """Batch-norm statistics anew, as a plain mean over some training batches under the final weights.

        Only the norms are in train mode: statistics under dropout or drop-path are not those of the network in use.
        """
        norms = [module for module in self.net.modules() if isinstance(module, BATCH_NORMS)]
        momenta = [norm.momentum for norm in norms]
        self.net.eval()
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
        for number, (images, _) in enumerate(self._on_device(self._training_batches()), 1):
            self._logits(images)
            if number == self.training.recalibrate:
                break
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def _accuracy(self, most: int | None) -> tuple[float, int]:
        """(top-1 accuracy in percent on held-out images, how many they were): all, or batches of a fixed shuffle until
        `most` were seen."""
        self.net.eval()
        right = seen = 0
        order = None if most is None else torch.Generator().manual_seed(0)
        size = 256 if most is None else min(256, len(self.data.held))
        for images, labels in self._on_device(self.data.held.batches(max(1, size), order)):
            right += int((self._logits(images).argmax(1) == labels).sum())
            seen += len(labels)
            if most is not None and seen >= most:
                break
        if not seen:
            raise TrainingError(f"data '{self.data.name}': no held-out image could be read")
        return 100 * right / seen, seen

    def _training_batches(self) -> Batches:
        return self.data.train.batches(self.batch, self.generator, self.training.augment)

    def _on_device(self, batches: Batches) -> Batches:
        """Images and labels moved once, whether the data lie on the device, as small sets do, or are streamed."""
        layout = FORMATS[memory_format(self.training)]
        for images, labels in batches:
            yield images.to(self.device, memory_format=layout), labels.to(self.device)

    def _logits(self, images: Tensor) -> Tensor:
        with self._autocast():
            logits: Tensor = self.net(images)
        return logits

    def _autocast(self) -> AbstractContextManager[None]:
        bf16 = precision(self.training, self.device) == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)


def precision(training: Training, device: torch.device) -> str:
    """`bf16` (autocast, fp32 weights) or `fp32`: what the recipe's precision means on `device`."""
    if training.precision == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return training.precision


def memory_format(training: Training) -> str:
    """channels_last unless asked otherwise: on CPU too it is 1.5 to 4 times as fast for small depthwise maps."""
    return "channels_last" if training.memory_format == "auto" else training.memory_format


def _seed(seed: int, device: torch.device) -> None:
    """Seed the CPU and `device`. `torch.manual_seed` would seed every GPU, and only this one is put back."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """torch's CPU threads set to `count`, and back. Two threads that share a busy core wait for each other at every
    operation: steps of 0.1 s became 3 s."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
