"""Records as a table: one row a trial, a column a metric."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from nas.metric import METRICS
from nas.record import Record

_TEXT = ("study", "state", "baseline", "arch", "id", "reason", "started")
_INTEGER = ("trial", "reused")


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a trial, in the order given.

    Columns: study, trial (Int64; missing for a baseline outside the space), state, baseline, arch, id, then for every
    metric of `nas.metric.METRICS` its value (float; NaN where unmeasured) and `<key>_spread` (the noise of that
    reading alone, NaN where unknown; `nas.report.noise` adds the study's), then reused, reason, seconds, started.
    """
    table = pd.DataFrame([_row(record) for record in records], columns=_columns(), dtype="object")
    numbers = {key: "float64" for key in table.columns if key not in _TEXT}
    return table.astype({**numbers, **dict.fromkeys(_INTEGER, "Int64")})


def _columns() -> list[str]:
    metrics = [name for key in METRICS for name in (key, f"{key}_spread")]
    return [
        "study", "trial", "state", "baseline", "arch", "id", *metrics, "reused", "reason", "seconds", "started",
    ]  # fmt: skip


def _row(record: Record) -> dict[str, object]:
    row: dict[str, object] = {
        name: getattr(record, name)
        for name in ("study", "trial", "state", "baseline", "arch", "id", "reused", "reason", "seconds", "started")
    }
    for key in METRICS:
        reading = record.readings.get(key)
        row[key] = None if reading is None else reading.value
        row[f"{key}_spread"] = None if reading is None else reading.spread
    return row
