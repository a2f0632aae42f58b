"""Where studies are read from while they are written: storages and records files, told apart by how they are called."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from nas.study.feed_changes import Changes, Head, Place, Snapshot, Source
from nas.study.feed_file import RecordsSource, records_file
from nas.study.feed_storage import StorageSource
from nas.study.storage import StudyError, masked

__all__ = ["Changes", "Head", "Place", "Snapshot", "Source", "is_records", "open_sources", "read_all", "storage_option"]

_DEFAULT_STORAGE = "sqlite:///nas.db"  # commands need not be told of it


def open_sources(references: Sequence[str], storage: str) -> list[Source]:
    """The places that these references name, each once: a study of `storage`, a storage's URL (all its studies),
    `URL#STUDY`, a records file or a report's folder. Without references all studies of `storage`, and new ones.

    Raises: StudyError for what is not there, with the nearest name.
    """
    wanted: dict[str, list[str] | None] = {}  # storage → names, None for all
    files: dict[Path, Path] = {}
    for reference in references:
        if is_records(reference):
            files.setdefault(records_file(Path(reference)).resolve(), Path(reference))
            continue
        url, name = _place(reference, storage)
        names = wanted.setdefault(url, [])
        if name is None:
            wanted[url] = None
        elif names is not None and name not in names:
            names.append(name)
    if not references:
        wanted[storage] = None
    sources: list[Source] = [StorageSource(url, names or (), storage_option(url)) for url, names in wanted.items()]
    return sources + [RecordsSource(path) for path in files.values()]


def is_records(reference: str) -> bool:
    """Whether the reference names records, not a study: a file *.jsonl, or a folder that holds one."""
    if "://" in reference:
        return False
    return reference.endswith(".jsonl") or (records_file(Path(reference)).is_file() and Path(reference).is_dir())


def _place(reference: str, storage: str) -> tuple[str, str | None]:
    if "://" not in reference:
        if Path(reference).suffix in (".db", ".sqlite", ".sqlite3") and Path(reference).is_file():
            raise StudyError(f"'{reference}' is a file, not a study", f"name it as a storage: sqlite:///{reference}")
        return storage, reference
    url, _, name = reference.partition("#")
    return url, name or None


def storage_option(url: str) -> str:
    """What a command on a study there needs besides its name."""
    return "" if url == _DEFAULT_STORAGE else f"--storage {shlex.quote(masked(url))}"


def read_all(sources: Iterable[Source]) -> list[Snapshot]:
    """Every study of sources that were just opened, whole. Raises: StudyError."""
    return [
        source.snapshot(identity)
        for source in sources
        for identity in dict.fromkeys(changes.identity for changes in source.poll())
    ]
