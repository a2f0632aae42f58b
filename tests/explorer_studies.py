"""Studies for the tests and benchmarks of the explorer: ten thousand trials in seconds, and odd ones.

They are written as `nas search` writes them, only by bulk SQL into tables that Optuna made: told one by one, 10,000
trials take ten minutes. A test holds what comes back to the records that went in.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution, distribution_to_json

from nas.arch import Architecture
from nas.cells import Choice
from nas.recipe import Recipe
from nas.record import Reading, Record
from nas.space import SearchSpace
from nas.space_file import load_architecture, load_space
from nas.study.driver import driver_storage
from nas.study.lifecycle import open_or_create
from nas.study.outcome import Outcomes, stored
from nas.study.storage import open_storage
from tests.explorer_readings import ENVIRONMENT, accuracy, counted, timing

STARTED = datetime(2026, 3, 1, 10, tzinfo=UTC)
LIMIT = "flops<=30G"
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned';alert(1)\">"
_STATES = {"complete": "COMPLETE", "infeasible": "PRUNED", "failed": "FAIL", "running": "RUNNING"}
_TRIAL = "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)"
_PARAMETER = "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)"
_USER = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)"
_SYSTEM = "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (?, ?, ?)"
_VALUE = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, 'FINITE')"


@cache
def space() -> SearchSpace:
    return load_space("efficientnetv2")


def recipe(name: str = "big", trials: int = 10_000, **changes: Any) -> Recipe:
    return Recipe(
        name=name,
        question="Which network should be trained on this machine?",
        space="efficientnetv2",
        **{
            "baselines": ("efficientnetv2-s", "efficientnet-b4", "smallest"),
            "objectives": ("top1_pct", "flops", "train_images_per_s"),
            "measure": ("top1_pct", "train_images_per_s"),
            "limits": (LIMIT,),
            "trials": trials,
            "sampler": "random",
            "baseline_repeats": 3,
            **changes,
        },
    )


def sampled(count: int, name: str = "big", seed: int = 0, recipe_: Recipe | None = None) -> list[Record]:
    """The records of `count` trials, and before them a baseline outside the space: measured, over the limit, failed.

    Every 83rd trial measures again a network that was measured before, every 29th fails, the last runs. Deterministic.
    """
    outcomes = Outcomes(name, recipe_ or recipe(name, count), space())
    inside = [load_architecture("efficientnet-b4"), space().extreme("flops")]
    networks = [load_architecture("efficientnetv2-s"), *inside, *space().samples(max(0, count - 2), seed)]
    made = [_outcome(outcomes, networks[0], None, "efficientnetv2-s", running=False)] if count else []
    for trial, arch in enumerate(networks[1 : count + 1]):
        if trial % 83 == 82 and made[trial - 40].state == "complete":
            first = made[trial - 40]
            made.append(replace(first, trial=trial, baseline="", reused=first.trial, seconds=None))
            continue
        made.append(_outcome(outcomes, arch, trial, _baseline(trial), running=trial == count - 1 and count > 10))
    return made


def _baseline(trial: int) -> str:
    return ("efficientnet-b4", "smallest")[trial] if trial < 2 else ""


def _outcome(outcomes: Outcomes, arch: Architecture, trial: int | None, baseline: str, running: bool) -> Record:
    record = outcomes.record(arch, trial, {"baseline": baseline}, "failed")
    record = replace(
        record,
        settings={} if trial is None else space().encode(arch),
        started=(STARTED + timedelta(seconds=12 * (trial or 0))).isoformat(timespec="seconds"),
    )
    if running:
        return replace(record, state="running", readings={})
    excess = outcomes.excess(record.values)
    if any(value > 0 for value in excess.values()) and not baseline:
        return replace(record, state="infeasible", excess=excess)
    record = replace(
        record, seconds=round(6 + 5 * random.Random(f"seconds {trial}").random(), 3), environment=ENVIRONMENT
    )
    if trial is not None and trial % 29 == 28:
        return replace(record, reason="out of memory at batch 8, at 4 too")
    repeats, seed = (3, f"{trial}") if baseline else (1, f"{trial}")
    return outcomes.completed(
        record,
        {
            "flops": counted(arch).to_json(),
            "top1_pct": accuracy(arch, seed, repeats=repeats).to_json(),
            "train_images_per_s": timing(arch, seed, repeats=repeats).to_json(),
        },
    )


# From records to a storage.


def write_study(path: Path, known: Recipe, records: Sequence[Record]) -> str:
    """The URL of a SQLite storage at `path` that now holds this study; studies that it held stay."""
    url = f"sqlite:///{path}"
    storage = open_storage(url, create=True)
    command = f"nas search --space efficientnetv2 --study {known.name}"
    study = open_or_create(storage, known, space(), "cpu", command, ENVIRONMENT).study
    for record in records:
        if record.trial is None:
            study.set_user_attr(f"baseline:{record.id}", record.to_json())
    driver = driver_storage(study)
    driver.commit()
    with closing(sqlite3.connect(path)) as connection, connection:
        first = connection.execute("SELECT coalesce(max(trial_id), 0) + 1 FROM trials").fetchone()[0]
        _insert(connection, known, driver.identity, first, [one for one in records if one.trial is not None])
    storage.engine.dispose()
    return url


def _insert(connection: sqlite3.Connection, known: Recipe, study: int, first: int, records: list[Record]) -> None:
    started = [_when(record) for record in records]
    numbered = list(enumerate(records, first))
    connection.executemany(
        _TRIAL,
        (
            (trial, record.trial, study, _STATES[record.state], _stamp(start), _stamp(_end(record, start)))
            for (trial, record), start in zip(numbered, started, strict=True)
        ),
    )
    connection.executemany(_PARAMETER, (row for trial, record in numbered for row in _parameters(trial, record)))
    connection.executemany(_USER, (row for trial, record in numbered for row in _attributes(trial, record)))
    connection.executemany(
        _SYSTEM,
        (
            (trial, f"constraints:{limit}", json.dumps(excess))
            for trial, record in numbered
            for limit, excess in record.excess.items()
        ),
    )
    connection.executemany(_VALUE, (row for trial, record in numbered for row in _values(trial, record, known)))


def _when(record: Record) -> datetime:
    return datetime.fromisoformat(record.started) if record.started else STARTED


def _end(record: Record, start: datetime) -> datetime | None:
    return None if record.state == "running" else start + timedelta(seconds=record.seconds or 0.01)


def _stamp(moment: datetime | None) -> str | None:
    # Optuna writes local time without its zone, as SQLAlchemy's DATETIME puts it.
    return None if moment is None else f"{moment.astimezone().replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}"


@cache
def _distributions() -> dict[str, tuple[optuna.distributions.BaseDistribution, str]]:
    found: dict[str, tuple[optuna.distributions.BaseDistribution, str]] = {}
    for name, cell in space().cells.items():
        kind: optuna.distributions.BaseDistribution
        if isinstance(cell, Choice):
            kind = CategoricalDistribution(cell.values)
        else:
            kind = IntDistribution(cell.low, cell.high, step=cell.step)
        found[name] = (kind, distribution_to_json(kind))
    return found


def _parameters(trial: int, record: Record) -> Iterable[tuple[Any, ...]]:
    for name, value in record.settings.items():
        kind, text = _distributions()[name]
        yield trial, name, kind.to_internal_repr(value), text


def _attributes(trial: int, record: Record) -> Iterable[tuple[Any, ...]]:
    if record.baseline:
        yield trial, "baseline", json.dumps(record.baseline)
    if record.retry_of is not None:
        yield trial, "retry_of", json.dumps(record.retry_of)
    if record.state != "running":
        yield trial, "record", json.dumps(stored(record))


def _values(trial: int, record: Record, known: Recipe) -> Iterable[tuple[Any, ...]]:
    if record.state != "complete":
        return
    for place, objective in enumerate(known.parsed_objectives):
        value = objective.value(record.values)
        if value is not None:
            yield trial, place, float(value)


def big_study(path: Path, trials: int = 10_000, name: str = "big") -> str:
    """The URL of a study of so many trials, all as a search of the EfficientNetV2 space leaves them."""
    known = recipe(name, trials)
    return write_study(path, known, sampled(trials, name, recipe_=known))


# Studies that are not as one expects them.


def odd_records(kind: str) -> list[Record]:
    """The records of one odd study; see `ODD`."""
    made = sampled(14, kind)
    if kind == "empty":
        return []
    made = [one for one in made if one.trial is not None]
    if kind == "one":
        return made[:1]
    if kind == "failed":
        return [
            replace(one, state="failed", reason="killed by signal 9", excess={}, baseline="", readings=_free(one))
            for one in made[:5]
        ]
    if kind == "missing":  # each third without a timing: not on any front, but there
        return [
            replace(one, readings={key: r for key, r in one.readings.items() if one.trial % 3 or "train" not in key})
            for one in made
        ]
    if kind == "evil":
        names = [EVIL, "ünï ✓ 🦊 \"quoted\" 'single' `tick`", "n" * 100]
        known = [replace(one, baseline=names[place % 3] if place < 3 else "") for place, one in enumerate(made)]
        known[4] = replace(known[4], state="failed", reason=f"RuntimeError: {EVIL} 🦊", excess={})
        return known
    if kind == "devices":
        return [replace(one, readings=_elsewhere(one) if one.trial % 2 else one.readings) for one in made]
    raise ValueError(kind)


ODD = ("empty", "one", "failed", "missing", "evil", "devices")


def odd_study(path: Path, kind: str) -> str:
    """The URL of an odd study."""
    question = EVIL if kind == "evil" else "What then?"
    known = recipe(kind, 14).model_copy(update={"question": question})
    return write_study(path, known, odd_records(kind))


def _free(record: Record) -> dict[str, Reading]:
    return {key: reading for key, reading in record.readings.items() if key in ("params", "flops", "activations")}


def _elsewhere(record: Record) -> dict[str, Reading]:
    """The readings as a machine eight times as fast would have them."""
    readings = dict(record.readings)
    reading = readings.get("train_images_per_s")
    if reading is not None:
        moved = {**reading.conditions, "device": "NVIDIA H200"}
        readings["train_images_per_s"] = replace(reading, value=8 * reading.value, conditions=moved)
    return readings
