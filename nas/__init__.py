"""nas: a neural architecture search and scaling laboratory. Importing it imports no torch, optuna, pandas or plotly."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from nas.arch import Activation, Architecture, Op, Stage, parse
from nas.cost import Cost, by_stage, cost
from nas.errors import NasError

if TYPE_CHECKING:
    import pandas as pd

    from nas.nets import build
    from nas.space import SearchSpace
    from nas.space_file import dump_architecture, load_architecture, load_space

try:
    __version__ = version("nas")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+checkout"

_LAZY = {
    "build": "nas.nets",
    "SearchSpace": "nas.space",
    "load_architecture": "nas.space_file",
    "load_space": "nas.space_file",
    "dump_architecture": "nas.space_file",
}


def load_records(source: str, study: str | None = None) -> pd.DataFrame:
    """One row a trial, a column a metric: from a storage URL (`sqlite:///nas.db`) or a records.jsonl file.

    `study` may be left out where the storage has only one. Raises: NasError in one line.
    """
    from pathlib import Path

    from nas.record import read_records
    from nas.report.frame import frame

    if "://" in source:
        from nas.study.storage import open_storage, open_study, records

        return frame(records(open_study(open_storage(source), study)))
    return frame(record for record in read_records(Path(source)) if study in (None, record.study))


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'nas' has no attribute '{name}'")


__all__ = [
    "Activation",
    "Architecture",
    "Cost",
    "NasError",
    "Op",
    "SearchSpace",
    "Stage",
    "build",
    "by_stage",
    "cost",
    "dump_architecture",
    "load_architecture",
    "load_records",
    "load_space",
    "parse",
]
