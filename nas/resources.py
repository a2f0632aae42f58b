"""Shipped data: search spaces, baselines, study recipes. A user's own file wins over a shipped name."""

from __future__ import annotations

import errno
from pathlib import Path

from nas.errors import NasError, nearest

_PACKAGE = Path(__file__).parent


def shipped(folder: str) -> Path:
    """The shipped `folder` (`search_spaces`, `studies`): inside the wheel, or beside the package in a checkout."""
    inside = _PACKAGE / "_data" / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def names(folder: str) -> list[str]:
    """Names of the YAML files that ship in `folder`."""
    return sorted(path.stem for path in shipped(folder).glob("*.yaml"))


def is_file(path: Path) -> bool:
    """Whether `path` is a file; no name is too long or too odd to ask."""
    return is_name(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; no name is too long or too odd to ask."""
    return is_name(path) and path.is_dir()


def exists(path: Path) -> bool:
    """Whether there is anything at `path`; no name is too long or too odd to ask."""
    return is_name(path) and path.exists()


def is_name(path: Path) -> bool:
    """Whether a file could have this name: none has a null byte, half a character, or thousands of letters."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    except ValueError:
        return False
    return True


def find(reference: str, folder: str, what: str) -> Path:
    """The user's file `reference` (with or without .yaml), else the shipped file of that name in `folder`.

    Raises: NasError with the nearest names when there is neither.
    """
    for candidate in (Path(reference), Path(f"{reference}.yaml")):
        if is_file(candidate):
            return candidate
    if "/" not in reference and is_file(shipped(folder) / f"{reference}.yaml"):
        return shipped(folder) / f"{reference}.yaml"
    if reference.endswith((".yaml", ".yml")) or "/" in reference:
        raise NasError(f"{reference}: no such file", f"give a file, or one of: {', '.join(names(folder))}")
    raise NasError(f"unknown {what} '{reference}'", nearest(reference, names(folder)))
