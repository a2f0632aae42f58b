"""An exponential moving average of weights and batch-norm statistics, by `torch.optim.swa_utils`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average_of(net: nn.Module, decay: float) -> AveragedModel:
    """An average of `net`, which `update_parameters` moves by one step.

    The decay begins as (1 + n) / (10 + n) after n steps, as in the official code of EfficientNet: an average of 0.9999
    would keep its first weights for the whole of a short training.
    """

    def move(averages: Any, values: Any, _: Any) -> None:
        seen = float(averaged.n_averaged)  # torch's count is moved to the device first, which each step would wait for
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + seen) / (10 + seen)))
        else:  # numbers of batches
            torch._foreach_copy_(averages, values)

    averaged = AveragedModel(net, multi_avg_fn=torch.no_grad()(move), use_buffers=True)
    averaged.requires_grad_(False)
    return averaged
