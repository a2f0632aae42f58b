"""Self-training (Noisy Student, Xie et al. 2020, arXiv:1911.04252): a teacher labels pictures that have no label.

The teacher sees them without noise. Those it is sure of are kept, and balanced over the classes; the student, of equal
or larger size, learns them beside the labelled ones under all the noise of its recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.data import Data, Split
from nas.errors import NasError
from nas.files import make_private_folder
from nas.training.weights import read_weights, write_weights

CONFIDENCE = 0.3  # the paper's


class SelfTrainingError(NasError):
    """Labels that cannot be left out, or pictures of which the teacher is sure of none."""


@dataclass(frozen=True)
class Labelled:
    """Which pictures (M,) of a split the teacher labelled, some more than once, and how (M,)."""

    index: Tensor
    labels: Tensor
    sure: int  # pictures above the confidence that was asked for
    of: int


@torch.no_grad()
def label(net: nn.Module, split: Split, *, device: torch.device, classes: int, least: float = CONFIDENCE) -> Labelled:
    """Labels by `net` of the pictures of `split` whose confidence is at least `least`, balanced over the classes.

    Every class gets the mean number of pictures a class: of a larger one the surest, of a smaller one all, the surest
    of them several times. A class that no picture is taken for stays without.

    Raises: SelfTrainingError where no picture is sure enough.
    """
    net.eval()
    found = [net(images.to(device)).float().softmax(1).max(1) for images, _ in split.batches(256)]
    if not found:
        raise SelfTrainingError("none of the unlabelled pictures can be read")
    confidence = torch.cat([pair.values.cpu() for pair in found])
    answer = torch.cat([pair.indices.cpu() for pair in found])
    numbers, sure = split.readable(), confidence >= least
    if not bool(sure.any()):
        raise SelfTrainingError(
            f"the teacher is sure of none of {len(answer):,} pictures: its highest confidence is "
            f"{float(confidence.max()):.2f}, below {least:g}",
            "lower --confidence, or train the teacher longer",
        )
    each = -(-int(sure.sum()) // len(set(answer[sure].tolist())))
    index, labels = [], []
    for number in range(classes):
        own = torch.nonzero(sure & (answer == number)).flatten()
        if not len(own):
            continue
        surest = own[confidence[own].argsort(descending=True, stable=True)]
        taken = surest[torch.arange(each) % len(surest)]
        index.append(numbers[taken])
        labels.append(torch.full((each,), number))
    return Labelled(torch.cat(index), torch.cat(labels), int(sure.sum()), len(answer))


def write_labels(path: Path, labelled: Labelled, by: Mapping[str, Any], how: Mapping[str, Any]) -> None:
    """Keep labels in a file, whose they are and `how` they were asked for. Raises: WeightsError."""
    make_private_folder(path.parent)
    about = {"sure": labelled.sure, "of": labelled.of, "by": _teacher(by), "how": dict(how)}
    write_weights(path, {"index": labelled.index, "labels": labelled.labels}, about)


def read_labels(path: Path, by: Mapping[str, Any], how: Mapping[str, Any]) -> Labelled | None:
    """The labels of a file; None where there is none, or they are another teacher's.

    Raises: WeightsError for a damaged file, SelfTrainingError for labels of other pictures or another confidence.
    """
    if not path.exists():
        return None
    found = read_weights(path)
    if found.about.get("by") != _teacher(by) or not {"index", "labels"} <= found.tensors.keys():
        return None
    before = found.about.get("how") or {}
    for key, value in how.items():
        if before.get(key) != value:
            raise SelfTrainingError(
                f"{path}: labels with {key} {before.get(key)!r}; got {value!r}",
                "resume it as it was begun, or name another folder with -o",
            )
    return Labelled(found.tensors["index"], found.tensors["labels"], int(found.about["sure"]), int(found.about["of"]))


def _teacher(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: about.get(key) for key in ("arch", "trained", "top1_pct", "seed")}


def few_labels(data: Data, each: int, seed: int = 0) -> tuple[Data, Split]:
    """`data` with `each` labelled training images a class, drawn from `seed`, and the others without their labels.

    Raises: SelfTrainingError where a class has fewer.
    """
    index, others = left_out(data, each, seed)
    train = data.train.take(index, data.train.targets[index])
    return replace(data, train=train), data.train.take(others, torch.zeros_like(others))


def left_out(data: Data, each: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Which training images keep their labels, `each` of every class drawn from `seed`, and which do not.

    Raises: SelfTrainingError where a class has fewer.
    """
    targets = data.train.targets
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    kept = []
    for number in range(data.classes):
        own = order[targets[order] == number]
        if len(own) < each:
            name = data.names[number] if data.names else str(number)
            raise SelfTrainingError(f"--labels {each}: class {name} of {data.name} has {len(own)} training images")
        kept.append(own[:each])
    index = torch.cat(kept).sort().values
    rest = torch.ones(len(targets), dtype=torch.bool)
    rest[index] = False
    return index, torch.nonzero(rest).flatten()


def with_labels(data: Data, unlabelled: Split, labelled: Labelled) -> Data:
    """`data`, its training images joined by those that the teacher labelled. Raises: SelfTrainingError."""
    try:
        return replace(data, train=data.train.join(unlabelled.take(labelled.index, labelled.labels)))
    except TypeError as error:
        raise SelfTrainingError(f"labelled and unlabelled pictures do not mix: {error}") from None
