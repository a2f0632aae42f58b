"""A record is one trial as a typed value; a reading is one number with how it came about. JSON lines in and out."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args

from nas.errors import NasError
from nas.files import write_whole

SCHEMA = 1
_ALWAYS = ("study", "trial", "state", "arch", "id")  # the other fields of a record are left out where empty
TRAINING = "training."  # begins the names of settings that are the training's and not the network's
LONGEST_LINE = 4 * 2**20  # characters; a record has a few thousand
_LARGEST = 10**300  # of a whole number, which is read as a float as well
State = Literal["complete", "infeasible", "failed", "running"]
_KINDS: dict[str, type | UnionType] = {
    "study": str, "trial": int | None, "arch": str, "id": str, "baseline": str, "settings": Mapping, "excess": Mapping,
    "reused": int | None, "retry_of": int | None, "reason": str, "started": str, "seconds": int | float | None,
    "environment": Mapping,
}  # fmt: skip

_SURROGATE = re.compile("[\ud800-\udfff]")  # no file takes one


class RecordError(NasError):
    """A record that does not read, or one of another schema."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number, and how it came about.

    `spread`, in the metric's unit: half the nominal 95 % interval of a median within one run, or twice the standard
    deviation between repeats. Two readings closer than the larger of their spreads are tied. `conditions`: device,
    precision, batch, resolution, … `detail`: what else the meter saw (per-operator FLOPs, training curve, repeats).
    """

    value: float
    spread: float | None = None
    samples: int = 1
    conditions: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Reading:
        _check_number("reading", document["value"])
        if document.get("spread") is not None:
            _check_number("spread", document["spread"])
        for name in ("conditions", "detail"):
            if not isinstance(document.get(name, {}), Mapping):
                raise RecordError(f"reading: {name}: expected names and values; got {document[name]!r}")
        return cls(
            document["value"],
            document.get("spread"),
            document.get("samples", 1),
            document.get("conditions", {}),
            document.get("detail", {}),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One trial. `trial` is None for a baseline that lies outside the space; `settings` is Optuna's dict."""

    study: str
    trial: int | None
    state: State
    arch: str  # the one-line notation
    id: str
    readings: Mapping[str, Reading] = field(default_factory=dict)
    baseline: str = ""  # the name under which it was enqueued first
    settings: Mapping[str, Any] = field(default_factory=dict)
    excess: Mapping[str, float] = field(default_factory=dict)  # limit → how far outside, at most 0 when met
    reused: int | None = None  # the trial whose readings these are: the same network
    retry_of: int | None = None
    reason: str = ""  # why it failed
    seed: int = 0
    started: str = ""  # ISO 8601, UTC
    seconds: float | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)

    def value(self, key: str) -> float | None:
        """The reading called `key`; None where it was not measured."""
        reading = self.readings.get(key)
        return None if reading is None else reading.value

    @property
    def values(self) -> dict[str, float]:
        return {key: reading.value for key, reading in self.readings.items()}

    @property
    def training(self) -> dict[str, Any]:
        """What was chosen for its training, by name (`progressive.stages`); empty where the study left none of it open.

        `Recipe.training_with` makes the training of it.
        """
        chosen = {name: value for name, value in self.settings.items() if name.startswith(TRAINING)}
        return {name.removeprefix(TRAINING): value for name, value in chosen.items()}

    @property
    def training_text(self) -> str:
        """That in words: `stages 2, resolution 24`."""
        return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in self.training.items())

    def to_json(self) -> dict[str, Any]:
        document = {
            spec.name: getattr(self, spec.name)
            for spec in dataclasses.fields(self)
            if spec.name != "readings" and (spec.name in _ALWAYS or getattr(self, spec.name) not in (None, "", {}))
        }
        readings = {key: reading.to_json() for key, reading in self.readings.items()}
        return {"schema": SCHEMA, **document, "readings": readings}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Record:
        """Raises: RecordError for another schema, a missing field or one of another type."""
        if not isinstance(document, Mapping):
            raise RecordError("expected a record; got something else")
        if document.get("schema") != SCHEMA:
            raise RecordError(
                f"record of schema {document.get('schema')!r}; this version reads schema {SCHEMA}",
                "export it again with the version of nas that wrote it",
            )
        known = {spec.name for spec in dataclasses.fields(cls)}
        fields = {key: value for key, value in document.items() if key in known}
        fields.setdefault("trial", None)
        try:
            readings = {key: Reading.from_json(value) for key, value in document["readings"].items()}
            # NaN and infinity measure nothing
            fields["readings"] = {key: reading for key, reading in readings.items() if math.isfinite(reading.value)}
            record = cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"record lacks a field: {error}") from None
        if record.state not in get_args(State):
            raise RecordError(f"record: unknown state {record.state!r}", f"known: {', '.join(get_args(State))}")
        for name, kind in _KINDS.items():
            if not isinstance(getattr(record, name), kind):
                raise RecordError(
                    f"record: {name}: expected {getattr(kind, '__name__', kind)}; got {getattr(record, name)!r}"
                )
            if isinstance(getattr(record, name), str) and _SURROGATE.search(getattr(record, name)):
                raise RecordError(
                    f"record: {name}: expected text; got half of a character in {getattr(record, name)!r}"
                )
        for limit, excess in record.excess.items():
            _check_number(f"record: excess of {limit}", excess)
        return record


def _check_number(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(f"{what}: expected a number; got {value!r}")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise RecordError(f"{what}: no number so large: {str(value)[:20]}…")


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write one JSON object a line; the file appears whole or not at all."""
    content = "".join(json.dumps(record.to_json(), sort_keys=True, allow_nan=False) + "\n" for record in records)
    write_whole(path, content.encode())


def read_records(path: Path) -> Iterator[Record]:
    """The records of a JSON-lines file. Raises: RecordError with file and line."""
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            yield Record.from_json(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path}:{number}: {error}", getattr(error, "hint", "")) from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, numbered from 1. A device or a pipe may have no end, and a line may be no record's."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise RecordError(f"{path}: expected a file of records; got a device or a pipe")
        with path.open(encoding="utf-8", newline="\n") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise RecordError(f"{path}:{number}: a line of more than {LONGEST_LINE:,} characters is no record")
                yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
