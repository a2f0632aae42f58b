"""What is seen in a block of another library: its convolutions, squeeze-and-excitations, norms and activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import nn

from nas.arch import Activation
from nas.export.families import Named
from nas.export.source import ACTIVATIONS
from nas.foreign import ForeignError

_KINDS = {name: activation for activation, name in ACTIVATIONS.items()} | {"Swish": Activation.SILU}
_SQUEEZE_EXCITE = ("SqueezeExcitation", "SqueezeExcite", "SEModule")
_NOTHING = (
    "Identity", "Dropout", "StochasticDepth", "DropPath", "AdaptiveAvgPool2d", "SelectAdaptivePool2d",
    "FastAdaptiveAvgPool",
)  # fmt: skip
_SHORTCUTS = ("downsample", "shortcut")


@dataclass(slots=True)
class Conv:
    """A convolution with a batch norm. `act`: whether an activation follows it there."""

    path: str
    module: nn.Conv2d
    act: bool = False

    @property
    def kernel(self) -> int:
        return self.module.kernel_size[0]

    @property
    def stride(self) -> int:
        return self.module.stride[0]

    @property
    def depthwise(self) -> bool:
        """Whether each channel is filtered on its own; so is a single channel."""
        return self.module.groups == self.module.in_channels == self.module.out_channels


@dataclass(slots=True)
class Seen:
    """All of it, in the order that the modules are defined in; `shortcuts` stand beside the body."""

    path: str
    convs: list[Conv] = field(default_factory=list)
    shortcuts: list[Conv] = field(default_factory=list)
    squeezed: list[int] = field(default_factory=list)
    activations: set[Activation] = field(default_factory=set)
    eps: set[float] = field(default_factory=set)
    pool: int = 1


def see(modules: Sequence[Named]) -> Seen:
    """What the modules are made of. Raises: ForeignError naming the module that nas cannot express."""
    seen = Seen(modules[0][0])
    for path, module in modules:
        for inner, leaf in _leaves(path, module):
            _add(seen, inner, leaf)
    return seen


def _leaves(path: str, module: nn.Module) -> Iterator[Named]:
    """Modules that compute something, and not what holds them; a squeeze-and-excitation, and a norm, is one."""
    children = list(module.named_children())
    if not children or type(module).__name__ in _SQUEEZE_EXCITE or isinstance(module, nn.BatchNorm2d):
        yield path, module
        return
    for name, child in children:
        yield from _leaves(f"{path}.{name}", child)


def _add(seen: Seen, path: str, module: nn.Module) -> None:
    kind = type(module).__name__
    convs = seen.shortcuts if any(f".{word}" in path for word in _SHORTCUTS) else seen.convs
    if isinstance(module, nn.Conv2d):
        _check_conv(path, module)
        convs.append(Conv(path, module))
    elif isinstance(module, nn.BatchNorm2d):
        seen.eps.add(module.eps)
        act = getattr(module, "act", None)  # timm's norms bring theirs along
        if act is not None and type(act).__name__ != "Identity":
            _activated(seen, convs, f"{path}.act", act)
    elif kind in _KINDS:
        _activated(seen, convs, path, module)
    elif kind in _SQUEEZE_EXCITE:
        _squeeze_excite(seen, path, module)
    elif isinstance(module, nn.MaxPool2d):
        if (module.kernel_size, module.stride, module.padding) != (3, 2, 1) or module.ceil_mode:
            raise ForeignError(f"{path}: {module} is no pool of nas' notation", "it has 3×3 of stride 2, padding 1")
        seen.pool = 2
    elif kind not in _NOTHING:
        raise ForeignError(
            f"{path}: {kind} is nothing that nas can express", "the network can be measured: nas measure"
        )


def _activated(seen: Seen, convs: list[Conv], path: str, module: nn.Module) -> None:
    if (found := _KINDS.get(type(module).__name__)) is None:
        raise ForeignError(f"{path}: the activation {type(module).__name__} is none of nas' notation",
                           f"it has {', '.join(Activation)}")  # fmt: skip
    seen.activations.add(found)
    if convs:
        convs[-1].act = True


def _check_conv(path: str, conv: nn.Conv2d) -> None:
    """Raises: ForeignError for a convolution that is padded, dilated or biased otherwise than nas' are."""
    if type(conv).__name__ == "Conv2dSame":
        raise ForeignError(
            f"{path}: Conv2dSame pads as TensorFlow does: at stride 2 by a pixel less on the left and top; "
            "nas pads symmetrically, and its logits would be others",
            "take its like without tf_ in the name, where timm has one: timm:efficientnet_b0, timm:efficientnetv2_s",
        )
    if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros":
        raise ForeignError(f"{path}: {type(conv).__name__} is no convolution that nas can express")
    kernel = conv.kernel_size[0]
    square = conv.kernel_size == (kernel, kernel) and conv.stride[0] == conv.stride[1] and kernel % 2 == 1
    if not square or conv.dilation != (1, 1) or conv.padding != (kernel // 2, kernel // 2):
        raise ForeignError(f"{path}: {conv} is no convolution that nas can express",
                           "its kernels are square, odd, not dilated, padded by half of them")  # fmt: skip
    if conv.bias is not None:
        raise ForeignError(f"{path}: a convolution with a bias; nas' have a batch norm instead")


def _squeeze_excite(seen: Seen, path: str, module: nn.Module) -> None:
    inner = list(module.named_modules())[1:]
    convs = [child for _, child in inner if isinstance(child, nn.Conv2d)]
    kinds = {type(child).__name__ for _, child in inner if not isinstance(child, nn.Conv2d)}
    others = kinds - set(_KINDS) - {"Sigmoid", "Identity", "AdaptiveAvgPool2d"}
    if len(convs) != 2 or others or "Sigmoid" not in kinds or getattr(module, "add_maxpool", False):
        odd = ", ".join(sorted(others)) or "its make"
        raise ForeignError(f"{path}: {type(module).__name__} with {odd} is none that nas can express",
                           "nas' squeeze-and-excitation: two 1×1 convolutions, an activation, a sigmoid")  # fmt: skip
    seen.squeezed.append(convs[0].out_channels)
    seen.activations |= {_KINDS[kind] for kind in kinds & set(_KINDS)}
