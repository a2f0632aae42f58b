"""A split too large for memory: decoded by loader processes while the network trains."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nas.data.change import Change, draw_seed, seed_of
from nas.data.images import UNREADABLE, middle, square
from nas.data.split import WHOLE, Augment, Batches, Part, Split, draw_moves, moves

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
    mean: Tensor = field(default_factory=lambda: torch.tensor(MEAN))
    deviation: Tensor = field(default_factory=lambda: torch.tensor(DEVIATION))
    _count: _Count = field(default_factory=_Count)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def skipped(self) -> int:
        return len(self._count.failed)

    def batches(
        self,
        size: int,
        generator: torch.Generator | None = None,
        augment: Augment = "none",
        change: Change | None = None,
        part: Part = WHOLE,
    ) -> Batches:
        order = list(range(len(self))) if generator is None else torch.randperm(len(self), generator=generator).tolist()
        starts = range(0, len(order) if generator is None else len(order) - size + 1, size)
        own = [order[start : start + size][part.cut(size) if generator else slice(None)] for start in starts]
        seed = draw_seed(generator) if change and generator else 0
        loader = DataLoader(
            _Files(self.samples, self.resolution, change if generator else None, seed),
            batch_sampler=own,
            num_workers=self._loaders,
            collate_fn=_together,
            generator=torch.Generator().manual_seed(0),  # else the loader draws from the global one
        )
        mean, deviation = (values[:, None, None] for values in (self.mean, self.deviation))
        for read_images, read_labels, failed in loader:
            moved = None if generator is None else draw_moves(size, self.resolution, augment, generator)
            self._count.failed.update(failed)
            if not len(read_labels):
                continue
            images, labels = read_images, read_labels
            if part.of > 1:  # processes that wait for each other need as many images each: some are shown twice
                full = torch.arange(len(labels) + len(failed)) % len(labels)
                images, labels = images[full], labels[full]
            shown = images
            if moved is not None:  # a file that cannot be read leaves a place empty
                rows, columns = (drawn[part.cut(size)][: len(labels)] for drawn in moved)
                shown = moves(images, rows, columns)
            yield (shown.float() - mean) / deviation, labels

    @property
    def _loaders(self) -> int:
        return min(8, (os.cpu_count() or 2) - 1)

    @property
    def ahead(self) -> int:
        return 2 * self._loaders  # PyTorch's loaders have two batches each under way

    @property
    def targets(self) -> Tensor:
        return torch.tensor([label for _, label in self.samples], dtype=torch.long)

    def normalised(self, mean: Tensor, deviation: Tensor) -> Streamed:
        return replace(self, mean=mean.cpu(), deviation=deviation.cpu())

    def take(self, index: Tensor, labels: Tensor) -> Streamed:
        pairs = zip(index.tolist(), labels.tolist(), strict=True)
        samples = tuple((self.samples[number][0], label) for number, label in pairs)
        return replace(self, samples=samples, _count=_Count())

    def join(self, other: Split) -> Streamed:
        if not isinstance(other, Streamed):
            raise TypeError("a folder that is streamed from disk, and images in memory")
        return replace(self, samples=self.samples + other.samples, _count=_Count())

    def readable(self) -> Tensor:
        return torch.tensor([number for number in range(len(self)) if number not in self._count.failed])


@dataclass(frozen=True)
class _Files(Dataset[tuple[Tensor | None, int, int]]):
    samples: tuple[tuple[Path, int], ...]
    resolution: int
    change: Change | None = None
    seed: int = 0

    def __getitem__(self, index: int) -> tuple[Tensor | None, int, int]:
        """Image (3, R, R) or None where the file cannot be read, its label and its index."""
        path, label = self.samples[index]
        try:
            with Image.open(path) as image:
                if self.change is None:
                    return square(image, self.resolution), label, index
                with torch.random.fork_rng([]):
                    changed = self.change(image.convert("RGB"), self._middle, seed_of(self.seed, index))
                return changed, label, index
        except UNREADABLE:
            return None, label, index

    def _middle(self, image: Image.Image) -> Image.Image:
        return middle(image, self.resolution)


def _together(items: list[tuple[Tensor | None, int, int]]) -> tuple[Tensor, Tensor, list[int]]:
    images = [image for image, _, _ in items if image is not None]
    labels = [label for image, label, _ in items if image is not None]
    failed = [index for image, _, index in items if image is None]
    stacked = torch.stack(images) if images else torch.empty(0, 3, 1, 1, dtype=torch.uint8)
    return stacked, torch.tensor(labels, dtype=torch.long), failed
