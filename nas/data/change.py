"""Random changes of single pictures, each drawn from a seed of its own: no result depends on who draws it, or when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

_SPREAD = 0x9E3779B97F4A7C15  # keeps the seeds of neighbours apart
Picture = Image.Image


@dataclass(frozen=True)
class Change:
    """`cut` makes a square of a picture of any size, and `paint` (3, R, R) bytes of the square. Both draw from torch's
    global state. They are Pillow's operations, which take half the time of a tensor's.

    Where there is no `cut`, the middle of the picture is taken (see `nas.data.images.square`).
    """

    cut: Callable[[Picture], Picture] | None
    paint: Callable[[Picture], Tensor]

    def __call__(self, picture: Picture, middle: Callable[[Picture], Picture], seed: int) -> Tensor:
        """(3, R, R) uint8 of a picture, drawn from `seed`; `middle` is what stands in for a missing `cut`.

        Sets torch's global CPU seed: call it within `torch.random.fork_rng`, or in a process that draws nothing else.
        """
        torch.default_generator.manual_seed(seed)
        return self.paint((self.cut or middle)(picture))


def seed_of(epoch: int, index: int) -> int:
    """The seed of picture `index` in an epoch whose seed is `epoch`."""
    return (epoch + _SPREAD * (index + 1)) % 2**63


def draw_seed(generator: torch.Generator) -> int:
    """The seed of an epoch."""
    return int(torch.randint(2**62, (1,), generator=generator))
