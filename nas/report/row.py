"""One trial as the interactive page needs it: a small value made of one Record, and nothing heavy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from nas.metric import COMPUTED, METRICS, Objective
from nas.recipe import TRAINED
from nas.record import Reading, Record, State
from nas.report.noise import noise_floor
from nas.report.reward import rewards
from nas.report.tables import flat
from nas.training_recipe import Training

Number = int | float
STATES: tuple[State, ...] = ("complete", "infeasible", "failed", "running")
ON_ONE_DEVICE = (  # comparable on one only
    "train_images_per_s", "infer_images_per_s", "latency_ms", "peak_memory_mib", "train_seconds",
)  # fmt: skip
UNDER_ONE_TRAINING = TRAINED  # comparable under one training only
_LONGEST_REASON = 2_000
_OWN = frozenset({"seed"})  # of a reading alone: would make the conditions of no two trials equal
_STATED = (
    "data",
    "train_images",
    "epochs",
    "resolution",
    "resolution_scale",
    "pixels",
    "width",
)  # in the label's words
_NO_TRAINING = frozenset({"threads", "memory_format"})  # how it ran, and not what was trained
_CLASSES = re.compile(r"(?: |(?<=\d))y\d+\b")
_DEFAULTS = Training().model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Row:
    """A trial. `values`: finite readings and rewards by metric; `spreads`: the readings' own, without the study's
    floor; `noise`: what this trial adds to that floor. `device` and `training`: labels, equal where the timed readings
    and the accuracies compare. `conditions`: of every reading, as sorted texts. `proxy`: another network was trained
    in this one's stead."""

    trial: int | None
    state: State
    arch: str
    id: str
    baseline: str = ""
    values: Mapping[str, Number] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    device: str = ""
    training: str = ""
    conditions: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    proxy: bool = False
    started: Number | None = None
    seconds: Number | None = None
    reason: str = ""
    over: tuple[str, ...] = ()
    retry_of: int | None = None
    cells: tuple[str, ...] = ()
    settings: tuple[Any, ...] = ()


def row(record: Record, objectives: Sequence[Objective] = ()) -> Row:
    """The row of a record. Whole numbers stay exact, other readings keep six significant digits; NaN and infinities
    are as good as not measured."""
    readings = {key: reading for key, reading in record.readings.items() if math.isfinite(reading.value)}
    values = {key: rounded(reading.value, exact=key in COMPUTED) for key, reading in readings.items()}
    for key, (value, _) in rewards(values, {}, objectives).items():
        values[key] = rounded(value)
    own = {key: abs(one.spread) for key, one in readings.items() if one.spread and math.isfinite(one.spread)}
    trained = next((readings[key] for key in TRAINED if key in readings), None)
    return Row(
        trial=record.trial,
        state=record.state,
        arch=record.arch,
        id=record.id or record.arch,
        baseline=record.baseline,
        values=values,
        spreads=own,
        noise={key: value for key, value in noise_floor([record]).items() if math.isfinite(value)},
        device=next((_device(readings[key]) for key in ON_ONE_DEVICE if key in readings), ""),
        training=training_label(trained.conditions) if trained else "",
        conditions={key: _conditions(reading) for key, reading in readings.items() if key in METRICS},
        proxy=trained is not None
        and _same_classes(trained.detail.get("trained", record.arch)) != _same_classes(record.arch),
        started=_epoch(record.started),
        seconds=rounded(record.seconds) if record.seconds is not None and math.isfinite(record.seconds) else None,
        reason=" ".join(record.reason.split())[:_LONGEST_REASON],
        over=tuple(limit for limit, excess in record.excess.items() if excess > 0),
        retry_of=record.retry_of,
        cells=_names(tuple(record.settings)),
        settings=tuple(record.settings.values()),
    )


def rounded(value: Number, digits: int = 6, exact: bool = False) -> Number:
    """`value` in so many significant digits; a whole number as it is, and `exact` takes a float for one."""
    if isinstance(value, int):
        return value
    if exact and value.is_integer():
        return int(value)
    return float(f"{value:.{digits}g}")


def floor_of(rows: Iterable[Row]) -> dict[str, float]:
    """The study's noise in each measured metric, as `nas.report.noise.noise_floor` of its records."""
    floor: dict[str, float] = {}
    for one in rows:
        for key, value in one.noise.items():
            floor[key] = max(value, floor.get(key, 0.0))
    return floor


def training_label(conditions: Mapping[str, Any]) -> str:
    """What was trained and how, in a line that is equal where accuracies compare: `fractals, 4,096 images · 2 epochs ·
    32 px · width 0.25`, then what differs from the default training. Seed, device and versions are left out."""
    parts = [str(conditions.get("data", ""))]
    if "train_images" in conditions:
        parts[0] += f", {_plain(conditions['train_images'])} images"
    if "epochs" in conditions:
        parts.append(f"{_plain(conditions['epochs'])} epochs")
    scale = conditions.get("resolution_scale")
    if scale is not None:
        parts.append("its own px" if scale == 1 else f"{_plain(scale)} × its own px")
    elif "resolution" in conditions:
        parts.append(f"{_plain(conditions['resolution'])} px")
    if conditions.get("width", 1) != 1:
        parts.append(f"width {_plain(conditions['width'])}")
    own = "its own" in conditions.values()  # a foreign network starts as its library makes it
    for name, usual in _DEFAULTS.items():
        value = conditions.get(name, usual)
        told = name in _STATED or name in _NO_TRAINING or value in (usual, "its own")
        if not told and not (name == "zero_init" and own) and not (name == "precision" and value == "fp32"):
            parts.append(f"{name.replace('_', ' ')} {_plain(value)}")
    return " · ".join(part for part in parts if part)


def _same_classes(notation: Any) -> str:
    """The notation without its classes: for other data every network gets another last layer, and is no proxy."""
    return _CLASSES.sub("", str(notation))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items() if one is not None)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"


def _device(reading: Reading) -> str:
    return str(reading.conditions.get("device", ""))


def _conditions(reading: Reading) -> tuple[tuple[str, str], ...]:
    known = {name: value for name, value in reading.conditions.items() if name not in _OWN}
    return _interned(tuple(sorted(flat(known))))


@lru_cache(maxsize=16_384)
def _interned(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return pairs


@lru_cache(maxsize=256)
def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


def _epoch(text: str) -> Number | None:
    """Seconds since 1970; a time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return rounded((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), 13, exact=True)
