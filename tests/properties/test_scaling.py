"""A scaling rule keeps what it promises, on the shipped networks and on random ones."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from nas.arch import Architecture, Op
from nas.cost import cost
from nas.grid import GridError, grid
from nas.scaling import RULES, Factors, compound, fast, one_dimension, scale
from nas.space_file import baselines, load_architecture
from tests.properties.strategies import architectures

factors = st.floats(1, 3)
shipped = st.sampled_from(baselines()).map(load_architecture)


@st.composite
def even(draw: st.DrawFn) -> Architecture:
    """A random network whose widths are multiples of 8, so that rounding starts from what it ends at."""
    arch = draw(architectures())
    stages = tuple(replace(stage, channels=8 * stage.channels, groups=1) for stage in arch.stages)
    return replace(arch, stem=8 * arch.stem, head=8 * arch.head, stages=stages)


@given(architectures())
def test_a_factor_of_one_is_the_identity(arch: Architecture) -> None:
    assert scale(arch) == arch
    assert compound(arch, 0) == arch
    assert fast(arch, 1) == arch
    fused = arch.stages[0].op is Op.FUSED_MBCONV  # the staged rule takes no other
    assert all(rule.make(arch, 0, Factors()) == arch for name, rule in RULES.items() if fused or name != "staged")


@given(even(), factors, factors)
def test_more_of_a_dimension_never_costs_less(arch: Architecture, one: float, two: float) -> None:
    small, large = sorted((one, two))
    for dimension in ("depth", "width", "resolution"):
        below, above = (cost(scale(arch, **{dimension: factor})) for factor in (small, large))
        assert below.params <= above.params
        assert below.flops <= above.flops
        assert below.activations <= above.activations


@given(even(), st.integers(1, 4), st.integers(1, 3))
def test_whole_factors_scale_widths_and_layers_exactly(arch: Architecture, depth: int, width: int) -> None:
    made = scale(arch, depth=depth, width=width)
    assert [stage.layers for stage in made.stages] == [depth * stage.layers for stage in arch.stages]
    assert [stage.channels for stage in made.stages] == [width * stage.channels for stage in arch.stages]
    assert (made.stem, made.head) == (width * arch.stem, width * arch.head)


@given(even(), st.floats(0.3, 3))
def test_no_width_loses_more_than_a_tenth_or_gains_more_than_eight(arch: Architecture, width: float) -> None:
    for before, after in zip(arch.stages, scale(arch, width=width).stages, strict=True):
        assert after.channels >= 0.9 * before.channels * width
        assert after.channels <= before.channels * width + 8


@given(shipped, st.floats(1, 3))
def test_resolution_alone_costs_its_square_up_to_the_border(arch: Architecture, factor: float) -> None:
    """A map of stride s has between side/s and side/s + 1 pixels a side; the classifier sees one."""
    made = scale(arch, resolution=factor)
    ratio = made.resolution / arch.resolution
    real = cost(made).flops / cost(arch).flops
    border = 1 + arch.total_stride / arch.resolution
    assert (ratio / border) ** 2 * 0.97 <= real <= (ratio * border) ** 2 * 1.03


@given(shipped, st.floats(2, 10), st.floats(0.1, 1))
def test_fast_scaling_costs_its_ratio_and_its_activations_what_it_says(
    arch: Architecture, ratio: float, emphasis: float
) -> None:
    """Of networks so deep, wide and large that rounding is small: a stage of one layer rounds by half of itself."""
    large = replace(scale(arch, depth=8, width=4), resolution=4096)
    made, base = cost(fast(large, ratio, emphasis=emphasis)), cost(large)
    assert 0.9 * ratio <= made.flops / base.flops <= 1.1 * ratio
    promised = ratio ** (1 - emphasis / 2)
    assert 0.9 * promised <= made.activations / base.activations <= 1.1 * promised


@given(shipped, st.floats(3, 10))
def test_fast_scaling_makes_fewer_activations_than_compound_at_the_same_nominal_cost(
    arch: Architecture, ratio: float
) -> None:
    phi = math.log(ratio, Factors().product)
    compounded = cost(compound(arch, phi))
    mostly_wide = cost(fast(arch, ratio))
    assert mostly_wide.activations < compounded.activations
    assert one_dimension(arch, "depth", ratio).depth > fast(arch, ratio).depth


@given(architectures(), st.sampled_from([0.1, 0.2, 0.25]), st.sampled_from(["nominal", "real"]))
def test_every_member_of_a_grid_is_its_triple_built(arch: Architecture, step: float, constraint: str) -> None:
    try:
        found = grid(arch, step=step, tolerance=0.3, constraint=constraint, high=1.6)  # type: ignore[arg-type]
    except GridError:  # of a tiny network no triple may cost twice as much
        assume(False)
    for member in found.members[:10]:
        assert cost(member.arch) == member.cost
        assert member.real == member.cost.flops / found.base_cost.flops
        for alpha, beta, gamma in member.triples:
            assert scale(arch, depth=alpha, width=beta, resolution=gamma, pixels=8) == member.arch
        reached = member.nominal if constraint == "nominal" else member.real
        assert abs(reached - 2) < 0.3 + 1e-9
