"""Studies of a records file, read on where it was left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.recipe import Recipe, load_recipe
from nas.record import LONGEST_LINE, Record
from nas.study.feed_changes import Changes, FeedState, Head, Place, Snapshot, place
from nas.study.storage import StudyError

_PIECE = 4 * 2**20  # bytes read at a time
_TAIL = 256  # bytes before the place reached that tell whether the file was written anew
_WAIT = 1.0  # seconds between attempts at a file that is away


@dataclass
class _Told:
    """What was told of one study of the file."""

    head: Head
    identity: str
    head_due: bool = True
    fresh: bool = False
    here: bool = True  # in the file, as far as it was read
    last: tuple[FeedState, str] = ("ok", "")
    records: list[Record] = field(default_factory=list)


class RecordsSource:
    """The studies in a file of records, or in a report's folder. Raises: StudyError, at the start only."""

    def __init__(self, path: Path) -> None:
        self.place, self._path = str(path), records_file(path)
        if not self._path.is_file():
            raise StudyError(f"{path}: no records there", "a report's folder has them in data/records.jsonl")
        try:
            self._path.open("rb").close()
        except OSError as error:
            raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
        self._studies: dict[str, _Told] = {}
        self._start_again()
        self._seen: tuple[int, int, int] | None = None
        self._try_at = float("-inf")

    def poll(self) -> Iterator[Changes]:
        """What changed since the last poll, at first everything."""
        if time.monotonic() < self._try_at:
            return
        try:
            found = self._path.stat()
            now = (found.st_ino, found.st_size, found.st_mtime_ns)
            if now == self._seen:
                return
            with self._path.open("rb") as file:
                if self._seen is not None and not self._goes_on(file, now):
                    self._start_again()
                yield from self._read(file)
        except OSError as error:
            self._try_at = time.monotonic() + _WAIT
            self._seen = None if self._seen is None else (self._seen[0], -1, -1)
            reason = f"{self._path} is not there any more" if isinstance(error, FileNotFoundError) else error.strerror
            for name, told in self._studies.items():
                if told.here:
                    yield from self._tell(name, "unreachable", reason or type(error).__name__)
            return
        self._seen = now

    def snapshot(self, identity: str) -> Snapshot:
        """One study, whole. Raises: StudyError where it cannot be read now."""
        name = next((name for name, told in [*self._studies.items()] if told.identity == identity), None)
        found = self._whole().get(identity if name is None else self._identity(name))
        if found is None:
            raise StudyError(f"{self._path}: that study is not in it any more")
        return found

    def snapshots(self) -> list[Snapshot]:
        """Every study, whole. Raises: StudyError where the file cannot be read now."""
        return [*self._whole().values()]

    def _whole(self) -> dict[str, Snapshot]:
        """Every study, read by a reader of its own, as any thread may."""
        heads: dict[str, Head] = {}
        records: dict[str, dict[Place, Record]] = {}
        notes: dict[str, str] = {}
        for changes in RecordsSource(Path(self.place)).poll():
            if changes.state == "unreachable":
                raise StudyError(f"{self._path}: cannot be read: {changes.note}")
            if changes.head is not None:
                heads[changes.identity] = changes.head
            records.setdefault(changes.identity, {}).update((place(one), one) for one in changes.records)
            notes[changes.identity] = changes.note
        if not heads:
            raise StudyError(f"{self._path}: cannot be read now")
        return {name: Snapshot(head, tuple(records[name].values()), notes[name]) for name, head in heads.items()}

    def settings(self, identity: str) -> dict[Place, Mapping[str, Any]]:
        """The settings of one study's trials. Raises: StudyError where it cannot be read now."""
        return {place(record): record.settings for record in self.snapshot(identity).records if record.settings}

    def _start_again(self) -> None:
        self._reached, self._line, self._tail = 0, 0, b""
        self._rest = b""
        self._broken: dict[int, str] = {}
        for told in self._studies.values():
            told.fresh, told.here, told.records = True, False, []

    def _goes_on(self, file: Any, now: tuple[int, int, int]) -> bool:
        """Whether the file is the one that was read, with more at its end."""
        if self._seen is None or now[0] != self._seen[0] or now[1] < self._reached:
            return False
        file.seek(self._reached - len(self._tail))
        return bool(file.read(len(self._tail)) == self._tail)

    def _read(self, file: Any) -> Iterator[Changes]:
        file.seek(self._reached)
        while piece := file.read(_PIECE):
            self._reached += len(piece)
            self._tail = (self._tail + piece)[-_TAIL:]
            lines = (self._rest + piece).split(b"\n")
            self._rest = lines.pop()[: LONGEST_LINE + 1]  # a file without line ends is not kept whole
            for line in lines:
                self._take(line)
                self._line += 1
            for name, told in self._studies.items():
                if told.records:
                    yield self._changes(name, *told.last)
        if self._rest and _is_whole(self._rest):  # a last line without its end, which is counted when it comes
            self._take(self._rest)
            self._rest = b""
        if not self._studies:
            self._studies[""] = _Told(self._head(""), self._identity(""))
        for name, told in self._studies.items():
            if told.here or not name:
                yield from self._tell(name, "ok", self._unread)
            elif told.last[0] != "gone":  # its rows stay, as those of a study deleted from a storage
                told.last = ("gone", "the file holds it no more")
                yield Changes(told.identity, None, (), False, *told.last)

    @property
    def _unread(self) -> str:
        if not self._broken:
            return ""
        line, reason = next(iter(self._broken.items()))
        return f"{len(self._broken)} lines not shown, for they do not read: line {line}: {reason}"

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        if len(line) > LONGEST_LINE:
            self._broken[self._line + 1] = f"more than {LONGEST_LINE:,} bytes are no record"
            return
        try:
            record = Record.from_json(json.loads(line))
        except (ValueError, RecursionError) as error:
            self._broken[self._line + 1] = str(error)
            return
        told = self._studies.get(record.study)
        if told is None:
            empty = self._studies.pop("", None)  # the file without trials becomes its first study
            identity = empty.identity if empty else self._identity(record.study)
            told = self._studies[record.study] = _Told(self._head(record.study), identity)
        if not told.here:
            told.here, told.last = True, ("ok", "")
        told.records.append(record)

    def _tell(self, name: str, state: FeedState, note: str) -> Iterator[Changes]:
        told = self._studies[name]
        if told.records or told.head_due or told.fresh or told.last != (state, note):
            yield self._changes(name, state, note)

    def _changes(self, name: str, state: FeedState, note: str) -> Changes:
        told = self._studies[name]
        last = {place(record): record for record in told.records}
        head = told.head if told.head_due else None
        made = Changes(told.identity, head, tuple(last.values()), told.fresh, state, note)
        told.head_due, told.fresh, told.last, told.records = False, False, (state, note), []
        return made

    def _identity(self, name: str) -> str:
        return f"{self.place}#{name}"

    def _head(self, name: str) -> Head:
        recipe, facts = _beside(self._path)
        if recipe is not None and name not in ("", recipe.name):
            recipe, facts = None, {}
        folder = self._path.parent.parent if self._path.parent.name == "data" else self._path.parent
        called = folder.name if self._path.name == "records.jsonl" else self._path.stem
        return Head(name or (recipe.name if recipe else called), self.place, None, recipe, facts)


def records_file(path: Path) -> Path:
    """The records of a file or of a report's folder."""
    if not path.is_dir():
        return path
    inner = path / "data" / "records.jsonl"
    return inner if inner.is_file() else path / "records.jsonl"


def _beside(path: Path) -> tuple[Recipe | None, Mapping[str, Any]]:
    """The recipe and the provenance that lie with the records: a report's, a recipe.yaml, or NAME.yaml."""
    if path.parent.name == "data":
        try:
            document = json.loads((path.parent.parent / "provenance.json").read_text(encoding="utf-8"))
            return Recipe.model_validate_json(json.dumps(document["recipe"])), dict(document.get("provenance") or {})
        except (OSError, ValueError, KeyError, TypeError):
            pass
    folder = path.resolve().parent
    for recipe in (folder / "recipe.yaml", folder.with_name(f"{folder.name}.yaml")):  # studies/NAME/ beside NAME.yaml
        try:
            return load_recipe(str(recipe)), {}
        except (OSError, ValueError):
            continue
    return None, {}


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
