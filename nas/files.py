"""Files: those that appear whole or not at all, and those that are their owner's alone (folders 0700, files 0600)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that appears whole or not at all; what cannot be finished is not left beside it. Raises: OSError."""
    partial = path.with_name(path.name + ".partial")
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def append_private(path: Path) -> IO[bytes]:
    """`path` open for adding bytes, unbuffered; a file that it makes is its owner's alone. Raises: OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)


def make_private_folder(path: Path) -> Path:
    """`path` as a folder that is its owner's alone if it is made now; folders above it are made as usual.

    Raises: OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path
