"""A training in a folder: checkpoints after every epoch, TensorBoard logs, and weights at its end."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.arch import Architecture
from nas.environment import environment
from nas.errors import NasError
from nas.files import make_private_folder, write_whole
from nas.foreign import Foreign
from nas.progressive import Stage
from nas.resources import is_file, is_name
from nas.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from nas.training.curves import Curves
from nas.training.loop import Run
from nas.training.outcome import DivergedError, Epoch, Source, Trained, Ways
from nas.training.plumbing import rank
from nas.training.proxy import FOREIGN_KEEPS, built
from nas.training.settings import memory_format, precision, quietly
from nas.training.weights import NAME as WEIGHTS
from nas.training.weights import ROUND, write_weights
from nas.training_recipe import Training

RESULT = "result.json"


class SessionError(NasError):
    """A folder that holds another training, or one that has ended."""


@dataclass(frozen=True)
class Job:
    """A training as it was asked for. `arch` is what is trained: of the data's classes, at the pixels it ends at.

    `said`: what else the weights' file tells of their origin, and must not change when the training goes on; `noted`:
    what it tells beside, and may.
    """

    arch: Architecture | Foreign
    source: Source
    training: Training
    folder: Path
    seed: int = 0
    device: str = "cpu"
    ways: Ways = field(default_factory=Ways)
    said: Mapping[str, Any] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def used(self) -> Architecture | Foreign:
        """The network as it is evaluated: at the pixels of the held-out images."""
        return replace(self.arch, resolution=self.training.held_resolution or self.arch.resolution)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with, as JSON."""
        training = self.training.model_dump(mode="json")
        return {"arch": str(self.arch), "seed": self.seed, **self.said, **training}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the epochs that are left of one stage may take: from a few real steps, evaluation left out."""

    stage: Stage
    epochs: int  # that are left
    images_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A training that has ended: how, where its weights are, and what the file says of them."""

    trained: Trained
    weights: Path
    about: Mapping[str, Any]


class Session:
    """One training in its folder. Of several processes only the first writes."""

    def __init__(self, job: Job, *, resume: bool) -> None:
        """Raises: SessionError, CheckpointError for a folder that holds something else than this training's beginning;
        TrainingError, WeightsError where it cannot start."""
        self.job, self.device = job, torch.device(job.device)
        self.first = rank() == 0
        check_folder(job.folder)
        found = self._found(resume)
        with quietly(self.device, job.training.threads):
            ways = replace(job.ways, resolution=job.arch.resolution)
            self.run = Run(self._network(), job.source, job.training, seed=job.seed, device=self.device, ways=ways)
            if found:
                self._restore(found)
        self.resumed = len(self.run.curve)

    def forecast(self, cap: float = 10.0) -> list[Forecast]:
        """What the stages that are left may take; each is timed for at most `cap` seconds."""
        found, an_epoch = [], self.run.steps // self.job.training.epochs
        with quietly(self.device, self.job.training.threads):
            for stage in self.run.schedule.stages:
                epochs = min(stage.epochs, stage.last - self.resumed)
                if epochs > 0:
                    step = self.run.pace(stage, cap=cap)
                    found.append(Forecast(stage, epochs, self.run.batch / step, epochs * an_epoch * step))
        return found

    def go(self, on_epoch: Callable[[Epoch], None]) -> Finished:
        """Train to the end. Raises: DivergedError, saying which checkpoint is left; CheckpointError on a full disk."""
        folder, threads = self._prepare(), self.job.training.threads
        with _alone_in(folder), quietly(self.device, threads):
            self._check_unchanged()
            return self._train(folder, on_epoch)

    def _train(self, folder: Path | None, on_epoch: Callable[[Epoch], None]) -> Finished:
        with closing(Curves(folder, self.resumed)) as curves:
            try:
                for epoch in self.run.epochs():
                    if self.first and epoch.epoch < self.job.training.epochs:
                        self._save(epoch.epoch)
                    curves.add(epoch)
                    on_epoch(epoch)
            except DivergedError as error:
                raise DivergedError(f"{error}; {self._last_good()}", error.hint) from None
            return self._finish()

    def _check_unchanged(self) -> None:
        """Raises: SessionError where another process trained in the folder since it was looked at."""
        if not self.first:
            return
        now = self._found(resume=True)
        if (now.epoch if now else 0) != self.resumed:
            raise SessionError(f"{self.job.folder}: another process trained there meanwhile", "go on with it: --resume")

    def _found(self, resume: bool) -> Checkpoint | None:
        folder = self.job.folder
        if (folder / RESULT).exists():
            raise SessionError(f"{folder}: holds a training that has ended", "name another folder with -o")
        found = read_checkpoint(folder)
        if found is None:
            if (folder / f"{ROUND}0").exists():
                raise SessionError(f"{folder}: holds rounds of self-training", "name another folder with -o")
            if is_file(folder / WEIGHTS):
                raise SessionError(f"{folder}: holds a {WEIGHTS} that would be written over",
                                   "name another folder with -o, or remove it")  # fmt: skip
            return None
        if not resume:
            raise SessionError(
                f"{folder}: holds a training of which {found.epoch} epochs are done",
                "add --resume to go on with it, or name another folder with -o",
            )
        check_identity(folder, found.identity, self.job.identity())
        return found

    def _network(self) -> Architecture | nn.Module:
        if isinstance(self.job.arch, Architecture):
            return self.job.arch
        return built(self.job.arch, self.job.seed)

    def _restore(self, found: Checkpoint) -> None:
        try:
            self.run.restore(found.tensors, found.facts)
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{self.job.folder}: its checkpoint does not fit: {reason}", "begin anew") from None

    def _prepare(self) -> Path | None:
        if not self.first:
            return None
        try:
            return make_private_folder(self.job.folder)
        except OSError as error:
            raise SessionError(f"{self.job.folder}: cannot be made: {error.strerror}", "name another with -o") from None

    def _save(self, epoch: int) -> None:
        checkpoint = Checkpoint(epoch, self.run.tensors(), self.run.facts(), self.job.identity())
        save_checkpoint(self.job.folder, checkpoint)

    def _last_good(self) -> str:
        done = len(self.run.curve)
        return f"{self.job.folder} has the checkpoint of epoch {done}" if done else "no epoch had ended"

    def _finish(self) -> Finished:
        trained, path = self.run.trained(), self.job.folder / WEIGHTS
        about = self._about(trained)
        if self.first:
            write_weights(path, self.run.shown.state_dict(), about)
            document = {**about, "seconds": trained.seconds, "training_s": trained.training_s, "steps": trained.steps}
            document |= {"curve": [asdict(epoch) for epoch in trained.curve], "identity": self.job.identity()}
            try:
                write_whole(self.job.folder / RESULT, (json.dumps(document, indent=1) + "\n").encode())
            except OSError as error:
                raise SessionError(f"{self.job.folder / RESULT}: cannot be written: {error.strerror}") from None
            remove_checkpoint(self.job.folder)
        return Finished(trained, path, about)

    def _about(self, trained: Trained) -> dict[str, Any]:
        """What the weights' file says of itself."""
        job, held = self.job, self.run.held.held
        return {
            "arch": str(job.used),
            "norm_eps": getattr(job.arch, "norm_eps", None),
            "top1_pct": trained.top1_pct,
            "held_out_images": trained.curve[-1].held_images,
            "mean": [round(float(value), 4) for value in held.mean],
            "deviation": [round(float(value), 4) for value in held.deviation],
            "recipe": {**job.training.said(), **(FOREIGN_KEEPS if isinstance(job.arch, Foreign) else {})},
            "seed": job.seed,
            "batch": trained.batch,
            "processes": self.run.part.of,
            "precision": precision(job.training, self.device),
            "memory_format": memory_format(job.training),
            "skipped_images": self.run.held.skipped,
            "trained": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": environment(job.device),
            **job.said,
            **job.noted,
        }


@contextmanager
def _alone_in(folder: Path | None) -> Iterator[None]:
    """No other process trains in `folder` meanwhile; nothing without one. Raises: SessionError where one does."""
    if folder is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SessionError(f"{folder}: another process trains there", "wait for it, or name another folder") from None
    except OSError:  # a file system that locks no folders, as NFS: then nobody watches
        return


def check_folder(folder: Path) -> None:
    """Raises: SessionError for a folder in which nothing could be written, as far as that shows without trying."""
    if not is_name(folder):
        raise SessionError(f"{str(folder)[:60]}…: no name that a folder can have", "name another folder with -o")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "cannot be written to" if there.is_dir() else "is no folder"
        raise SessionError(f"{folder}: {there} {what}", "name another folder with -o")


def ended(job: Job) -> dict[str, Any] | None:
    """What the result of a training says that has ended in the job's folder; None where none has.

    Raises: SessionError for the result of another training, or a damaged one.
    """
    path = job.folder / RESULT
    if not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        identity, _ = dict(document["identity"]), float(document["top1_pct"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{path}: damaged: {error}", "remove the folder, and it is trained again") from None
    check_identity(job.folder, identity, job.identity())
    weights = job.folder / WEIGHTS
    if not is_file(weights):
        raise SessionError(f"{weights}: missing, of a training that has ended", "remove the folder to train it again")
    return {**document, "weights": str(weights)}


def check_identity(folder: Path, found: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises: SessionError naming the first thing in which the training of a folder is not that asked for."""
    for key in {**found, **asked}:
        if found.get(key) != asked.get(key):
            has, got = (repr(one[key]) if key in one else "none" for one in (found, asked))
            raise SessionError(
                f"{folder}: its training has {key} {has}; got {got}",
                "resume it as it was begun, or name another folder with -o",
            )
