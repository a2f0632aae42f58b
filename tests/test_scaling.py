"""Scaling keeps the rounding of the papers, and every rule makes the networks that its paper published."""

import dataclasses
import math

import pytest

from nas.arch import Architecture, ArchitectureError, parse
from nas.cost import cost
from nas.scaling import (
    RULES,
    Factors,
    compound,
    fast,
    implied_phi,
    late_stages,
    multipliers,
    one_dimension,
    scalable,
    scale,
    staged,
)
from nas.space_file import load_architecture

B0 = parse(
    "r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 m6k5s2c40n2se0.25 m6k3s2c80n3se0.25 m6k5s1c112n3se0.25 "
    "m6k5s2c192n4se0.25 m6k3s1c320n1se0.25 h1280"
)
B4 = parse(
    "r380 s48 m1k3s1c24n2se0.25 m6k3s2c32n4se0.25 m6k5s2c56n4se0.25 m6k3s2c112n6se0.25 m6k5s1c160n6se0.25 "
    "m6k5s2c272n8se0.25 m6k3s1c448n2se0.25 h1792"
)
V2B0 = load_architecture("efficientnetv2-b0")


def test_b0_scaled_by_the_published_factors_is_b4() -> None:
    assert scale(B0, depth=1.8, width=1.4, resolution=380 / 224) == B4


def test_factors_of_one_change_nothing() -> None:
    assert scale(B0) == B0
    assert scale(B0, pixels=100) == B0


def test_width_moves_only_channels_and_depth_only_layers() -> None:
    wide, deep = scale(B0, width=2), scale(B0, depth=2)
    assert [stage.layers for stage in wide.stages] == [stage.layers for stage in B0.stages]
    assert [stage.channels for stage in wide.stages] == [2 * stage.channels for stage in B0.stages]
    assert [stage.layers for stage in deep.stages] == [2 * stage.layers for stage in B0.stages]
    assert (deep.stem, deep.head, deep.resolution) == (B0.stem, B0.head, B0.resolution)


def test_rounding_rule_of_v1_never_takes_more_than_a_tenth() -> None:
    assert [scale(B4, width=0.25, floor=floor).stages[0].channels for floor in (0.9, None)] == [8, 8]
    assert scale(B4, width=0.78).stages[0].channels == 24  # 18.7 → 16 is below 90 %
    assert scale(B4, width=0.78, floor=None).stages[0].channels == 16


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_factor_that_is_no_positive_number_is_refused(factor: float) -> None:
    with pytest.raises(ArchitectureError, match="depth"):
        scale(B0, depth=factor)


@pytest.mark.parametrize("unit", [0, -8, 8.0, True])
def test_a_rounding_that_is_no_whole_number_is_refused(unit: int) -> None:
    for name in ("divisor", "pixels"):
        with pytest.raises(ArchitectureError, match=name):
            scale(B0, **{name: unit})  # type: ignore[arg-type]


def test_no_head_stays_none() -> None:
    headless = load_architecture("mobilenetv1")
    for width in (0.25, 0.5, 3):
        assert scale(headless, width=width).head == 0
        assert multipliers(headless, width=width).head == 0


def test_pixels_round_to_their_multiple() -> None:
    sides = [scale(B0, resolution=1.15, pixels=pixels).resolution for pixels in (1, 8, 32)]
    assert sides == [258, 256, 256]


@pytest.mark.parametrize("pixels", [1, 8, 32, 500])
@pytest.mark.parametrize("side", [17, 20, 23, 224, 260])
def test_rounding_pixels_never_turns_a_factor_round(side: int, pixels: int) -> None:
    base = parse(f"r{side} s8 m1k3s2c8n1 h0 y10")
    grown, shrunk = (
        [scale(base, resolution=factor, pixels=pixels).resolution for factor in factors]
        for factors in ((1.001, 1.05, 1.1, 1.3, 2), (0.5, 0.9, 0.95, 0.999))
    )
    assert side <= grown[0]
    assert side >= shrunk[-1]
    assert [grown, shrunk] == [sorted(grown), sorted(shrunk)]
    assert all(size == side or size % pixels == 0 for size in grown + shrunk)


def test_a_base_off_the_multiples_is_kept_where_the_nearest_lies_below_it() -> None:
    base = parse("r17 s8 m1k3s2c8n1 h0 y10")
    assert [scale(base, resolution=factor, pixels=8).resolution for factor in (1.05, 1.1, 1.2)] == [17, 17, 24]


def test_compound_with_the_papers_constants() -> None:
    assert compound(B0, 0) == B0
    assert compound(B0, 1) == scale(B0, depth=1.2, width=1.1, resolution=1.15)
    assert cost(compound(B0, -1)).flops < cost(B0).flops < cost(compound(B0, 1)).flops


# One stage, as wide as the stem, whose first block costs what every later one does: the stem is 0.3 % of its FLOPs. The
# factors are such that layers, channels and pixels come out whole, and its activations and FLOPs count the same maps.
EVEN = parse("r288 s64 f1k3s1c64n16 h0 y1")
FACTORS = Factors(4, 2, 2)


PROMISES = [  # rule, φ, FLOPs and activations over the base's
    ("compound", 1, 64, 32),
    ("compound", 2, 4096, 1024),
    ("compound-v2", 1, 64, 32),
    ("depth", 0.5, 8, 8),
    ("width", 1, 64, 8),
    ("resolution", 1, 64, 64),
    ("fast", 5 / 3, 1024, 1024**0.6),
    ("mobilenetv1", 1, 16, 8),
    ("mobilenetv2", 1, 16, 8),
]


@pytest.mark.parametrize(("name", "phi", "flops", "activations"), PROMISES)
def test_a_rule_spends_what_it_promises_where_nothing_is_rounded(
    name: str, phi: float, flops: float, activations: float
) -> None:
    base, made = cost(EVEN), cost(RULES[name].make(EVEN, phi, FACTORS))
    if not name.startswith("mobilenet"):
        assert FACTORS.ratio(phi) == pytest.approx(flops)
    assert made.flops / base.flops == pytest.approx(flops, rel=0.012)
    assert made.activations / base.activations == pytest.approx(activations, rel=0.06)  # the stem's are 1 of 17


def test_the_staged_rule_spends_the_ratio_until_its_cap_and_its_late_layers() -> None:
    factors = Factors(1.5, 2, 1.25)
    made = RULES["staged"].make(EVEN, 1, factors)
    assert cost(made).flops / cost(EVEN).flops == pytest.approx(factors.ratio(1), rel=0.012)
    capped = RULES["staged"].make(EVEN, 1, Factors(1.5, 2, 2))
    assert cost(capped).flops / cost(EVEN).flops == pytest.approx(1.5 * 4 * (480 / 288) ** 2, rel=0.012)
    assert {name for name, *_ in PROMISES} | {"staged"} == set(RULES)


@pytest.mark.parametrize(("dimension", "others"), [("depth", "wr"), ("width", "dr"), ("resolution", "dw")])
def test_one_dimension_leaves_the_others(dimension: str, others: str) -> None:
    made = one_dimension(B0, dimension, 3)  # type: ignore[arg-type]
    sizes = {"d": [s.layers for s in B0.stages], "w": [B0.stem, *(s.channels for s in B0.stages)], "r": B0.resolution}
    now = {"d": [s.layers for s in made.stages], "w": [made.stem, *(s.channels for s in made.stages)],
           "r": made.resolution}  # fmt: skip
    assert {key for key in sizes if sizes[key] == now[key]} == set(others)


@pytest.mark.parametrize(("emphasis", "power"), [(0.8, 0.6), (1 / 3, 5 / 6), (1, 0.5), (0, 1)])
def test_fast_scaling_spends_flops_and_spares_activations(emphasis: float, power: float) -> None:
    base, made = cost(B4), cost(fast(B4, 8, emphasis=emphasis))
    assert math.log(made.flops / base.flops, 8) == pytest.approx(1, abs=0.06)
    assert math.log(made.activations / base.activations, 8) == pytest.approx(power, abs=0.06)


def test_v2_l_is_the_base_by_b7s_coefficients_with_late_layers_and_a_cap() -> None:
    made = staged(V2B0, depth=3.1, width=2.0, resolution=600 / 224, late=True)
    assert made == load_architecture("efficientnetv2-l")


def test_v2_m_and_s_follow_but_for_a_width_or_two_and_the_resolution() -> None:
    def remainder(made: Architecture, name: str) -> dict[str, tuple[int, int]]:
        released = load_architecture(name)
        rows = {f"stage {n}": pair for n, pair in enumerate(zip(made.stages, released.stages, strict=True), 1)}
        differing = {key: (a.channels, b.channels) for key, (a, b) in rows.items() if a != b}
        for key, (a, b) in rows.items():
            assert dataclasses.replace(a, channels=b.channels) == b, key
        assert (made.stem, made.head) == (released.stem, released.head)
        return {"resolution": (made.resolution, released.resolution), **differing}

    small = staged(V2B0, depth=1.8, width=1.4, resolution=380 / 224)
    medium = staged(V2B0, depth=2.2, width=1.6, resolution=456 / 224, late=True)
    assert remainder(small, "efficientnetv2-s") == {
        "resolution": (380, 384), "stage 4": (136, 128), "stage 6": (272, 256),
    }  # fmt: skip
    assert remainder(medium, "efficientnetv2-m") == {"resolution": (456, 480), "stage 4": (152, 160)}


def test_the_published_24m_and_8_8b_are_the_base_by_b4s_coefficients() -> None:
    assert cost(scale(V2B0, depth=1.8, width=1.4, resolution=380 / 224)).params == 24_083_284
    assert round(cost(scale(V2B0, depth=1.8, width=1.4, resolution=380 / 224)).flops / 1e9, 3) == 8.805


def test_the_cap_holds_and_shrinks_no_base() -> None:
    assert staged(V2B0, depth=1, width=1, resolution=4).resolution == 480
    large = dataclasses.replace(V2B0, resolution=512)
    assert staged(large, depth=1, width=1, resolution=2).resolution == 512


def test_the_staged_rule_narrows_the_stem_as_the_released_networks_do_and_takes_v2_bases_only() -> None:
    assert V2B0.stem == 32
    for width, name in ((1.4, "efficientnetv2-s"), (1.6, "efficientnetv2-m"), (2.0, "efficientnetv2-l")):
        released = load_architecture(name)
        assert staged(V2B0, depth=1, width=width, resolution=1).stem == released.stem == released.stages[0].channels
    for name in ("efficientnet-b0", "resnet-50", "mobilenetv1"):
        with pytest.raises(ArchitectureError, match="expected a base whose first stage is Fused-MBConv"):
            staged(load_architecture(name), depth=2, width=1, resolution=1)


def test_late_layers_are_those_of_the_last_stages() -> None:
    assert [stage.layers for stage in late_stages(V2B0)] == [1, 2, 2, 3, 6, 8, 2]
    assert late_stages(V2B0)[-1].channels == 320
    assert [stage.layers for stage in late_stages(EVEN)] == [17, 2]


def test_the_staged_rule_has_late_layers_from_twice_the_depth_on() -> None:
    deep = [len(RULES["staged"].make(V2B0, phi, Factors(2, 1, 1)).stages) for phi in (0, 0.9, 1, 2)]
    assert deep == [6, 6, 7, 7]


@pytest.mark.parametrize(
    ("width", "resolution", "mult_adds_m", "params_m"),
    [(1.0, 224, 569, 4.2), (0.75, 224, 325, 2.6), (0.5, 224, 149, 1.3), (0.25, 224, 41, 0.5), (1.0, 128, 186, 4.2)],
)
def test_mobilenetv1_multipliers(width: float, resolution: int, mult_adds_m: float, params_m: float) -> None:
    """arXiv:1704.04861v1, Tables 6 and 7."""
    made = cost(
        multipliers(load_architecture("mobilenetv1"), width=width, resolution=resolution, rounding="mobilenetv1")
    )
    assert (round(made.flops / 1e6), round(made.params / 1e6, 1)) == (mult_adds_m, params_m)


@pytest.mark.parametrize(
    ("width", "resolution", "mult_adds_m"),
    [(1.4, 224, 582), (1.3, 224, 509), (0.75, 128, 69), (0.35, 224, 59)],
)
def test_mobilenetv2_multipliers(width: float, resolution: int, mult_adds_m: float) -> None:
    """The official checkpoints' table (tensorflow/models, slim/nets/mobilenet/README.md)."""
    made = multipliers(load_architecture("mobilenetv2"), width=width, resolution=resolution)
    assert round(cost(made).flops / 1e6) == mult_adds_m
    assert made.head == (1280 if width < 1 else round(1280 * width))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_starts_at_its_base_and_grows(name: str) -> None:
    rule, factors, base = RULES[name], Factors(), V2B0 if name == "staged" else B0
    assert rule.make(base, 0, factors) == base
    spent = [cost(rule.make(base, phi, factors)).flops for phi in (-2, -1, 0, 1, 2, 4, 7)]
    assert spent == sorted(spent)
    assert spent[0] < spent[2] < spent[-1]


def test_the_implied_phi_undoes_the_power() -> None:
    depth, width, resolution = Factors().power(2.5)
    assert [implied_phi(*pair) for pair in ((depth, 1.2), (width, 1.1), (resolution, 1.15))] == pytest.approx([2.5] * 3)
    assert implied_phi(1, 1.2) == 0


@pytest.mark.parametrize("factor", [0, -1, 1e200, 1e-200, math.nan, math.inf])
def test_factors_out_of_reach_are_refused(factor: float) -> None:
    with pytest.raises(ArchitectureError, match="beta: expected a number from 1e-09 to 1e\\+09"):
        Factors(beta=factor)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("phi", [-1e6, 40, 1e6])
def test_a_phi_out_of_reach_is_refused_in_one_line(name: str, phi: float) -> None:
    with pytest.raises(ArchitectureError):
        RULES[name].make(V2B0, phi, Factors(1e3, 1e3, 1e3))


def test_a_network_without_stages_is_refused_by_name() -> None:
    assert scalable(B0) is B0
    with pytest.raises(ArchitectureError, match="torchvision:alexnet: has no stages to scale"):
        scalable(object(), "torchvision:alexnet")
