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
from nas.measured_grid import BASE_MARK, Measured, Noise
from nas.redraws import least_squares, t_quantile

FEWEST = 10  # networks from which a fit is made: four coefficients, and six left over
DIMENSION_NAMES = ("depth", "width", "resolution")


@dataclass(frozen=True, slots=True)
class Gain:
    """What scaling one dimension alone gained over the base: points ± half a 95 % interval; FLOPs as trained and step
    time in multiples of the base's, the latter None where it was not measured. `place`: of the dimension; `built`: by
    how much it grew."""

    measured: Measured
    place: int
    built: float
    points: float
    error: float
    flops: float
    step: float | None


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one dimension: points gained by a doubling of FLOPs through it, ± half a 95 % interval; and by how much that
    multiplies the step time, None where it was not measured."""

    dimension: str
    points: float
    error: float
    step: float | None


def gains(networks: Sequence[Measured], base: Measured, noise: Noise) -> Iterable[Gain]:
    """What the networks gained that differ from the base in one dimension as built, whatever triple they go by."""
    quantile = t_quantile(noise.freedom)
    small = parse(base.arch)
    for one in networks:
        arch = parse(one.arch)
        places = [place for place, (a, b) in enumerate(zip(parts(small), parts(arch), strict=True)) if a != b]
        if len(places) == 1:
            error = noise.deviation * math.sqrt(1 / len(one.accuracies) + 1 / len(base.accuracies))
            yield Gain(
                one,
                places[0],
                _size(arch)[places[0]] / _size(small)[places[0]],
                one.accuracy - base.accuracy,
                quantile * error,
                one.flops / base.flops,
                one.timed.step_s / base.timed.step_s if one.timed and base.timed else None,
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
    timed = [one.timed for one in networks if one.timed]
    times = None
    if base.timed and len(timed) == len(networks):
        spent = np.array([_spent(base.timed.arch, one.arch) for one in timed])
        times = least_squares(spent, np.log2([one.step_s for one in timed]))
    return tuple(
        Spending(name, found[0][place], found[1][place], 2 ** times[0][place] if times else None)
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
