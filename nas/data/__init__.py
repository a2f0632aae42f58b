"""Data sets by name: `fractals`, `digits`, `folder:PATH`, `cifar10:ROOT` and others of torchvision."""

from __future__ import annotations

import torch

from nas.data.digits import check_digits, load_digits
from nas.data.folder import check_folder, check_unlabeled, load_folder, load_unlabeled, pictures_of, shares_pictures
from nas.data.fractals import check_fractals, load_fractals
from nas.data.source import DataError, Request, Source
from nas.data.split import Augment, Data, Resident, Split
from nas.data.vision import VISION, vision
from nas.errors import nearest

SOURCES: dict[str, Source] = {
    "fractals": Source(load_fractals, check_fractals),
    "digits": Source(load_digits, check_digits),
    "folder": Source(load_folder, check_folder),
    **{name: vision(name) for name in VISION},
}


def load_data(
    spec: str, *, resolution: int, device: torch.device | str = "cpu", seed: int = 0, largest: int = 0
) -> Data:
    """The data set that `spec` (`NAME` or `NAME:ARGUMENT`) names, at `resolution` pixels, on `device`.

    `fractals` · `fractals:CLASSES` · `fractals:CLASSESxIMAGES` · `digits` · `folder:PATH` (ImageNet layout) ·
    `cifar10`, `cifar100`, … `[:ROOT]` (read from a local root, never downloaded). `seed` draws the fractals, and
    the split where there is none. `largest`: the largest size at which the same images are asked for, if another.

    Raises: DataError for a data set that is unknown, missing or broken.
    """
    source, argument = _source(spec)
    return source.load(Request(argument, resolution, torch.device(device), seed, largest))


def check_data(spec: str, *, resolution: int = 32) -> None:
    """Refuse a data set that `load_data` would refuse, in a moment: files are listed, one image of each split is read.

    What it lets through may still hold images that cannot be read: those are skipped and counted.

    Raises: DataError for a data set that is unknown, missing or broken, or cannot be had at `resolution` pixels.
    """
    source, argument = _source(spec)
    source.check(Request(argument, resolution, torch.device("cpu"), seed=0))


def _source(spec: str) -> tuple[Source, str]:
    """The family of a spec, and what stands behind its colon."""
    name, _, argument = spec.partition(":")
    if name not in SOURCES:
        raise DataError(f"unknown data set '{spec}'", nearest(name, SOURCES))
    return SOURCES[name], argument


__all__ = [
    "SOURCES",
    "Augment",
    "Data",
    "DataError",
    "Resident",
    "Split",
    "check_data",
    "check_unlabeled",
    "load_data",
    "load_unlabeled",
    "pictures_of",
    "shares_pictures",
]
