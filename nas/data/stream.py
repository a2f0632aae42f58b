"""A split too large for memory: decoded by loader processes while the network trains."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nas.data.images import UNREADABLE, square
from nas.data.split import Augment, Batches, augmented

MEAN, DEVIATION = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)  # bytes; ImageNet's, as published weights expect


@dataclass
class _Count:
    """The files that failed, as a set: each epoch meets them again."""

    failed: set[int] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Streamed:
    """(path, label) samples, decoded at `resolution` when asked for. Batches come on the CPU."""

    samples: tuple[tuple[Path, int], ...]
    resolution: int
    _count: _Count = field(default_factory=_Count)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def skipped(self) -> int:
        return len(self._count.failed)

    def batches(self, size: int, generator: torch.Generator | None = None, augment: Augment = "none") -> Batches:
        order = list(range(len(self))) if generator is None else torch.randperm(len(self), generator=generator).tolist()
        whole = len(order) if generator is None else len(order) // size * size
        mean, deviation = torch.tensor(MEAN)[:, None, None], torch.tensor(DEVIATION)[:, None, None]
        loader = DataLoader(
            _Files(self.samples, self.resolution),
            size,
            sampler=order[:whole],
            num_workers=min(8, (os.cpu_count() or 2) - 1),
            collate_fn=_together,
            generator=torch.Generator().manual_seed(0),  # else the loader draws from the global one
        )
        for images, labels, failed in loader:
            self._count.failed.update(failed)
            if not len(labels):
                continue
            shown = images if generator is None else augmented(images, augment, generator)
            yield (shown.float() - mean) / deviation, labels


@dataclass(frozen=True)
class _Files(Dataset[tuple[Tensor | None, int, int]]):
    samples: tuple[tuple[Path, int], ...]
    resolution: int

    def __getitem__(self, index: int) -> tuple[Tensor | None, int, int]:
        """Image (3, R, R) or None where the file cannot be read, its label and its index."""
        path, label = self.samples[index]
        try:
            with Image.open(path) as image:
                return square(image, self.resolution), label, index
        except UNREADABLE:
            return None, label, index


def _together(items: list[tuple[Tensor | None, int, int]]) -> tuple[Tensor, Tensor, list[int]]:
    images = [image for image, _, _ in items if image is not None]
    labels = [label for image, label, _ in items if image is not None]
    failed = [index for image, _, index in items if image is None]
    stacked = torch.stack(images) if images else torch.empty(0, 3, 1, 1, dtype=torch.uint8)
    return stacked, torch.tensor(labels, dtype=torch.long), failed
