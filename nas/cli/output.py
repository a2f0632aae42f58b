"""Files that a command is asked to write: what lies there already, and is of another kind, is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nas.errors import NasError
from nas.files import write_together
from nas.resources import is_file


def spare(option: str, path: Path, read: Callable[[Path], object], kind: str) -> None:
    """Nothing where there is no file at `path`, an empty one, or one that `read` reads; `read` raises NasError.

    Raises: NasError for a file of another kind, such as a database, that would be written over.
    """
    try:
        if not is_file(path) or not path.stat().st_size:
            return
        read(path)
    except (NasError, OSError):
        raise NasError(
            f"{option} {path}: there is a file already, which holds no {kind}", "name another file, or remove it first"
        ) from None


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write all, and their folders, or none. Raises: NasError naming the one that cannot be written."""
    try:
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_together(files)
    except OSError as error:
        raise NasError(
            f"{error.filename}: cannot be written: {error.strerror or error}", "name another file with -o"
        ) from None
