import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nas.metric import Goal
from nas.pareto import Front, Point, dominates, hypervolume, hypervolume_history, on_front, standing

GOALS: tuple[tuple[str, Goal], ...] = (("a", "minimize"), ("b", "maximize"), ("c", "minimize"), ("d", "maximize"))
Rows = list[dict[str, float]]
# few distinct values, so that equal coordinates and equal points happen
GRID = st.integers(-4, 4).map(float)
REAL = st.floats(-1e6, 1e6, allow_nan=False)


def rows_of(count: int, element: st.SearchStrategy[float] = GRID | REAL) -> st.SearchStrategy[Rows]:
    keys = [key for key, _ in GOALS[:count]]
    return st.lists(st.fixed_dictionaries(dict.fromkeys(keys, element)), max_size=12)


@st.composite
def problems(
    draw: st.DrawFn, element: st.SearchStrategy[float] = GRID | REAL
) -> tuple[Rows, tuple[tuple[str, Goal], ...]]:
    count = draw(st.integers(1, 4))
    return draw(rows_of(count, element)), GOALS[:count]


@given(problems())
def test_the_front_is_what_nothing_dominates(problem: tuple[Rows, tuple[tuple[str, Goal], ...]]) -> None:
    rows, goals = problem
    expected = tuple(not any(dominates(other, row, goals) for other in rows) for row in rows)
    assert on_front(rows, goals) == expected


@given(problems(), st.randoms(use_true_random=False))
def test_order_does_not_matter(problem, random) -> None:  # type: ignore[no-untyped-def]
    rows, goals = problem
    points = [Point(row, {"a": abs(row["a"]) / 3}) for row in rows]
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = standing([points[n] for n in order], goals)
    assert [shuffled[order.index(n)] for n in range(len(rows))] == list(standing(points, goals))


@given(problems(GRID))
def test_a_monotone_rescale_changes_no_front(problem: tuple[Rows, tuple[tuple[str, Goal], ...]]) -> None:
    rows, goals = problem
    rescaled = [{key: math.exp(value) + value**3 for key, value in row.items()} for row in rows]
    assert on_front(rescaled, goals) == on_front(rows, goals)


@given(problems())
def test_without_noise_nothing_is_tied(problem: tuple[Rows, tuple[tuple[str, Goal], ...]]) -> None:
    rows, goals = problem
    statuses = standing([Point(row) for row in rows], goals)
    assert statuses == tuple("front" if member else "dominated" for member in on_front(rows, goals))
    assert bool(rows) == ("front" in statuses)


@given(problems(), st.floats(0, 100))
def test_noise_moves_members_to_tied_and_nothing_else(problem, noise: float) -> None:  # type: ignore[no-untyped-def]
    rows, goals = problem
    spreads = {key: noise for key, _ in goals}
    statuses = standing([Point(row, spreads) for row in rows], goals)
    assert [status in ("front", "tied") for status in statuses] == list(on_front(rows, goals))


@given(problems())
def test_the_growing_front_is_the_front(problem: tuple[Rows, tuple[tuple[str, Goal], ...]]) -> None:
    rows, goals = problem
    front = Front(goals)
    for row in rows:
        front.add(row)
    expected = {frozenset(row.items()) for row, member in zip(rows, on_front(rows, goals), strict=True) if member}
    assert {frozenset(row.items()) for row in front.members} == expected
    assert len(front) == len(expected)


def union_of_boxes(rows: Rows, goals: tuple[tuple[str, Goal], ...], corner: dict[str, float]) -> float:
    """Inclusion and exclusion over every subset: exponential, and shares nothing with the sweep."""
    total = 0.0
    for size in range(1, len(rows) + 1):
        for subset in itertools.combinations(rows, size):
            sides = [
                corner[key] - max(row[key] for row in subset)
                if goal == "minimize"
                else min(row[key] for row in subset) - corner[key]
                for key, goal in goals
            ]
            total += (-1) ** (size + 1) * math.prod(max(0.0, side) for side in sides)
    return total


@settings(max_examples=60)
@given(problems(GRID))
def test_hypervolume_is_the_union_of_boxes(problem: tuple[Rows, tuple[tuple[str, Goal], ...]]) -> None:
    rows, goals = problem
    corner = {key: 3.0 if goal == "minimize" else -3.0 for key, goal in goals}
    rows = rows[:8]
    assert hypervolume(rows, goals, corner) == pytest.approx(union_of_boxes(rows, goals, corner), abs=1e-9)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_hypervolume_agrees_with_throwing_darts(count: int) -> None:
    random = np.random.default_rng(count)
    cloud, darts = random.random((40, count)), random.random((40_000, count))
    goals: list[tuple[str, Goal]] = [(str(n), "minimize") for n in range(count)]
    keys = [key for key, _ in goals]
    rows = [dict(zip(keys, map(float, row), strict=True)) for row in cloud]
    hit = (darts[:, None, :] >= cloud[None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(rows, goals, dict.fromkeys(keys, 1.0)) == pytest.approx(hit, abs=0.01)


@given(problems(), st.data())
def test_hypervolume_never_falls(problem: tuple[Rows, tuple[tuple[str, Goal], ...]], data: st.DataObject) -> None:
    rows, goals = problem
    assume(rows)
    corner = {key: data.draw(REAL) for key, _ in goals}
    history = hypervolume_history(rows, goals, corner)
    assert list(history) == sorted(history)
    assert history[-1] == pytest.approx(hypervolume(rows, goals, corner), rel=1e-9)
    front = [row for row, member in zip(rows, on_front(rows, goals), strict=True) if member]
    assert hypervolume(front, goals, corner) == pytest.approx(history[-1], rel=1e-9)
