"""What depth, width and resolution are worth in a measured grid: each alone, and by a fit over all its networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.arch import Architecture, parse
from nas.cost import cost
from nas.ladders import parts
from nas.measured_grid import BASE_MARK, Measured, Noise, Timed
from nas.redraws import Ratio, least_squares, t_quantile

FEWEST = 10  # networks from which a fit is made: four coefficients, and six left over
_ACCORDINGLY = 0.5  # of the growth of a network in one dimension that its proxy must show, on a log scale
DIMENSION_NAMES = ("depth", "width", "resolution")


@dataclass(frozen=True, slots=True)
class Gain:
    """What scaling one dimension alone gained over the base: points ± half a 95 % interval; FLOPs and step time in
    multiples of the base's, the latter None where it was not measured of the network as trained. `place`: of the
    dimension; `built`: by how much it grew as trained."""

    measured: Measured
    place: int
    built: float
    points: float
    error: float
    flops: float
    step: Ratio | None


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one dimension: points gained by a doubling of FLOPs through it, ± half a 95 % interval; and by how much that
    multiplies the step time, None where it was not measured of the networks as trained."""

    dimension: str
    points: float
    error: float
    step: Ratio | None


def step_ratio(one: Measured, base: Measured) -> Ratio | None:
    """The step time over the base's, with Student's t for as many repeats as both have; None where one has none."""
    if one.timed is None or base.timed is None or one is base:
        return None
    freedom = sum(max(0, len(timed.rates) - 1) for timed in (one.timed, base.timed))
    noise = math.hypot(one.timed.noise, base.timed.noise)
    half = (t_quantile(freedom) if freedom else 2.0) * noise
    return Ratio.of_log(math.log(one.timed.step_s / base.timed.step_s), half)


def gains(networks: Sequence[Measured], base: Measured, noise: Noise) -> Iterable[Gain]:
    """What the networks gained that differ from the base in one dimension as built, whatever triple they go by.

    Left out are those whose proxies do not: that differ in another too, or by less than half as much (on a log scale),
    as where few channels were rounded to a floor.
    """
    quantile = t_quantile(noise.freedom)
    for one in networks:
        places = _differing(base.arch, one.arch)
        if len(places) != 1 or places != _differing(base.trained, one.trained):
            continue
        built, trained = (_growth(small, arch)[places[0]] for small, arch in _pairs(base, one))
        if built == 1 or math.log(trained) / math.log(built) < _ACCORDINGLY:
            continue
        error = noise.deviation * math.sqrt(1 / len(one.accuracies) + 1 / len(base.accuracies))
        yield Gain(
            one,
            places[0],
            trained,
            one.accuracy - base.accuracy,
            quantile * error,
            one.flops / base.flops,
            step_ratio(one, base) if _timed_as_trained(one, base) else None,
        )


def spending(networks: Sequence[Measured]) -> tuple[Spending, ...]:
    """Depth, width and resolution; empty where there are too few networks to tell them apart.

    Least squares of mean accuracy, and of log2 step time, on the log2 FLOPs that each dimension of the network would
    cost alone, as trained (as timed): with its roundings. A line in each: no best mixture can come of it, only what is
    undervalued.
    """
    base = next((one for one in networks if one.mark == BASE_MARK), None)
    if base is None or len(networks) < FEWEST:
        return ()
    spent = np.array([_spent(base.trained, one.trained) for one in networks])
    found = least_squares(spent, np.array([one.accuracy for one in networks]))
    if found is None:
        return ()
    timed: list[Timed] = [one.timed for one in networks if one.timed]
    times = None
    if base.timed and _timed_as_trained(*networks):
        spent = np.array([_spent(base.timed.arch, one.arch) for one in timed])
        times = least_squares(spent, np.log2([one.step_s for one in timed]))
    return tuple(
        Spending(name, found[0][place], found[1][place], _doubled(times[0][place], times[1][place]) if times else None)
        for place, name in enumerate(DIMENSION_NAMES)
    )


def drift(networks: Sequence[Measured]) -> tuple[float, float] | None:
    """Relative change of the step time from the first network to the last that cost leaves unexplained, ± half a 95 %
    interval: least squares of its logarithm on log FLOPs, log activations and the share of the study gone by."""
    timed = [one.timed for one in networks if one.timed]
    if len(timed) < FEWEST:
        return None
    gone = np.linspace(0.0, 1.0, len(timed))
    costs = np.log([(one.flops, one.activations) for one in timed])
    found = least_squares(np.column_stack([costs, gone]), np.log([one.step_s for one in timed]))
    return (found[0][2], found[1][2]) if found else None


def _doubled(exponent: float, error: float) -> Ratio:
    """2 to the power of an exponent."""
    return Ratio.of_log(math.log(2) * exponent, math.log(2) * error)


def _timed_as_trained(*networks: Measured) -> bool:
    """Whether what was timed of each is what was trained, but for the number of classes."""
    return all(one.timed and parts(parse(one.timed.arch)) == parts(parse(one.trained)) for one in networks)


def _pairs(base: Measured, one: Measured) -> tuple[tuple[str, str], tuple[str, str]]:
    """(base, network) themselves, and as trained."""
    return (base.arch, one.arch), (base.trained, one.trained)


def _differing(small: str, arch: str) -> list[int]:
    """The dimensions in which two networks differ, by place."""
    return [place for place, (a, b) in enumerate(zip(parts(parse(small)), parts(parse(arch)), strict=True)) if a != b]


def _growth(small: str, arch: str) -> tuple[float, ...]:
    """By how much each dimension grew."""
    return tuple(b / a for a, b in zip(_size(parse(small)), _size(parse(arch)), strict=True))


def _size(arch: Architecture) -> tuple[int, int, int]:
    """All layers, all channels of the stages, pixels a side."""
    return sum(stage.layers for stage in arch.stages), sum(stage.channels for stage in arch.stages), arch.resolution


def _spent(of_base: str, of_network: str) -> tuple[float, float, float]:
    """log2 of the FLOPs over the base's of a network's layers alone, its channels alone, its pixels alone."""
    base, arch = parse(of_base), parse(of_network)
    pairs = list(zip(base.stages, arch.stages, strict=True))
    deep = dataclasses.replace(base, stages=tuple(dataclasses.replace(a, layers=b.layers) for a, b in pairs))
    wide = tuple(dataclasses.replace(a, channels=b.channels) for a, b in pairs)
    variants = (
        deep,
        dataclasses.replace(base, stages=wide, stem=arch.stem, head=arch.head),
        dataclasses.replace(base, resolution=arch.resolution),
    )
    by_depth, by_width, by_size = (math.log2(cost(one).flops / cost(base).flops) for one in variants)
    return by_depth, by_width, by_size
