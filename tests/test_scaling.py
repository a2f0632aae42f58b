"""Scaling keeps the rounding of the papers."""

import pytest

from nas.arch import ArchitectureError, parse
from nas.scaling import scale

B0 = parse(
    "r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 m6k5s2c40n2se0.25 m6k3s2c80n3se0.25 m6k5s1c112n3se0.25 "
    "m6k5s2c192n4se0.25 m6k3s1c320n1se0.25 h1280"
)
B4 = parse(
    "r380 s48 m1k3s1c24n2se0.25 m6k3s2c32n4se0.25 m6k5s2c56n4se0.25 m6k3s2c112n6se0.25 m6k5s1c160n6se0.25 "
    "m6k5s2c272n8se0.25 m6k3s1c448n2se0.25 h1792"
)


def test_b0_scaled_by_the_published_factors_is_b4() -> None:
    assert scale(B0, depth=1.8, width=1.4, resolution=380 / 224) == B4


def test_factors_of_one_change_nothing() -> None:
    assert scale(B0) == B0


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
