"""Files that a command is asked to write: what lies there already, and is of another kind, is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from nas.errors import NasError
from nas.files import write_whole
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
    """Write each, and its folders; it appears whole or not at all. Raises: NasError where one cannot be written; those
    that are new and were written before it are gone then, too."""
    new = [path for path in files if not path.exists()]
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            for other in new:
                with suppress(OSError):
                    other.unlink(missing_ok=True)
            raise NasError(
                f"{path}: cannot be written: {error.strerror or error}", "name another file with -o"
            ) from None
