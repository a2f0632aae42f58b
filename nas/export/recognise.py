"""What lies where an export is to be written: a file of the same kind from an earlier export, or another's."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from nas.arch import parse
from nas.errors import NasError
from nas.export.onnx import notation_in
from nas.export.program import EXTRA
from nas.export.source import LAYOUT, MARK
from nas.space_file import load_architecture
from nas.training.weights import read_weights

_MOST = 2**20  # bytes of a text


def recognise(key: str) -> Callable[[Path], None]:
    """What ends where the file is an export in the format `key`, and raises NasError for another."""
    return _READERS.get(key, _source)


def recognise_weights(path: Path) -> None:
    """Raises: NasError for weights that no export wrote, such as those of a training."""
    _expect(LAYOUT in read_weights(path).about)


def recognise_text(path: Path, mark: str) -> None:
    """Raises: NasError for a file without `mark`."""
    _expect(mark in _text(path))


def _yaml(path: Path) -> None:
    load_architecture(str(path))


def _notation(path: Path) -> None:
    parse(_text(path))


def _source(path: Path) -> None:
    recognise_text(path, MARK)


def _onnx(path: Path) -> None:
    _expect(bool(notation_in(path)))


def _program(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            _expect(any(name.endswith(EXTRA) for name in archive.namelist()))
    except zipfile.BadZipFile:
        _expect(False)


_READERS: dict[str, Callable[[Path], None]] = {
    "yaml": _yaml,
    "notation": _notation,
    "onnx": _onnx,
    "torch-export": _program,
}


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST).decode("utf-8", "replace")


def _expect(right: bool) -> None:
    if not right:
        raise NasError("a file of another kind")
