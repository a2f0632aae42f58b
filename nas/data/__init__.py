"""Data sets by name: `fractals`, `digits`, `folder:PATH`, `cifar10:ROOT` and others of torchvision."""

from __future__ import annotations

import torch

from nas.data.digits import load_digits
from nas.data.folder import load_folder
from nas.data.fractals import load_fractals
from nas.data.source import DataError, Request, Source
from nas.data.split import Augment, Data, Resident, Split
from nas.data.vision import VISION, load_vision
from nas.errors import nearest

SOURCES: dict[str, Source] = {
    "fractals": load_fractals,
    "digits": load_digits,
    "folder": load_folder,
    **{name: load_vision(name) for name in VISION},
}


def load_data(spec: str, *, resolution: int, device: torch.device | str = "cpu", seed: int = 0) -> Data:
    """The data set that `spec` (`NAME` or `NAME:ARGUMENT`) names, at `resolution` pixels, on `device`.

    `fractals` · `fractals:CLASSES` · `fractals:CLASSESxIMAGES` · `digits` · `folder:PATH` (ImageNet layout) ·
    `cifar10`, `cifar100`, … `[:ROOT]` (read from a local root, never downloaded). `seed` draws the fractals, and
    the split where there is none.

    Raises: DataError for a data set that is unknown, missing or broken.
    """
    name, _, argument = spec.partition(":")
    if name not in SOURCES:
        raise DataError(f"unknown data set '{spec}'", nearest(name, SOURCES))
    return SOURCES[name](Request(argument, resolution, torch.device(device), seed))


__all__ = ["SOURCES", "Augment", "Data", "DataError", "Resident", "Split", "load_data"]
