"""`--format timm`: the block strings and every argument with which timm's EfficientNet is the same network."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from nas.arch import Architecture, Block, Op, SqueezeExcite, Stage, plain, round_channels
from nas.errors import NasError
from nas.export.check import Checked
from nas.export.source import ACTIVATIONS, check_source, header, loader, write_source
from nas.export.subject import Subject

_MAKES = "build"
_USUAL_STRIDE = 32  # beyond it timm would dilate convolutions instead

_TEXT = '''
from __future__ import annotations

from functools import partial

from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from torch import nn

BLOCKS = [
{blocks}
]


def build(classes: int = {classes}, dropout: float = 0.0, drop_path: float = 0.0) -> EfficientNet:
    """The network with fresh weights: images (N, 3, H, W) → logits (N, classes)."""
    return EfficientNet(
        decode_arch_def(BLOCKS),
        num_classes=classes,
        stem_size={stem},
        stem_kernel_size={stem_kernel},
        num_features={head},  # of the convolution before pooling; 0 is none
        round_chs_fn=int,  # widths are as they are written
        output_stride={stride},
        pad_type="",  # symmetric
        act_layer=nn.{activation},
        norm_layer=partial(nn.BatchNorm2d, eps={eps!r}),
        drop_rate=dropout,
        drop_path_rate=drop_path,
    )
'''


def timm_obstacle(arch: Architecture) -> str | None:
    """The first part of `arch` that timm's EfficientNet has not, and where. None where it has all."""
    if arch.stem_pool > 1:
        return "the stem: a max pool"
    for number, stage in enumerate(arch.stages, 1):
        if stage.op.plain_residual:
            return f"stage {number}: {stage.op.label} blocks"
    for number, block in arch.blocks():
        if block.op is Op.FUSED_MBCONV and block.expanded == block.in_channels and block.se:
            return f"stage {number + 1}: SE in a Fused-MBConv that does not expand"
        if block.expanded != block.in_channels and (own := _inner(block)) != block.expanded:
            return f"stage {number + 1}: an inner width of {block.expanded}, which timm rounds to {own}"
    return None


def write_timm(subject: Subject, path: Path) -> None:
    """Write the file, and its weights beside it by timm's names.

    Raises: CheckError where it makes another network; NasError for weights where timm is not installed.
    """
    if subject.weights is not None and not _installed():
        raise NasError(
            "--weights: timm is not installed, and only it knows the names that its weights have", "pip install timm"
        )
    write_source(subject, path, source(subject, path), _MAKES, "timm")


def check_timm(subject: Subject, path: Path) -> Checked:
    """The network as timm builds it, held against ours; unchecked where timm is not installed.

    Raises: CheckError where it is another.
    """
    if not _installed():
        return Checked(reason="timm is not installed: pip install timm")
    return check_source(subject, path, _MAKES)


def source(subject: Subject, path: Path) -> str:
    """The text of the file."""
    arch = subject.arch
    width, stages = arch.stem, []
    for stage in arch.stages:
        stages.append(f"    [{', '.join(_strings(stage, width))}],")
        width = stage.channels
    text = _TEXT.format(
        blocks="\n".join(stages),
        classes=arch.classes,
        stem=arch.stem,
        stem_kernel=arch.stem_kernel,
        head=arch.head,
        stride=max(_USUAL_STRIDE, arch.total_stride),
        activation=ACTIVATIONS[arch.activation],
        eps=arch.norm_eps,
    )
    return header(subject, path, "timm") + "\n" + text + (loader(_MAKES, "EfficientNet") if subject.weights else "")


def _strings(stage: Stage, width: int) -> Iterator[str]:
    """The block strings of a stage entered by `width` channels; two where its first block is of another kind."""
    first, later = _string(stage.block(width, first=True)), _string(stage.block(stage.channels, first=False))
    if first == later:
        yield f'"{first.format(repeats=stage.layers, stride=stage.stride)}"'
        return
    yield f'"{first.format(repeats=1, stride=stage.stride)}"'
    if stage.layers > 1:
        yield f'"{later.format(repeats=stage.layers - 1, stride=1)}"'


def _string(block: Block) -> str:
    """The block string with its repeats and stride left open."""
    unexpanded = block.expanded == block.in_channels
    open_part = f"r{{repeats}}_k{block.kernel}_s{{stride}}"
    if block.op is Op.SEPARABLE:
        return f"dsa_{open_part}_c{block.out_channels}{_ratio(block, 1)}"
    if unexpanded and block.op is Op.MBCONV:
        return f"ds_{open_part}_e1_c{block.out_channels}{_ratio(block, 1)}"
    if unexpanded:
        return f"cn_{open_part}_e1_c{block.out_channels}_skip"
    kind = "ir" if block.op is Op.MBCONV else "er"
    return f"{kind}_{open_part}_e{plain(block.expand)}_c{block.out_channels}{_ratio(block, block.expand)}"


def _ratio(block: Block, expand: float) -> str:
    """timm rounds the squeezed width where nas cuts it off: the ratio that gives the width all the same."""
    squeezed = next((part.squeezed for part in block.convs() if isinstance(part, SqueezeExcite)), 0)
    if not squeezed:
        return ""
    usual = round(block.expanded * block.se / expand) == squeezed
    return f"_se{plain(block.se if usual else squeezed * expand / block.expanded)}"


def _inner(block: Block) -> int:
    """The inner width as timm rounds it (`make_divisible`)."""
    return round_channels(block.in_channels * block.expand)


def _installed() -> bool:
    return importlib.util.find_spec("timm") is not None
