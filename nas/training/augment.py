"""What a recipe does to pictures and batches, by torchvision's transforms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from nas.data.change import Change
from nas.data.split import Augment
from nas.progressive import Stage
from nas.training_recipe import Training

_GREY = 128  # of what is painted over
_POLICIES = {
    "imagenet": v2.AutoAugmentPolicy.IMAGENET,
    "cifar10": v2.AutoAugmentPolicy.CIFAR10,
    "svhn": v2.AutoAugmentPolicy.SVHN,
}
Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def moved(training: Training) -> Augment:
    """What is left to the data: mirrored and shifted pictures. Those cut out at random are a `Change`."""
    return "none" if training.augment == "resized" else training.augment


def change_of(training: Training, stage: Stage) -> Change | None:
    """What a stage does to single pictures, drawn for each of them; None where it does nothing.

    RandAugment (arXiv:1909.13719) draws two operations of magnitude 0 to 30, AutoAugment (arXiv:1805.09501) a pair of
    its policy. `resized` cuts out 8 to 100 % of the picture (arXiv:1409.4842) and mirrors half of them.
    """
    cut: list[v2.Transform] = []
    if training.augment == "resized":
        cut = [v2.RandomResizedCrop(stage.resolution, antialias=True), v2.RandomHorizontalFlip()]
    paint: list[v2.Transform] = []
    if training.autoaugment != "none":
        paint.append(v2.AutoAugment(_POLICIES[training.autoaugment], fill=_GREY))
    if stage.randaugment:
        paint.append(v2.RandAugment(2, stage.randaugment, fill=_GREY))
    erase = [v2.RandomErasing(training.erasing, value=_GREY)] if training.erasing else []
    if not cut and not paint and not erase:
        return None
    return Change(v2.Compose(cut) if cut else None, v2.Compose([*paint, v2.PILToTensor(), *erase]))


def mix_of(stage: Stage, classes: int) -> Mix | None:
    """What a stage does to a whole batch: images and labels (N,) → images and shares (N, classes) of each class.

    Mixup (arXiv:1710.09412) or CutMix (arXiv:1905.04899), drawn for each batch where there are both; None for neither.
    """
    mixes: list[v2.Transform] = []
    if stage.mixup:
        mixes.append(v2.MixUp(alpha=stage.mixup, num_classes=classes))
    if stage.cutmix:
        mixes.append(v2.CutMix(alpha=stage.cutmix, num_classes=classes))
    return partial(_mixed, mixes, classes) if mixes else None


def _mixed(mixes: list[Any], classes: int, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if len(images) < 2:  # nothing to mix with
        return images, labels if labels.ndim == 2 else functional.one_hot(labels, classes).float()
    chosen = mixes[int(torch.randint(len(mixes), (1,)))] if len(mixes) > 1 else mixes[0]
    mixed: tuple[Tensor, Tensor] = chosen(images, labels)
    return mixed
