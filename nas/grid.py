"""The compound grid in closed form: every (α, β, γ) whose network costs what was asked, each network once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from nas.arch import Architecture
from nas.cost import Cost, cost
from nas.errors import NasError, nearest
from nas.lattice import EXACT, Lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

Constraint = Literal["nominal", "real"]
Triple = tuple[float, float, float]
DIMENSIONS = ("alpha", "beta", "gamma")  # of layers, of channels, of pixels
BASE: Triple = (1.0, 1.0, 1.0)  # builds the base itself
PAPER: Triple = (1.2, 1.1, 1.15)  # arXiv:1905.11946, section 4, step 1: "under constraint of α·β²·γ² ≈ 2"
MOST = 2_000_000  # triples, unless more are asked for
CEILING = 10_000_000  # triples, whatever is asked for
PASSING = 2_000_000  # triples that pass: with both at their most, V2-XL in whole pixels takes 1.3 GiB


class GridError(NasError):
    """A grid that cannot be made, or that has no member."""


@dataclass(frozen=True, slots=True)
class Member:
    """One distinct network of a grid, and what builds it.

    (`alpha`, `beta`, `gamma`) multiply layers, channels and pixels: the triple whose nominal product is nearest the
    target, the smallest of equals; `triples` are all that build this network. `nominal` is α·β²·γ²; `real` is the
    network's FLOPs over those of the base.
    """

    alpha: float
    beta: float
    gamma: float
    nominal: float
    real: float
    arch: Architecture
    cost: Cost
    triples: tuple[Triple, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The members in the order of their triples. `considered` and `passed` count triples, not networks."""

    base: Architecture
    base_cost: Cost
    target: float
    tolerance: float
    constraint: Constraint
    step: float
    low: float
    high: float
    divisor: int
    floor: float | None
    pixels: int
    considered: int
    passed: int
    members: tuple[Member, ...]

    @property
    def real_range(self) -> tuple[float, float, float]:
        """(lowest, median, highest) real cost of the members, in multiples of the base."""
        real = [member.real for member in self.members]
        return min(real), median(real), max(real)


def grid(  # noqa: PLR0913
    base: Architecture,
    *,
    target: float = 2.0,
    step: float = 0.05,
    tolerance: float = 0.1,
    constraint: Constraint = "nominal",
    low: float = 1.0,
    high: float = 2.0,
    divisor: int = 8,
    floor: float | None = 0.9,
    pixels: int = 8,
    most: int = MOST,
) -> Grid:
    """Every distinct network of `base` scaled by (α, β, γ) in [low, high]³ that costs `target` times the base.

    `constraint` "nominal" asks |α·β²·γ² − target| < tolerance (arXiv:1905.11946, equation 3), "real" the same of the
    built network's FLOPs over the base's. Both are decided in whole numbers, so that a product that lies exactly on the
    edge (1.9 for 2 ± 0.1) is outside on every machine. Channels round to `divisor` (with `floor`), pixels to `pixels`,
    layers up, as in `nas.scaling.scale`. The paper publishes neither step nor range.

    Raises: GridError for numbers that make no grid, more than `most` triples (or `CEILING`), more than `PASSING`
    that pass, or no member at all.
    """
    _check(target=target, step=step, tolerance=tolerance, low=low, high=high, most=most)
    rungs = _Rungs.between(low, high, step)
    _check_grid(constraint, rungs, most, step)
    lattice = Lattice.build(base, rungs.values, divisor, floor, pixels)
    spent = cost(base)
    products = rungs.products()
    ask, within = _exactly(target), _exactly(tolerance)
    if constraint == "nominal":
        passing = _inside(products, ask, within, rungs.unit**5)
    else:
        passing = lattice.each_triple(_inside(lattice.flops, ask, within, spent.flops))
    passed = int(passing.sum())
    if not passed:
        raise _empty(spent, rungs, lattice, products, (target, tolerance, constraint))
    if passed > PASSING:
        reason = f"grid: {passed:,} triples pass; at most {PASSING:,} can be held"
        raise GridError(reason, "use a smaller tolerance or a larger step")
    return Grid(
        base=base,
        base_cost=spent,
        target=target,
        tolerance=tolerance,
        constraint=constraint,
        step=step,
        low=low,
        high=high,
        divisor=divisor,
        floor=floor,
        pixels=pixels,
        considered=products.size,
        passed=passed,
        members=tuple(_members(passing, products, rungs, lattice, spent, ask)),
    )


def rungs(low: float, high: float, step: float) -> tuple[float, ...]:
    """The values from `low` to `high` that each of α, β, γ takes, as the decimals they are written as."""
    return _Rungs.between(low, high, step).values


@dataclass(frozen=True, slots=True)
class _Rungs:
    """The values of a dimension as whole numbers of 1/`unit`: no sum of steps drifts. None is made before it is asked
    for, so that a million million can be refused."""

    counts: range
    unit: int

    @classmethod
    def between(cls, low: float, high: float, step: float) -> _Rungs:
        first, last, by = map(_exactly, (low, high, step))
        unit = math.lcm(first.denominator, by.denominator)
        start, stride = int(first * unit), int(by * unit)
        return cls(range(start, math.floor(last * unit) + 1, stride), unit)

    @property
    def triples(self) -> int:
        """Number of triples. No len: a range longer than 2^63 has none."""
        return ((self.counts.stop - 1 - self.counts.start) // self.counts.step + 1) ** 3

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(count / self.unit for count in self.counts)

    def products(self) -> NDArray[Any]:
        """α·β²·γ² × unit⁵ as whole numbers, (α, β, γ): int64 where they fit, Python's own where not."""
        kind = np.int64 if self.counts[-1] ** 5 < EXACT else object
        once = np.array(self.counts, dtype=kind)
        products: NDArray[Any] = once[:, None, None] * (once**2)[None, :, None] * (once**2)[None, None, :]
        return products


def _inside(values: NDArray[Any], ask: Fraction, within: Fraction, unit: int) -> NDArray[np.bool_]:
    """Which whole numbers lie strictly between (ask ± within) × unit."""
    least, most = math.floor((ask - within) * unit) + 1, math.ceil((ask + within) * unit) - 1
    if values.dtype != object:
        least, most = (min(max(bound, -EXACT), EXACT) for bound in (least, most))
    return np.asarray((values >= least) & (values <= most), dtype=np.bool_)


def _members(
    passing: NDArray[np.bool_],
    products: NDArray[Any],
    rungs: _Rungs,
    lattice: Lattice,
    spent: Cost,
    ask: Fraction,
) -> Iterator[Member]:
    """The members, in the order of their triples."""
    values, whole = rungs.values, rungs.unit**5
    groups: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    depth_of, width_of, pixels_of = (
        list(map(int, of)) for of in (lattice.depth_of, lattice.width_of, lattice.pixels_of)
    )
    for a, b, c in np.argwhere(passing).tolist():
        groups.setdefault((depth_of[a], width_of[b], pixels_of[c]), []).append((a, b, c))

    def distance(place: tuple[int, int, int]) -> int:
        return abs(int(products[place]) * ask.denominator - ask.numerator * whole)

    best = {network: min(places, key=lambda place: (distance(place), place)) for network, places in groups.items()}
    stages = cache(lattice.stages)  # one tuple for all resolutions
    for network, place in sorted(best.items(), key=lambda item: item[1]):
        depth, width, size = network
        arch = dataclasses.replace(lattice.archs[width][size], stages=stages(depth, width))
        costs = lattice.cost(*network)
        alpha, beta, gamma = (values[rung] for rung in place)
        triples = tuple((values[a], values[b], values[c]) for a, b, c in groups[network])
        real = costs.flops / spent.flops
        yield Member(alpha, beta, gamma, int(products[place]) / whole, real, arch, costs, triples)


def _exactly(number: float) -> Fraction:
    """The decimal that the number is written as: 0.05 is 1/20."""
    return Fraction(repr(float(number)))


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number <= 0:
            raise GridError(f"grid: {name}: expected a number above 0; got {number!r}")
    if numbers["low"] > numbers["high"]:
        raise GridError(
            f"grid: range {numbers['low']:g}:{numbers['high']:g} runs backwards",
            f"write it as {numbers['high']:g}:{numbers['low']:g}",
        )


def _check_grid(constraint: str, rungs: _Rungs, most: int, step: float) -> None:
    if constraint not in get_args(Constraint):
        raise GridError(f"grid: unknown constraint '{constraint}'", nearest(constraint, get_args(Constraint)))
    lowest = rungs.counts[0] / rungs.unit
    if constraint == "nominal" and lowest < 1:
        raise GridError(
            f"grid: the nominal constraint has α, β, γ of at least 1 (equation 3); got {lowest:g}",
            "use a range from 1, or the real constraint: --constraint real",
        )
    triples = rungs.triples
    if triples > min(most, CEILING):
        allow = f", or allow it with: --most {triples}" if triples <= CEILING else ""
        many = f"{triples:,}" if triples < 10**15 else f"about 10^{len(str(triples)) - 1}"
        raise GridError(
            f"grid: a step of {step:g} makes {many} triples; at most {min(most, CEILING):,}",
            f"use a larger step or a smaller range{allow}",
        )


def _empty(
    spent: Cost,
    rungs: _Rungs,
    lattice: Lattice,
    products: NDArray[Any],
    asked: tuple[float, float, str],
) -> GridError:
    """The error of a grid without a member; it names the nearest triple."""
    target, tolerance, constraint = asked
    whole = rungs.unit**5
    nominal = ((products if whole < EXACT else products.astype(object)) / whole).astype(float)
    real = (lattice.flops / spent.flops)[np.ix_(lattice.depth_of, lattice.width_of, lattice.pixels_of)]
    places = np.abs((nominal if constraint == "nominal" else real) - target)
    place = np.unravel_index(int(np.argmin(places)), places.shape)
    triple = ", ".join(f"{rungs.values[rung]:g}" for rung in place)
    return GridError(
        f"grid: no triple within {tolerance:g} of {target:g} ({constraint}); the nearest is ({triple}): nominal "
        f"{nominal[place]:.4f}, real {real[place]:.4f}",
        "widen the tolerance or the range, or use a smaller step",
    )
