"""What a family of data sets is asked for, and how it says no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    largest: int = 0  # pixels at which the same images are asked for too: all sizes are kept in the same way


@dataclass(frozen=True, slots=True)
class Source:
    """A family of data sets: `folder`, `fractals`, … Both functions raise DataError, one line, with a hint.

    `check` refuses what `load` would refuse, but draws and decodes next to nothing.
    """

    load: Callable[[Request], Data]
    check: Callable[[Request], None]
