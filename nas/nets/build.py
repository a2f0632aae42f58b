"""Build a network from its architecture: the same list of convolutions that `nas.cost` sums."""

from __future__ import annotations

import math

from torch import Tensor, nn

from nas.arch import Architecture
from nas.nets.blocks import Block, conv_norm_act


class Network(nn.Module):
    """(N, 3, H, W) → (N, classes). Trained weights of the same network from torchvision load by order."""

    def __init__(self, arch: Architecture, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.arch = arch
        self.stem = conv_norm_act(arch.stem_conv, arch.activation, arch.norm_eps)
        if arch.stem_pool > 1:
            self.stem.append(nn.MaxPool2d(3, arch.stem_pool, padding=1))
        stages: list[list[nn.Module]] = [[] for _ in arch.stages]
        for index, (stage, block) in enumerate(arch.blocks()):
            rate = drop_path * index / arch.depth  # rises linearly over the blocks, 0 at the first
            stages[stage].append(Block(block, arch.activation, arch.norm_eps, rate))
        self.stages = nn.Sequential(*(nn.Sequential(*blocks) for blocks in stages))
        self.head = conv_norm_act(arch.head_conv, arch.activation, arch.norm_eps) if arch.head_conv else nn.Identity()
        self.dropout = nn.Dropout(dropout, inplace=True)
        self.classifier = nn.Linear(arch.features, arch.classes)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(self.dropout(features.mean((2, 3))))
        return logits


def build(arch: Architecture, *, dropout: float = 0.0, drop_path: float = 0.0) -> Network:
    """The module of `arch`, (N, 3, H, W) → (N, classes), in train mode, freshly initialised from torch's global seed.

    `dropout` before the classifier; `drop_path` is the stochastic-depth rate of the last block (arXiv:1603.09382),
    reached linearly from 0. Both are training settings and no part of the network's identity or cost.
    """
    net = Network(arch, dropout, drop_path)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):  # He et al. 2015, fan out, as the reference implementations do
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.out_features)
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.zeros_(module.bias)
    return net
