"""What a block is made of. `Block.convs()` and `Block.shortcut` say it once: `nas.cost` sums, `nas.nets` builds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Op(StrEnum):
    """The block of a stage."""

    MBCONV = "mbconv"
    FUSED_MBCONV = "fused_mbconv"
    SEPARABLE = "separable"
    BASIC = "basic"
    BOTTLENECK = "bottleneck"

    @property
    def letter(self) -> str:
        """The letter that opens a stage in the one-line notation."""
        return _LETTERS[self]

    @property
    def label(self) -> str:
        """The block's name as the papers print it."""
        return _LABELS[self]

    @property
    def plain_residual(self) -> bool:
        """Whether it is a block of a residual network: always with a shortcut, projected where it must, and activated
        after the sum; its `expand` and `se` are ratios of the block's output, and not of its input."""
        return self in (Op.BASIC, Op.BOTTLENECK)


_LETTERS = {Op.MBCONV: "m", Op.FUSED_MBCONV: "f", Op.SEPARABLE: "d", Op.BASIC: "b", Op.BOTTLENECK: "n"}
_LABELS = {
    Op.MBCONV: "MBConv",
    Op.FUSED_MBCONV: "Fused-MBConv",
    Op.SEPARABLE: "Separable",
    Op.BASIC: "Basic",
    Op.BOTTLENECK: "Bottleneck",
}


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
    groups: int = 1

    @property
    def expanded(self) -> int:
        """Inner width: the input × expand, or the output × expand in a basic block or bottleneck.

        A fractional expansion of the input rounds to a multiple of 8, as torchvision and timm do. Grouped filters need
        a multiple of their number.
        """
        if self.op.plain_residual:
            wide = self.out_channels * self.expand
            divisor = self.groups if self.groups > 1 else 8
            return int(wide) if wide == int(wide) and wide % self.groups == 0 else round_channels(wide, divisor)
        wide = self.in_channels * self.expand
        return int(wide) if wide == int(wide) and self.expand == int(self.expand) else round_channels(wide)

    @property
    def residual(self) -> bool:
        """Whether the block's input is added to its output, as it is or projected."""
        if self.op.plain_residual:
            return True
        return self.op is not Op.SEPARABLE and self.stride == 1 and self.in_channels == self.out_channels

    @property
    def shortcut(self) -> Conv | None:
        """The 1×1 projection of a residual block whose map or width changes (arXiv:1512.03385, option B)."""
        if not self.residual or (self.stride == 1 and self.in_channels == self.out_channels):
            return None
        return Conv("shortcut", self.in_channels, self.out_channels, 1, self.stride)

    @property
    def act_after(self) -> bool:
        """Whether the sum with the shortcut is activated, as in residual networks; inverted blocks end linearly."""
        return self.op.plain_residual

    def convs(self) -> tuple[Part, ...]:
        """What the block's body is made of, in forward order; `shortcut` stands beside it.

        MBConv (arXiv:1801.04381 with SE): 1×1 expand, depthwise, SE, 1×1 project. Fused-MBConv (arXiv:2104.00298,
        Figure 2): k×k expand, SE, 1×1 project; unexpanded it is one k×k convolution. SE stands before the last
        convolution, its width taken from the block's input, as in the official code of both families.

        Separable (arXiv:1704.04861): depthwise, SE, 1×1, both activated. Basic and bottleneck (arXiv:1512.03385, with
        groups arXiv:1611.05431): two k×k, or 1×1, k×k, 1×1, the stride in the k×k as torchvision has it; SE stands
        last, its width taken from the block's output (arXiv:1709.01507).
        """
        if self.op.plain_residual:
            return self._residual_body()
        kernel, stride, wide = self.kernel, self.stride, self.expanded
        unexpanded = wide == self.in_channels
        se = self._squeeze_excite(wide, self.in_channels)
        depthwise = Conv("depthwise", wide, wide, kernel, stride, groups=wide, act=True)
        if self.op is Op.SEPARABLE:
            return (depthwise, *se, Conv("pointwise", wide, self.out_channels, act=True))
        if self.op is Op.MBCONV:
            expand = () if unexpanded else (Conv("expand", self.in_channels, wide, act=True),)
            return (*expand, depthwise, *se, Conv("project", wide, self.out_channels))
        if unexpanded:
            return (*se, Conv("fused", self.in_channels, self.out_channels, kernel, stride, act=True))
        expand = (Conv("fused", self.in_channels, wide, kernel, stride, act=True),)
        return (*expand, *se, Conv("project", wide, self.out_channels))

    def _residual_body(self) -> tuple[Part, ...]:
        kernel, stride, inner = self.kernel, self.stride, self.expanded
        se = self._squeeze_excite(self.out_channels, self.out_channels)
        if self.op is Op.BASIC:
            first = Conv("conv", self.in_channels, inner, kernel, stride, act=True)
            return (first, Conv("conv", inner, self.out_channels, kernel), *se)
        reduce = Conv("reduce", self.in_channels, inner, act=True)
        conv = Conv("conv", inner, inner, kernel, stride, groups=self.groups, act=True)
        return (reduce, conv, Conv("restore", inner, self.out_channels), *se)

    def _squeeze_excite(self, channels: int, reference: int) -> tuple[SqueezeExcite, ...]:
        return (SqueezeExcite(channels, max(1, int(reference * self.se))),) if self.se else ()


def plain(value: float) -> str:
    """The shortest text that reads back to exactly this number: 4, 0.25, 3.5."""
    return str(int(value)) if value == int(value) else repr(float(value))
