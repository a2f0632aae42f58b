"""Statistics of noisy readings: lines with their errors, seed errors redrawn, which of many may still be the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One value over another, ± half a 95 % interval."""

    value: float
    error: float

    @classmethod
    def of_log(cls, logarithm: float, half: float) -> Ratio:
        """The ratio whose natural logarithm is known ± `half`; its error to first order."""
        return cls(math.exp(logarithm), math.exp(logarithm) * half)

    @property
    def told(self) -> bool:
        """Told apart from 1 by its interval, read either way: of the ratio or of its inverse."""
        return abs(self.value - 1) > self.error * max(1, 1 / self.value)


@cache
def t_quantile(freedom: int) -> float:
    """Half the central 95 % interval of Student's t, to a percent or so: from 100,000 draws of a fixed seed."""
    return float(np.quantile(np.abs(np.random.default_rng(0).standard_t(freedom, 100_000)), CONFIDENCE))


def least_squares(x: Rows, y: Rows) -> tuple[list[float], list[float]] | None:
    """(coefficients, half their 95 % t intervals) of y on the columns of x and a constant, without the constant.

    None where nothing is left over to see the errors by, or the columns do not span their dimensions.
    """
    matrix = np.column_stack([np.ones(len(x)), x])
    freedom = len(x) - matrix.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return None
    inverse = np.linalg.inv(matrix.T @ matrix)
    found = inverse @ matrix.T @ y
    residual = y - matrix @ found
    errors = t_quantile(freedom) * np.sqrt(residual @ residual / freedom * np.diag(inverse))
    return found[1:].tolist(), errors[1:].tolist()


def mean_errors(
    seeds: Sequence[int], deviation: float, freedom: int, generator: np.random.Generator, draws: int
) -> Rows:
    """(draws, means) errors of means of so many seeds each, in the unit of `deviation`, known with `freedom` degrees.

    One deviation a draw, from its χ² distribution, and normal errors under it: each mean's error is t distributed.
    """
    drawn = deviation * np.sqrt(freedom / generator.chisquare(freedom, (draws, 1)))
    errors: Rows = drawn / np.sqrt(seeds) * generator.standard_normal((draws, len(seeds)))
    return errors


def slopes(y: Rows, x: Rows, weights: Rows) -> Rows:
    """(draws,) least-squares slopes of y on x, row by row; 0 where all x are one."""
    total = weights.sum(axis=1, keepdims=True)
    x_off = x - (weights * x).sum(axis=1, keepdims=True) / total
    y_off = y - (weights * y).sum(axis=1, keepdims=True) / total
    square = (weights * x_off**2).sum(axis=1)
    product = (weights * x_off * y_off).sum(axis=1)
    found: Rows = np.divide(product, square, out=np.zeros_like(product), where=square > 1e-12)
    return found


def subset(values: Rows, errors: Rows) -> list[bool]:
    """Which of these hold the best with 95 % confidence together (Gupta 1965): i stays where max_j value_j − value_i is
    no more than the 95 % quantile of max_j error_j − error_i."""
    highest = errors.max(axis=1)
    reach = np.quantile(highest[:, None] - errors, CONFIDENCE, axis=0)
    return [bool(kept) for kept in values.max() - values <= reach]


def half_width(draws: Rows) -> float:
    """Half the central 95 % interval."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(high - low) / 2
