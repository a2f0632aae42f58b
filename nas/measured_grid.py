"""The networks of a measured grid as its records tell of them: costs as run, accuracies by seed, step times."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas.arch import parse
from nas.as_run import arch_as_run
from nas.cost import cost
from nas.errors import NasError
from nas.grid import DIMENSIONS, Triple, rungs
from nas.ladders import Ladders, Spans
from nas.recipe import GridOptions
from nas.record import Reading, Record

PAPER_MARK, BASE_MARK = "paper", "base"  # names of the two triples that every measured grid marks


class ChoiceError(NasError):
    """Records that cannot answer which triple is best."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A training step as it was timed, of `arch`: the network at the resolution it was shown. `step_s` in seconds,
    `noise` its relative standard error; `rates`: images/s of each repeat."""

    arch: str
    step_s: float
    noise: float
    batch: int
    flops: float
    activations: float
    rates: tuple[float, ...] = ()

    @property
    def apart(self) -> float:
        """The fastest repeat over the slowest, 1 for one."""
        return max(self.rates) / min(self.rates) if self.rates else 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One network of a grid. `accuracies` in percent, one a seed, and `flops` are those of `trained`: of the network
    itself, or of the proxy that a recipe put in its stead. `spans`: the α, β, γ that build it; `order`: the trial's."""

    triple: Triple
    arch: str
    trained: str
    flops: float
    accuracies: tuple[float, ...]
    timed: Timed | None = None
    mark: str = ""
    order: int = 0
    spans: Spans | None = None
    width: float = 1.0  # channels as trained over the network's own, before rounding

    @property
    def accuracy(self) -> float:
        """Mean over the seeds, in percent."""
        return statistics.fmean(self.accuracies)

    @property
    def name(self) -> str:
        """`(1.2, 1.1, 1.15)`."""
        return f"({', '.join(f'{value:g}' for value in self.triple)})"

    @property
    def built_by(self) -> Spans:
        """From where to where α, β and γ build this network; its own triple alone where the grid is not known."""
        alpha, beta, gamma = self.triple
        return self.spans or ((alpha, alpha), (beta, beta), (gamma, gamma))


@dataclass(frozen=True, slots=True)
class Noise:
    """The seed deviation of one training in points, pooled over networks with `freedom` degrees of freedom."""

    deviation: float
    freedom: int


def measured(records: Iterable[Record], options: GridOptions) -> list[Measured]:
    """The networks of a measured grid that have an accuracy, in the order of their trials."""
    of_grid = [record for record in records if _is_measured(record)]
    base = next((parse(record.arch) for record in of_grid if record.baseline == BASE_MARK), None)
    ladders = Ladders.of(base, rungs(*options.range, options.step), options.pixels) if base else None
    return sorted((_network(record, ladders) for record in of_grid), key=lambda one: one.order)


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


def at_one_batch(networks: Sequence[Measured]) -> tuple[list[Measured], tuple[Measured, ...]]:
    """(the networks, those timed at another batch than most), the latter without their time.

    A smaller batch makes a shorter step, and a longer one an image: times at two batches are not compared.
    """
    batches = Counter(one.timed.batch for one in networks if one.timed)
    most = max(batches, key=lambda batch: (batches[batch], batch), default=0)
    odd = tuple(one for one in networks if one.timed and one.timed.batch != most)
    return [dataclasses.replace(one, timed=None) if one in odd else one for one in networks], odd


def _several(one: Measured) -> bool:
    return len(one.accuracies) > 1


def _is_measured(record: Record) -> bool:
    whole = record.state == "complete" and record.reused is None and "top1_pct" in record.readings
    return whole and all(isinstance(record.settings.get(name), int | float) for name in DIMENSIONS)


def _network(record: Record, ladders: Ladders | None) -> Measured:
    alpha, beta, gamma = (float(record.settings[name]) for name in DIMENSIONS)
    top1 = record.readings["top1_pct"]
    trained = arch_as_run(record, top1)
    return Measured(
        (alpha, beta, gamma),
        record.arch,
        str(trained),
        cost(trained).flops,
        _repeats(top1),
        _timed(record),
        record.baseline,
        record.trial or 0,
        ladders.spans(parse(record.arch), (alpha, beta, gamma)) if ladders else None,
        float(top1.conditions.get("width", 1)),
    )


def _repeats(reading: Reading) -> tuple[float, ...]:
    values = reading.detail.get("repeats")
    return tuple(map(float, values)) if isinstance(values, list | tuple) and values else (reading.value,)


def _timed(record: Record) -> Timed | None:
    """The step time with its noise. Half the spread: that is twice the deviation between repeats, or half a 95 %
    interval. Repeats follow each other closely, so no √ of their number is taken."""
    reading = record.readings.get("train_images_per_s")
    if reading is None or not reading.value > 0:
        return None
    arch, batch = arch_as_run(record, reading), int(reading.conditions.get("batch", 1))
    noise = abs(reading.spread or 0.0) / 2 / reading.value
    spent = cost(arch)
    return Timed(str(arch), batch / reading.value, noise, batch, spent.flops, spent.activations, _repeats(reading))
