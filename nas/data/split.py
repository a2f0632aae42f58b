"""Images of one split: all of them on the device as bytes, or streamed from disk. Either way, batches of floats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

Augment = Literal["none", "flip", "shift", "crop"]
Batches = Iterator[tuple[Tensor, Tensor]]


class Split(Protocol):
    """`len` images; `skipped` of its files could not be read so far."""

    @property
    def skipped(self) -> int: ...

    def __len__(self) -> int: ...

    def batches(self, size: int, generator: torch.Generator | None = None, augment: Augment = "none") -> Batches:
        """Pairs of images (size, 3, R, R), float, about zero mean and unit deviation, and labels (size,), int64.

        With a CPU `generator`: one shuffled epoch without its incomplete last batch. Without: in order, complete.
        """
        ...


@dataclass(frozen=True, eq=False)
class Data:
    """A data set at one resolution. `held` is never trained on."""

    name: str
    classes: int
    resolution: int
    train: Split
    held: Split

    @property
    def skipped(self) -> int:
        """Files that could not be read so far, of both splits: nothing else tells them from images never there."""
        return self.train.skipped + self.held.skipped


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

    def batches(self, size: int, generator: torch.Generator | None = None, augment: Augment = "none") -> Batches:
        if generator is None:
            for start in range(0, len(self), size):
                yield self._normal(self.images[start : start + size]), self.labels[start : start + size]
            return
        order = torch.randperm(len(self), generator=generator)
        for start in range(0, len(order) - size + 1, size):
            index = order[start : start + size].to(self.labels.device)
            yield self._normal(augmented(self.images[index], augment, generator)), self.labels[index]

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


def augmented(images: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Images (N, 3, R, R) mirrored at random (`flip`), shifted by up to an eighth of their side (`shift`), or both."""
    if augment == "none":
        return images
    count, side = len(images), images.shape[-1]
    device = images.device
    columns = torch.arange(side).expand(count, -1)
    rows = columns
    if augment != "flip":
        reach = max(1, side // 8)
        images = functional.pad(images.float(), (reach,) * 4, mode="reflect")
        rows = rows + torch.randint(0, 2 * reach + 1, (count, 1), generator=generator)
        shift = torch.randint(0, 2 * reach + 1, (count, 1), generator=generator)
    else:
        shift = torch.zeros(count, 1, dtype=torch.long)
    mirrored = torch.rand(count, 1, generator=generator) < (0.0 if augment == "shift" else 0.5)
    columns = torch.where(mirrored, columns.flip(1), columns) + shift
    number = torch.arange(count, device=device)[:, None, None]
    # (N, R, 1) rows with (N, 1, R) columns pick (N, R, R, 3): channels last, as it happens
    picked = images.movedim(1, -1)[number, rows[:, :, None].to(device), columns[:, None, :].to(device)]
    return picked.movedim(-1, 1)
