"""What a training is told, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from nas.arch import Architecture
from nas.data import Data
from nas.errors import NasError
from nas.progressive import schedule
from nas.training.distil import Teacher
from nas.training_recipe import Training

Source = Callable[[int], Data]  # the data at so many pixels


class TrainingError(NasError):
    """A training that cannot start or did not end in a network."""


class DivergedError(TrainingError):
    """A loss that is no number any more."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training curve. Accuracies in percent; `train_pct` on the changed batches while training.

    `held_pct` is on `held_images` images: all of them after the last epoch, and about the first 1,024 of a fixed
    shuffle before, so the last point of a curve may lie on another set than the others.
    """

    epoch: int
    loss: float
    train_pct: float
    held_pct: float
    held_images: int
    seconds: float  # since the training began, those of an earlier process included
    resolution: int = 0  # pixels trained on
    training_s: float = 0.0  # seconds of its steps and their data; evaluation left out


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended: held-out top-1 accuracy in percent, its curve, wall-clock seconds, optimizer steps."""

    top1_pct: float
    curve: tuple[Epoch, ...]
    seconds: float
    steps: int
    batch: int  # images a step: the recipe's, or all of them where there are fewer
    arch: str  # notation of the network trained; empty for a module that is none of ours

    @property
    def training_s(self) -> float:
        """Seconds of the steps and their data."""
        return sum(epoch.training_s for epoch in self.curve)


@dataclass(frozen=True)
class Ways:
    """How a training differs from one that starts from nothing, alone: a teacher, weights that it starts from, others
    that train beside it.

    `start` puts the weights into the new network. `backbone_rate`: what the learning rate of all but the classifier is
    multiplied by; 0 freezes it, batch norms too.
    """

    teacher: Teacher | None = None
    start: Callable[[nn.Module], None] | None = None
    backbone_rate: float = 1.0
    resolution: int | None = None  # at which the training of a module ends, where the recipe does not say it
    together: bool = False  # with the other processes that torchrun started


PLAIN = Ways()


def source_of(net_or_arch: nn.Module | Architecture, data: Data | Source, training: Training) -> Source:
    """The data by their pixels, checked against the network. Raises: TrainingError where the two do not fit."""
    arch = net_or_arch if isinstance(net_or_arch, Architecture) else None
    if not isinstance(data, Data):
        return lambda pixels: _checked(data(pixels), arch)
    if arch and arch.resolution != data.resolution:
        raise TrainingError(
            f"a network of {arch.resolution} px cannot be trained on {data.name} of {data.resolution} px",
            "load the data at proxy_resolution(arch, training)",
        )
    sizes = {*schedule(training, data.resolution).sizes, training.held_resolution or data.resolution}
    if other := sorted(sizes - {data.resolution}):
        raise TrainingError(
            f"the recipe shows images of {other[0]} px, and the data are of {data.resolution} px alone",
            "give a function of the pixels, such as lambda pixels: load_data(spec, resolution=pixels)",
        )
    _checked(data, arch)
    return lambda _: data


def _checked(data: Data, arch: Architecture | None) -> Data:
    if arch and arch.classes != data.classes:
        raise TrainingError(
            f"a network of {arch.classes} classes cannot be trained on {data.name}: it has {data.classes}",
            "train proxy(arch, training, data.classes)",
        )
    return data
