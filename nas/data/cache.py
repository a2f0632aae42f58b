"""Rendered images on disk, so that the second run need not draw them again. Plain arrays, never pickles."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def cache_folder() -> Path:
    """`$NAS_CACHE`, else `$XDG_CACHE_HOME/nas`, else `~/.cache/nas`."""
    if own := os.environ.get("NAS_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas"


def cached(name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors stored under `name`; made and stored if they are not there, or there and damaged.

    A cache that cannot be written is no error: the tensors are made each time.
    """
    path = cache_folder() / f"{name}.npz"
    found = _read(path)
    if found is None:
        found = make()
        _write(path, found)
    return found


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: torch.from_numpy(archive[key]) for key in archive.files} or None
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """All or nothing: another process sees the old file, or the whole new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=path.stem, suffix=".partial", dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{key: tensor.numpy() for key, tensor in tensors.items()})  # type: ignore[arg-type]
        Path(partial).replace(path)
    except OSError:
        Path(partial).unlink(missing_ok=True)
