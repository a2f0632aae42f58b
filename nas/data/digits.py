"""scikit-learn's 1,797 handwritten digits of 8 × 8 pixels, enlarged: real, tiny, and always there."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.source import DataError, Request
from nas.data.split import Data, resident


def check_digits(request: Request) -> None:
    """They are always there; only an argument is too much."""
    if request.argument:
        raise DataError(f"data 'digits' takes no argument; got '{request.argument}'", "write: digits")


def load_digits(request: Request) -> Data:
    """Ten classes; every fifth image, in an order drawn from the seed, is held out."""
    check_digits(request)
    from sklearn.datasets import load_digits as bundled

    pixels, labels = bundled(return_X_y=True)
    small = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) * (255 / 16)
    images = _enlarged(small, request.resolution)
    target = torch.tensor(labels, dtype=torch.long)
    order = torch.randperm(len(target), generator=torch.Generator().manual_seed(request.seed))
    held, train = order[: len(order) // 5], order[len(order) // 5 :]
    splits = resident((images[train], target[train]), (images[held], target[held]), request.device)
    return Data("digits", 10, request.resolution, *splits)


def _enlarged(grey: Tensor, resolution: int) -> Tensor:
    """(N, 1, 8, 8) float → (N, 3, R, R) uint8."""
    large = functional.interpolate(grey, size=resolution, mode="bilinear", align_corners=False)
    return large.round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
