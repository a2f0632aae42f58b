"""`--format torchvision`: the rows and the call with which torchvision's EfficientNet is the same network."""

from __future__ import annotations

from pathlib import Path

from nas.arch import Activation, Architecture, Block, Op, SqueezeExcite, plain, round_channels
from nas.export.check import Checked
from nas.export.source import check_source, header, loader, write_source
from nas.export.subject import Subject

_MAKES = "build"

_TEXT = '''
from __future__ import annotations

from functools import partial

from torch import nn
from torchvision.models.efficientnet import {names}

STAGES = [
    # expand_ratio, kernel, stride, input_channels, out_channels, num_layers
{stages}
]


def build(classes: int = {classes}, dropout: float = 0.0, stochastic_depth: float = 0.0) -> EfficientNet:
    """The network with fresh weights: images (N, 3, H, W) → logits (N, classes)."""
    return EfficientNet(
        STAGES,
        dropout=dropout,
        stochastic_depth_prob=stochastic_depth,
        num_classes=classes,
        norm_layer=partial(nn.BatchNorm2d, eps={eps!r}),
        last_channel={head},
    )
'''
_WITHOUT_SE = ", block=partial(MBConv, se_layer=nn.Identity)"


def torchvision_obstacle(arch: Architecture) -> str | None:
    """The first part of `arch` that torchvision's EfficientNet has not, and where. None where it has all."""
    if arch.activation is not Activation.SILU:
        return f"the activation {arch.activation.value}; it has silu only"
    if arch.stem_kernel != 3 or arch.stem_pool > 1:
        return f"the stem: {'a max pool' if arch.stem_pool > 1 else f'a {arch.stem_kernel}×{arch.stem_kernel} kernel'}"
    if not arch.head:
        return "head 0: no convolution before pooling"
    for number, block in arch.blocks():
        if found := _obstacle(block):
            return f"stage {number + 1}: {found}"
    return None


def _obstacle(block: Block) -> str | None:
    if block.op not in (Op.MBCONV, Op.FUSED_MBCONV):
        return f"{block.op.label} blocks"
    if block.op is Op.FUSED_MBCONV and block.se:
        return "SE in a Fused-MBConv"
    if block.op is Op.MBCONV:
        width = next((width for width in (block.in_channels, block.out_channels) if round_channels(width) != width), 0)
        if width:
            return f"a width of {width}, which it rounds to {round_channels(width)}"
        squeezed = _squeezed(block)
        if squeezed and squeezed != (own := max(1, block.in_channels // 4)):
            return f"SE of {squeezed} channels; it has a quarter of the input, {own}"
    own = round_channels(block.in_channels * block.expand)
    return None if own == block.expanded else f"an inner width of {block.expanded}, which it rounds to {own}"


def write_torchvision(subject: Subject, path: Path) -> None:
    """Write the file, and its weights beside it by torchvision's names. Raises: CheckError where it does not run."""
    write_source(subject, path, source(subject, path), _MAKES, "torchvision")


def check_torchvision(subject: Subject, path: Path) -> Checked:
    """The network as torchvision builds it, held against ours. Raises: CheckError where it is another."""
    return check_source(subject, path, _MAKES)


def source(subject: Subject, path: Path) -> str:
    """The text of the file."""
    arch = subject.arch
    width, rows = arch.stem, []
    for stage in arch.stages:
        name = "MBConvConfig" if stage.op is Op.MBCONV else "FusedMBConvConfig"
        cells = (plain(stage.expand), stage.kernel, stage.stride, width, stage.channels, stage.layers)
        without = _WITHOUT_SE if stage.op is Op.MBCONV and not stage.se else ""
        rows.append(f"    {name}({', '.join(map(str, cells))}{without}),")
        width = stage.channels
    text = "\n".join(rows)
    names = sorted(name for name in ("FusedMBConvConfig", "MBConvConfig") if f" {name}(" in text)
    names = ["EfficientNet", *names[:1], *(["MBConv"] if _WITHOUT_SE in text else []), *names[1:]]
    filled = _TEXT.format(
        names=", ".join(sorted(names)), stages=text, classes=arch.classes, eps=arch.norm_eps, head=arch.head
    )
    loaded = loader(_MAKES, "EfficientNet") if subject.weights else ""
    return header(subject, path, "torchvision") + "\n" + filled + loaded


def _squeezed(block: Block) -> int:
    return next((part.squeezed for part in block.convs() if isinstance(part, SqueezeExcite)), 0)
