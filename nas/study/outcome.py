"""What a trial comes to: its record, from what is known in closed form to what a worker measured, and its limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from nas.arch import Architecture
from nas.cost import cost
from nas.foreign import Foreign
from nas.metric import COMPUTED
from nas.recipe import TIMES, TRAINED, Recipe
from nas.record import Reading, Record, State
from nas.study.space import Space


class Outcomes:
    """Makes the records of one study."""

    def __init__(self, study: str, recipe: Recipe, space: Space, records: Iterable[Record] = ()) -> None:
        self.study, self.space, self.seed = study, space, recipe.seed
        self.recipe = recipe
        self.timed_on = device_of_times(records, recipe)
        self.objectives = recipe.parsed_objectives
        self.limits = sorted(recipe.parsed_limits, key=str)

    def record(
        self, arch: Architecture | Foreign, number: int | None, attrs: Mapping[str, Any], state: State
    ) -> Record:
        """The record of a trial, with the readings that cost nothing."""
        return Record(
            study=self.study,
            trial=number,
            state=state,
            arch=str(arch),
            id=arch.id,
            readings=self.computed(arch),
            baseline=attrs.get("baseline", ""),
            retry_of=attrs.get("retry_of"),
            seed=self.seed,
            started=now(),
        )

    def computed(self, arch: Architecture | Foreign) -> dict[str, Reading]:
        """Readings in closed form; none of a foreign network, which its worker counts."""
        return {} if isinstance(arch, Foreign) else dict(self._computed(arch))

    @lru_cache(maxsize=256)  # noqa: B019  (as long as its study is driven; asked when a trial begins and when it ends)
    def _computed(self, arch: Architecture) -> dict[str, Reading]:
        spent = cost(arch)
        closed = {"by": "closed form", "resolution": arch.resolution}
        readings = {key: Reading(getattr(spent, key), conditions=closed) for key in COMPUTED}
        score = self.space.rank_score(arch)
        if score is None:
            return readings
        return {**readings, "rank_score": Reading(score, conditions={"by": "ranks in a fixed sample of the space"})}

    def completed(self, record: Record, measured: Mapping[str, Any]) -> Record:
        """`record` with its readings: complete if every objective has a finite value, failed if not."""
        try:
            readings = {**record.readings, **{key: Reading.from_json(value) for key, value in measured.items()}}
            record = replace(record, readings=readings)
            if odd := next((key for key, value in record.values.items() if not _possible(key, value)), None):
                return replace(
                    record, reason=f"{odd} cannot be {record.values[odd]:.4g}", readings=self._closed(record)
                )
            if other := self._other_device(record):
                return replace(record, reason=other)
            for objective in self.objectives:
                value = objective.value(record.values)
                if value is None or not math.isfinite(value):
                    return replace(record, reason=f"{objective.key} could not be measured")
            for limit in self.limits:
                if not math.isfinite(record.values.get(limit.key, math.nan)):
                    return replace(record, reason=f"{limit.key} could not be measured, and is limited")
            self.timed_on = self.timed_on or _device(record, self.recipe)
            return replace(record, state="complete", excess=self.excess(record.values))
        except (TypeError, KeyError, ValueError, AttributeError, ArithmeticError):
            return replace(record, reason="the worker answered readings that do not read")

    def _closed(self, record: Record) -> dict[str, Reading]:
        return {key: reading for key, reading in record.readings.items() if key in (*COMPUTED, "rank_score")}

    def _other_device(self, record: Record) -> str:
        """That the record's times are not of the device of all others; nothing where they are."""
        here = _device(record, self.recipe)
        if here is None or here == (self.timed_on or here):
            return ""
        other, known = _words(here), _words(self.timed_on or here)
        return f"timed on {other}; the times of this study are of {known}, and do not compare"

    def excess(self, values: Mapping[str, float]) -> dict[str, float]:
        """How far outside each limit; a limit on something not measured yet counts as met."""
        return {str(limit): limit.excess(values[limit.key]) if limit.key in values else 0.0 for limit in self.limits}

    def fits(self, arch: Architecture) -> bool:
        """Whether the network's cost in closed form is within the limits."""
        return all(value <= 0 for value in self.excess(asdict(cost(arch))).values())


def device_of_times(records: Iterable[Record], recipe: Recipe) -> tuple[str, int | None] | None:
    """(name, threads of a CPU) of the device that a study's times were taken on; None where nothing was timed so far.

    The threads are None of a GPU, and where the recipe sets them.
    """
    complete = (record for record in records if record.state == "complete")
    return next((name for record in complete if (name := _device(record, recipe)) is not None), None)


def _device(record: Record, recipe: Recipe) -> tuple[str, int | None] | None:
    for key in recipe.timed:
        conditions = record.readings[key].conditions if key in record.readings else {}
        if "device" in conditions:
            set_by = recipe.training if key in TRAINED else recipe.timing
            free = "cuda" not in conditions and set_by.threads is None
            return str(conditions["device"]), conditions.get("threads") if free else None
    return None


def _words(device: tuple[str, int | None]) -> str:
    name, threads = device
    return name if threads is None else f"{name} with {threads} threads"


def _possible(key: str, value: float) -> bool:
    """Whether a reading can be what it says: finite, a share of 100 % at most, nothing below 0, no speed of 0."""
    if not math.isfinite(value) or value < 0 or (key == "top1_pct" and value > 100):
        return False
    return value > 0 or key not in TIMES


def stored(record: Record) -> dict[str, Any]:
    """What a trial keeps of its record: all that Optuna does not know by itself."""
    return {key: value for key, value in record.to_json().items() if key not in ("study", "trial", "settings")}


def now(timespec: str = "seconds") -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec=timespec)
