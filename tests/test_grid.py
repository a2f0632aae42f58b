"""The closed-form grid finds every network that costs what was asked, once, with the network's own numbers."""

import itertools
import math
import random

import pytest

from nas.arch import ArchitectureError, parse
from nas.cost import cost
from nas.grid import GridError, Member, grid
from nas.scaling import scale
from nas.space_file import baselines, load_architecture

B0 = load_architecture("efficientnet-b0")
TINY = parse("r32 s8 m1k3s1c8n1 f4k3s2c16n2 m4k3s2c24n3se0.25 h0 y10")


def _paper(members: tuple[Member, ...]) -> Member:
    return next(member for member in members if (1.2, 1.1, 1.15) in member.triples)


def test_b0_with_the_step_and_tolerance_of_the_question() -> None:
    found = grid(B0, target=2, step=0.05, tolerance=0.1)
    assert (found.considered, found.passed, len(found.members)) == (21**3, 108, 65)
    assert [round(real, 2) for real in found.real_range] == [1.89, 2.47, 3.25]


def test_the_paper_s_triple_misses_two_on_paper_and_more_so_when_built() -> None:
    rounded, whole = (_paper(grid(B0, pixels=pixels).members) for pixels in (8, 1))
    assert (rounded.arch.resolution, round(rounded.real, 2)) == (256, 2.23)
    assert (whole.arch.resolution, round(whole.real, 2)) == (258, 2.57)


@pytest.mark.parametrize("constraint", ["nominal", "real"])
@pytest.mark.parametrize("pixels", [1, 8])
def test_a_small_grid_is_what_trying_every_triple_gives(constraint: str, pixels: int) -> None:
    found = grid(TINY, step=0.1, tolerance=0.3, constraint=constraint, pixels=pixels)  # type: ignore[arg-type]
    rungs = [count / 10 for count in range(10, 21)]
    expected: dict[object, list[tuple[float, float, float]]] = {}
    for alpha, beta, gamma in itertools.product(rungs, repeat=3):
        arch = scale(TINY, depth=alpha, width=beta, resolution=gamma, pixels=pixels)
        nominal = round(alpha * beta**2 * gamma**2, 12)
        real = cost(arch).flops / cost(TINY).flops
        if abs((nominal if constraint == "nominal" else real) - 2) < 0.3 - 1e-12:
            expected.setdefault(arch, []).append((alpha, beta, gamma))
    assert {member.arch: list(member.triples) for member in found.members} == expected
    assert found.passed == sum(map(len, expected.values()))


@pytest.mark.parametrize("name", baselines())
def test_every_member_costs_what_its_network_costs(name: str) -> None:
    base = load_architecture(name)
    found = grid(base, step=0.1, tolerance=0.2, constraint="real")
    for member in random.Random(name).sample(found.members, min(20, len(found.members))):
        built = scale(base, depth=member.alpha, width=member.beta, resolution=member.gamma, pixels=8)
        assert (member.arch, member.cost) == (built, cost(built))
        assert member.real == member.cost.flops / cost(base).flops
        assert abs(member.real - 2) < 0.2


def test_the_triple_shown_is_the_nearest_of_those_that_build_the_network() -> None:
    for member in grid(B0).members:
        distances = [abs(a * b**2 * c**2 - 2) for a, b, c in member.triples]
        assert abs(member.nominal - 2) == pytest.approx(min(distances))
        assert (member.alpha, member.beta, member.gamma) in member.triples


def test_no_network_twice_and_no_step_drifts() -> None:
    found = grid(B0, step=0.01, high=1.5)
    assert len({member.arch for member in found.members}) == len(found.members)
    values = {value for member in found.members for triple in member.triples for value in triple}
    assert values <= {round(value, 2) for value in values}
    assert found.considered == 51**3


def test_a_range_below_one_scales_down_under_the_real_constraint() -> None:
    found = grid(B0, target=0.5, low=0.5, high=1, constraint="real")
    assert found.members
    assert all(abs(cost(member.arch).flops / cost(B0).flops - 0.5) < 0.1 for member in found.members)


def test_a_step_of_many_digits_is_counted_exactly() -> None:
    coarse, fine = grid(B0, step=0.25, tolerance=0.5), grid(B0, step=0.25000001, tolerance=0.5)
    assert fine.considered == 4**3 < coarse.considered == 5**3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"low": 0.5}, "at least 1"),
        ({"step": 0}, "step: expected a number above 0; got 0"),
        ({"step": math.nan}, "step"),
        ({"target": math.inf}, "target"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"low": 2, "high": 1}, "runs backwards"),
        ({"step": 0.001}, "1,003,003,001 triples; at most 2,000,000"),
        ({"most": 1000}, "9,261 triples; at most 1,000"),
        ({"step": 1e-9}, "makes about 10\\^27 triples; at most 2,000,000"),
        ({"high": 1e12}, "makes about 10\\^39 triples"),
        ({"step": 1e-300, "high": 1e300}, "triples; at most"),
        ({"step": 0.005, "most": 10**9, "low": 0.0001, "constraint": "real"}, "64,000,000 triples; at most 10,000,000"),
        ({"most": -1}, "most: expected a number above 0; got -1"),
        ({"most": 0}, "most: expected a number above 0"),
        ({"constraint": "reel"}, "unknown constraint 'reel'"),
        ({"target": 100}, r"nearest is \(2, 2, 2\): nominal 32.0000"),
        ({"target": 100, "constraint": "real"}, r"nearest is \(1.8, 2, 2\): nominal 28.8000, real 30.6117"),
    ],
)
def test_bad_input_is_named(asked: dict[str, object], words: str) -> None:
    with pytest.raises(GridError, match=words):
        grid(B0, **asked)  # type: ignore[arg-type]


def test_more_that_pass_than_can_be_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.grid.PASSING", 107)
    with pytest.raises(GridError, match="108 triples pass; at most 107"):
        grid(B0)
    monkeypatch.setattr("nas.grid.PASSING", 108)
    assert grid(B0).passed == 108


def test_products_too_large_for_64_bits_still_name_the_nearest() -> None:
    """The products are whole numbers of 1e-20, which 64 bits hold; their unit is not."""
    with pytest.raises(GridError, match=r"nearest is \(0.499, 0.499, 0.499\): nominal 0.0309"):
        grid(B0, low=0.499, high=0.5, step=0.0001, target=2, constraint="real")


def test_a_grid_below_the_total_stride_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="too small for a total stride"):
        grid(TINY, target=0.1, low=0.1, high=1, constraint="real", pixels=1)


def test_a_network_too_large_to_count_is_refused_and_not_wrapped_around() -> None:
    giant = parse("r7000 s32768 f1k11s1c32768n500 h32768")
    with pytest.raises(ArchitectureError, match="too much to count exactly"):
        grid(giant, high=1.05, constraint="real")
