"""`nas train --rounds`: self-training. Round 0 learns the labelled pictures, its network labels the others, …"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
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
    from nas.training_recipe import Training


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was asked for. `labels`: kept of each class; the other training images join the unlabelled ones."""

    asked: Asked
    labels: int | None
    unlabeled: Path | None
    rounds: int
    confidence: float
    grow: float

    def place(self, number: int) -> Path:
        """The folder of a round."""
        from nas.training.weights import ROUND

        return self.asked.folder / f"{ROUND}{number}"

    def few(self, data: Data) -> Data:
        """The labelled data."""
        from nas.training.selftraining import few_labels

        return data if self.labels is None else few_labels(data, self.labels, self.asked.seed)[0]

    def others(self, data: Data) -> Split:
        """The pictures without labels, at the size of `data`. Raises: DataError, SelfTrainingError."""
        from nas.training.selftraining import few_labels

        rest = None if self.labels is None else few_labels(data, self.labels, self.asked.seed)[1]
        if self.unlabeled is None:
            assert rest is not None
            return rest
        found = _unlabeled(self.unlabeled, data)
        return found if rest is None or not len(rest) else rest.join(found)

    def data(self, resolution: int | None = None) -> Data:
        """All of the data, at the pixels that training ends at or others."""
        from nas.progressive import largest_side

        final = final_of(self.asked).resolution
        spec, device = self.asked.training.data, self.asked.device
        return load(spec, resolution or final, device, largest_side(self.asked.training, final))

    def recipe(self, data: Data, images: int) -> Training:
        """The recipe for a round of so many images, about as many steps long as it is for all pictures, labelled or
        not."""
        from nas.document import validate
        from nas.training_recipe import Training

        every = len(self.few(data).train) + (len(self.others(data)) if self.rounds else 0)
        training = self.asked.training
        steps, own = (count // min(training.batch, count) for count in (every, images))
        epochs = max(1, round(training.epochs * steps / own))
        longer = {"epochs": epochs, "decay_epochs": training.decay_epochs * epochs / training.epochs}
        return validate(Training, {**training.model_dump(mode="json"), **longer}, f"{epochs} epochs of {images} images")

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


@lru_cache(maxsize=2)
def _unlabeled(folder: Path, data: Data) -> Split:
    from nas.data import load_unlabeled

    return load_unlabeled(folder, data.resolution, data.train)


def train_rounds(rounds: Rounds, *, resume: bool, json_output: bool) -> None:
    """Train every round in its own folder below the training's; one that has ended is not trained again.

    The recipe's epochs are those of all pictures, labelled or not: a round that has fewer goes through them more often,
    so that rounds are compared at about equal steps.

    Raises: NasError.
    """
    from nas.training.checkpoint import read_checkpoint
    from nas.training.session import RESULT
    from nas.training.weights import NAME

    if rounds.rounds and rounds.unlabeled is None and rounds.labels is None:
        raise NasError("--rounds: no pictures without labels", "add --unlabeled DIR, or --labels N to leave labels out")
    if rounds.unlabeled is not None and not rounds.rounds:
        raise NasError("--unlabeled: nothing would use them", "add --rounds 1")
    _check(rounds)
    folder = rounds.asked.folder
    if read_checkpoint(folder) or any((folder / name).exists() for name in (RESULT, NAME)):
        raise NasError(f"{folder}: holds a training without rounds", "name another folder with -o")
    documents: list[dict[str, Any]] = []
    for number in range(rounds.rounds + 1):
        console.say(f"round  {number} of {rounds.rounds}")
        documents.append(_round(rounds, number, resume))
        console.say(f"       top-1 {documents[-1]['top1_pct']:.2f} %")
    best = max(documents, key=lambda document: float(document["top1_pct"]))
    if best is not documents[-1]:
        console.say(
            f"note   round {documents.index(best)} was better: {best['weights']}; but an accuracy that a network was "
            "chosen by flatters it"
        )
    finish({**documents[-1], "rounds": [_short(document) for document in documents]}, json_output)


def _check(rounds: Rounds) -> None:
    """What can be known before the first round is trained. Raises: NasError."""
    from nas.data import check_unlabeled, shares_pictures

    for number in range(rounds.rounds + 1):
        final_of(dataclasses.replace(rounds.asked, arch=rounds.student(number)))
    if rounds.unlabeled is None:
        if rounds.rounds and not len(rounds.others(rounds.data())):
            raise NasError(f"--labels {rounds.labels}: no training image is left without a label", "keep fewer")
        return
    check_unlabeled(rounds.unlabeled)
    kind, _, path = rounds.asked.training.data.partition(":")
    if kind == "folder" and shares_pictures(Path(path).expanduser(), rounds.unlabeled):
        raise NasError(
            f"--unlabeled {rounds.unlabeled}: held-out pictures of {rounds.asked.training.data} would be trained on",
            "give a folder beside its train and val, or leave labels out with --labels",
        )


def _round(rounds: Rounds, number: int, resume: bool) -> dict[str, Any]:
    """The result of a round: of one that has ended, where it is this training's, or trained now. Raises: NasError."""
    how = _how(rounds) if number else {}
    labelled, noted = _labels(rounds, number, how) if number else (None, {})
    data = rounds.data()
    images = len(rounds.few(data).train) + (len(labelled.index) if labelled else 0)
    asked = dataclasses.replace(rounds.asked, arch=rounds.student(number), folder=rounds.place(number))
    asked = dataclasses.replace(asked, training=rounds.recipe(data, images))
    said = {"round": number, **({"labels": rounds.labels} if rounds.labels else {}), **how}

    def relabel(data: Data) -> Data:
        from nas.training.selftraining import with_labels

        few = rounds.few(data)
        return few if labelled is None else with_labels(few, rounds.others(data), labelled)

    document = run_job(make_job(asked, relabel, said, noted), resume=resume)
    assert document is not None
    return document


def _labels(rounds: Rounds, number: int, how: dict[str, Any]) -> tuple[Labelled, dict[str, Any]]:
    """What the network of the round before says of the unlabelled pictures, and that in numbers.

    They are kept beside the round, and read when it is resumed: a picture at the threshold may flip on a GPU.
    """
    import torch

    from nas.training.selftraining import label, read_labels, write_labels

    asked = rounds.asked
    path = asked.folder / f"labels-{number}.safetensors"
    teacher = read_network("", rounds.place(number - 1), asked.storage)
    found = read_labels(path, teacher.about, how)
    if found is None:
        data = rounds.data(teacher.arch.resolution)
        others = rounds.others(data)
        shown = others.normalised(*teacher.statistics) if teacher.statistics else others
        device = torch.device(asked.device)
        found = label(teacher.net.to(device), shown, device=device, classes=data.classes, least=rounds.confidence)
        write_labels(path, found, teacher.about, how)
    told = {"labelled": len(found.index), "sure": found.sure, "unlabelled": found.of}
    right = _right(rounds, found)
    console.say(
        f"       the teacher is sure of {found.sure:,} of {found.of:,} pictures; balanced, some of them repeated, "
        f"{len(found.index):,}" + (f", of whose labels {right:.1f} % are right" if right is not None else "")
    )
    return found, told if right is None else {**told, "labels_right_pct": round(right, 2)}


def _how(rounds: Rounds) -> dict[str, Any]:
    """What a teacher was asked for."""
    from nas.data import pictures_of

    asked = {"confidence": rounds.confidence}
    return asked if rounds.unlabeled is None else {**asked, "unlabeled_pictures": pictures_of(rounds.unlabeled)}


def _right(rounds: Rounds, found: Labelled) -> float | None:
    """Percent of the labels that are right, where the true ones were only left out; None where nobody knows."""
    from nas.training.selftraining import left_out

    if rounds.unlabeled is not None or rounds.labels is None:
        return None
    data = rounds.data()
    truth = data.train.targets[left_out(data, rounds.labels, rounds.asked.seed)[1]]
    return 100 * float((truth[found.index] == found.labels).double().mean())


def _short(document: dict[str, Any]) -> dict[str, Any]:
    keys = ("round", "arch", "top1_pct", "unlabelled", "sure", "labelled", "labels_right_pct", "seconds")
    return {key: document[key] for key in keys if key in document}
