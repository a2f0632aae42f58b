"""The tables of a report: the front, every trial, the failures, the metrics, a network's stages."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nas.arch import Architecture
from nas.foreign import is_foreign
from nas.metric import METRICS, Metric, si
from nas.outline import outline
from nas.record import Record
from nas.report.analysis import Analysis, Result, axis
from nas.report.table import Cell, Column, Table, text

_NOT_CHOSEN = "plain"  # of a baseline among networks whose trainings were chosen


def reading_text(metric: Metric, value: float | None, spread: float | None = None) -> str:
    """A value and its noise as people read them: 61.3 ± 0.8 %, 1,930 ± 40; the noise in the digits of the value."""
    shown = metric.format(value)
    if value is None or not spread:
        return shown
    if metric.style == "percent":
        return f"{value:.1f} ± {spread:.1f} %" if spread >= 0.05 else f"{value:.2f} ± {spread:.2g} %"
    if metric.style == "count":
        return f"{shown} ± {si(spread)}"
    return f"{shown} ± {spread:,.0f}" if abs(value) >= 100 and spread >= 10 else f"{shown} ± {spread:.2g}"


def unit(metric: Metric) -> str:
    """What stands behind a formatted value and is not in it or in the label yet: ' ms', ' MiB'."""
    said = metric.style in ("count", "percent") or metric.unit == "images/s" or not metric.unit
    return "" if said else f" {metric.unit}"


def show_command(record: Record) -> str:
    """The command that prints this network, or measures a foreign one again."""
    reference = record.baseline if record.trial is None else f"{record.study}:{record.trial}"
    verb = "measure" if is_foreign(record.arch) else "show"  # what is inside a foreign network is not known
    return f"nas {verb} {shlex.quote(reference or record.arch)}"


def front_table(analysis: Analysis) -> Table:
    """The front, the tied ones marked, and every baseline wherever it stands."""
    shown = [*analysis.front, *(result for result in analysis.baselines if result not in analysis.front)]
    keys, trained = analysis.measured, _trained(analysis)
    columns = (
        Column("status", "status"),
        Column("trial", "network", "number"),
        *(_metric_column(key) for key in keys),
        *trained,
        Column("baseline", "baseline"),
        Column("arch", "notation", "code"),
        Column("command", "command", "code"),
    )
    rows = tuple(
        (
            Cell(result.stands, result.stands, mark=result.status or "none"),
            Cell(result.name, result.record.trial),
            *(_reading_cell(result, key) for key in keys),
            *(text(result.record.training_text or _NOT_CHOSEN) for _ in trained),
            text(result.record.baseline),
            text(result.record.arch),
            text(show_command(result.record)),
        )
        for result in shown
    )
    return Table("front", "The Pareto front, and the baselines", columns, rows)


def trials_table(analysis: Analysis) -> Table:
    """Every record of the study, as it was measured."""
    known = {id(result.record): result for result in (*analysis.results, *analysis.outside)}
    keys = tuple(key for key in METRICS if any(key in record.readings for record in analysis.records))
    trained = _trained(analysis)
    columns = (
        Column("trial", "trial", "number"),
        Column("state", "state"),
        Column("status", "status"),
        Column("baseline", "baseline"),
        *(_metric_column(key) for key in keys),
        *trained,
        Column("reused", "readings of", "number"),
        Column("reason", "reason"),
        Column("arch", "notation", "code"),
    )
    rows = []
    for record in analysis.records:
        found = known.get(id(record))
        result = found or Result(record, record.values, {})
        rows.append(
            (
                text(record.trial),
                text(record.state),
                text(found and found.stands),
                text(record.baseline),
                *(_reading_cell(result, key) for key in keys),
                *(text(record.training_text or _NOT_CHOSEN) for _ in trained),
                text(record.reused),
                text(record.reason),
                text(record.arch),
            )
        )
    return Table("trials", "Every trial", columns, tuple(rows))


def _trained(analysis: Analysis) -> tuple[Column, ...]:
    """A column of the trainings, where the study chose them."""
    return (Column("training", "training"),) if any(record.training for record in analysis.records) else ()


def failures_table(analysis: Analysis) -> Table:
    """Why trials came to nothing, the commonest reason first: what failed, and which limit was not met."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in analysis.records:
        if record.state in ("failed", "infeasible"):
            groups[record.state, _why(record)].append("–" if record.trial is None else f"#{record.trial}")
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]), group[0][1]))
    columns = (
        Column("state", "state"),
        Column("reason", "reason"),
        Column("count", "trials", "number"),
        Column("trials", "which"),
    )
    rows = tuple(
        (text(state), text(why), text(len(names)), Cell(_some(names), " ".join(names)))
        for (state, why), names in ordered
    )
    return Table("failures", "Trials without a result", columns, rows)


def metrics_table(analysis: Analysis) -> Table:
    """What every number of the report means, its noise in this study, and what all its readings have in common."""
    columns = (
        Column("metric", "metric"),
        Column("unit", "unit"),
        Column("goal", "goal"),
        Column("kind", "kind"),
        Column("meaning", "meaning"),
        Column("noise", "noise"),
        Column("conditions", "measured under"),
    )
    goals = {key for key, _ in analysis.objectives}
    rows = []
    for key in analysis.measured:
        metric = axis(key)
        noise = noise_text(key, analysis.floor[key]) if key in analysis.floor else ""
        none = "exact" if metric.kind == "computed" else ""
        rows.append(
            tuple(
                map(
                    text,
                    (
                        metric.label,
                        metric.unit,
                        f"{metric.goal} (objective)" if key in goals else metric.goal,
                        metric.kind,
                        metric.meaning,
                        noise or none,
                        conditions_text(analysis.records, key),
                    ),
                )
            )
        )
    return Table("metrics", "What the numbers mean", columns, tuple(rows))


def noise_text(key: str, floor: float) -> str:
    """The study's noise in a metric: ± 0.8 points, ± 3.1 %."""
    return f"± {floor:.2g} points" if axis(key).style == "percent" else f"± {100 * floor:.2g} %"


def conditions_text(records: Iterable[Record], key: str) -> str:
    """What all readings of `key` have in common, and what differs among them."""
    seen: dict[str, set[str]] = defaultdict(set)
    readings = [record.readings[key] for record in records if key in record.readings]
    for reading in readings:
        for name, value in flat(reading.conditions):
            seen[name].add(value)
    same = [f"{name} {next(iter(values))}" for name, values in seen.items() if len(values) == 1]
    differ = [name for name, values in seen.items() if len(values) > 1]
    return "; ".join([*same, *([f"differing: {', '.join(differ)}"] if differ else [])])


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as (dotted key, text)."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def stage_table(arch: Architecture, name: str = "stages") -> Table:
    """The network as the papers print theirs, a row a stage, with the cost of each for one image."""
    columns = (
        Column("stage", "stage"),
        Column("operator", "operator"),
        *(Column(key, key, "number") for key in ("stride", "channels", "layers")),
        Column("input_size", "input px", "number"),
        *(Column(key, METRICS[key].label, "number") for key in ("params", "flops", "activations")),
    )
    cells = tuple(
        (
            *map(_plain, (line.name, line.operator, line.stride, line.channels, line.layers, line.size)),
            *map(_count, (line.cost.params, line.cost.flops, line.cost.activations)),
        )
        for line in outline(arch)
    )
    return Table(name, str(arch), columns, cells, total=True)


def _metric_column(key: str) -> Column:
    metric = axis(key)
    label = f"{metric.label} ({unit(metric).strip()})" if unit(metric) else metric.label
    return Column(key, f"{label} {'↓' if metric.goal == 'minimize' else '↑'}", "number", metric.kind == "measured")


def _reading_cell(result: Result, key: str) -> Cell:
    value, spread = result.values.get(key), result.spreads.get(key)
    return Cell(reading_text(axis(key), value, spread), value, spread)


def _plain(value: str | int | None) -> Cell:
    return Cell("") if value in ("", None) else text(value)


def _count(value: int) -> Cell:
    return Cell(si(value), value)


def _why(record: Record) -> str:
    if record.reason:
        return " ".join(record.reason.split())[:300]
    over = [limit for limit, excess in record.excess.items() if excess > 0]
    return f"not {' and not '.join(over)}" if over else "no reason recorded"


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
