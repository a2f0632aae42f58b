"""Where the names of a panel's baselines are written: beside their marks, over as few others as can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

# plot areas in px for which a place must do: on a phone, and three panels side by side
SIZES = ((285.0, 265.0), (320.0, 325.0))
_LETTER, _HEIGHT = 7.3, 16.0  # px of a bold letter of 12 px, and of a line
_MARGIN = 0.06  # of the axis, beyond the outermost mark
_MARK, _GAP = 5.0, 11.0  # px: half a mark, and from a baseline's centre to the edge of its ring


class Box(NamedTuple):
    """px, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def grown(self, by: float) -> Box:
        return Box(self.left - by, self.bottom - by, self.right + by, self.top + by)

    def holds(self, x: float, y: float) -> bool:
        return self.left < x < self.right and self.bottom < y < self.top

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )


class Place(NamedTuple):
    """From the mark to the middle of its label in px, y upwards; `leader`: so far that a line must join them."""

    dx: float
    dy: float
    leader: bool = False


class Spot(NamedTuple):
    """Something drawn at shares of the axes, x and y upwards; `weight`: how bad it is to cover, 1 for a mark."""

    x: float
    y: float
    weight: float = 1.0


def scale(values: Sequence[float], log: bool) -> Callable[[float], float]:
    """A function from a value to its share of the axis, 0 to 1, for an axis that shows all these and its margins."""
    transform = math.log if log else float
    low, high = transform(min(values)), transform(max(values))
    if low == high:
        return lambda _: 0.5
    return lambda value: _MARGIN + (1 - 2 * _MARGIN) * (transform(value) - low) / (high - low)


def place(names: Sequence[tuple[Spot, str]], drawn: Sequence[Spot]) -> list[Place]:
    """A place for the name at each spot: the nearest that covers nothing drawn, no other name and nothing beyond the
    edge; else the one that covers least."""
    taken: list[list[Box]] = [[] for _ in SIZES]
    places = []
    for spot, name in names:
        costs = {at: _cost(at, spot, name, drawn, taken) for at in _candidates(name)}
        best = min(costs, key=lambda at: costs[at])
        for boxes, (width, height) in zip(taken, SIZES, strict=True):
            x, y = spot.x * width, spot.y * height
            boxes.extend([_box(x, y, best, name), *_line(x, y, best)])
        places.append(best)
    return places


def _candidates(name: str) -> list[Place]:
    half = len(name) * _LETTER / 2
    near = [Place(sx * (_GAP + half), sy * (_HEIGHT / 2 + 4)) for sy in (-1, 0, 1) for sx in (-1, 1)] + [
        Place(0, sy * (_GAP + _HEIGHT / 2)) for sy in (-1, 1)
    ]
    far = [
        Place(round(math.cos(angle) * (reach + half), 1), round(math.sin(angle) * reach, 1), leader=True)
        for reach in (30, 50, 75, 100)
        for angle in (n * math.pi / 8 for n in range(16))
    ]
    return near + far


def _box(x: float, y: float, at: Place, name: str) -> Box:
    half = len(name) * _LETTER / 2
    return Box(x + at.dx - half, y + at.dy - _HEIGHT / 2, x + at.dx + half, y + at.dy + _HEIGHT / 2)


def _line(x: float, y: float, at: Place) -> list[Box]:
    """Points along the leader, each an empty box."""
    along = [(x + at.dx * n / 4, y + at.dy * n / 4) for n in (1, 2, 3)] if at.leader else []
    return [Box(px, py, px, py) for px, py in along]


def _cost(at: Place, spot: Spot, name: str, drawn: Sequence[Spot], taken: Sequence[Sequence[Box]]) -> float:
    cost = 0.02 * math.hypot(at.dx, at.dy) / math.sqrt(len(name) or 1) + (0.5 if at.leader else 0)
    for (width, height), boxes in zip(SIZES, taken, strict=True):
        x, y = spot.x * width, spot.y * height
        box = _box(x, y, at, name)
        grown = box.grown(_MARK)
        line = [point.grown(_GAP) for point in _line(x, y, at)]
        for other in drawn:
            where = other.x * width, other.y * height
            cost += other.weight * (grown.holds(*where) + 0.3 * any(point.holds(*where) for point in line))
        cost += 4 * sum(box.meets(other) or any(point.meets(other) for point in line) for other in boxes)
        cost += 0.2 * sum(max(0.0, over) for over in (-box.left, -box.bottom, box.right - width, box.top - height))
    return cost
