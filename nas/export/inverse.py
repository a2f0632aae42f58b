"""From the modules of another library to an architecture: blocks to stages, widths to the ratios that give them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from nas.arch import Architecture, ArchitectureError, Block, Op, SqueezeExcite, Stage
from nas.export.families import Parts, parts
from nas.export.seen import Conv, Seen, see
from nas.foreign import Foreign, ForeignError

_USUAL = (0.25, 0.0625, 0.125, 0.5, 1.0, 1 / 12, 1 / 24, 1 / 6, 1 / 3)  # ratios of squeeze-and-excitation, tried first
T = TypeVar("T")
_DIGITS = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class _Found:
    """A block with its widths as they are, and not yet the ratios that give them; `squeezed` 0: no SE."""

    path: str
    op: Op
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    inner: int
    squeezed: int
    groups: int

    def block(self, expand: float, se: float) -> Block:
        return Block(self.op, self.kernel, self.stride, self.in_channels, self.out_channels, expand, se, self.groups)


def architecture_of(net: nn.Module, foreign: Foreign) -> Architecture:
    """The architecture of `net`, as far as its modules tell; what they do with each other is for a check to say.

    Raises: ForeignError naming the module that nas cannot express.
    """
    whole = parts(net, foreign)
    blocks = [[see(modules) for modules in group] for group in whole.groups]
    stem, head = see(whole.stem), see(whole.head) if whole.head else None
    every = [stem, *(seen for group in blocks for seen in group), *([head] if head else [])]
    stages = [stage for group in blocks for stage in _stages([_found(seen, whole) for seen in group])]
    classifier = whole.classifier[1]
    assert isinstance(classifier, nn.Linear)
    try:
        return Architecture(
            stem=_only_conv(stem).module.out_channels,
            stages=tuple(stages),
            head=_head(head),
            resolution=foreign.resolution,
            classes=classifier.out_features,
            activation=_one({kind for seen in every for kind in seen.activations}, "activation", foreign),
            norm_eps=_one({eps for seen in every for eps in seen.eps}, "epsilon of batch norm", foreign),
            stem_kernel=_stem_kernel(stem),
            stem_pool=stem.pool,
        )
    except ArchitectureError as error:
        raise ForeignError(f"{foreign.reference}: {error}", error.hint) from None


def _one(found: set[T], what: str, foreign: Foreign) -> T:
    if len(found) != 1:
        listed = ", ".join(sorted(map(str, found))) or "none"
        raise ForeignError(f"{foreign.reference}: more than one {what}: {listed}", "nas' networks have one throughout")
    return next(iter(found))


def _only_conv(seen: Seen) -> Conv:
    if len(seen.convs) != 1:
        raise ForeignError(f"{seen.path}: {len(seen.convs)} convolutions where nas has one")
    return seen.convs[0]


def _stem_kernel(stem: Seen) -> int:
    conv = _only_conv(stem)
    if conv.stride != 2 or conv.module.in_channels != 3 or conv.module.groups != 1:
        raise ForeignError(f"{conv.path}: {conv.module} is no stem of nas' notation",
                           "it is one convolution of stride 2 over 3 channels")  # fmt: skip
    return int(conv.kernel)


def _head(head: Seen | None) -> int:
    if head is None or not head.convs:
        return 0
    conv = _only_conv(head)
    if conv.kernel != 1 or conv.stride != 1 or conv.module.groups != 1 or head.squeezed:
        raise ForeignError(f"{conv.path}: {conv.module} is no head of nas' notation", "it is one 1×1 convolution")
    return int(conv.module.out_channels)


def _found(seen: Seen, whole: Parts) -> _Found:
    """The block in the terms of nas. Raises: ForeignError naming it."""
    if not seen.convs or len(seen.squeezed) > 1 or seen.pool > 1:
        raise _no_block(seen)
    op, main, inner = _residual_kind(seen) if whole.residual else _inverted_kind(seen)
    conv = seen.convs[main]
    groups = conv.module.groups if op is Op.BOTTLENECK else 1
    squeezed = seen.squeezed[0] if seen.squeezed else 0
    ends = seen.convs[0].module.in_channels, seen.convs[-1].module.out_channels
    return _Found(seen.path, op, conv.kernel, conv.stride, *ends, inner, squeezed, groups)


def _inverted_kind(seen: Seen) -> tuple[Op, int, int]:
    """(block type, which convolution has its kernel and stride, inner width)."""
    convs = seen.convs
    shapes = [("depthwise" if conv.depthwise and conv.kernel > 1 else "pointwise" if conv.kernel == 1 else "full")
              for conv in convs]  # fmt: skip
    ungrouped = all(conv.depthwise or conv.module.groups == 1 for conv in convs)
    inner = convs[0].module.out_channels
    expands = inner != convs[0].module.in_channels
    if ungrouped and not seen.shortcuts:
        match shapes:
            case ["depthwise", "pointwise"]:
                return (Op.SEPARABLE if convs[1].act else Op.MBCONV), 0, inner
            case ["pointwise", "depthwise", "pointwise"] if expands:
                return Op.MBCONV, 1, inner
            case ["full", "pointwise"] if expands:
                return Op.FUSED_MBCONV, 0, inner
            case ["full"]:
                return Op.FUSED_MBCONV, 0, convs[0].module.in_channels
    raise _no_block(seen)


def _residual_kind(seen: Seen) -> tuple[Op, int, int]:
    convs, kernels = seen.convs, [conv.kernel for conv in seen.convs]
    groups = [conv.module.groups for conv in convs]
    if len(convs) == 2 and kernels[0] == kernels[1] and groups == [1, 1]:
        return Op.BASIC, 0, convs[0].module.out_channels
    if len(convs) == 3 and kernels[0] == kernels[2] == 1 and groups[0] == groups[2] == 1:
        return Op.BOTTLENECK, 1, convs[0].module.out_channels
    raise _no_block(seen)


def _no_block(seen: Seen) -> ForeignError:
    made = ", ".join(
        f"{conv.kernel}×{conv.kernel} {conv.module.in_channels}→{conv.module.out_channels}"
        + (f" in {conv.module.groups} groups" if conv.module.groups > 1 else "")
        for conv in seen.convs
    )
    return ForeignError(f"{seen.path}: a block of {made or 'no convolutions'} is none of nas' notation",
                        "it has MBConv, Fused-MBConv, separable, basic and bottleneck blocks")  # fmt: skip


def _stages(found: Sequence[_Found]) -> Iterator[Stage]:
    """Runs of blocks that one stage describes, as long as they go."""
    rest = list(found)
    while rest:
        stage = None
        for count in range(len(rest), 0, -1):
            if (stage := _stage(rest[:count])) is not None:
                break
        if stage is None:
            one = rest[0]
            raise ForeignError(
                f"{one.path}: {one.op.label} of {one.inner} channels inside, {one.in_channels} in and "
                f"{one.out_channels} out: no ratio of nas' notation gives that width",
                "an expansion is whole, or its width is a multiple of 8",
            )
        yield stage
        rest = rest[stage.layers :]


def _stage(run: Sequence[_Found]) -> Stage | None:
    """The stage that is exactly these blocks; None where there is none."""
    first = run[0]
    shared = {(one.op, one.kernel, one.out_channels, one.groups) for one in run}
    if len(shared) > 1 or any(one.stride != 1 for one in run[1:]):
        return None
    expand, se = _expand(run), _squeeze(run)
    if expand is None or se is None:
        return None
    return Stage(first.op, first.kernel, first.stride, first.out_channels, len(run), expand, se, first.groups)


def _expand(run: Sequence[_Found]) -> float | None:
    """The plainest expansion that gives each block its inner width."""
    if run[0].op is Op.SEPARABLE:
        return 1.0
    ratios = [one.inner / (one.out_channels if one.op.plain_residual else one.in_channels) for one in run]
    for candidate in _plainest(min(ratios), max(ratios)):
        if all(one.block(candidate, 0).expanded == one.inner for one in run):
            return candidate
    return None


def _plainest(least: float, most: float) -> Iterator[float]:
    """Ratios with no, one and two digits around those seen, the nearest first: widths were rounded, perhaps."""
    middle = (least + most) / 2
    for digits in range(3):
        scale = 10**digits
        grid = range(max(1, math.floor(least * 0.7 * scale)), math.ceil(most * 1.4 * scale) + 1)
        yield from sorted((step / scale for step in grid), key=lambda ratio: abs(ratio - middle))
    yield from (least, most)


def _squeeze(run: Sequence[_Found]) -> float | None:
    """The plainest ratio that gives each block its squeezed width; 0 where none has one."""
    if not any(one.squeezed for one in run):
        return 0.0
    if not all(one.squeezed for one in run):
        return None
    widths = [one.out_channels if one.op.plain_residual else one.in_channels for one in run]
    ratios = [one.squeezed / width for one, width in zip(run, widths, strict=True)]
    fitted = (round(ratio + margin, digits) for digits in _DIGITS for margin in (0, 1e-6) for ratio in ratios)
    for candidate in (*_USUAL, *fitted):
        if 0 < candidate <= 1 and all(_squeezed(one.block(1, candidate)) == one.squeezed for one in run):
            return candidate
    return None


def _squeezed(block: Block) -> int:
    return next(part.squeezed for part in block.convs() if isinstance(part, SqueezeExcite))
