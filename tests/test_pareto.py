import pytest

from nas.metric import Goal
from nas.pareto import (
    Front,
    Point,
    beats,
    dominates,
    hypervolume,
    hypervolume_history,
    ideal_point,
    on_front,
    reference_point,
    standing,
)

BOTH: tuple[tuple[str, Goal], ...] = (("flops", "minimize"), ("top1_pct", "maximize"))


def at(flops: float | None, top1: float | None, noise: float = 0.0, feasible: bool = True) -> Point:
    return Point({"flops": flops, "top1_pct": top1}, {"top1_pct": noise}, feasible)


def values(*pairs: tuple[float | None, float | None]) -> list[dict[str, float | None]]:
    return [{"flops": flops, "top1_pct": top1} for flops, top1 in pairs]


def test_dominates_needs_one_better_and_none_worse() -> None:
    a, b, c = values((1, 80), (2, 79), (1, 80))
    assert dominates(a, b, BOTH)
    assert not dominates(b, a, BOTH)
    assert not dominates(a, c, BOTH)


def test_a_member_within_noise_of_being_dominated_is_tied() -> None:
    # the second is nominally on the front, 0.1 points ahead for twice the FLOPs, with 0.5 points of noise
    assert standing([at(1, 80.0, 0.5), at(2, 80.1, 0.5)], BOTH) == ("front", "tied")
    assert standing([at(1, 80.0, 0.5), at(2, 80.6, 0.5)], BOTH) == ("front", "front")


def test_the_noise_of_a_pair_is_the_larger_spread() -> None:
    assert standing([at(1, 80.0, 0.0), at(2, 80.4, 0.5)], BOTH)[1] == "tied"
    assert standing([at(1, 80.0, 0.5), at(2, 80.4, 0.0)], BOTH)[1] == "tied"


def test_noise_never_lifts_a_dominated_point() -> None:
    assert standing([at(1, 80.0, 5), at(1, 79.9, 5)], BOTH) == ("front", "dominated")


def test_points_without_a_value_or_infeasible_have_no_standing() -> None:
    points = [
        at(1, None),
        at(None, 90),
        at(0.1, 99, feasible=False),
        at(float("nan"), 90),
        at(float("inf"), 9),
        at(3, 50),
    ]
    assert standing(points, BOTH) == (None, None, None, None, None, "front")
    assert standing([], BOTH) == ()


def test_equal_points_are_all_on_the_front() -> None:
    assert on_front(values((1, 80), (1, 80), (2, 70), (None, 99)), BOTH) == (True, True, False, False)


def test_beats_is_dominance_beyond_noise() -> None:
    assert beats(at(1, 80.0, 0.5), at(2, 80.1), BOTH)
    assert not beats(at(2, 80.1), at(1, 80.0, 0.5), BOTH)
    assert not beats(at(1, None), at(2, 80.0), BOTH)


def test_front_adds_and_forgets() -> None:
    front = Front(BOTH)
    added = [front.add(row) for row in values((2, 80), (3, 79), (2, 80), (None, 99), (1, 79), (1, 81))]
    assert added == [True, False, False, False, True, True]
    assert front.members == ({"flops": 1, "top1_pct": 81},)
    assert len(front) == 1


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1, 1)], 4.0),
        ([(1, 1), (1, 1), (2, 2)], 4.0),
        ([(1, 2), (2, 1)], 3.0),
        ([(2, 1), (1, 2)], 3.0),
        ([(0, 3), (3, 0)], 0.0),  # on the border of the reference
        ([(1, 2), (1, 1)], 4.0),
        ([], 0.0),
    ],
)
def test_hypervolume_in_two_objectives(rows: list[tuple[float, float]], expected: float) -> None:
    goals: tuple[tuple[str, Goal], ...] = (("a", "minimize"), ("b", "minimize"))
    assert hypervolume([{"a": a, "b": b} for a, b in rows], goals, {"a": 3, "b": 3}) == expected


def test_hypervolume_in_one_three_and_four_objectives() -> None:
    goals: list[tuple[str, Goal]] = [("a", "minimize"), ("b", "maximize"), ("c", "minimize"), ("d", "maximize")]
    corner = {"a": 2.0, "b": -2.0, "c": 2.0, "d": -2.0}
    rows = [{"a": 0.0, "b": -1.0, "c": 1.0, "d": 0.0}, {"a": 1.0, "b": 0.0, "c": 0.0, "d": -1.0}]
    assert hypervolume(rows, goals[:1], corner) == 2
    assert hypervolume(rows, goals[:3], corner) == 2 + 4 - 1
    assert hypervolume(rows, goals, corner) == 4 + 4 - 1


def test_history_grows_only_with_the_front() -> None:
    rows = values((2, 1), (None, 5), (1, 2), (3, 0))
    assert hypervolume_history(rows, BOTH, {"flops": 3, "top1_pct": 0}) == (1, 1, 4, 4)


def test_the_reference_lies_beyond_the_worst() -> None:
    rows = values((1, 80), (3, 60), (None, 0))
    assert reference_point(rows, BOTH) == {"flops": pytest.approx(3.2), "top1_pct": pytest.approx(58)}
    assert ideal_point(rows, BOTH) == {"flops": 1, "top1_pct": 80}
    assert reference_point([], BOTH) == ideal_point([], BOTH) == {}
    assert reference_point(values((1, 0)), BOTH) == {"flops": pytest.approx(1.1), "top1_pct": pytest.approx(-0.1)}
