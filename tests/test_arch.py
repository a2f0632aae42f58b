from __future__ import annotations

import dataclasses

import pytest

import nas
from nas.arch import ArchitectureError, Block, Conv, Op, SqueezeExcite, Stage, round_channels

SMALL = "r64 s8 f1k3s1c8n1 m6k5s2c16n2se0.25 h32"


def test_notation_of_the_design_reads() -> None:
    arch = nas.parse("r384 s24 f1k3s1c24n2 f4k3s2c48n4 m6k3s2c256n15se0.25 h1280")
    assert (arch.resolution, arch.stem, arch.head, arch.classes) == (384, 24, 1280, 1000)
    assert arch.activation is nas.Activation.SILU
    assert arch.stages[2] == Stage(Op.MBCONV, kernel=3, stride=2, channels=256, layers=15, expand=6, se=0.25)
    assert (arch.depth, arch.total_stride) == (21, 8)


def test_classes_and_activation_are_written_only_where_they_differ() -> None:
    assert str(nas.parse(SMALL + " y1000 silu")) == SMALL
    assert str(nas.parse("y10 relu6 " + SMALL)) == SMALL + " y10 relu6"


def test_an_architecture_is_a_value() -> None:
    arch = nas.parse(SMALL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        arch.stem = 16  # type: ignore[misc]
    assert len({arch, dataclasses.replace(arch), nas.parse(SMALL)}) == 1
    assert dataclasses.replace(arch, stem=16) != arch


def test_norm_eps_is_carried_but_is_no_part_of_the_network() -> None:
    arch = nas.parse(SMALL)
    other = dataclasses.replace(arch, norm_eps=1e-5)
    assert other == arch
    assert other.id == arch.id
    assert other.norm_eps == 1e-5


def test_id_is_ten_hexadecimal_digits_and_stays_what_it_was() -> None:
    assert nas.parse(SMALL).id == "abd068ab40"  # stored studies know networks by it
    assert nas.load_architecture("efficientnetv2-s").id == nas.parse(str(nas.load_architecture("efficientnetv2-s"))).id


def test_blocks_carry_widths_and_strides() -> None:
    blocks = [
        (stage, block.stride, block.in_channels, block.out_channels) for stage, block in nas.parse(SMALL).blocks()
    ]
    assert blocks == [(0, 1, 8, 8), (1, 2, 8, 16), (1, 1, 16, 16)]


def test_shortcut_only_where_stride_and_width_stay() -> None:
    assert [block.residual for _, block in nas.parse(SMALL).blocks()] == [True, False, True]


@pytest.mark.parametrize(
    ("op", "expand", "se", "parts"),
    [
        (Op.MBCONV, 4, 0.25, ["expand 8>32 k1 s1", "depthwise 32>32 k3 s2 g32", "se 32/2", "project 32>12 k1 s1"]),
        (Op.MBCONV, 1, 0, ["depthwise 8>8 k3 s2 g8", "project 8>12 k1 s1"]),
        (Op.FUSED_MBCONV, 4, 0.25, ["fused 8>32 k3 s2", "se 32/2", "project 32>12 k1 s1"]),
        (Op.FUSED_MBCONV, 1, 0, ["fused 8>12 k3 s2"]),
        (Op.FUSED_MBCONV, 1, 0.5, ["se 8/4", "fused 8>12 k3 s2"]),
        (Op.SEPARABLE, 1, 0, ["depthwise 8>8 k3 s2 g8", "pointwise 8>12 k1 s1"]),
        (Op.BASIC, 1, 0, ["conv 8>12 k3 s2", "conv 12>12 k3 s1"]),
        (Op.BOTTLENECK, 0.25, 0.25, ["reduce 8>3 k1 s1", "conv 3>3 k3 s2", "restore 3>12 k1 s1", "se 12/3"]),
    ],
)
def test_what_a_block_is_made_of(op: Op, expand: float, se: float, parts: list[str]) -> None:
    block = Block(op, kernel=3, stride=2, in_channels=8, out_channels=12, expand=expand, se=se)
    assert [name(part) for part in block.convs()] == parts


def name(part: Conv | SqueezeExcite) -> str:
    if isinstance(part, SqueezeExcite):
        return f"se {part.channels}/{part.squeezed}"
    groups = f" g{part.groups}" if part.groups > 1 else ""
    return f"{part.role} {part.in_channels}>{part.out_channels} k{part.kernel} s{part.stride}{groups}"


def test_only_the_projection_is_linear() -> None:
    for _, block in nas.parse(SMALL).blocks():
        convs = [part for part in block.convs() if isinstance(part, Conv)]
        assert [conv.role for conv in convs if not conv.act] == ["project"] * (len(convs) > 1)


def test_a_fractional_expansion_rounds_to_a_multiple_of_8_and_a_whole_one_is_kept() -> None:
    def inner(channels: int, expand: float) -> int:
        return Block(Op.MBCONV, 3, 1, channels, channels, expand, 0).expanded

    assert inner(10, 3) == 30
    assert inner(10, 2.5) == 24
    assert inner(20, 2.7) == 56


def test_groups_make_the_inner_width_a_multiple_of_them() -> None:
    def inner(channels: int) -> int:
        return Block(Op.BOTTLENECK, 3, 1, channels, channels, 0.5, 0, groups=32).expanded

    assert (inner(256), inner(304), inner(8)) == (128, 160, 32)


def test_a_residual_block_projects_its_shortcut_only_where_map_or_width_change() -> None:
    blocks = [block for _, block in nas.parse("r64 s8k7p2 b1k3s1c8n1 n0.25k3s2c16n2 h0").blocks()]
    assert [block.shortcut and name(block.shortcut) for block in blocks] == [None, "shortcut 8>16 k1 s2", None]
    assert all(block.residual and block.act_after for block in blocks)


def test_stem_and_head_are_written_only_where_they_differ() -> None:
    text = "r64 s8k7p2 n0.25k3s1c16n1g2se0.0625 h0 relu"
    arch = nas.parse(text)
    assert (arch.stem_kernel, arch.stem_pool, arch.head, arch.features, arch.total_stride) == (7, 2, 0, 16, 4)
    assert str(arch) == text


@pytest.mark.parametrize(
    ("channels", "v1", "v2"), [(19.2, 24, 16), (38.4, 40, 40), (17.6, 16, 16), (3, 8, 8), (12, 16, 16), (11.9, 16, 8)]
)
def test_v1_never_rounds_below_90_percent_and_v2_does(channels: float, v1: int, v2: int) -> None:
    assert (round_channels(channels), round_channels(channels, floor=None)) == (v1, v2)


@pytest.mark.parametrize(("size", "stride", "out"), [(75, 2, 38), (76, 2, 38), (1, 2, 1), (7, 1, 7)])
def test_a_stride_of_2_rounds_up(size: int, stride: int, out: int) -> None:
    assert Conv("any", 3, 3, kernel=3, stride=stride).out_size(size) == out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no resolution, stem, head, stages"),
        ("r64 s8 h32", "no stages"),
        ("r64 s8 m1k3s1c8n1", "no head"),
        (SMALL.replace("m6", "x6"), "x6k5s2c16n2se0.25"),
        (SMALL + " r32", "'r32'"),
        (SMALL + " relu silu", "'silu'"),
        (SMALL + " swish", "'swish'"),
        ("r" + "9" * 5000 + SMALL[3:], "cannot read 'r999"),
        (SMALL.replace("n1", "n" + "9" * 5000), "cannot read 'f1k3s1c8n999"),
        (SMALL.replace("r64", "r999999"), "resolution: expected a whole number from 1 to 8,192; got 999999"),
        (SMALL.replace("r64", "r0"), "resolution"),
        (SMALL.replace("r64", "r3"), "3 px is too small for a total stride of 4"),
        (SMALL.replace("n1", "n0"), "stage 1 layers"),
        (SMALL.replace("n2", "n1000000000"), "stage 2 layers"),
        (SMALL.replace("k5", "k4"), "stage 2 kernel"),
        (SMALL.replace("s2", "s3"), "stage 2 stride"),
        (SMALL.replace("m6", "m0"), "stage 2 expand"),
        (SMALL.replace("m6", "m65"), "stage 2 expand"),
        (SMALL.replace("se0.25", "se1.5"), "stage 2 se"),
        (SMALL.replace("m6k5s2c16n2", "m6k5s2c16n2g2"), "stage 2 groups: expected 1, only a bottleneck has groups"),
        (SMALL.replace("f1", "d2"), "stage 1 expand: expected 1, a separable block does not expand"),
        (SMALL.replace("s8", "s8k4"), "stem_kernel: expected an odd number"),
        (SMALL.replace("s8", "s8p3"), "stem_pool: expected 1 (none) or 2"),
    ],
)
def test_notation_that_is_none_is_refused_by_the_token(text: str, says: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        nas.parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"op": "mbconv"}, "stage 1 op"),
        ({"kernel": 3.0}, "stage 1 kernel"),
        ({"kernel": True}, "stage 1 kernel"),
        ({"stride": 1.0}, "stage 1 stride"),
        ({"channels": 8.0}, "stage 1 channels"),
        ({"layers": True}, "stage 1 layers"),
        ({"expand": float("nan")}, "stage 1 expand"),
        ({"expand": float("inf")}, "stage 1 expand"),
        ({"se": float("nan")}, "stage 1 se"),
    ],
)
def test_a_stage_of_wrong_types_is_refused(change: dict[str, object], says: str) -> None:
    stage = dataclasses.replace(nas.parse(SMALL).stages[0], **change)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match=says):
        nas.Architecture(8, (stage,), 32, 64)


def test_stages_are_a_tuple() -> None:
    with pytest.raises(ArchitectureError, match="tuple"):
        nas.Architecture(8, list(nas.parse(SMALL).stages), 32, 64)  # type: ignore[arg-type]
