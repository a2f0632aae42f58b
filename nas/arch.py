"""An architecture is a value: a stem, stages of blocks, a head. Everything else is derived from it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from nas.block import Block, Conv, Op, Part, SqueezeExcite, plain, round_channels
from nas.errors import NasError

__all__ = [
    "Activation", "Architecture", "ArchitectureError", "Block", "Conv", "Op", "Part", "SqueezeExcite", "Stage", "parse",
    "plain", "round_channels",
]  # fmt: skip


class ArchitectureError(NasError):
    """A value that describes no network."""


class Activation(StrEnum):
    """The nonlinearity after a convolution, by its usual name."""

    SILU = "silu"
    RELU = "relu"
    RELU6 = "relu6"
    HARDSWISH = "hardswish"


@dataclass(frozen=True, slots=True)
class Stage:
    """`layers` blocks of one kind; the first has `stride` and changes the width to `channels`.

    `expand` and `se` are ratios of the width that `nas.block.Block` states for the kind; `groups` are of bottlenecks.
    """

    op: Op
    kernel: int
    stride: int
    channels: int
    layers: int
    expand: float = 1.0
    se: float = 0.0
    groups: int = 1

    @property
    def label(self) -> str:
        """The operator as the papers print it: `MBConv4, k3×3, SE0.25`."""
        expand = plain(self.expand) if self.op in (Op.MBCONV, Op.FUSED_MBCONV) or self.expand != 1 else ""
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        se = f", SE{plain(self.se)}" if self.se else ""
        return f"{self.op.label}{expand}, k{self.kernel}×{self.kernel}{groups}{se}"

    def block(self, in_channels: int, *, first: bool) -> Block:
        """The first block of the stage, or a later one, entered by `in_channels`."""
        stride = self.stride if first else 1
        return Block(self.op, self.kernel, stride, in_channels, self.channels, self.expand, self.se, self.groups)

    def __str__(self) -> str:
        groups = f"g{self.groups}" if self.groups > 1 else ""
        se = f"se{plain(self.se)}" if self.se else ""
        shape = f"k{self.kernel}s{self.stride}c{self.channels}n{self.layers}"
        return f"{self.op.letter}{plain(self.expand)}{shape}{groups}{se}"


_KERNELS = (1, 3, 5, 7, 9, 11)
_MOST = {"channels": 65_536, "layers": 1_000, "resolution": 8_192, "classes": 1_000_000, "stages": 200}


@dataclass(frozen=True)
class Architecture:
    """A convolutional network as a value: frozen, hashable, printable, comparable.

    The stem is one convolution of stride 2, `stem_kernel` wide; with `stem_pool` 2 a 3×3 max pool of stride 2 follows.
    `head`: channels of the 1×1 convolution before pooling and classifier; 0 is none, as in MobileNetV1 and ResNet.
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
    stem_kernel: int = 3
    stem_pool: int = 1

    def __post_init__(self) -> None:
        _check(self)

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """(stage number from 0, block) in forward order."""
        width = self.stem
        for number, stage in enumerate(self.stages):
            for layer in range(stage.layers):
                yield number, stage.block(width, first=layer == 0)
                width = stage.channels

    @property
    def stem_conv(self) -> Conv:
        return Conv("stem", 3, self.stem, self.stem_kernel, stride=2, act=True)

    @property
    def head_conv(self) -> Conv | None:
        return Conv("head", self.stages[-1].channels, self.head, act=True) if self.head else None

    @property
    def features(self) -> int:
        """Channels that are pooled and enter the classifier."""
        return self.head or self.stages[-1].channels

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return sum(stage.layers for stage in self.stages)

    @property
    def total_stride(self) -> int:
        stride = 2 * self.stem_pool
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
        kernel = f"k{self.stem_kernel}" if self.stem_kernel != 3 else ""
        pool = f"p{self.stem_pool}" if self.stem_pool != 1 else ""
        return " ".join([f"r{self.resolution}", f"s{self.stem}{kernel}{pool}", *map(str, self.stages), *tail])


def _check(arch: Architecture) -> None:
    def positive(where: str, value: object, most: int, least: int = 1) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ArchitectureError(f"{where}: expected a whole number from {least} to {most:,}; got {value!r}")

    positive("stem", arch.stem, _MOST["channels"])
    if type(arch.stem_kernel) is not int or arch.stem_kernel not in _KERNELS:
        raise ArchitectureError(f"stem_kernel: expected an odd number from 1 to 11; got {arch.stem_kernel!r}")
    if type(arch.stem_pool) is not int or arch.stem_pool not in (1, 2):
        raise ArchitectureError(f"stem_pool: expected 1 (none) or 2; got {arch.stem_pool!r}")
    positive("head", arch.head, _MOST["channels"], least=0)
    positive("resolution", arch.resolution, _MOST["resolution"])
    positive("classes", arch.classes, _MOST["classes"])
    if not isinstance(arch.stages, tuple) or not arch.stages:
        raise ArchitectureError(f"stages: expected a tuple of at least one stage; got {arch.stages!r}")
    if len(arch.stages) > _MOST["stages"]:
        raise ArchitectureError(f"stages: expected at most {_MOST['stages']}; got {len(arch.stages):,}")
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
    if type(stage.kernel) is not int or stage.kernel not in _KERNELS:
        raise ArchitectureError(f"{where} kernel: expected an odd number from 1 to 11; got {stage.kernel!r}")
    if type(stage.stride) is not int or stage.stride not in (1, 2):
        raise ArchitectureError(f"{where} stride: expected 1 or 2; got {stage.stride!r}")
    if not 0 < stage.expand <= 64:
        raise ArchitectureError(f"{where} expand: expected a number above 0, at most 64; got {stage.expand!r}")
    if not 0 <= stage.se <= 1:
        raise ArchitectureError(f"{where} se: expected a ratio from 0 (none) to 1; got {stage.se!r}")
    if stage.op is Op.SEPARABLE and stage.expand != 1:
        raise ArchitectureError(f"{where} expand: expected 1, a separable block does not expand; got {stage.expand!r}")
    if type(stage.groups) is not int or not 1 <= stage.groups <= _MOST["channels"]:
        raise ArchitectureError(f"{where} groups: expected a whole number of at least 1; got {stage.groups!r}")
    if stage.groups > 1 and stage.op is not Op.BOTTLENECK:
        raise ArchitectureError(f"{where} groups: expected 1, only a bottleneck has groups; got {stage.groups!r}")


_NUMBER = r"\d*\.?\d+(?:e-?\d+)?"
_STAGE = re.compile(
    rf"([{''.join(op.letter for op in Op)}])({_NUMBER})k(\d+)s(\d+)c(\d+)n(\d+)(?:g(\d+))?(?:se({_NUMBER}))?"
)
_STEM = re.compile(r"s(\d{1,9})(?:k(\d{1,9}))?(?:p(\d{1,9}))?")
_OPS = {op.letter: op for op in Op}
_LONGEST_TOKEN = 100
_LONGEST = _LONGEST_TOKEN * (_MOST["stages"] + 10)
_ACTIVATIONS = {activation.value for activation in Activation}
_SCALARS = {"r": "resolution", "h": "head", "y": "classes"}


@lru_cache(maxsize=4096)
def parse(text: str) -> Architecture:
    """The architecture that `text` (the one-line notation) describes; `parse(str(a)) == a`.

    Raises: ArchitectureError naming the token that does not read.
    """
    if len(text) > _LONGEST:
        raise ArchitectureError(f"notation: expected at most {_LONGEST:,} characters; got {len(text):,}")
    stages: list[Stage] = []
    values: dict[str, int] = {}
    activation: Activation | None = None
    for token in text.split():
        if len(token) <= _LONGEST_TOKEN and (match := _STAGE.fullmatch(token)):
            letter, expand, kernel, stride, channels, layers, groups, se = match.groups()
            shape = (int(kernel), int(stride), int(channels), int(layers))
            stages.append(Stage(_OPS[letter], *shape, float(expand), float(se or 0), int(groups or 1)))
        elif (stem := _STEM.fullmatch(token)) and "stem" not in values:
            values |= {"stem": int(stem[1]), "stem_kernel": int(stem[2] or 3), "stem_pool": int(stem[3] or 1)}
        elif token in _ACTIVATIONS and activation is None:
            activation = Activation(token)
        elif (scalar := re.fullmatch(r"([rhy])(\d{1,9})", token)) and _SCALARS[scalar[1]] not in values:
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
