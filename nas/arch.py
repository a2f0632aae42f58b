"""An architecture is a value: a stem, stages of blocks, a head. Everything else is derived from it.

`Block.convs()` is the only place that says what a block is made of. `nas.cost` sums it, `nas.nets` builds it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from nas.errors import NasError


class ArchitectureError(NasError):
    """A value that describes no network."""


class Op(StrEnum):
    """The block of a stage."""

    MBCONV = "mbconv"
    FUSED_MBCONV = "fused_mbconv"

    @property
    def letter(self) -> str:
        """The letter that opens a stage in the one-line notation."""
        return self.value[0]

    @property
    def label(self) -> str:
        """The block's name as the papers print it."""
        return {"mbconv": "MBConv", "fused_mbconv": "Fused-MBConv"}[self.value]


class Activation(StrEnum):
    """The nonlinearity after a convolution, by its usual name."""

    SILU = "silu"
    RELU = "relu"
    RELU6 = "relu6"
    HARDSWISH = "hardswish"


def round_channels(channels: float, divisor: int = 8, floor: float | None = 0.9) -> int:
    """`channels` to the nearest multiple of `divisor`, at least one of them.

    `floor` is V1's rule: never below 90 % of what was asked. The V2 code dropped it (pass None); only V2-B3 differs.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if floor is not None and rounded < floor * channels else rounded


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution: `out_channels` of `kernel`² filters. `norm`: batch norm follows it; else it has a bias."""

    role: str
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    norm: bool = True
    act: bool = False

    def out_size(self, size: int) -> int:
        """Side of the output map in pixels: padding is kernel // 2, so a stride of 2 rounds up (75 → 38)."""
        return (size - 1) // self.stride + 1

    @property
    def weights(self) -> int:
        """Scalars in the filters."""
        return self.kernel**2 * (self.in_channels // self.groups) * self.out_channels

    @property
    def params(self) -> int:
        """Learnable scalars: filters, and two per channel of batch norm or one of bias."""
        return self.weights + self.out_channels * (2 if self.norm else 1)


@dataclass(frozen=True, slots=True)
class SqueezeExcite:
    """Squeeze-and-excitation (arXiv:1709.01507): pool to 1 × 1, `squeeze`, activate, `excite`, sigmoid, rescale."""

    channels: int
    squeezed: int

    @property
    def squeeze(self) -> Conv:
        return Conv("squeeze", self.channels, self.squeezed, norm=False, act=True)

    @property
    def excite(self) -> Conv:
        return Conv("excite", self.squeezed, self.channels, norm=False)


Part = Conv | SqueezeExcite


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stage with everything resolved: widths in and out, and its own stride."""

    op: Op
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    expand: float
    se: float

    @property
    def expanded(self) -> int:
        """Inner width. A fractional expansion rounds to a multiple of 8, as torchvision and timm do."""
        wide = self.in_channels * self.expand
        return int(wide) if wide == int(wide) and self.expand == int(self.expand) else round_channels(wide)

    @property
    def residual(self) -> bool:
        return self.stride == 1 and self.in_channels == self.out_channels

    def convs(self) -> tuple[Part, ...]:
        """What the block is made of, in forward order.

        MBConv (arXiv:1801.04381 with SE): 1×1 expand, depthwise, SE, 1×1 project. Fused-MBConv (arXiv:2104.00298,
        Figure 2): k×k expand, SE, 1×1 project; unexpanded it is one k×k convolution. SE stands before the last
        convolution, its width taken from the block's input, as in the official code of both families.
        """
        kernel, stride, wide = self.kernel, self.stride, self.expanded
        unexpanded = wide == self.in_channels
        se = (SqueezeExcite(wide, max(1, int(self.in_channels * self.se))),) if self.se else ()
        if self.op is Op.MBCONV:
            expand = () if unexpanded else (Conv("expand", self.in_channels, wide, act=True),)
            depthwise = Conv("depthwise", wide, wide, kernel, stride, groups=wide, act=True)
            return (*expand, depthwise, *se, Conv("project", wide, self.out_channels))
        if unexpanded:
            return (*se, Conv("fused", self.in_channels, self.out_channels, kernel, stride, act=True))
        expand = (Conv("fused", self.in_channels, wide, kernel, stride, act=True),)
        return (*expand, *se, Conv("project", wide, self.out_channels))


@dataclass(frozen=True, slots=True)
class Stage:
    """`layers` blocks of one kind; the first has `stride` and changes the width to `channels`."""

    op: Op
    kernel: int
    stride: int
    channels: int
    layers: int
    expand: float = 1.0
    se: float = 0.0

    @property
    def label(self) -> str:
        """The operator as the papers print it: `MBConv4, k3×3, SE0.25`."""
        se = f", SE{plain(self.se)}" if self.se else ""
        return f"{self.op.label}{plain(self.expand)}, k{self.kernel}×{self.kernel}{se}"

    def __str__(self) -> str:
        se = f"se{plain(self.se)}" if self.se else ""
        return f"{self.op.letter}{plain(self.expand)}k{self.kernel}s{self.stride}c{self.channels}n{self.layers}{se}"


_MOST = {"channels": 65_536, "layers": 1_000, "resolution": 8_192, "classes": 1_000_000}


@dataclass(frozen=True)
class Architecture:
    """A convolutional network as a value: frozen, hashable, printable, comparable.

    `norm_eps` belongs to published weights rather than to the network (torchvision's B0–B4 were trained with 1e-5,
    every other with 1e-3): it is carried along, but is no part of the notation, of equality or of the id.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int
    resolution: int
    classes: int = 1000
    activation: Activation = Activation.SILU
    norm_eps: float = field(default=1e-3, compare=False)

    def __post_init__(self) -> None:
        _check(self)

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """(stage number from 0, block) in forward order."""
        width = self.stem
        for number, stage in enumerate(self.stages):
            for layer in range(stage.layers):
                stride = stage.stride if layer == 0 else 1
                yield number, Block(stage.op, stage.kernel, stride, width, stage.channels, stage.expand, stage.se)
                width = stage.channels

    @property
    def stem_conv(self) -> Conv:
        return Conv("stem", 3, self.stem, kernel=3, stride=2, act=True)

    @property
    def head_conv(self) -> Conv:
        return Conv("head", self.stages[-1].channels, self.head, act=True)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return sum(stage.layers for stage in self.stages)

    @property
    def total_stride(self) -> int:
        stride = 2
        for stage in self.stages:
            stride *= stage.stride
        return stride

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits of a hash of the notation: the same in every process, for equal networks only."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:10]

    def __str__(self) -> str:
        """The one-line notation: `r384 s24 f1k3s1c24n2 … m6k3s2c256n15se0.25 h1280`; `parse` reads it back."""
        tail = [f"h{self.head}"]
        if self.classes != 1000:
            tail.append(f"y{self.classes}")
        if self.activation is not Activation.SILU:
            tail.append(self.activation.value)
        return " ".join([f"r{self.resolution}", f"s{self.stem}", *map(str, self.stages), *tail])


def plain(value: float) -> str:
    """The shortest text that reads back to exactly this number: 4, 0.25, 3.5."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _check(arch: Architecture) -> None:
    def positive(where: str, value: object, most: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ArchitectureError(f"{where}: expected a whole number from 1 to {most:,}; got {value!r}")

    positive("stem", arch.stem, _MOST["channels"])
    positive("head", arch.head, _MOST["channels"])
    positive("resolution", arch.resolution, _MOST["resolution"])
    positive("classes", arch.classes, _MOST["classes"])
    if not isinstance(arch.stages, tuple) or not arch.stages:
        raise ArchitectureError(f"stages: expected a tuple of at least one stage; got {arch.stages!r}")
    for index, stage in enumerate(arch.stages, 1):
        _check_stage(stage, f"stage {index}")
        positive(f"stage {index} channels", stage.channels, _MOST["channels"])
        positive(f"stage {index} layers", stage.layers, _MOST["layers"])
    if arch.resolution < arch.total_stride:
        raise ArchitectureError(
            f"resolution: {arch.resolution} px is too small for a total stride of {arch.total_stride}",
            f"use at least {arch.total_stride} px, or fewer stages of stride 2",
        )


def _check_stage(stage: Stage, where: str) -> None:
    if not isinstance(stage.op, Op):
        raise ArchitectureError(f"{where} op: expected one of nas.Op; got {stage.op!r}")
    if type(stage.kernel) is not int or stage.kernel not in (1, 3, 5, 7, 9, 11):
        raise ArchitectureError(f"{where} kernel: expected an odd number from 1 to 11; got {stage.kernel!r}")
    if type(stage.stride) is not int or stage.stride not in (1, 2):
        raise ArchitectureError(f"{where} stride: expected 1 or 2; got {stage.stride!r}")
    if not 0 < stage.expand <= 64:
        raise ArchitectureError(f"{where} expand: expected a number above 0, at most 64; got {stage.expand!r}")
    if not 0 <= stage.se <= 1:
        raise ArchitectureError(f"{where} se: expected a ratio from 0 (none) to 1; got {stage.se!r}")


_STAGE = re.compile(r"([mf])(\d*\.?\d+(?:e-?\d+)?)k(\d+)s(\d+)c(\d+)n(\d+)(?:se(\d*\.?\d+(?:e-?\d+)?))?")
_OPS = {op.letter: op for op in Op}
_LONGEST_TOKEN = 100
_ACTIVATIONS = {activation.value for activation in Activation}
_SCALARS = {"r": "resolution", "s": "stem", "h": "head", "y": "classes"}


@lru_cache(maxsize=4096)
def parse(text: str) -> Architecture:
    """The architecture that `text` (the one-line notation) describes; `parse(str(a)) == a`.

    Raises: ArchitectureError naming the token that does not read.
    """
    stages: list[Stage] = []
    values: dict[str, int] = {}
    activation: Activation | None = None
    for token in text.split():
        if len(token) <= _LONGEST_TOKEN and (match := _STAGE.fullmatch(token)):
            letter, expand, kernel, stride, channels, layers, se = match.groups()
            stages.append(
                Stage(_OPS[letter], int(kernel), int(stride), int(channels), int(layers), float(expand), float(se or 0))
            )
        elif token in _ACTIVATIONS and activation is None:
            activation = Activation(token)
        elif (scalar := re.fullmatch(r"([rshy])(\d{1,9})", token)) and _SCALARS[scalar[1]] not in values:
            values[_SCALARS[scalar[1]]] = int(scalar[2])
        else:
            raise ArchitectureError(
                f"notation: cannot read '{token[:60]}'",
                "a network reads like: r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 h1280",
            )
    missing = [name for name in ("resolution", "stem", "head") if name not in values]
    if missing or not stages:
        wanted = ", ".join([*missing, *([] if stages else ["stages"])])
        raise ArchitectureError(
            f"notation: '{text[:60]}' has no {wanted}",
            "a network reads like: r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 h1280",
        )
    return Architecture(stages=tuple(stages), activation=activation or Activation.SILU, **values)
