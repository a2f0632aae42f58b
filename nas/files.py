"""Files: those that appear whole or not at all, and those that are their owner's alone (folders 0700, files 0600)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that appears whole or not at all; what cannot be finished is not left beside it. Raises: OSError."""
    write_together({path: content}, mode)


def write_together(files: Mapping[Path, bytes], mode: int = 0o666) -> None:
    """Write all of `files` beside their places, then put them there in order: where one cannot be written, what lay
    there still lies there. Raises: OSError, whose `filename` is that of `files`."""
    partial = {path: path.with_name(path.name + ".partial") for path in files}
    path = Path()
    try:
        for path, content in files.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with os.fdopen(os.open(partial[path], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
                file.write(content)
        for path in files:
            partial[path].replace(path)
    except OSError as error:
        for other in partial.values():
            with contextlib.suppress(OSError):
                other.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def sha256_of(path: Path) -> str:
    """The digest of a file's content, in hexadecimal. Raises: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
