"""Pictures to squares of bytes; those that cannot be read are counted, not fatal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)  # what Pillow raises


def square(image: Image.Image, resolution: int) -> Tensor:
    """(3, R, R) uint8: the shorter side to R, the middle cut out."""
    return torch.from_numpy(np.array(middle(image, resolution))).movedim(-1, 0)


def middle(image: Image.Image, resolution: int) -> Image.Image:
    """The picture in colour, the shorter side brought to R pixels, the middle of the longer one cut out."""
    picture = image.convert("RGB")
    scale = resolution / min(picture.size)
    size = (max(resolution, round(picture.width * scale)), max(resolution, round(picture.height * scale)))
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - resolution) // 2, (size[1] - resolution) // 2
    return picture.crop((left, top, left + resolution, top + resolution))


def any_readable(count: int, read: Callable[[int], tuple[Tensor, int]]) -> bool:
    """Whether at least one of `count` images can be read; reads no more than it takes to know."""
    for index in range(count):
        try:
            read(index)
        except UNREADABLE:
            continue
        return True
    return False


def decode_all(count: int, read: Callable[[int], tuple[Tensor, int]]) -> tuple[Tensor, Tensor, int]:
    """Images (N, 3, R, R) uint8, labels (N,) int64, and how many of `count` could not be read."""
    images, labels = [], []
    for index in range(count):
        try:
            image, label = read(index)
        except UNREADABLE:
            continue
        images.append(image)
        labels.append(label)
    stacked = torch.stack(images) if images else torch.empty(0, 3, 1, 1, dtype=torch.uint8)
    return stacked, torch.tensor(labels, dtype=torch.long), count - len(images)
