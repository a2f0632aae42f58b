"""Rows as the documents that the interactive page reads: a study whole, or the rows of it that changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.metric import METRICS, Limit, Objective
from nas.recipe import Recipe
from nas.record import TRAINING
from nas.report.analysis import axis
from nas.report.drawing import drawings
from nas.report.noise import half_widths
from nas.report.reward import rewards
from nas.report.row import ON_ONE_DEVICE, STATES, UNDER_ONE_TRAINING, Number, Row, floor_of, rounded
from nas.report.tables import noise_text

SCHEMA = 1
_STATE = {state: code for code, state in enumerate(STATES)}
_EXTRA = (  # axes that are no metrics: key, label, unit, meaning
    ("resolution", "resolution", "px", "side of the images that enter the network"),
    ("trial", "trial", "", "number of the trial, in the order they were started"),
    ("seconds", "trial time", "s", "how long the trial took, all measurements in"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """A study without its trials. `option`: what stands behind `nas show NAME:TRIAL`; None where there is no storage.
    `state`: gone where it was deleted, unreachable where its storage is away, and `note` says why. `trainings`: whether
    it searches trainings too, whose accuracies it then compares."""

    key: str
    name: str
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    question: str = ""
    source: str = ""
    option: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    state: Literal["ok", "gone", "unreachable"] = "ok"
    note: str = ""
    trainings: bool = False


@dataclass(slots=True)
class Labels:
    """The devices and trainings that a study's rows point at. It only grows, so that a number once given stays."""

    devices: list[str] = field(default_factory=list)
    trainings: list[str] = field(default_factory=list)


def head(recipe: Recipe, key: str = "0", source: str = "", option: str | None = None) -> Head:
    """The head of the study that this recipe makes."""
    asked: dict[str, Any] = {"space": recipe.space}
    if recipe.grid is None:  # a grid is measured whole, by no sampler
        asked |= {"sampler": recipe.sampler, "trials": recipe.trials}
    return Head(
        key, recipe.name, recipe.parsed_objectives, recipe.parsed_limits, recipe.question, source, option, asked,
        trainings=bool(recipe.training_cells),
    )  # fmt: skip


def study_document(
    head: Head, rows: Sequence[Row], labels: Labels | None = None, whole: bool = False
) -> dict[str, Any]:
    """The study as JSON values. `whole`: with the drawing and the settings of every row, as a file carries them."""
    labels = labels or Labels()
    floor = floor_of(rows)
    columns = row_columns(head, rows, range(len(rows)), floor, labels)
    columns["notation"] = _notation(rows)
    return {
        **head_fields(head),
        "metrics": metrics(head, rows, floor),
        "timed": _made_of(head, ON_ONE_DEVICE),
        "trained": [] if head.trainings or _chose_trainings(rows) else _made_of(head, UNDER_ONE_TRAINING),
        "devices": list(labels.devices),
        "trainings": list(labels.trainings),
        "rows": columns,
        "drawings": drawings([row.arch for row in rows]) if whole else None,
        "settings": settings(rows) if whole else None,
    }


def _chose_trainings(rows: Iterable[Row]) -> bool:
    """Whether trials chose their trainings, where no recipe says so."""
    return any(name.startswith(TRAINING) for cells in {row.cells for row in rows} for name in cells)


def _made_of(head: Head, keys: Sequence[str]) -> list[str]:
    """These metrics, and the rewards that one of them is part of."""
    return [*keys, *(one.key for one in head.objectives if not one.is_metric and {*one.metrics} & {*keys})]


def head_fields(head: Head) -> dict[str, Any]:
    """The fields of a study document that do not depend on its rows."""
    return {
        "key": head.key,
        "name": head.name,
        "question": head.question,
        "source": head.source,
        "option": head.option,
        "recipe": dict(head.recipe),
        "state": head.state,
        "note": head.note,
        "objectives": [{"key": objective.key, "goal": objective.goal} for objective in head.objectives],
        "limits": [
            {"text": str(limit), "key": limit.key, "relation": limit.relation, "bound": rounded(limit.bound, 15, True)}
            for limit in head.limits
        ],
    }


def patch_columns(
    head: Head, rows: Sequence[Row], at: Sequence[int], labels: Labels, floor: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """The columns of the rows numbered `at` alone, their notation as plain text; `n` counts all rows."""
    columns = row_columns(head, rows, at, floor_of(rows) if floor is None else floor, labels)
    columns["notation"] = {"plain": [rows[number].arch for number in at]}
    return columns


def row_columns(
    head: Head, rows: Sequence[Row], at: Sequence[int], floor: Mapping[str, float], labels: Labels
) -> dict[str, Any]:
    """The columns of the rows numbered `at`, all but their notation; `labels` grows by what they name first."""
    shown = [rows[number] for number in at]
    spreads = [_spreads(head, row, floor) for row in shown]
    goals = [objective.key for objective in head.objectives]
    present = dict.fromkeys(key for row in shown for key in row.values)
    keys = [key for key in dict.fromkeys([*goals, *METRICS, *present]) if key in present]
    noisy = dict.fromkeys(key for known in spreads for key in known)
    repeated = repeats(rows)
    return {
        "n": len(rows),
        "trial": [row.trial for row in shown],
        "state": [_STATE[row.state] for row in shown],
        "values": {
            **{key: [row.values.get(key) for row in shown] for key in keys},
            "resolution": [_resolution(row.arch) for row in shown],
        },
        "spreads": {key: [known.get(key) for known in spreads] for key in keys if key in noisy},
        "device": _numbered((row.device for row in shown), labels.devices),
        "training": _numbered((row.training for row in shown), labels.trainings),
        "started": [row.started for row in shown],
        "seconds": [row.seconds for row in shown],
        "baseline": {str(number): rows[number].baseline for number in at if rows[number].baseline},
        "repeat": [number for number in at if number in repeated],
        "reason": {str(number): rows[number].reason for number in at if rows[number].reason},
        "over": {str(number): list(rows[number].over) for number in at if rows[number].over},
        "retry_of": {str(number): rows[number].retry_of for number in at if rows[number].retry_of is not None},
    }


def repeats(rows: Sequence[Row]) -> set[int]:
    """The rows whose network an earlier row, or a measured one, stands for already."""
    measured: dict[str, int] = {}
    outside: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.state == "complete":
            measured.setdefault(row.id, number)
        elif row.state == "infeasible":
            outside.setdefault(row.id, number)
    first = {**outside, **measured}
    return {
        number for number, row in enumerate(rows) if row.state in ("complete", "infeasible") and first[row.id] != number
    }


def metrics(head: Head, rows: Iterable[Row], floor: Mapping[str, float]) -> list[dict[str, Any]]:
    """What every axis means: objectives first, then each metric with a value, then what is no metric."""
    seen: dict[str, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    present: set[str] = set()
    proxy = False
    for row in rows:
        present.update(row.values)
        proxy = proxy or row.proxy
        for key, pairs in row.conditions.items():
            seen[key].add(pairs)
    goals = [objective.key for objective in head.objectives]
    keys = [*goals, *(key for key in METRICS if key in present and key not in goals)]
    plain = {"goal": None, "kind": "computed", "style": "plain", "badge": "computed", "noise": "", "conditions": ""}
    extra = [
        {"key": key, "label": label, "unit": unit, "meaning": meaning, **plain} for key, label, unit, meaning in _EXTRA
    ]
    return [*(_metric(key, floor, seen[key], proxy) for key in keys), *extra]


def settings(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The open cells of the space by row; None where no row has any."""
    names = list(dict.fromkeys(name for cells in dict.fromkeys(row.cells for row in rows) for name in cells))
    if not names:
        return None
    known = [dict(zip(row.cells, row.settings, strict=True)) for row in rows]
    return {"names": names, "columns": [[chosen.get(name) for chosen in known] for name in names]}


def page_document(
    studies: Sequence[Mapping[str, Any]],
    published: Sequence[Mapping[str, Any]] = (),
    *,
    mode: Literal["file", "live"] = "file",
    version: str = "0.0",
    made: str = "",
    note: str = "",
) -> dict[str, Any]:
    """All that the page knows. `note` says what the published networks are."""
    return {
        "schema": SCHEMA,
        "mode": mode,
        "version": version,
        "made": made,
        "studies": list(studies),
        "published": list(published),
        "published_note": note,
    }


def _metric(
    key: str, floor: Mapping[str, float], conditions: set[tuple[tuple[str, str], ...]], proxy: bool
) -> dict[str, Any]:
    metric = axis(key)
    noise = noise_text(key, floor[key]) if key in floor else "exact" if metric.kind == "computed" else ""
    return {
        "key": key,
        "label": metric.label,
        "unit": metric.unit,
        "goal": metric.goal,
        "kind": metric.kind,
        "style": metric.style,
        "meaning": metric.meaning,
        "badge": "proxy" if proxy and key in UNDER_ONE_TRAINING else metric.kind,
        "noise": noise,
        "conditions": _in_common(conditions),
    }


def _in_common(readings: set[tuple[tuple[str, str], ...]]) -> str:
    """What readings have in common, and what differs among them, in the words of `nas.report.tables`."""
    values: dict[str, set[str]] = defaultdict(set)
    for pairs in sorted(readings):
        for name, value in pairs:
            values[name].add(value)
    same = [f"{name} {next(iter(texts))}" for name, texts in sorted(values.items()) if len(texts) == 1]
    differ = sorted(name for name, texts in values.items() if len(texts) > 1)
    return "; ".join([*same, *([f"differing: {', '.join(differ)}"] if differ else [])])


def _spreads(head: Head, row: Row, floor: Mapping[str, float]) -> dict[str, Number]:
    noise = half_widths(row.values, row.spreads, floor)
    if any(not objective.is_metric for objective in head.objectives):
        noise |= {key: spread for key, (_, spread) in rewards(row.values, noise, head.objectives).items()}
    return {key: rounded(value) for key, value in noise.items() if value}  # fewer digits would be rounded twice


def _resolution(arch: str) -> int | None:
    """Pixels, read off the notation without parsing it: r224 …, or NAME@224 of a foreign network."""
    token = arch.partition(" ")[0]
    digits = token[1:] if token.startswith("r") else token.rpartition("@")[2].partition("y")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _numbered(labels: Iterable[str], known: list[str]) -> list[int]:
    places = {label: place for place, label in enumerate(known)}
    numbers = []
    for label in labels:
        if label and label not in places:
            places[label] = len(known)
            known.append(label)
        numbers.append(places[label] if label else -1)
    return numbers


def _notation(rows: Sequence[Row]) -> dict[str, Any]:
    """The notations token by token, each spelling once: row i is `tokens[p][index[p][i]]` joined by spaces."""
    split = [row.arch.split(" ") if row.arch else [] for row in rows]
    tokens: list[list[str]] = []
    index: list[list[int]] = []
    for place in range(max(map(len, split), default=0)):
        places: dict[str, int] = {}
        index.append([places.setdefault(parts[place], len(places)) if place < len(parts) else -1 for parts in split])
        tokens.append(list(places))
    return {"tokens": tokens, "index": index}
