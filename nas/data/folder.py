"""A folder of pictures in ImageNet's layout: `train/CLASS/*.jpg` and `val/CLASS/*.jpg`, or just `CLASS/*.jpg`.

Without a held-out folder a fifth of every class is held out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nas.data.images import any_readable, decode_all, square
from nas.data.source import DataError, Request
from nas.data.split import Data, Resident, Split, resident
from nas.data.stream import Streamed
from nas.document import digest

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff", ".gif"}
LARGEST_RESIDENT = 2**30  # bytes of decoded images; a larger folder is streamed from disk
HELD_NAMES = ("val", "valid", "validation", "test")  # the first that is there is never trained on
HELD_SHARE = 5  # one image in so many is held out where the folder does not say
HINT = "expected PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg, or PATH/CLASS/*.jpg"

Sample = tuple[Path, int]


def load_folder(request: Request) -> Data:
    """Images of a folder: decoded onto the device if they fit in `LARGEST_RESIDENT` bytes, else streamed."""
    classes, train, held = _listed(_root(request), request.seed)
    name = f"folder:{request.argument}"
    size = (len(train) + len(held)) * 3 * max(request.resolution, request.largest) ** 2
    if size > LARGEST_RESIDENT:
        streams = [Streamed(tuple(samples), request.resolution) for samples in (train, held)]
        return Data(name, len(classes), request.resolution, streams[0], streams[1], tuple(classes))
    (x, y, lost), (held_x, held_y, held_lost) = (
        decode_all(len(part), _reader(part, request.resolution)) for part in (train, held)
    )
    for read, what in ((y, "training"), (held_y, "held-out")):
        if not len(read):
            raise _unreadable(request, what)
    splits = resident((x, y), (held_x, held_y), request.device, (lost, held_lost))
    return Data(name, len(classes), request.resolution, *splits, names=tuple(classes))


def check_folder(request: Request) -> None:
    """Lists the folder, and reads images of each split until one can be read: as a rule one."""
    _, train, held = _listed(_root(request), request.seed)
    for samples, what in ((train, "training"), (held, "held-out")):
        if not any_readable(len(samples), _reader(samples, 8)):
            raise _unreadable(request, what)


def shares_pictures(root: Path, folder: Path) -> bool:
    """Whether pictures under `folder` may be those of the data set at `root`, the held-out ones among them."""
    root, folder = root.resolve(), folder.resolve()
    if root.is_relative_to(folder):
        return True
    if not folder.is_relative_to(root):
        return False
    return not (root / "train").is_dir() or folder.relative_to(root).parts[0] in ("train", *HELD_NAMES)


def check_unlabeled(folder: Path) -> None:
    """Raises: DataError where `load_unlabeled` would find no picture that can be read."""
    samples = _unlabeled(folder)
    if not any_readable(len(samples), _reader(samples, 8)):
        raise _none_readable(folder, samples)


def pictures_of(folder: Path) -> str:
    """Which pictures `load_unlabeled` finds: a digest of their names and sizes. Raises: DataError where none."""
    return digest([(str(path.relative_to(folder)), path.lstat().st_size) for path, _ in _unlabeled(folder)])


def _unlabeled(folder: Path) -> list[Sample]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES) if folder.is_dir() else []
    if not paths:
        what = "no pictures" if folder.is_dir() else "no such folder"
        raise DataError(f"unlabeled {folder}: {what}", f"give a folder of {', '.join(sorted(PICTURES))}")
    return [(path, 0) for path in paths]


def _none_readable(folder: Path, samples: list[Sample]) -> DataError:
    return DataError(f"unlabeled {folder}: none of {len(samples):,} pictures can be read", "are they pictures?")


def load_unlabeled(folder: Path, resolution: int, like: Split) -> Split:
    """The pictures under a folder, at any depth, all of class 0; in memory or streamed, and normalised, as `like` is.

    Raises: DataError where there is no picture, or too many to lie in memory beside data that do.
    """
    samples = _unlabeled(folder)
    if isinstance(like, Streamed):
        return replace(like, samples=tuple(samples)).take(torch.arange(len(samples)), torch.zeros(len(samples)).long())
    if len(samples) * 3 * resolution**2 > LARGEST_RESIDENT:
        raise DataError(
            f"unlabeled {folder}: {len(samples):,} pictures of {resolution} px do not fit beside data in memory",
            "give fewer, or labelled data as a folder that is streamed too",
        )
    images, labels, lost = decode_all(len(samples), _reader(samples, resolution))
    if not len(labels):
        raise _none_readable(folder, samples)
    assert isinstance(like, Resident)
    return replace(like, images=images.to(like.images.device), labels=labels.to(like.labels.device), skipped=lost)


def _root(request: Request) -> Path:
    root = Path(request.argument).expanduser()
    if not request.argument or not root.is_dir():
        raise DataError(f"data 'folder:{request.argument}': no such folder", HINT)
    return root


def _unreadable(request: Request, what: str) -> DataError:
    return DataError(f"data 'folder:{request.argument}': no {what} image can be read", HINT)


def _listed(root: Path, seed: int) -> tuple[list[str], list[Sample], list[Sample]]:
    """Class names, training samples and held-out samples."""
    held_root = next((root / name for name in HELD_NAMES if (root / name).is_dir()), None)
    divided = (root / "train").is_dir() and bool(_classes(root / "train"))  # else `train` is a class, of railways
    if divided and held_root is not None:
        classes = _classes(root / "train")
        unknown = sorted(set(_classes(held_root)) - set(classes))
        if unknown:
            raise DataError(f"data 'folder:{root}': class '{unknown[0]}' of {held_root.name}/ is not in train/", HINT)
        train, held = _samples(root / "train", classes), _samples(held_root, classes)
    else:
        images = root / "train" if divided else root
        classes = _classes(images)
        train, held = _split(_samples(images, classes), seed)
    for part, what in ((train, "training"), (held, "held-out")):
        if len(classes) < 2 or not part:
            found = f"{len(classes)} of at least 2 classes" if len(classes) < 2 else f"no {what} images"
            raise DataError(f"data 'folder:{root}': found {found}", HINT)
    return classes, train, held


def _classes(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _samples(folder: Path, classes: list[str]) -> list[Sample]:
    return [
        (path, number)
        for number, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in PICTURES
    ]


def _split(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """A fifth of every class held out, drawn from the seed."""
    train: list[Sample] = []
    held: list[Sample] = []
    by_class: dict[int, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample[1], []).append(sample)
    for members in by_class.values():
        random.Random(seed).shuffle(members)
        cut = max(1, len(members) // HELD_SHARE) if len(members) > 1 else 0
        held += members[:cut]
        train += members[cut:]
    return train, held


def _reader(samples: list[Sample], resolution: int) -> Callable[[int], tuple[Tensor, int]]:
    def read(index: int) -> tuple[Tensor, int]:
        path, label = samples[index]
        with Image.open(path) as image:
            return square(image, resolution), label

    return read
