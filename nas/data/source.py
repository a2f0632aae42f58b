"""What a family of data sets is asked for, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from nas.data.split import Data
from nas.errors import NasError


class DataError(NasError):
    """A data set that is missing, broken or unknown."""


@dataclass(frozen=True, slots=True)
class Request:
    """`argument` is what stands behind the colon of a data spec: a path, a number of classes, or nothing."""

    argument: str
    resolution: int
    device: torch.device
    seed: int


class Source(Protocol):
    """A family of data sets: `folder`, `fractals`, …"""

    def __call__(self, request: Request) -> Data:
        """Raises: DataError, one line, with a hint."""
        ...
