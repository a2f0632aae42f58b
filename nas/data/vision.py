"""Data sets that torchvision reads from a local root. Nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchvision import datasets

from nas.data.images import any_readable, decode_all, square
from nas.data.source import DataError, Request, Source
from nas.data.split import Data, resident

# name → (torchvision's class, arguments of its train split, of its held-out split)
VISION: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]] = {
    "cifar10": (datasets.CIFAR10, {"train": True}, {"train": False}),
    "cifar100": (datasets.CIFAR100, {"train": True}, {"train": False}),
    "mnist": (datasets.MNIST, {"train": True}, {"train": False}),
    "fashion-mnist": (datasets.FashionMNIST, {"train": True}, {"train": False}),
    "svhn": (datasets.SVHN, {"split": "train"}, {"split": "test"}),
    "stl10": (datasets.STL10, {"split": "train"}, {"split": "test"}),
    "flowers102": (datasets.Flowers102, {"split": "train"}, {"split": "test"}),
    "pets": (datasets.OxfordIIITPet, {"split": "trainval"}, {"split": "test"}),
    "food101": (datasets.Food101, {"split": "train"}, {"split": "test"}),
}


def vision(name: str) -> Source:
    """The source of torchvision's data set `name`; its argument is the root folder, `data` when left out."""

    def load(request: Request) -> Data:
        opened = _opened(name, request)
        decoded = [decode_all(len(part), _reader(part, request.resolution)) for part in opened]
        if not all(len(images) for images, _, _ in decoded):
            raise _unreadable(name, request)
        classes = 1 + max(int(labels.max()) for _, labels, _ in decoded)
        pairs = [(images, labels) for images, labels, _ in decoded]
        splits = resident(pairs[0], pairs[1], request.device, (decoded[0][2], decoded[1][2]))
        names = tuple(map(str, getattr(opened[0], "classes", ())))
        return Data(name, classes, request.resolution, *splits, names=names)

    def check(request: Request) -> None:
        for part in _opened(name, request):
            if not any_readable(len(part), _reader(part, 8)):
                raise _unreadable(name, request)

    return Source(load, check)


def _opened(name: str, request: Request) -> list[Any]:
    """torchvision's train and held-out sets, whose pictures are read when asked for."""
    reader, train, held = VISION[name]
    root = request.argument or "data"
    try:
        return [reader(root, download=False, **split) for split in (train, held)]
    except (RuntimeError, OSError, ValueError, ImportError) as error:
        raise DataError(
            f"data '{name}': not found under {root}: {(str(error).splitlines() or [type(error).__name__])[0]}",
            f"download it there first, or name its folder: {name}:ROOT",
        ) from None


def _unreadable(name: str, request: Request) -> DataError:
    return DataError(f"data '{name}': no image under {request.argument or 'data'} can be read")


def _reader(part: Any, resolution: int) -> Callable[[int], tuple[Any, int]]:
    def read(index: int) -> tuple[Any, int]:
        image, label = part[index]
        return square(image, resolution), int(label)

    return read
