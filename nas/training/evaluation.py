"""How good a trained network is on held-out images: top-1, top-5, what it confuses, and whether it knows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.data.split import Split

BINS = 15  # of the calibration error, as in Guo et al. 2017


@dataclass(frozen=True, slots=True)
class Confusion:
    """A class that is often missed: percent of its `images` recognised, and what the others are taken for most."""

    name: str
    images: int
    recall_pct: float
    taken_for: str
    taken_pct: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracies in percent on `images` held-out images.

    `calibration_error_pct`: the mean distance of confidence from accuracy over 15 bins of confidence, weighted by their
    images (Guo et al. 2017, arXiv:1706.04599). `top5_pct` is None where there are no more than five classes.
    """

    top1_pct: float
    top5_pct: float | None
    images: int
    classes: int
    loss: float  # mean cross-entropy, nats
    calibration_error_pct: float
    mean_confidence_pct: float
    worst: tuple[Confusion, ...]


@torch.no_grad()
def evaluate(
    net: nn.Module,
    split: Split,
    names: tuple[str, ...],
    *,
    device: torch.device,
    batch: int = 256,
    bf16: bool = False,
) -> Evaluation:
    """Evaluate `net`, (N, 3, R, R) → (N, classes), on every image of `split`; `names` are those of its classes.

    `bf16`: under autocast.

    Raises: ValueError where no image could be read.
    """
    net.eval()
    logits, labels = [], []
    for images, truth in split.batches(batch):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            answers = net(images.to(device))
        logits.append(answers.float().cpu())
        labels.append(truth.cpu())
    if not labels:
        raise ValueError("no held-out image could be read")
    return summary(torch.cat(logits), torch.cat(labels), names)


def summary(logits: Tensor, labels: Tensor, names: tuple[str, ...], worst: int = 5) -> Evaluation:
    """What logits (N, classes) say of images whose classes are `labels` (N,)."""
    classes = logits.shape[1]
    confidence, answer = logits.softmax(1).max(1)
    right = answer == labels
    five = None
    if classes > 5:
        five = 100 * float((logits.topk(5, 1).indices == labels[:, None]).any(1).double().mean())
    return Evaluation(
        100 * float(right.double().mean()),
        five,
        len(labels),
        classes,
        float(nn.functional.cross_entropy(logits, labels)),
        100 * _calibration_error(confidence, right),
        100 * float(confidence.double().mean()),
        _worst(answer, labels, names, worst),
    )


def _calibration_error(confidence: Tensor, right: Tensor) -> float:
    number = (confidence * BINS).long().clamp(0, BINS - 1)
    count, sure, true = (
        torch.zeros(BINS, dtype=torch.double).index_add(0, number, values.double())
        for values in (torch.ones_like(confidence), confidence, right)
    )
    return float((sure - true).abs().sum() / count.sum())


def _worst(answer: Tensor, labels: Tensor, names: tuple[str, ...], most: int) -> tuple[Confusion, ...]:
    """The classes that are recognised least often, those that are always recognised left out."""
    classes = max(int(labels.max()), int(answer.max())) + 1
    table = torch.bincount(labels * classes + answer, minlength=classes**2).view(classes, classes)
    images = table.sum(1)
    recall = table.diagonal().double() / images.clamp_min(1)
    found = []
    for number in recall.where(images > 0, 2.0).argsort(stable=True)[:most].tolist():
        if images[number] == 0 or recall[number] == 1:
            break
        others = table[number].clone()
        others[number] = 0
        other = int(others.argmax())
        share = 100 * float(others[other]) / int(images[number])
        found.append(
            Confusion(
                _name(names, number), int(images[number]), 100 * float(recall[number]), _name(names, other), share
            )
        )
    return tuple(found)


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)
