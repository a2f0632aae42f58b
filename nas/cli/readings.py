"""Readings of networks as people and programs read them: a table, JSON, CSV, records."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.foreign import Foreign
    from nas.record import Reading, Record


@dataclass(frozen=True)
class Row:
    """What was measured of one network, and when."""

    ref: str
    arch: Architecture | Foreign
    readings: Mapping[str, Reading]
    started: str


def records_in(path: Path) -> list[Record]:
    """The records that lie in `path` already, none of a CSV file, which is written anew.

    Raises: NasError, before anything is measured, where the file cannot be written or holds something else.
    """
    from nas.record import read_records

    if path.suffix not in (".csv", ".jsonl"):
        raise NasError(f"--output {path}: expected a name that ends in .csv or .jsonl", f"write {path.stem}.csv")
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise NasError(f"--output {path}: cannot be written: {error.strerror}", "name another file") from None
    if not existed:
        path.unlink()
    return list(read_records(path)) if existed and path.suffix == ".jsonl" else []


def write_output(path: Path, rows: Sequence[Row], earlier: Sequence[Record], where: tuple[str, int]) -> None:
    """Write CSV, or records behind the `earlier` ones; `where`: device and seed.

    An earlier record goes where the same network has every reading of it anew, under the same conditions.
    Raises: NasError where the file cannot be written.
    """
    from nas.record import write_records

    try:
        if path.suffix == ".jsonl":
            new = _records(rows, *where)
            write_records(path, [*(old for old in earlier if not any(_replaces(one, old) for one in new)), *new])
        else:
            path.write_text(_csv(rows), encoding="utf-8")
    except OSError as error:
        raise NasError(f"--output {path}: cannot be written: {error.strerror}") from None


def show_readings(rows: Sequence[Row], asked: Sequence[str], *, as_json: bool) -> None:
    """Print the readings on standard output."""
    if as_json:
        console.show_json({"networks": [_document(row) for row in rows]})
    else:
        _print(rows, asked)


def _document(row: Row) -> dict[str, Any]:
    taken = {key: reading.to_json() for key, reading in row.readings.items()}
    return {"name": row.ref, "notation": str(row.arch), "id": row.arch.id, "readings": taken}


def _print(rows: Sequence[Row], asked: Sequence[str]) -> None:
    from rich.table import Table

    from nas.metric import METRICS

    table = Table()
    table.add_column("Network")
    for key in asked:
        table.add_column(METRICS[key].label, justify="right")
    for row in rows:
        cells = []
        for key in asked:
            reading = row.readings.get(key)
            text = METRICS[key].format(None if reading is None else reading.value)
            if reading is not None and reading.spread:
                text += f" ± {METRICS[key].format(reading.spread)}"
            cells.append(text)
        table.add_row(row.ref, *cells)
    console.show(table)
    for key in asked:
        taken = [row.readings[key].conditions for row in rows if key in row.readings]
        if key in ("params", "activations") or not taken:
            continue
        facts = ", ".join(_fact(name, taken) for name in dict.fromkeys(name for said in taken for name in said))
        console.result().print(f"{METRICS[key].label}: {facts}", soft_wrap=True, markup=False)


def _fact(name: str, taken: Sequence[Mapping[str, Any]]) -> str:
    """A condition of all readings, or that it differs between them: --json and -o tell of each."""
    values = [said.get(name) for said in taken]
    return f"{name} {values[0]}" if all(value == values[0] for value in values) else f"{name} by network"


def _csv(rows: Sequence[Row]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row.readings))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "notation", "id", *(column for key in keys for column in (key, f"{key}_spread"))])
    for row in rows:
        cells: list[object] = []
        for key in keys:
            reading = row.readings.get(key)
            cells += [None, None] if reading is None else [reading.value, reading.spread]
        writer.writerow([row.ref, str(row.arch), row.arch.id, *cells])
    return text.getvalue()


def _replaces(new: Record, old: Record) -> bool:
    """Whether `new` has every reading of `old`, the same network, under the same conditions."""
    return new.arch == old.arch and all(
        key in new.readings and dict(new.readings[key].conditions) == dict(reading.conditions)
        for key, reading in old.readings.items()
    )


def _records(rows: Sequence[Row], device: str, seed: int) -> list[Record]:
    from nas.environment import environment
    from nas.record import Record

    where = environment(device)
    return [
        Record(
            study="measure",
            trial=None,
            state="complete" if row.readings else "failed",
            arch=str(row.arch),
            id=row.arch.id,
            readings=row.readings,
            baseline=row.ref,
            reason="" if row.readings else "nothing asked for can be measured here",
            seed=seed,
            started=row.started,
            environment=where,
        )
        for row in rows
    ]
