"""What a study leaves on disk is its owner's alone: folders 0700, files 0600."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


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
