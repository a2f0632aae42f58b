"""`--format python`: one file of PyTorch, with the few classes that this network needs and every width written out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nas.arch import Architecture, Block, Conv, Op, SqueezeExcite, Stage
from nas.export.check import Checked
from nas.export.source import ACTIVATIONS, check_source, header, loader, write_source
from nas.export.subject import Subject

_IMPORTS = """
from __future__ import annotations

import torch
from torch import Tensor, nn
"""

_CONV = '''

def conv_norm_act(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution, batch norm, and the activation unless the block is linear there."""
    padding = kernel // 2
    layers = [
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels, eps=EPS),
    ]
    return nn.Sequential(*layers, ACTIVATION) if act else nn.Sequential(*layers)
'''

_SQUEEZE_EXCITE = '''

class SqueezeExcite(nn.Module):
    """Each channel scaled by a gate in (0, 1), computed from the means of all channels."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.act = ACTIVATION
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.excite(self.act(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)
'''

_INVERTED = """
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if self.residual else self.body(x)
"""

_MBCONV = (
    '''

class MBConv(nn.Module):
    """1×1 expansion, depthwise convolution, linear 1×1 projection; a shortcut where the shape stays the same."""

    def __init__(SIGNATURE) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(conv_norm_act(in_channels, expanded))
        layers.append(conv_norm_act(expanded, expanded, kernel, stride, groups=expanded))
        if squeezed:  #? se
            layers.append(SqueezeExcite(expanded, squeezed))  #? se
        layers.append(conv_norm_act(expanded, out_channels, act=False))
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels
'''
    + _INVERTED
)

_FUSED = (
    '''

class FusedMBConv(nn.Module):
    """k×k expansion and linear 1×1 projection, or one k×k convolution; a shortcut where the shape stays the same."""

    def __init__(SIGNATURE) -> None:
        super().__init__()
        gates = [SqueezeExcite(expanded, squeezed)] if squeezed else []  #? se
        layers: list[nn.Module] = [*gates, conv_norm_act(in_channels, out_channels, kernel, stride)]  #? se
        layers: list[nn.Module] = [conv_norm_act(in_channels, out_channels, kernel, stride)]  #? plain
        if expanded != in_channels:
            expansion = conv_norm_act(in_channels, expanded, kernel, stride)
            layers = [expansion, *gates, conv_norm_act(expanded, out_channels, act=False)]  #? se
            layers = [expansion, conv_norm_act(expanded, out_channels, act=False)]  #? plain
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels
'''
    + _INVERTED
)

_SEPARABLE = '''

class Separable(nn.Module):
    """Depthwise convolution and 1×1 convolution, both activated."""

    def __init__(SIGNATURE) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm_act(in_channels, in_channels, kernel, stride, groups=in_channels)]
        if squeezed:  #? se
            layers.append(SqueezeExcite(in_channels, squeezed))  #? se
        layers.append(conv_norm_act(in_channels, out_channels))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
'''

_RESIDUAL = """        if squeezed:  #? se
            layers.append(SqueezeExcite(out_channels, squeezed))  #? se
        self.body = nn.Sequential(*layers)
        unchanged = stride == 1 and in_channels == out_channels
        shortcut = nn.Identity() if unchanged else conv_norm_act(in_channels, out_channels, stride=stride, act=False)
        self.shortcut = shortcut
        self.act = ACTIVATION

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))
"""

_BASIC = (
    '''

class Basic(nn.Module):
    """Two k×k convolutions and a shortcut, projected where the shape changes; activated after the sum."""

    def __init__(SIGNATURE) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm_act(in_channels, inner, kernel, stride),
            conv_norm_act(inner, out_channels, kernel, act=False),
        ]
'''
    + _RESIDUAL
)

_BOTTLENECK = (
    '''

class Bottleneck(nn.Module):
    """1×1, k×k and 1×1 convolution and a shortcut, projected where the shape changes; activated after the sum."""

    def __init__(SIGNATURE) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm_act(in_channels, inner),
            conv_norm_act(inner, inner, kernel, stride, groups),  #? groups
            conv_norm_act(inner, inner, kernel, stride),  #? ungrouped
            conv_norm_act(inner, out_channels, act=False),
        ]
'''
    + _RESIDUAL
)

_NETWORK = '''

class Network(nn.Module):
    """Images (N, 3, H, W) → logits (N, classes)."""

    def __init__(self, classes: int = CLASSES, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = STEM
        self.stages = nn.Sequential(
STAGES
        )
        self.head = HEAD  #? head
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x))
        x = self.head(x)  #? head
        logits: Tensor = self.classifier(self.dropout(x.mean((2, 3))))
        return logits
'''

_CLASSES = {
    Op.MBCONV: ("MBConv", "expanded", _MBCONV),
    Op.FUSED_MBCONV: ("FusedMBConv", "expanded", _FUSED),
    Op.SEPARABLE: ("Separable", "", _SEPARABLE),
    Op.BASIC: ("Basic", "inner", _BASIC),
    Op.BOTTLENECK: ("Bottleneck", "inner", _BOTTLENECK),
}  # what a class is called, what it calls its inner width, and its source
_MAKES = "Network"
_LINE = 120


def write_python(subject: Subject, path: Path) -> None:
    """Write the file, and its weights beside it. Raises: CheckError where it does not run."""
    write_source(subject, path, source(subject, path), _MAKES, "python")


def check_python(subject: Subject, path: Path) -> Checked:
    """Raises: CheckError where the file's network is another."""
    return check_source(subject, path, _MAKES)


def source(subject: Subject, path: Path) -> str:
    """The text of the file."""
    arch = subject.arch
    used = [op for op in _CLASSES if any(stage.op is op for stage in arch.stages)]
    classes = "".join(_class(arch, op) for op in used)
    gates = _SQUEEZE_EXCITE if any(stage.se for stage in arch.stages) else ""
    imports = _IMPORTS if gates else _IMPORTS.replace("import torch\n", "")
    text = imports + _CONV + gates + classes + _network(arch)
    text += loader(_MAKES, _MAKES) if subject.weights else ""
    text = text.replace("ACTIVATION", f"nn.{ACTIVATIONS[arch.activation]}(inplace=True)")
    return header(subject, path, "torch") + "\n" + text.replace("EPS", repr(arch.norm_eps))


def _class(arch: Architecture, op: Op) -> str:
    """The class of a block, without the lines for what no stage of this network has."""
    stages = [stage for stage in arch.stages if stage.op is op]
    facts = {"se" if any(stage.se for stage in stages) else "plain"}
    facts.add("groups" if any(stage.groups > 1 for stage in stages) else "ungrouped")
    _, inner, text = _CLASSES[op]
    words = ["in_channels", "out_channels", inner, "kernel", "stride", *sorted(facts & {"groups"})]
    words += ["squeezed"] if "se" in facts else []
    defaults = {"stride": " = 1", "groups": " = 1", "squeezed": " = 0"}
    arguments = ["self", *(f"{word}: int{defaults.get(word, '')}" for word in words if word)]
    return _kept(text, facts).replace("SIGNATURE", _broken(arguments))


def _broken(arguments: list[str]) -> str:
    """The arguments in one line, in a line of their own, or each in one."""
    together = ", ".join(arguments)
    if len(f"    def __init__({together}) -> None:") <= _LINE:
        return together
    if len(f"        {together}") <= _LINE:
        return f"\n        {together}\n    "
    return "".join(f"\n        {argument}," for argument in arguments) + "\n    "


def _kept(text: str, facts: set[str]) -> str:
    """The lines of `text` that are for everyone, or for one of `facts`: `line  #? fact`."""
    lines = (line.partition("  #? ") for line in text.splitlines())
    return "\n".join(line for line, _, fact in lines if not fact or fact in facts) + "\n"


def _network(arch: Architecture) -> str:
    text = _kept(_NETWORK, {"head"} if arch.head else set())
    stem = f"conv_norm_act({_conv(arch.stem_conv)})"
    if arch.stem_pool > 1:
        stem = f"nn.Sequential(*{stem}, nn.MaxPool2d(3, stride={arch.stem_pool}, padding=1))"
    head = f"conv_norm_act({_conv(arch.head_conv)})" if arch.head_conv else ""
    text = text.replace("STEM", stem).replace("HEAD", head).replace("STAGES", "\n".join(_stages(arch)))
    return text.replace("FEATURES", str(arch.features)).replace("CLASSES", str(arch.classes))


def _conv(conv: Conv) -> str:
    more = [f"{key}={value}" for key, value in (("kernel", conv.kernel), ("stride", conv.stride)) if value > 1]
    return ", ".join([str(conv.in_channels), str(conv.out_channels), *more])


def _stages(arch: Architecture) -> Iterator[str]:
    width = arch.stem
    for number, stage in enumerate(arch.stages, 1):
        yield f"            nn.Sequential(  # {number}: {stage.label}"
        yield from (f"                {line}," for line in _blocks(stage, width))
        yield "            ),"
        width = stage.channels


def _blocks(stage: Stage, width: int) -> Iterator[str]:
    """The calls that make the blocks of a stage, equal ones said once."""
    first, later, count = stage.block(width, first=True), stage.block(stage.channels, first=False), stage.layers
    if first != later:
        yield _call(first)
        count -= 1
    if count == 1:
        yield _call(later)
    elif count:
        yield f"*({_call(later)} for _ in range({count}))"


def _call(block: Block) -> str:
    name, inner, _ = _CLASSES[block.op]
    squeezed = next((part.squeezed for part in block.convs() if isinstance(part, SqueezeExcite)), 0)
    words = [(inner, block.expanded if inner else 0), ("kernel", block.kernel)]
    words += [("stride", block.stride)] if block.stride > 1 else []
    words += [("groups", block.groups)] if block.groups > 1 else []
    words += [("squeezed", squeezed)]
    more = [f"{key}={value}" for key, value in words if value]
    return f"{name}({', '.join([str(block.in_channels), str(block.out_channels), *more])})"
