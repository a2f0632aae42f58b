"""Networks of other libraries taken apart: which of their modules are stem, blocks, head and classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from nas.foreign import Foreign, ForeignError

Named = tuple[str, nn.Module]  # a path in the network, and what is there


@dataclass(frozen=True, slots=True)
class Parts:
    """A network in forward order. `groups`: its own stages, each of blocks, each of modules; no `head`: none.

    `residual`: whether its blocks are those of a residual network, activated after the sum.
    """

    stem: Sequence[Named]
    groups: Sequence[Sequence[Sequence[Named]]]
    head: Sequence[Named]
    classifier: Named
    residual: bool = False


def parts(net: nn.Module, foreign: Foreign) -> Parts:
    """The parts of `net`. Raises: ForeignError for a network of a family that nas does not know."""
    kind = f"{type(net).__module__}.{type(net).__name__}"
    if (take := _FAMILIES.get(kind)) is None:
        raise ForeignError(
            f"{foreign.reference}: {type(net).__name__} is no family that nas can express",
            "it can: of torchvision EfficientNet, MobileNetV2, MNASNet, ResNet; of timm EfficientNet (also its "
            "MobileNetV1 and V2, MnasNet), ResNet; any network can be measured: nas measure",
        )
    return take(net)


def _children(path: str, net: nn.Module) -> list[Named]:
    return [(f"{path}.{name}" if path else name, module) for name, module in net.named_children()]


def _at(net: nn.Module, *paths: str) -> list[Named]:
    """The modules at these paths that are there."""
    found = dict(net.named_modules())
    return [(path, found[path]) for path in paths if path in found]


def _linear(net: nn.Module, path: str) -> Named:
    """The last linear at a path."""
    inside = dict(_at(net, path)[0][1].named_modules(prefix=path))
    return [(name, module) for name, module in inside.items() if isinstance(module, nn.Linear)][-1]


def _torchvision_efficientnet(net: nn.Module) -> Parts:
    stem, *stages, head = _children("features", net.get_submodule("features"))
    groups = [[[block] for block in _children(path, stage)] for path, stage in stages]
    return Parts([stem], groups, [head], _linear(net, "classifier"))


def _torchvision_mobilenetv2(net: nn.Module) -> Parts:
    stem, *blocks, head = _children("features", net.get_submodule("features"))
    return Parts([stem], [[[block] for block in blocks]], [head], _linear(net, "classifier"))


def _torchvision_mnasnet(net: nn.Module) -> Parts:
    layers = _children("layers", net.get_submodule("layers"))  # stem, the first block, stacks, head: a flat list
    stacks = [[[block] for block in _children(path, stack)] for path, stack in layers[8:-3]]
    return Parts(layers[:3], [[layers[3:8]], *stacks], layers[-3:], _linear(net, "classifier"))


def _resnet(net: nn.Module) -> Parts:
    stages = _at(net, "layer1", "layer2", "layer3", "layer4")
    groups = [[[block] for block in _children(path, stage)] for path, stage in stages]
    stem = _at(net, "conv1", "bn1", "relu", "act1", "maxpool")
    return Parts(stem, groups, [], _linear(net, "fc"), residual=True)


def _timm_efficientnet(net: nn.Module) -> Parts:
    stages = _children("blocks", net.get_submodule("blocks"))
    groups = [[[block] for block in _children(path, stage)] for path, stage in stages]
    head = _at(net, "conv_head", "bn2")
    return Parts(_at(net, "conv_stem", "bn1"), groups, head, _linear(net, "classifier"))


_FAMILIES: dict[str, Callable[[nn.Module], Parts]] = {
    "torchvision.models.efficientnet.EfficientNet": _torchvision_efficientnet,
    "torchvision.models.mobilenetv2.MobileNetV2": _torchvision_mobilenetv2,
    "torchvision.models.mnasnet.MNASNet": _torchvision_mnasnet,
    "torchvision.models.resnet.ResNet": _resnet,
    "timm.models.efficientnet.EfficientNet": _timm_efficientnet,
    "timm.models.resnet.ResNet": _resnet,
}
