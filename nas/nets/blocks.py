"""Modules for the parts that `nas.arch.Block.convs` lists. All take and return (N, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from nas import arch, block


class Activation(nn.Module):
    """(…) → (…): the activation of a network, element by element.

    In place only where no gradient is recorded: there it spares the memory, but autograd would first copy the input
    of an in-place SiLU, which is needed again on the way back.
    """

    def __init__(self, kind: arch.Activation) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS[self.kind](x, inplace=not torch.is_grad_enabled())

    def extra_repr(self) -> str:
        return self.kind.value


FUNCTIONS = {
    arch.Activation.SILU: functional.silu,
    arch.Activation.RELU: functional.relu,
    arch.Activation.RELU6: functional.relu6,
    arch.Activation.HARDSWISH: functional.hardswish,
}


class OnePixelConv(nn.Conv2d):
    """(N, in, 1, 1) → (N, out, 1, 1): the 1×1 convolution of one pixel as the matrix product it is.

    3–7 % off a whole training step on a CPU, where setting up a convolution costs more than so small a one.
    """

    def __init__(self, conv: block.Conv) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]


def conv_norm_act(conv: block.Conv, activation: arch.Activation, norm_eps: float) -> nn.Sequential:
    """(N, in, H, W) → (N, out, ⌈H/stride⌉, ⌈W/stride⌉): convolution, batch norm, and the activation if it has one."""
    modules: list[nn.Module] = [
        nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel,
            conv.stride,
            padding=conv.kernel // 2,
            groups=conv.groups,
            bias=not conv.norm,
        )
    ]
    if conv.norm:
        modules.append(nn.BatchNorm2d(conv.out_channels, eps=norm_eps))
    if conv.act:
        modules.append(Activation(activation))
    return nn.Sequential(*modules)


class SqueezeExcite(nn.Module):
    """(N, C, H, W) → (N, C, H, W), each channel scaled by a gate in (0, 1) computed from the channels' means."""

    def __init__(self, se: block.SqueezeExcite, activation: arch.Activation) -> None:
        super().__init__()
        self.squeeze = OnePixelConv(se.squeeze)
        self.act = Activation(activation)
        self.excite = OnePixelConv(se.excite)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.excite(self.act(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()


class Block(nn.Module):
    """One block of a stage: its body, and a shortcut around it where it is residual."""

    def __init__(self, spec: block.Block, activation: arch.Activation, norm_eps: float, drop_path: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(
                SqueezeExcite(part, activation)
                if isinstance(part, block.SqueezeExcite)
                else conv_norm_act(part, activation, norm_eps)
                for part in spec.convs()
            )
        )
        self.shortcut = conv_norm_act(spec.shortcut, activation, norm_eps) if spec.shortcut else nn.Identity()
        self.residual = spec.residual
        self.drop_path = StochasticDepth(drop_path, "row") if spec.residual and drop_path else nn.Identity()
        self.act = Activation(activation) if spec.act_after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return self.act(self.drop_path(y) + self.shortcut(x)) if self.residual else y
