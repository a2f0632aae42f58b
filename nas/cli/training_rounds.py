"""`nas train --rounds`: self-training. Round 0 learns the labelled pictures, its network labels the others, …"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.cli.train import finish, run_job
from nas.cli.training_job import Asked, final_of, load, make_job, read_network
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.data import Data, Split
    from nas.foreign import Foreign
    from nas.training.selftraining import Labelled


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was asked for. `labels`: kept of each class; the other training images join the unlabelled ones."""

    asked: Asked
    labels: int | None
    unlabeled: Path | None
    rounds: int
    confidence: float
    grow: float

    def few(self, data: Data) -> Data:
        """The labelled data."""
        from nas.training.selftraining import few_labels

        return data if self.labels is None else few_labels(data, self.labels, self.asked.seed)[0]

    def others(self, data: Data) -> Split:
        """The pictures without labels, at the size of `data`. Raises: DataError, SelfTrainingError."""
        from nas.data import load_unlabeled
        from nas.training.selftraining import few_labels

        rest = None if self.labels is None else few_labels(data, self.labels, self.asked.seed)[1]
        if self.unlabeled is None:
            assert rest is not None
            return rest
        found = load_unlabeled(self.unlabeled, data.resolution, data.train)
        return found if rest is None or not len(rest) else rest.join(found)

    def student(self, number: int) -> Architecture | Foreign:
        """The network of a round: each larger than the one before by `grow`, as the compound rule makes it."""
        from nas.arch import Architecture
        from nas.scaling import compound

        arch = self.asked.arch
        if not self.grow or not number:
            return arch
        if not isinstance(arch, Architecture):
            raise NasError(f"--grow: {arch} is not a network of nas' notation", "leave --grow out")
        return dataclasses.replace(compound(arch, phi=self.grow * number), resolution=arch.resolution)


def train_rounds(rounds: Rounds, *, resume: bool, json_output: bool) -> None:
    """Train every round in its own folder below the training's; one that has ended is not trained again.

    The recipe's epochs are those of all pictures, labelled or not: a round that has fewer goes through them more often,
    so that rounds are compared at about equal steps.

    Raises: NasError.
    """
    if rounds.rounds and rounds.unlabeled is None and rounds.labels is None:
        raise NasError("--rounds: no pictures without labels", "add --unlabeled DIR, or --labels N to leave labels out")
    if rounds.unlabeled is not None and not rounds.rounds:
        raise NasError("--unlabeled: nothing would use them", "add --rounds 1")
    if rounds.unlabeled is not None:
        from nas.data import check_unlabeled

        check_unlabeled(rounds.unlabeled)
    documents: list[dict[str, Any]] = []
    for number in range(rounds.rounds + 1):
        folder = rounds.asked.folder / f"round-{number}"
        console.say(f"round  {number} of {rounds.rounds}")
        documents.append(_ended(folder) if resume and _has_ended(folder) else _train(rounds, number, folder, resume))
        console.say(f"       top-1 {documents[-1]['top1_pct']:.2f} %")
    finish({**documents[-1], "rounds": [_short(document) for document in documents]}, json_output)


def _train(rounds: Rounds, number: int, folder: Path, resume: bool) -> dict[str, Any]:
    data = load(rounds.asked.training.data, final_of(rounds.asked).resolution, rounds.asked.device)
    images = len(rounds.few(data).train)
    every = images + (len(rounds.others(data)) if rounds.rounds else 0)
    said: dict[str, Any] = {"round": number, "labels": rounds.labels} if rounds.labels else {"round": number}
    relabel: Callable[[Data], Data] = rounds.few
    if number:
        labelled, told = _labelled(rounds, number)
        images += len(labelled.index)
        said |= told

        def relabel(data: Data) -> Data:
            from nas.training.selftraining import with_labels

            return with_labels(rounds.few(data), rounds.others(data), labelled)

    epochs = max(1, round(rounds.asked.training.epochs * every / images))  # of all rounds about as many steps
    training = rounds.asked.training.model_copy(update={"epochs": epochs})
    asked = dataclasses.replace(rounds.asked, arch=rounds.student(number), folder=folder, training=training)
    document, _ = run_job(make_job(asked, relabel, said), resume=resume)
    assert document is not None
    return document


def _labelled(rounds: Rounds, number: int) -> tuple[Labelled, dict[str, Any]]:
    """What the network of the round before says of the unlabelled pictures, and that in numbers."""
    import torch

    from nas.training.selftraining import label

    asked = rounds.asked
    teacher = read_network("", rounds.asked.folder / f"round-{number - 1}" / "weights.safetensors", asked.storage)
    data = load(asked.training.data, teacher.arch.resolution, asked.device)
    others = rounds.others(data)
    if teacher.statistics:
        others = others.normalised(*teacher.statistics)
    device = torch.device(asked.device)
    found = label(teacher.net.to(device), others, device=device, classes=data.classes, least=rounds.confidence)
    told = {"labelled": len(found.index), "sure": found.sure, "unlabelled": found.of, "confidence": rounds.confidence}
    right = _right(rounds, data, found)
    if right is not None:
        told["labels_right_pct"] = round(right, 2)
    console.say(
        f"       the teacher is sure of {found.sure:,} of {found.of:,} pictures; balanced {len(found.index):,}"
        + (f"; {right:.1f} % of its labels are right" if right is not None else "")
    )
    return found, told


def _right(rounds: Rounds, data: Data, found: Labelled) -> float | None:
    """Percent of the labels that are right, where the true ones were only left out; None where nobody knows."""
    if rounds.unlabeled is not None or rounds.labels is None:
        return None
    from nas.training.selftraining import left_out

    truth = data.train.targets[left_out(data, rounds.labels, rounds.asked.seed)[1]]
    return 100 * float((truth[found.index] == found.labels).double().mean())


def _has_ended(folder: Path) -> bool:
    return (folder / "result.json").exists()


def _ended(folder: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    except (OSError, ValueError) as error:
        raise NasError(
            f"{folder / 'result.json'}: damaged: {error}", "remove the folder to train its round again"
        ) from None
    console.say(f"       {folder} has ended")
    return {**document, "weights": str(folder / "weights.safetensors")}


def _short(document: dict[str, Any]) -> dict[str, Any]:
    keys = ("round", "arch", "top1_pct", "unlabelled", "sure", "labelled", "labels_right_pct", "seconds")
    return {key: document[key] for key in keys if key in document}
