"""Images of one split: all of them on the device as bytes, or streamed from disk. Either way, batches of floats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from nas.data.change import Change, draw_seed, seed_of

Augment = Literal["none", "flip", "shift", "crop"]
Batches = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Part:
    """The share of each batch that one of several processes has: number `rank` of `of` equal ones."""

    rank: int = 0
    of: int = 1

    def cut(self, size: int) -> slice:
        """Where its images stand in a batch of `size`."""
        return slice(self.rank * size // self.of, (self.rank + 1) * size // self.of)


WHOLE = Part()


class Split(Protocol):
    """`len` images, normalised by `mean` and `deviation` (3,), in bytes; `skipped` of its files could not be read."""

    @property
    def skipped(self) -> int: ...
    @property
    def mean(self) -> Tensor: ...
    @property
    def deviation(self) -> Tensor: ...
    @property
    def ahead(self) -> int:
        """Batches that are read before they are asked for."""
        ...

    @property
    def targets(self) -> Tensor:
        """The labels (N,) int64, on the CPU, of all its images in order, whether they can be read or not."""
        ...

    def __len__(self) -> int: ...

    def normalised(self, mean: Tensor, deviation: Tensor) -> Split:
        """The same images under other statistics."""
        ...

    def take(self, index: Tensor, labels: Tensor) -> Split:
        """The images of `index` (M,), in that order, under `labels` (M,) int64."""
        ...

    def join(self, other: Split) -> Split:
        """Its images, and then those of `other`, all normalised as its own. Raises: TypeError for another kind."""
        ...

    def readable(self) -> Tensor:
        """Which images a pass in order has shown, (M,) int64, once there was one."""
        ...

    def batches(
        self,
        size: int,
        generator: torch.Generator | None = None,
        augment: Augment = "none",
        change: Change | None = None,
        part: Part = WHOLE,
    ) -> Batches:
        """Pairs of images (size, 3, R, R), float, about zero mean and unit deviation, and labels (size,), int64.

        With a CPU `generator`: one shuffled epoch without its incomplete last batch, each picture changed by `change`;
        of each batch only `part`, the same whatever the number of parts. Without: in order, complete, unchanged.
        """
        ...


@dataclass(frozen=True, eq=False)
class Data:
    """A data set at one resolution. `held` is never trained on. `names`: of the classes, where they have any."""

    name: str
    classes: int
    resolution: int
    train: Split
    held: Split
    names: tuple[str, ...] = ()

    @property
    def skipped(self) -> int:
        """Files that could not be read so far, of both splits: nothing else tells them from images never there."""
        return self.train.skipped + self.held.skipped

    def normalised(self, mean: Tensor, deviation: Tensor) -> Data:
        """The same images, normalised by other statistics (3,), in bytes: those that a network was trained under."""
        return replace(self, train=self.train.normalised(mean, deviation), held=self.held.normalised(mean, deviation))


@dataclass(frozen=True, eq=False)
class Resident:
    """A split on the device: `images` (N, 3, R, R) uint8, `labels` (N,) int64, `mean` and `deviation` (3,) in bytes."""

    images: Tensor
    labels: Tensor
    mean: Tensor
    deviation: Tensor
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self,
        size: int,
        generator: torch.Generator | None = None,
        augment: Augment = "none",
        change: Change | None = None,
        part: Part = WHOLE,
    ) -> Batches:
        if generator is None:
            for start in range(0, len(self), size):
                yield self._normal(self.images[start : start + size]), self.labels[start : start + size]
            return
        order = torch.randperm(len(self), generator=generator)
        seed = draw_seed(generator) if change else 0
        for start in range(0, len(order) - size + 1, size):
            moved = draw_moves(size, self.images.shape[-1], augment, generator)
            index = order[start : start + size][part.cut(size)]
            images = self._changed(index, change, seed) if change else self.images[index.to(self.labels.device)]
            shown = images if moved is None else moves(images, moved[0][part.cut(size)], moved[1][part.cut(size)])
            yield self._normal(shown), self.labels[index.to(self.labels.device)]

    @property
    def ahead(self) -> int:
        return 0

    @property
    def targets(self) -> Tensor:
        return self.labels.cpu()

    def normalised(self, mean: Tensor, deviation: Tensor) -> Resident:
        return replace(self, mean=mean.to(self.mean), deviation=deviation.to(self.mean))

    def take(self, index: Tensor, labels: Tensor) -> Resident:
        return replace(self, images=self.images[index.to(self.images.device)], labels=labels.to(self.labels.device))

    def join(self, other: Split) -> Resident:
        if not isinstance(other, Resident):
            raise TypeError("images in memory, and a folder that is streamed from disk")
        images, labels = torch.cat((self.images, other.images)), torch.cat((self.labels, other.labels))
        return replace(self, images=images, labels=labels, skipped=self.skipped + other.skipped)

    def readable(self) -> Tensor:
        return torch.arange(len(self))

    def _changed(self, index: Tensor, change: Change, seed: int) -> Tensor:
        """The pictures of `index`, changed on the CPU, where the operations on single pictures are at home."""
        pictures = self.images[index.to(self.labels.device)].cpu().movedim(1, -1).numpy()
        with torch.random.fork_rng([]):
            pairs = zip(map(Image.fromarray, pictures), index.tolist(), strict=True)
            made = [change(picture, lambda same: same, seed_of(seed, number)) for picture, number in pairs]
        return torch.stack(made).to(self.images.device)

    def _normal(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean[:, None, None]) / self.deviation[:, None, None]


def resident(
    train: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], device: torch.device, skipped: tuple[int, int] = (0, 0)
) -> tuple[Resident, Resident]:
    """Both splits on `device`, normalised by the statistics of the training images."""
    pixels = train[0][:: max(1, len(train[0]) // 2048)].float()
    mean, deviation = pixels.mean((0, 2, 3)).to(device), pixels.std((0, 2, 3)).clamp_min(1.0).to(device)
    made = [
        Resident(images.to(device), labels.to(device), mean, deviation, count)
        for (images, labels), count in zip((train, held), skipped, strict=True)
    ]
    return made[0], made[1]


def draw_moves(count: int, side: int, augment: Augment, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
    """Rows and columns (count, R) that each of `count` pictures is read at: mirrored at random (`flip`), shifted by up
    to an eighth of its side (`shift`), or both (`crop`). None where nothing moves."""
    if augment == "none":
        return None
    columns = torch.arange(side).expand(count, -1)
    rows, reach = columns, max(1, side // 8)
    if augment != "flip":
        rows = rows + torch.randint(0, 2 * reach + 1, (count, 1), generator=generator)
        shift = torch.randint(0, 2 * reach + 1, (count, 1), generator=generator)
    else:
        rows, shift = rows + reach, torch.full((count, 1), reach)
    mirrored = torch.rand(count, 1, generator=generator) < (0.0 if augment == "shift" else 0.5)
    return rows, torch.where(mirrored, columns.flip(1), columns) + shift


def moves(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images (N, 3, R, R) read at the rows and columns of `draw_moves`, mirrored beyond their edges."""
    count, side, device = len(images), images.shape[-1], images.device
    padded = functional.pad(images.float(), (max(1, side // 8),) * 4, mode="reflect")
    number = torch.arange(count, device=device)[:, None, None]
    # (N, R, 1) rows with (N, 1, R) columns pick (N, R, R, 3): channels last, as it happens
    picked = padded.movedim(1, -1)[number, rows[:, :, None].to(device), columns[:, None, :].to(device)]
    return picked.movedim(-1, 1)
