"""What a study found, in sentences. Plain text: who prints them escapes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.metric import METRICS, MetricError, parse_limit
from nas.report.analysis import Analysis, Best, Comparison, Result, axis, gain
from nas.report.noise import SEPARATE, TIMED, Separation, runs
from nas.report.row import UNDER_ONE_TRAINING, training_label
from nas.report.tables import noise_text, reading_text, unit


def findings(analysis: Analysis) -> list[str]:
    """The headline: trials, front, the best of each objective, every baseline, and how far to trust it all."""
    if not analysis.records:
        return ["No trial has been recorded yet."]
    sentences = [trials(analysis)]
    if not any(result.status for result in analysis.results):
        return [*sentences, _nothing(analysis), *(_unranked(result) for result in analysis.baselines)]
    sentences.append(front(analysis))
    sentences += [_best(best) for best in analysis.best]
    sentences += [_comparison(comparison) for comparison in analysis.comparisons]
    compared = {id(comparison.baseline) for comparison in analysis.comparisons}
    sentences += [
        _unranked(result) for result in analysis.baselines if not result.status and id(result) not in compared
    ]
    return [
        *sentences,
        noise(analysis),
        *separation(analysis),
        *_mixed(analysis),
        *_trainings(analysis),
        *_skipped(analysis),
        *_side_by_side(analysis),
    ]


def trials(analysis: Analysis) -> str:
    """How many trials, by state."""
    counts = analysis.counts
    over = sum(not result.feasible for result in analysis.results)
    notes = [f"{analysis.repeats} of them the same network again"] if analysis.repeats else []
    notes += [f"{over} over a limit"] if over else []
    parts = [f"{counts['complete']} measured" + (f" ({', '.join(notes)})" if notes else "")]
    parts += [f"{counts[state]} {state}" for state in ("infeasible", "failed", "running") if counts[state]]
    return f"{plural(len(analysis.records), 'trial')}: {', '.join(parts)}."


def front(analysis: Analysis) -> str:
    """How large the front is, and how much of it is certain."""
    tied = sum(result.status == "tied" for result in analysis.front)
    goals = ", ".join(f"{axis(key).label} {'↓' if goal == 'minimize' else '↑'}" for key, goal in analysis.objectives)
    size = f"The front has {plural(len(analysis.front), 'network')} ({goals})"
    if not tied:
        return f"{size}."
    which = "It is" if len(analysis.front) == tied == 1 else "All of them are" if tied == len(analysis.front) else (
        f"{tied} of them {'is' if tied == 1 else 'are'}"
    )  # fmt: skip
    return f"{size}. {which} tied: within noise of being dominated."


def noise(analysis: Analysis) -> str:
    """The noise every comparison allows for."""
    needed = [key for objective in analysis.recipe.parsed_objectives for key in objective.metrics]
    if all(METRICS[key].kind != "measured" for key in needed):
        return "Every objective is computed and not measured: it has no noise, and nothing is tied."
    if not analysis.floor:
        return (
            "The noise between runs is not known: no baseline was measured several times. "
            "Differences are taken at face value, but for the spread within the run that a timing states."
        )
    parts = [f"{METRICS[key].label} {noise_text(key, floor)}" for key, floor in analysis.floor.items()]
    repeated = [record.readings for record in analysis.records if record.baseline]
    taken = {runs(readings[key]) for readings in repeated for key in analysis.floor if key in readings}
    counts = sorted(taken - {1})
    repeats = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    within = any(key in TIMED and key not in UNDER_ONE_TRAINING for key in analysis.floor)  # those settle, and say it
    return (
        f"Noise, twice the standard deviation of {repeats} repeats of the baselines"
        f"{' (of a timing at least its spread within a run)' if within else ''}: {', '.join(parts)}. "
        "Smaller differences are called ties."
    )


def separation(analysis: Analysis) -> list[str]:
    """How far the training recipe holds each repeated baseline and the smallest apart."""
    return [_separation(apart) for apart in analysis.separations]


def _separation(apart: Separation) -> str:
    size = "" if apart.smallest == "smallest" else " (the smallest)"
    pair = f"baseline {apart.name} from {apart.smallest}{size}: difference {_signed(apart.points, 1)} points of top-1"
    if apart.deviations is None:
        return f"Whether the recipe tells {pair}, is not known: {apart.repeats} repeats gave the same value."
    measured = f"{pair}, {apart.deviations:.1f} seed deviations ({apart.repeats} repeats)"
    if apart.deviations < SEPARATE:
        return f"The recipe hardly tells {measured}. Under {SEPARATE:g}, small differences in top-1 rank nothing."
    return f"The recipe tells {measured}."


def device(analysis: Analysis, provenance: Mapping[str, Any]) -> str:
    """The device as the provenance names it, else as the readings do; empty where neither does."""
    named = provenance.get("device")
    if isinstance(named, Mapping):
        named = named.get("name") or ", ".join(str(value) for value in named.values())
    if named:
        return str(named)
    seen = {
        str(reading.conditions["device"])
        for record in analysis.records
        for reading in record.readings.values()
        if "device" in reading.conditions
    }
    return ", ".join(sorted(seen))


def limits(result: Result) -> str:
    """The limits that a network breaks and by how much: over a limit (FLOPs ≤ 20 G by 28 %)."""
    if not result.over:
        return result.stands
    broken = [f"{_limit(limit)} by {_share(result.record.excess[limit])} %" for limit in result.over]
    return f"over {'a limit' if len(broken) == 1 else 'limits'} ({', '.join(broken)})"


def _mixed(analysis: Analysis) -> list[str]:
    """A warning for every measured objective whose readings were not taken on one device."""
    mixed = [
        axis(key).label
        for key, _ in analysis.objectives
        if len({result.record.readings[key].conditions.get("device") for result in analysis.results
                if key in result.record.readings}) > 1
    ]  # fmt: skip
    if not mixed:
        return []
    apart = "They are ranked together here; the explorer keeps devices apart where it compares timings."
    return [f"Take care: {' and '.join(mixed)} was measured on more than one device. {apart}"]


def _trainings(analysis: Analysis) -> list[str]:
    """A warning for every trained objective whose networks were not all trained alike, unless that was the question."""
    if any(record.training for record in analysis.records):
        return []
    mixed = [
        axis(key).label
        for key, _ in analysis.objectives
        if key in UNDER_ONE_TRAINING
        and len({training_label(result.record.readings[key].conditions) for result in analysis.results
                 if key in result.record.readings}) > 1
    ]  # fmt: skip
    if not mixed:
        return []
    apart = "They are ranked together here; the explorer keeps trainings apart."
    return [f"Take care: {' and '.join(mixed)} was reached under more than one training. {apart}"]


def _skipped(analysis: Analysis) -> list[str]:
    """A warning where images of the data could not be read."""
    taken = [record.readings["top1_pct"] for record in analysis.records if "top1_pct" in record.readings]
    most = max((int(reading.conditions.get("skipped_images", 0)) for reading in taken), default=0)
    return [f"Take care: {plural(most, 'image')} of the data could not be read and were left out."] if most else []


def _side_by_side(analysis: Analysis) -> list[str]:
    """A warning where timings were taken by several workers at a time, or some so and some not."""
    timed = [key for key in TIMED if any(key in result.values for result in analysis.results)]
    said = {
        record.environment["workers"]
        for record in analysis.records
        if record.state == "complete" and set(timed) & set(record.readings)
        and type(record.environment.get("workers")) is int
        and not record.environment.get("timed_alone")
    }  # fmt: skip
    if not said or said == {1}:
        return []
    labels, counts = " and ".join(axis(key).label for key in timed), [str(count) for count in sorted(said)]
    beside = f"{labels} was taken side by side, by up to {counts[-1]} workers at a time, which disturb each other."
    if len(said) == 1:
        return [f"Take care: {beside}"]
    return [f"Take care: {beside} Readings of {' and of '.join(counts)} workers do not compare."]


def _nothing(analysis: Analysis) -> str:
    wanted = " and ".join(axis(key).label for key, _ in analysis.objectives)
    over = sum(not result.feasible for result in (*analysis.results, *analysis.outside))
    if not over:
        return f"No network has a value for every objective ({wanted}), so there is no front."
    lacking = sum(result.feasible for result in analysis.results)
    rest = (
        f", and {plural(lacking, 'other')} {'lacks' if lacking == 1 else 'lack'} a value of {wanted}" if lacking else ""
    )
    return f"There is no front: {plural(over, 'network')} {'is' if over == 1 else 'are'} over a limit{rest}."


def _best(best: Best) -> str:
    metric = axis(best.key)
    word = "Lowest" if metric.goal == "minimize" else "Highest"
    value = reading_text(metric, best.result.values[best.key], best.result.spreads.get(best.key))
    ties = f", with {plural(best.ties, 'other')} within noise of it" if best.ties else ""
    return f"{word} {metric.label}: {value}{unit(metric)}, {best.result.name}{ties}."


def _comparison(comparison: Comparison) -> str:
    baseline = comparison.baseline
    stands = {"front": "on the front", "tied": "on the front, but tied", "over a limit": limits(baseline)}
    opening = f"Baseline {baseline.name} is {stands.get(baseline.stands, baseline.stands)}"
    if not comparison.better:
        return f"{opening}: no network gains on it beyond noise without losing beyond noise elsewhere."
    steps = [f"{_step(new, baseline, key)} with {new.name}" for key, new in comparison.farthest.items()]
    verb = "beats" if len(comparison.better) == 1 else "beat"
    return (
        f"{opening}: {plural(len(comparison.better), 'network')} {verb} it, losing nothing beyond noise. "
        f"Farthest: {'; '.join(steps)}."
    )


def _step(new: Result, old: Result, key: str) -> str:
    metric, better = axis(key), gain(new, old, key)
    change = -metric.sign * better
    if metric.style == "percent" or not old.values[key]:
        return f"{metric.label} {_signed(change, 1)} points"
    return f"{metric.label} {_signed(100 * change / abs(old.values[key]), 0)} %"


def _signed(value: float, digits: int) -> str:
    return f"{'+' if value >= 0 else '−'}{abs(value):.{digits}f}"


def _unranked(result: Result) -> str:
    if not result.feasible:
        measured = "" if result.record.state == "complete" else " and was not measured"
        return f"Baseline {result.name} is {limits(result)}{measured}, so it is not compared."
    return f"Baseline {result.name} lacks a value of an objective and is not compared."


def _limit(text: str) -> str:
    try:
        limit = parse_limit(text)
    except MetricError:  # a record of another version
        return text
    return f"{axis(limit.key).label} {'≤' if limit.relation == '<=' else '≥'} {axis(limit.key).format(limit.bound)}"


def _share(excess: float) -> str:
    return f"{100 * excess:,.0f}" if excess >= 0.1 else f"{100 * excess:.2g}"


def plural(count: int, word: str) -> str:
    """The count and the word in its number."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
