"""Where studies are read from while they are written: storages and records files, told apart by how they are called."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from nas.resources import is_file, is_folder, is_name
from nas.study.feed_changes import Changes, Head, Place, Snapshot, Source
from nas.study.feed_file import RecordsSource, records_file
from nas.study.feed_storage import StorageSource
from nas.study.storage import StudyError, masked

__all__ = [
    "Changes",
    "Head",
    "Place",
    "Snapshot",
    "Source",
    "is_records",
    "open_sources",
    "open_storage_source",
    "read_all",
    "storage_option",
]

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
            if not is_name(Path(reference)):
                raise StudyError(f"'{reference}': no file can have that name")
            place = os.path.realpath(records_file(Path(reference)))  # which a loop of links does not stop
            files.setdefault(Path(place), Path(reference))
            continue
        url, name = _place(reference, storage)
        names = wanted.setdefault(url, [])
        if name is None:
            wanted[url] = None
        elif names is not None and name not in names:
            names.append(name)
    if not references:
        wanted[storage] = None
    sources: list[Source] = [open_storage_source(url, names or ()) for url, names in wanted.items()]
    return sources + [RecordsSource(path) for path in files.values()]


def open_storage_source(url: str, names: Sequence[str] = ()) -> StorageSource:
    """The studies called `names` in the storage at `url`, or all of them. Raises: StudyError."""
    try:
        return StorageSource(url, names, storage_option(url))
    except StudyError as error:
        folder = next((name for name in names if is_folder(Path(name)) and is_file(records_file(Path(name)))), None)
        if folder is None:
            raise
        hint = f"the folder of that name: ./{folder}"
        raise StudyError(str(error), f"{error.hint}; {hint}" if error.hint else hint) from None


def is_records(reference: str) -> bool:
    """Whether the reference names records, not a study: a file *.jsonl, or a folder that holds one, written as a path:
    a report's folder is often called as its study."""
    if "://" in reference:
        return False
    path = Path(reference)
    return reference.endswith(".jsonl") or (reference != path.name and is_folder(path) and is_file(records_file(path)))


def _place(reference: str, storage: str) -> tuple[str, str | None]:
    if "://" not in reference:
        if Path(reference).suffix in (".db", ".sqlite", ".sqlite3") and is_file(Path(reference)):
            raise StudyError(f"'{reference}' is a file, not a study", f"name it as a storage: sqlite:///{reference}")
        return storage, reference
    url, mark, name = reference.rpartition("#")
    return (url, name or None) if mark and "/" not in name else (reference, None)  # a folder's name may have a mark


def storage_option(url: str) -> str:
    """What a command on a study there needs besides its name."""
    return "" if url == _DEFAULT_STORAGE else f"--storage {shlex.quote(masked(url))}"


def read_all(sources: Iterable[Source]) -> list[Snapshot]:
    """Every study of the sources, whole. Raises: StudyError, also for a study of which nothing reads."""
    found = [snapshot for source in sources for snapshot in source.snapshots()]
    for snapshot in found:
        if snapshot.note and not snapshot.records:
            raise StudyError(f"{snapshot.head.source}: study '{snapshot.head.name}': {snapshot.note}")
    return found
