"""Which triple is best, on made-up readings of which the truth is known."""

from __future__ import annotations

import dataclasses
import math
import random
from itertools import count, product

import numpy as np
import pytest

from nas.arch import parse
from nas.choice import Choice, choose
from nas.cost import cost
from nas.measured_grid import ChoiceError, Measured, measured
from nas.record import Reading, Record
from nas.redraws import slopes, subset
from nas.report.choice import candidates_table, document, networks_table, sentences, verdict
from nas.report.table import to_csv
from nas.scaling import scale
from nas.spending import spending

BASE, PAPER = (1.0, 1.0, 1.0), (1.2, 1.1, 1.15)
ARCH = "r32 s8 m1k3s1c8n1 m4k3s2c16n1 h32"


class World:
    """Networks with a true accuracy, read with seeds of a known deviation."""

    def __init__(self, deviation: float, seed: int = 0, seeds: int = 3) -> None:
        self.deviation, self.random, self.seeds, self.order = deviation, random.Random(seed), seeds, count()

    def network(
        self, triple: tuple[float, float, float], accuracy: float, flops: float, step_s: float | None, **more: object
    ) -> Measured:
        readings = tuple(self.random.gauss(accuracy, self.deviation) for _ in range(self.seeds))
        order = next(self.order)
        return Measured(
            triple,
            f"r32 s8 m1k3s1c8n1 m4k3s2c16n1 h{32 + 8 * order}",
            flops,
            readings,
            step_s,
            0.01,
            flops / 20,
            order=order,
            **more,
        )  # type: ignore[arg-type]

    def grid(self, accuracies: list[float], slope: float = 0.0) -> list[Measured]:
        """A base, the paper's triple first, and others: costs within 5 % of 2 × and of 20 ms."""
        networks = [self.network(BASE, 70.0, 1e6, 0.010, mark="base")]
        for place, accuracy in enumerate(accuracies):
            cost = 2e6 * (0.95 + 0.1 * place / max(1, len(accuracies) - 1))
            triple = (1 + place / 20, 1.3, 1.1) if place else PAPER
            shifted = accuracy + slope * math.log2(cost / 2e6)
            networks.append(self.network(triple, shifted, cost, cost / 1e8, mark="" if place else "paper"))
        return networks


def best(choice: Choice, question: str) -> tuple[float, float, float]:
    return next(answer for answer in choice.answers if answer.question == question).best.measured.triple


def test_a_clear_winner_is_decided_at_both_costs() -> None:
    accuracies = [80.0] * 20
    accuracies[7] = 84.0
    choice = choose(World(0.5).grid(accuracies))
    assert [answer.question for answer in choice.answers] == ["flops", "step"]
    for answer in choice.answers:
        assert answer.decided
        assert answer.best.measured.triple == (1.35, 1.3, 1.1)
        assert answer.best.wins > 0.99
        assert answer.interval == {"alpha": (1.35, 1.35), "beta": (1.3, 1.3), "gamma": (1.1, 1.1)}
        assert answer.paper
        assert not answer.paper.contender
        assert answer.paper.behind - answer.paper.behind_error > 2
        assert verdict(answer) == "decided: (1.35, 1.3, 1.1)"


def test_equal_networks_are_not_decided_and_the_interval_is_wide() -> None:
    choice = choose(World(1.0).grid([80.0] * 20))
    for answer in choice.answers:
        assert not answer.decided
        assert len(answer.contenders) > 10
        assert answer.paper
        low, high = answer.interval["alpha"]
        assert high - low > 0.4
        assert verdict(answer).startswith("not decided")


def test_the_set_that_may_be_best_holds_the_best_in_nearly_all_worlds() -> None:
    """The promise of 95 %, counted over worlds in which one network is best by less than the noise."""
    held = sizes = 0
    for seed in range(60):
        networks = World(1.0, seed).grid([80.5] + [80.0] * 7)
        answer = choose(networks).answers[0]
        held += answer.paper is not None and answer.paper.contender
        sizes += len(answer.contenders)
    assert held >= 54  # of 60; fewer by chance once in 30,000 at 95 %
    assert sizes > 60


def test_seed_noise_is_pooled_and_found_again() -> None:
    noise = choose(World(1.5, seeds=5).grid([80.0] * 40)).noise
    assert noise.freedom == 41 * 4
    assert noise.deviation == pytest.approx(1.5, rel=0.2)


def test_a_dearer_network_is_not_preferred_for_its_cost_alone() -> None:
    """Accuracy follows cost and nothing else: the line takes away what the band lets in."""
    world = World(0.05)
    networks = [world.network(BASE, 70.0, 1e6, None, mark="base")]
    for place in range(21):
        cost = 2e6 * (0.9 + 0.01 * place)
        triple = (1 + place / 20, 1.2, 1.1)
        networks.append(world.network(triple, 70 + 8 * math.log2(cost / 1e6), cost, None))
    (answer,) = choose(networks).answers
    assert answer.unmoved.flops > 2.15e6
    assert answer.slope == pytest.approx(8, abs=0.3)
    moved = [candidate.moved for candidate in answer.candidates]
    assert max(moved) - min(moved) < 0.5
    assert not answer.decided


def test_step_time_reverses_the_order() -> None:
    """The best at equal FLOPs takes half as long again as the paper's triple: at equal step time another wins."""
    world = World(0.3)
    networks = [
        world.network(BASE, 70.0, 1e6, 0.010, mark="base"),
        world.network(PAPER, 80.0, 2e6, 0.020, mark="paper"),
        world.network((1.0, 1.0, 1.4), 84.0, 2e6, 0.030),
        world.network((1.0, 1.4, 1.0), 82.5, 2.5e6, 0.0205),
        *(world.network((1.5, 1.1, 1 + place / 50), 78.0, 2e6, 0.0198) for place in range(8)),
    ]
    choice = choose(networks)
    assert best(choice, "flops") == (1.0, 1.0, 1.4)
    assert best(choice, "step") == (1.0, 1.4, 1.0)
    alone = {gain.measured.triple: gain for gain in choice.gains}
    assert alone[1.0, 1.0, 1.4].points == pytest.approx(14, abs=1)
    assert alone[1.0, 1.0, 1.4].step == pytest.approx(3)
    assert alone[1.0, 1.4, 1.0].flops == pytest.approx(2.5)
    assert alone[1.0, 1.4, 1.0].error > 0


def test_noisy_step_times_move_networks_in_and_out_of_the_band() -> None:
    world = World(0.3)
    networks = world.grid([80.0] * 6)
    edge = world.network((2.0, 1.0, 1.0), 90.0, 2e6, 0.019 * 1.15)
    quiet, loud = (
        choose([*networks, Measured(edge.triple, edge.arch, edge.flops, edge.accuracies, edge.step_s, noise)])
        for noise in (0.001, 0.05)
    )
    assert quiet.answers[1].elsewhere < 0.01
    assert 0.1 < loud.answers[1].elsewhere < 0.9


def test_without_the_papers_triple_the_median_step_time_is_the_target() -> None:
    networks = [one for one in World(0.5).grid([80.0] * 9) if one.mark != "paper"]
    choice = choose(networks)
    assert choice.answers[1].target == pytest.approx(0.020, rel=0.05)
    assert choice.answers[1].paper is None
    assert any("not measured yet" in sentence for sentence in sentences(choice))


def test_what_cannot_be_answered_is_said() -> None:
    networks = World(0.5).grid([80.0] * 9)
    with pytest.raises(ChoiceError, match="base of the grid is not measured yet"):
        choose(networks[1:])
    with pytest.raises(ChoiceError, match="two seeds"):
        choose(World(0.5, seeds=1).grid([80.0] * 9))
    far = choose(networks, target=8.0)
    assert [answer.question for answer in far.answers] == ["step"]
    assert far.unanswered == ("no network within 10 % of 8 × the base's FLOPs",)
    untimed = [Measured(one.triple, one.arch, one.flops, one.accuracies, mark=one.mark) for one in networks]
    assert [answer.question for answer in choose(untimed).answers] == ["flops"]
    assert choose(untimed).drift is None


def test_a_drift_of_the_step_time_is_found() -> None:
    world = World(0.5)
    steady = world.grid([80.0] * 30)
    drifting = [
        Measured(
            one.triple, one.arch, one.flops, one.accuracies, (one.step_s or 0) * (1 + place / 300), 0.01,
            one.activations and one.activations * (1 + place % 3), one.mark, place,
        )
        for place, one in enumerate(steady)
    ]  # fmt: skip
    found = choose(drifting).drift
    assert found
    assert found[0] == pytest.approx(0.1, abs=0.02)


def test_what_a_doubling_is_worth_in_each_dimension_is_found() -> None:
    """Accuracy made of 4, 6 and 8 points a doubling; the step time doubles with depth and width, not with pixels."""
    base = parse("r64 s16 m1k3s1c16n2 m4k3s2c32n2 m4k3s2c64n2 h128")
    world = World(0.2)
    networks = []
    for place, (depth, width, size) in enumerate([(1, 1, 1), *product((1, 1.5, 2), (1, 1.25, 1.5), (1, 1.25, 1.5))]):
        arch = scale(base, depth=depth, width=width, resolution=size)
        parts = [scale(base, depth=depth), scale(base, width=width), scale(base, resolution=size)]
        spent = [math.log2(cost(part).flops / cost(base).flops) for part in parts]
        one = world.network(
            (depth, width, size),
            60 + 4 * spent[0] + 6 * spent[1] + 8 * spent[2],
            cost(arch).flops,
            0.01 * 2 ** (spent[0] + spent[1]),
            mark="" if place else "base",
        )
        networks.append(dataclasses.replace(one, arch=str(arch)))
    found = {one.dimension: one for one in spending(networks)}
    for dimension, points, step in (("depth", 4, 2), ("width", 6, 2), ("resolution", 8, 1)):
        assert abs(found[dimension].points - points) < 2 * found[dimension].error < 1.5
        assert found[dimension].step == pytest.approx(step, rel=0.01)
    assert spending(networks[:9]) == ()
    assert spending(networks[1:]) == (), "without the base"


def test_the_same_readings_give_the_same_answer() -> None:
    assert document(choose(World(1.0).grid([80.0] * 9))) == document(choose(World(1.0).grid([80.0] * 9)))


def test_records_are_read_with_their_repeats_and_noise() -> None:
    def record(trial: int, **more: object) -> Record:
        readings = {
            "flops": Reading(1e6),
            "top1_pct": Reading(81.0, spread=2.0, detail={"repeats": [80.0, 81.0, 83.0]}),
            "train_images_per_s": Reading(640.0, spread=12.8, conditions={"batch": 64}),
        }
        settings = {"alpha": 1.2, "beta": 1.1, "gamma": 1.15}
        fields: dict[str, object] = {"readings": readings, "settings": settings, "baseline": "paper", **more}
        return Record("s", trial, "complete", ARCH, "id", **fields)  # type: ignore[arg-type]

    one, *rest = measured([record(4), record(5, reused=4), record(6, readings={"flops": Reading(1e6)})])
    assert not rest
    assert one.triple == PAPER
    assert one.accuracies == (80.0, 81.0, 83.0)
    assert one.accuracy == pytest.approx(81.333, abs=0.001)
    assert one.step_s == pytest.approx(0.1)
    assert one.step_noise == pytest.approx(0.01)  # half of the spread, relative
    assert (one.mark, one.order) == ("paper", 4)


def test_slopes_and_subset_by_hand() -> None:
    x, y = np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 3.0, 5.0]])
    assert slopes(y, x, np.ones((1, 3))) == pytest.approx([2.0])
    assert slopes(y, x, np.array([[0.0, 3.0, 0.0]])) == pytest.approx([0.0])  # one point has no slope
    errors = np.random.default_rng(0).standard_normal((20_000, 2))
    # two networks: the difference of two unit errors stays below 1.645 √2 = 2.33 in 95 %
    assert subset(np.array([2.2, 0.0]), errors) == [True, True]
    assert subset(np.array([2.5, 0.0]), errors) == [True, False]


def test_the_tables_hold_every_number_raw() -> None:
    networks = [
        Measured(one.triple, ARCH, one.flops, one.accuracies, one.step_s, 0.01, mark=one.mark, order=one.order)
        for one in World(0.5).grid([80.0] * 5)
    ]
    choice = choose(networks)
    head, *rows = to_csv(candidates_table(choice, choice.answers[0])).splitlines()
    assert head.startswith("alpha,beta,gamma,mark,flops_ratio,step_ms,step_ms_spread,top1_pct")
    assert len(rows) == 5
    assert len(to_csv(networks_table(choice)).splitlines()) == 7
    assert sum("redraws;" in sentence or "redraws." in sentence for sentence in sentences(choice)) == 2
