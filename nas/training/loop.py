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
from nas.errors import NasError
from nas.recipe import Training
from nas.training.optimizer import make_optimizers, set_rate
from nas.training.proxy import build_for_training
from nas.training.schedule import rate


class TrainingError(NasError):
    """A training that cannot start or did not end in a network."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training curve. Accuracies in percent; `train_pct` on the augmented batches while training."""

    epoch: int
    loss: float
    train_pct: float
    held_pct: float
    seconds: float  # since the training began


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended: held-out top-1 accuracy in percent, its curve, wall-clock seconds, optimizer steps."""

    top1_pct: float
    curve: tuple[Epoch, ...]
    seconds: float
    steps: int
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

    Raises: TrainingError when the classes differ from the data's, or when the loss is no longer finite.
    """
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _threads(training.threads):
        torch.manual_seed(seed)
        net = net_or_arch
        if isinstance(net, Architecture):
            if net.classes != data.classes:
                raise TrainingError(
                    f"a network of {net.classes} classes cannot be trained on {data.name}: it has {data.classes}",
                    "train proxy(arch, training, data.classes)",
                )
            net = build_for_training(net, training)
        run = _Run(net.to(device).to(memory_format=_memory_format(training)), data, training, seed, device)
        return run.through(on_epoch)


class _Run:
    """One training under way."""

    def __init__(self, net: nn.Module, data: Data, training: Training, seed: int, device: torch.device) -> None:
        self.net, self.data, self.training, self.device = net, data, training, device
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizers = make_optimizers(net, training)
        self.batch = min(training.batch, len(data.train))
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
            held_pct = self._accuracy(None if last else 1024)
            curve.append(Epoch(number, loss, train_pct, held_pct, time.perf_counter() - began))
            if on_epoch:
                on_epoch(curve[-1])
        notation = str(getattr(self.net, "arch", ""))
        return Trained(curve[-1].held_pct, tuple(curve), time.perf_counter() - began, self.step, notation)

    def _epoch(self) -> tuple[float, float]:
        """One epoch of steps: mean loss, and accuracy in percent on its batches."""
        self.net.train()
        total, right, seen = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        for images, labels in self.data.train.batches(self.batch, self.generator, self.training.augment):
            set_rate(self.optimizers, self.training.learning_rate * rate(self.step, self.steps, self.training.warmup))
            with self._autocast():
                logits = self.net(images.to(self.device, memory_format=_memory_format(self.training)))
                loss = functional.cross_entropy(
                    logits.float(), labels.to(self.device), label_smoothing=self.training.label_smoothing
                )
            self.net.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in self.optimizers:
                optimizer.step()
            self.step += 1
            total += loss.detach() * len(labels)
            right += (logits.detach().argmax(1) == labels).sum()
            seen += len(labels)
        return float(total) / max(1, seen), 100 * float(right) / max(1, seen)

    @torch.no_grad()
    def _recalibrate(self) -> None:
        """Batch-norm statistics anew, as a plain mean over some training batches under the final weights."""
        norms = [module for module in self.net.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
        for number, (images, _) in enumerate(
            self.data.train.batches(self.batch, self.generator, self.training.augment), 1
        ):
            self._logits(images)
            if number == self.training.recalibrate:
                break
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def _accuracy(self, most: int | None) -> float:
        """Top-1 accuracy in percent on held-out images, on the first `most` of them in a fixed shuffle, or on all."""
        self.net.eval()
        right = seen = 0
        order = None if most is None else torch.Generator().manual_seed(0)
        size = 256 if most is None else min(256, len(self.data.held))
        for images, labels in self.data.held.batches(size, order):
            right += int((self._logits(images).argmax(1) == labels.to(self.device)).sum())
            seen += len(labels)
            if most is not None and seen >= most:
                break
        return 100 * right / max(1, seen)

    def _logits(self, images: Tensor) -> Tensor:
        with self._autocast():
            logits: Tensor = self.net(images.to(self.device, memory_format=_memory_format(self.training)))
        return logits

    def _autocast(self) -> AbstractContextManager[None]:
        precision = self.training.precision
        wanted = precision == "bf16" or (precision == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)


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


def _memory_format(training: Training) -> torch.memory_format:
    """channels_last unless asked otherwise: on CPU too it is 1.5 to 4 times as fast for small depthwise maps."""
    return torch.contiguous_format if training.memory_format == "contiguous" else torch.channels_last
