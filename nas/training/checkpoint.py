"""Checkpoints: tensors in a safetensors file, and a small JSON that names it. The JSON is replaced last, at once.

So a folder holds the old checkpoint or the new one, whole, whatever ends the process in between. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nas.errors import NasError
from nas.files import sha256_of, write_whole
from nas.training.weights import WeightsError, read_weights, write_weights

SCHEMA = 1
NAME = "checkpoint.json"


class CheckpointError(NasError):
    """A checkpoint that cannot be written or read, or one of another training."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training is after `epoch`: what `Run.restore` takes, and `identity`, which says whose it is."""

    epoch: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    identity: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` in the place of the one before. Raises: CheckpointError; the one before is then intact."""
    path = folder / f"checkpoint-{checkpoint.epoch:04d}.safetensors"
    try:
        write_weights(path, checkpoint.tensors, {})
        document = {
            "schema": SCHEMA,
            "epoch": checkpoint.epoch,
            "file": path.name,
            "sha256": sha256_of(path),
            "identity": dict(checkpoint.identity),
            **checkpoint.facts,
        }
        write_whole(folder / NAME, (json.dumps(document, indent=1) + "\n").encode())
    except (OSError, WeightsError) as error:
        with suppress(OSError):
            if _file_of(folder) != path.name:
                path.unlink(missing_ok=True)
        kept = f"the checkpoint of epoch {checkpoint.epoch - 1} is intact" if checkpoint.epoch > 1 else "none is kept"
        reason = getattr(error, "strerror", None) or str(error).rpartition(": ")[2]
        hint = "free some space, then --resume" if checkpoint.epoch > 1 else "free some space"
        raise CheckpointError(f"{path}: cannot be written: {reason}; {kept}", hint) from None
    for other in folder.glob("checkpoint-*.safetensors"):
        if other != path:
            with suppress(OSError):
                other.unlink()


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of a folder; None where there is none. Raises: CheckpointError for one that is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    hint = f"begin anew in another folder, or remove {path}"
    try:
        document = json.loads(path.read_bytes())
        file = folder / str(document["file"])
        facts = {key: document[key] for key in ("step", "curve")}
        epoch, identity, expected = int(document["epoch"]), dict(document["identity"]), document["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged: {type(error).__name__}: {error}", hint) from None
    if document.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: schema {document.get('schema')!r}; this version reads {SCHEMA}", hint)
    try:
        whole = sha256_of(file) == expected
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}", hint) from None
    if not whole:
        raise CheckpointError(f"{file}: damaged: it is not what {NAME} says was written", hint)
    return Checkpoint(epoch, read_weights(file).tensors, facts, identity)


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a training that has ended."""
    for path in (folder / NAME, *folder.glob("checkpoint-*.safetensors")):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _file_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / NAME).read_bytes())["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
