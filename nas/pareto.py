"""Pareto fronts of values that carry noise, and the hypervolume they cover. Knows keys and goals, nothing of trials."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.metric import Goal

Objectives = Sequence[tuple[str, Goal]]
Values = Mapping[str, float | None]
Status = Literal["front", "tied", "dominated"]
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of one candidate. `spreads`: half-widths of noise in the unit of the value; a missing one is 0."""

    values: Values
    spreads: Values = field(default_factory=dict)
    feasible: bool = True


def complete(values: Values, objectives: Objectives) -> bool:
    """Whether every objective has a finite value; a point that lacks one is on no front."""
    return all(math.isfinite(_number(values.get(key))) for key, _ in objectives)


def dominates(a: Values, b: Values, objectives: Objectives) -> bool:
    """Whether `a` is nowhere worse than `b` and better somewhere, taken at face value."""
    return beats(Point(a), Point(b), objectives)


def beats(a: Point, b: Point, objectives: Objectives) -> bool:
    """Whether `a` is worse beyond noise in no objective and better beyond noise in at least one.

    The noise of a pair in an objective is the larger of their two spreads. Without spreads this is dominance.
    """
    if not (complete(a.values, objectives) and complete(b.values, objectives)):
        return False
    rows, spreads = _rows([a.values, b.values], objectives), _spreads([a, b], objectives)
    return bool(_beating(rows[:1], spreads[:1], rows[1], spreads[1])[0])


def standing(points: Sequence[Point], objectives: Objectives) -> tuple[Status | None, ...]:
    """The status of every point: front, tied, dominated, or None where it is infeasible or lacks a value.

    - dominated: another point dominates it at face value.
    - tied: no point dominates it at face value, but at least one `beats` it: that point is worse by more than the
      noise in no objective and better by more than the noise in one. Measured again, it might not be on the front.
    - front: neither. Without noise, nothing is tied.
    """
    candidates = [n for n, point in enumerate(points) if point.feasible and complete(point.values, objectives)]
    rows = _rows([points[n].values for n in candidates], objectives)
    spreads = _spreads([points[n] for n in candidates], objectives)
    statuses: list[Status | None] = [None] * len(points)
    for place, (number, member) in enumerate(zip(candidates, _nondominated(rows), strict=True)):
        if not member:
            statuses[number] = "dominated"
        else:
            beaten = _beating(rows, spreads, rows[place], spreads[place]).any()
            statuses[number] = "tied" if beaten else "front"
    return tuple(statuses)


def on_front(values: Sequence[Values], objectives: Objectives) -> tuple[bool, ...]:
    """Whether each of these is on the front at face value. Equal values stand or fall together."""
    known = [n for n, row in enumerate(values) if complete(row, objectives)]
    members = [False] * len(values)
    for number, member in zip(known, _nondominated(_rows([values[n] for n in known], objectives)), strict=True):
        members[number] = bool(member)
    return tuple(members)


class Front:
    """The front of the points added so far. An addition costs O(members)."""

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = tuple(objectives)
        self._members: list[tuple[tuple[float, ...], dict[str, float]]] = []

    def add(self, values: Values) -> bool:
        """Whether the front changed: False where a member is at least as good everywhere, or a value is missing."""
        if not complete(values, self.objectives):
            return False
        new = _oriented(values, self.objectives)
        if any(_covers(old, new) for old, _ in self._members):
            return False
        known = {key: _number(values[key]) for key, _ in self.objectives}
        self._members = [(old, kept) for old, kept in self._members if not _covers(new, old)] + [(new, known)]
        return True

    @property
    def members(self) -> tuple[dict[str, float], ...]:
        """The values of the members, oldest first."""
        return tuple(dict(values) for _, values in self._members)

    def __len__(self) -> int:
        return len(self._members)


def reference_point(values: Iterable[Values], objectives: Objectives, margin: float = 0.1) -> dict[str, float]:
    """A reference for the hypervolume: in each objective the worst value seen, and `margin` of the range beyond it.

    Where all values are equal, `margin` of their size is used for the range. Empty where no point is complete.
    """
    rows = _rows([row for row in values if complete(row, objectives)], objectives)
    if not len(rows):
        return {}
    worst, best = rows.max(axis=0), rows.min(axis=0)
    span = np.where(worst > best, worst - best, np.where(worst == 0, 1.0, np.abs(worst)))
    return _plain(worst + margin * span, objectives)


def ideal_point(values: Iterable[Values], objectives: Objectives) -> dict[str, float]:
    """The best value seen in each objective. Empty where no point is complete."""
    rows = _rows([row for row in values if complete(row, objectives)], objectives)
    return _plain(rows.min(axis=0), objectives) if len(rows) else {}


def hypervolume(values: Iterable[Values], objectives: Objectives, reference: Mapping[str, float]) -> float:
    """The volume of all that these points dominate and that dominates `reference`, in the product of their units.

    Exact. O(n log n) searches for two objectives and, sweeping the third, for three; each further objective
    multiplies by n. Points that are not better than the reference everywhere add nothing.
    """
    corner = _oriented(reference, objectives)
    rows = [_oriented(row, objectives) for row in values if complete(row, objectives)]
    return _volume([row for row in rows if all(x < r for x, r in zip(row, corner, strict=True))], corner)


def hypervolume_history(
    values: Iterable[Values], objectives: Objectives, reference: Mapping[str, float]
) -> tuple[float, ...]:
    """The hypervolume after each point in turn. A point with a missing value leaves it as it was."""
    front = Front(objectives)
    history: list[float] = []
    for row in values:
        changed = front.add(row)
        last = history[-1] if history else 0.0
        # max: summing in another order may lose the last bit, and the truth never falls
        history.append(max(last, hypervolume(front.members, objectives, reference)) if changed else last)
    return tuple(history)


# Inside, every objective is to be minimized: a row is the values with the maximized ones negated.


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _oriented(values: Values, objectives: Objectives) -> tuple[float, ...]:
    return tuple(_number(values.get(key)) * (1 if goal == "minimize" else -1) for key, goal in objectives)


def _plain(row: Rows, objectives: Objectives) -> dict[str, float]:
    return {key: float(x) if goal == "minimize" else -float(x) for x, (key, goal) in zip(row, objectives, strict=True)}


def _rows(values: Sequence[Values], objectives: Objectives) -> Rows:
    rows = [_oriented(row, objectives) for row in values]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(objectives))


def _spreads(points: Sequence[Point], objectives: Objectives) -> Rows:
    known = [[_number(point.spreads.get(key)) for key, _ in objectives] for point in points]
    return np.nan_to_num(np.abs(np.array(known, dtype=np.float64)), nan=0.0).reshape(len(points), len(objectives))


def _beating(rows: Rows, spreads: Rows, row: Rows, spread: Rows) -> NDArray[np.bool_]:
    """Which of `rows` beat `row` beyond noise. (n, m) and (m,) → (n,)."""
    worse, noise = rows - row, np.maximum(spreads, spread)
    return np.asarray((worse <= noise).all(axis=1) & (worse < -noise).any(axis=1), dtype=np.bool_)


def _covers(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def _nondominated(rows: Rows) -> NDArray[np.bool_]:
    """(n, m) → (n,). In lexicographic order no row is dominated by a later one, so one pass over the members does."""
    keep = np.zeros(len(rows), dtype=bool)
    if not rows.size:
        return keep
    front = np.empty_like(rows)
    count = 0
    for n in np.lexsort(rows.T[::-1]):
        members = front[:count]
        if not ((members <= rows[n]).all(axis=1) & (members < rows[n]).any(axis=1)).any():
            front[count] = rows[n]
            count += 1
            keep[n] = True
    return keep


class _Staircase:
    """The area between a corner and points in two dimensions, growing point by point."""

    def __init__(self, corner: tuple[float, ...]) -> None:
        self.right, self.top = corner
        self.xs: list[float] = []  # rising
        self.ys: list[float] = []  # falling
        self.area = 0.0

    def add(self, x: float, y: float) -> None:
        first = bisect_left(self.xs, x)
        covered_left = first > 0 and self.ys[first - 1] <= y
        if covered_left or (first < len(self.xs) and self.xs[first] == x and self.ys[first] <= y):
            return
        left, height = x, self.ys[first - 1] if first else self.top
        last = first
        while last < len(self.xs) and self.ys[last] >= y:  # steps that the new one covers
            self.area += (self.xs[last] - left) * (height - y)
            left, height = self.xs[last], self.ys[last]
            last += 1
        end = self.xs[last] if last < len(self.xs) else self.right
        self.area += (end - left) * (height - y)
        self.xs[first:last], self.ys[first:last] = [x], [y]


def _volume(rows: list[tuple[float, ...]], corner: tuple[float, ...]) -> float:
    if not rows:
        return 0.0
    if len(corner) == 1:
        return corner[0] - min(row[0] for row in rows)
    if len(corner) == 2:
        stairs = _Staircase(corner)
        for row in rows:
            stairs.add(*row)
        return stairs.area
    return _sweep(sorted(rows, key=lambda row: row[-1]), corner)


def _sweep(rows: list[tuple[float, ...]], corner: tuple[float, ...]) -> float:
    """Slabs along the last objective, each as thick as the gap to the next point."""
    ends = [row[-1] for row in rows[1:]] + [corner[-1]]
    stairs = _Staircase(corner[:2]) if len(corner) == 3 else None
    volume = 0.0
    for count, (row, end) in enumerate(zip(rows, ends, strict=True), 1):
        if stairs is not None:
            stairs.add(row[0], row[1])
        if end > row[-1]:
            face = stairs.area if stairs is not None else _volume([other[:-1] for other in rows[:count]], corner[:-1])
            volume += face * (end - row[-1])
    return volume
