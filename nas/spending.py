"""What a doubling of FLOPs is worth by depth, by width and by resolution, fitted to all networks of a measured grid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.arch import Architecture, parse
from nas.cost import cost
from nas.measured_grid import BASE, Measured, t_quantile
from nas.redraws import Rows

FEWEST = 10  # networks from which the fit is made: four coefficients, and six left over


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one dimension: points gained by a doubling of FLOPs through it, ± half a 95 % interval; and by how much that
    multiplies the step time, None where it was not measured."""

    dimension: str
    points: float
    error: float
    step: float | None


def spending(networks: Sequence[Measured]) -> tuple[Spending, ...]:
    """Depth, width and resolution; empty where there are too few networks to tell them apart.

    Least squares of mean accuracy, and of log2 step time, on the log2 FLOPs that each dimension of the network would
    cost alone, as built: with its roundings. A line in each: no best mixture can come of it, only what is undervalued.
    """
    base = next((one for one in networks if one.mark == BASE), None)
    if base is None or len(networks) < FEWEST:
        return ()
    small = parse(base.arch)
    spent = np.array([_spent(small, parse(one.arch)) for one in networks])
    found = _fit(spent, np.array([one.accuracy for one in networks]))
    if found is None:
        return ()
    timed = all(one.step_s for one in networks)
    times = _fit(spent, np.log2([one.step_s or 1.0 for one in networks])) if timed else None
    return tuple(
        Spending(name, found[0][place], found[1][place], 2 ** times[0][place] if times else None)
        for place, name in enumerate(("depth", "width", "resolution"))
    )


def _spent(base: Architecture, arch: Architecture) -> tuple[float, float, float]:
    """log2 of the FLOPs over the base's of its layers alone, its channels alone, its pixels alone."""
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


def _fit(x: Rows, y: Rows) -> tuple[list[float], list[float]] | None:
    """(coefficients, half their 95 % intervals) without the constant; None where x does not span the dimensions."""
    matrix = np.column_stack([np.ones(len(x)), x])
    freedom = len(x) - matrix.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return None
    inverse = np.linalg.inv(matrix.T @ matrix)
    found = inverse @ matrix.T @ y
    residual = y - matrix @ found
    errors = t_quantile(freedom) * np.sqrt(residual @ residual / freedom * np.diag(inverse))
    return found[1:].tolist(), errors[1:].tolist()
