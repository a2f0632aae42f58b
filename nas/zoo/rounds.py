"""One record through several rounds: readings taken some time apart, so that drift shows in their spread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nas.meters import COUNTS
from nas.meters.repeat import combine
from nas.record import Reading, Record

ENVIRONMENT = ("device", "gpu", "cpu", "cores", "threads", "torch", "cuda", "driver", "fvcore", "timm")
_KEPT = ("value", "spread", "samples", "started")


def rounds_of(record: Record) -> int:
    """In how many rounds this network has been measured; what was counted was counted once."""
    return max((len(reading.detail.get("rounds", (reading,))) for reading in record.readings.values()), default=0)


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


def merged(before: Record | None, new: Record) -> Record:
    """`new`, with the rounds of `before` under the same conditions; a failure takes nothing away from them."""
    kept: Mapping[str, Reading] = (
        before.readings if before and not differences(before, new.settings, new.environment) else {}
    )
    if new.state == "failed" and kept and before is not None:
        return dataclasses.replace(before, reason=new.reason)
    if all(key in COUNTS for key in new.readings):
        return new  # exact: nothing to repeat
    joined = {key: _joined(kept.get(key), new.readings.get(key)) for key in dict.fromkeys([*new.readings, *kept])}
    seconds = (new.seconds or 0.0) + ((before.seconds or 0.0) if before and kept else 0.0)
    return dataclasses.replace(new, readings=joined, seconds=round(seconds, 2))


def _joined(before: Reading | None, new: Reading | None) -> Reading:
    if new is None:
        assert before is not None
        return before
    if before is not None and before.conditions.get("batch") != new.conditions.get("batch"):
        before = None  # memory was tighter this time: not the same reading
    return with_round(before, new)


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
