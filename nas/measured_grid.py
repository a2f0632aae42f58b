"""The networks of a measured grid as its records tell of them: costs, accuracies by seed, step times, their noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.errors import NasError
from nas.record import Reading, Record
from nas.redraws import CONFIDENCE

PAPER, BASE = "paper", "base"  # names of the two triples that every measured grid marks
DIMENSIONS = ("alpha", "beta", "gamma")


class ChoiceError(NasError):
    """Records that cannot answer which triple is best."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One network of a grid. `accuracies` in percent, one a seed; `step_s` in seconds, `step_noise` its relative
    standard error; None where it was not timed. `order`: the trial's number."""

    triple: tuple[float, float, float]
    arch: str
    flops: float
    accuracies: tuple[float, ...]
    step_s: float | None = None
    step_noise: float = 0.0
    activations: float | None = None
    mark: str = ""
    order: int = 0

    @property
    def accuracy(self) -> float:
        """Mean over the seeds, in percent."""
        return statistics.fmean(self.accuracies)

    @property
    def name(self) -> str:
        """`(1.2, 1.1, 1.15)`."""
        return f"({', '.join(f'{value:g}' for value in self.triple)})"


@dataclass(frozen=True, slots=True)
class Noise:
    """The seed deviation of one training in points, pooled over networks with `freedom` degrees of freedom."""

    deviation: float
    freedom: int


@dataclass(frozen=True, slots=True)
class Gain:
    """What scaling one dimension alone gained over the base, in points ± half a 95 % interval."""

    measured: Measured
    points: float
    error: float
    flops: float  # in multiples of the base
    step: float | None


def measured(records: Iterable[Record]) -> list[Measured]:
    """The networks of a measured grid that have an accuracy, in the order of their trials."""
    found = []
    for record in records:
        reading = record.readings.get("top1_pct")
        if record.state != "complete" or record.reused is not None or reading is None:
            continue
        if not all(isinstance(record.settings.get(name), int | float) for name in DIMENSIONS):
            continue
        alpha, beta, gamma = (float(record.settings[name]) for name in DIMENSIONS)
        step, noise = _step(record.readings.get("train_images_per_s"))
        found.append(
            Measured(
                (alpha, beta, gamma),
                record.arch,
                record.readings["flops"].value,
                _repeats(reading),
                step,
                noise,
                record.value("activations"),
                record.baseline,
                record.trial or 0,
            )
        )
    return sorted(found, key=lambda one: one.order)


def seed_noise(networks: Sequence[Measured]) -> Noise:
    """The deviation between seeds. Raises: ChoiceError where no network was trained with two."""
    squares = [statistics.variance(one.accuracies) * (len(one.accuracies) - 1) for one in networks if _several(one)]
    freedom = sum(len(one.accuracies) - 1 for one in networks)
    if not freedom:
        raise ChoiceError(
            "no network was trained with two seeds, so the noise of an accuracy is not known",
            "measure with repeats of at least 2 in the recipe, under another study name",
        )
    return Noise(math.sqrt(sum(squares) / freedom), freedom)


def _several(one: Measured) -> bool:
    return len(one.accuracies) > 1


def gains(networks: Sequence[Measured], base: Measured, noise: Noise) -> Iterable[Gain]:
    """What networks of one factor above 1, the others at 1, gained over the base."""
    quantile = t_quantile(noise.freedom)
    for one in networks:
        if sum(value != 1 for value in one.triple) == 1:
            error = noise.deviation * math.sqrt(1 / len(one.accuracies) + 1 / len(base.accuracies))
            step = one.step_s / base.step_s if one.step_s and base.step_s else None
            yield Gain(one, one.accuracy - base.accuracy, quantile * error, one.flops / base.flops, step)


def t_quantile(freedom: int) -> float:
    """Half the central 95 % interval of Student's t, to a percent or so: from 100,000 draws of a fixed seed."""
    return float(np.quantile(np.abs(np.random.default_rng(0).standard_t(freedom, 100_000)), CONFIDENCE))


def drift(networks: Sequence[Measured]) -> tuple[float, float] | None:
    """Relative change of the step time from the first network to the last that cost leaves unexplained, ± half a 95 %
    interval: least squares of its logarithm on log FLOPs, log activations and the share of the study gone by."""
    timed = [one for one in networks if one.step_s and one.activations]
    if len(timed) < 8:
        return None
    gone = np.linspace(0.0, 1.0, len(timed))
    rows = [
        [1.0, math.log(one.flops), math.log(one.activations or 1.0), at] for one, at in zip(timed, gone, strict=True)
    ]
    matrix, y = np.array(rows), np.log([one.step_s or 1.0 for one in timed])
    found, _, rank, _ = np.linalg.lstsq(matrix, y, rcond=None)
    if rank < matrix.shape[1]:
        return None
    residual = y - matrix @ found
    variance = residual @ residual / (len(timed) - matrix.shape[1])
    error = math.sqrt(variance * np.linalg.inv(matrix.T @ matrix)[3, 3])
    return float(found[3]), 1.96 * error


def _repeats(reading: Reading) -> tuple[float, ...]:
    values = reading.detail.get("repeats")
    return tuple(map(float, values)) if isinstance(values, list | tuple) and values else (reading.value,)


def _step(reading: Reading | None) -> tuple[float | None, float]:
    """(seconds of a training step, its relative standard error). Half the spread: that is twice the deviation between
    repeats, or half a 95 % interval. Repeats follow each other closely, so no √ of their number is taken."""
    if reading is None or not reading.value > 0:
        return None, 0.0
    batch = reading.conditions.get("batch", 1)
    return float(batch) / reading.value, abs(reading.spread or 0.0) / 2 / reading.value
