"""One record through several rounds: readings taken some time apart, so that drift shows in their spread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nas.meters.repeat import combine
from nas.metric import COMPUTED
from nas.record import Reading, Record

ENVIRONMENT = ("device", "gpu", "cpu", "cores", "threads", "torch", "cuda", "driver", "fvcore", "timm")
_KEPT = ("value", "spread", "samples", "started")


def rounds_of(record: Record, key: str) -> int:
    """In how many rounds this metric has been measured; what was counted was counted once."""
    reading = record.readings.get(key)
    return 0 if reading is None else len(reading.detail.get("rounds", (reading,)))


def with_round(before: Reading | None, new: Reading) -> Reading:
    """`before` with one more round: the median of all, and a spread of at least twice the deviation between them.

    Every round stands in `detail`; conditions and the rest of the detail are the latest round's.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rounds = [*(before.detail.get("rounds", ()) if before else ()), _round(new, now)]
    readings = [{"": Reading(taken["value"], taken["spread"], taken["samples"])} for taken in rounds]
    whole = combine(readings)[""]
    return Reading(
        value=whole.value,
        spread=whole.spread,
        samples=sum(taken["samples"] for taken in rounds),
        conditions={**new.conditions, "rounds": len(rounds)},
        detail={**new.detail, "rounds": rounds},
    )


def _round(reading: Reading, now: str) -> dict[str, Any]:
    return dict(zip(_KEPT, (reading.value, reading.spread, reading.samples, now), strict=True))


def merged(kept: Record | None, new: Record) -> Record:
    """`new`, with the rounds of `kept`, a record of the same conditions; a failure takes nothing away from them."""
    if kept is None or not kept.readings:
        return dataclasses.replace(new, readings={key: _joined(None, new, key) for key in new.readings})
    if new.state == "failed":
        return dataclasses.replace(kept, reason=new.reason)
    joined = {key: _joined(kept, new, key) for key in dict.fromkeys([*kept.readings, *new.readings])}
    seconds = (new.seconds or 0.0) + (kept.seconds or 0.0)
    return dataclasses.replace(new, readings=joined, seconds=round(seconds, 2))


def _joined(kept: Record | None, new: Record, key: str) -> Reading:
    """One metric's reading with all its rounds; a count is exact, and nothing is added to it."""
    before, taken = kept.readings.get(key) if kept else None, new.readings.get(key)
    if taken is None:
        assert before is not None
        return before
    if key in COMPUTED:
        return taken
    if before is not None and before.conditions.get("batch") != taken.conditions.get("batch"):
        before = None  # memory was tighter this time: not the same reading
    return with_round(before, taken)


def differences(before: Record, settings: Mapping[str, Any], environment: Mapping[str, Any]) -> list[str]:
    """`torch 2.11 → 2.12`: in what these conditions differ from those of a record."""
    found = [] if _plain(before.settings) == _plain(settings) else ["sizes, batches or precision"]
    for key in ENVIRONMENT:
        old, new = before.environment.get(key), environment.get(key)
        if old != new:
            found.append(f"{key} {old} → {new}")
    return found


def _plain(value: Any) -> Any:
    """As JSON reads it back: lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
