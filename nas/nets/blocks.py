"""Modules for the parts that `nas.arch.Block.convs` lists. All take and return (N, C, H, W)."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from nas import arch

ACTIVATIONS: dict[arch.Activation, type[nn.Module]] = {
    arch.Activation.SILU: nn.SiLU,
    arch.Activation.RELU: nn.ReLU,
    arch.Activation.RELU6: nn.ReLU6,
    arch.Activation.HARDSWISH: nn.Hardswish,
}


def conv_norm_act(conv: arch.Conv, activation: arch.Activation, norm_eps: float) -> nn.Sequential:
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
        modules.append(ACTIVATIONS[activation](inplace=True))
    return nn.Sequential(*modules)


class SqueezeExcite(nn.Module):
    """(N, C, H, W) → (N, C, H, W), each channel scaled by a gate in (0, 1) computed from the channels' means."""

    def __init__(self, se: arch.SqueezeExcite, activation: arch.Activation) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(se.squeeze.in_channels, se.squeeze.out_channels, 1)
        self.act = ACTIVATIONS[activation](inplace=True)
        self.excite = nn.Conv2d(se.excite.in_channels, se.excite.out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.excite(self.act(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()


class Block(nn.Module):
    """One MBConv or Fused-MBConv block; a shortcut where stride is 1 and the width stays."""

    def __init__(self, block: arch.Block, activation: arch.Activation, norm_eps: float, drop_path: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(
                SqueezeExcite(part, activation)
                if isinstance(part, arch.SqueezeExcite)
                else conv_norm_act(part, activation, norm_eps)
                for part in block.convs()
            )
        )
        self.residual = block.residual
        self.drop_path = StochasticDepth(drop_path, "row") if block.residual and drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return self.drop_path(y) + x if self.residual else y
