"""What a study found, in sentences. Plain text: who prints them escapes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.metric import METRICS
from nas.report.analysis import Analysis, Best, Comparison, Result, axis, gain
from nas.report.tables import noise_text, reading_text, unit


def findings(analysis: Analysis) -> list[str]:
    """The headline: trials, front, the best of each objective, every baseline, and how far to trust it all."""
    if not analysis.records:
        return ["No trial has been recorded yet."]
    sentences = [trials(analysis)]
    if not any(result.status for result in analysis.results):
        return [*sentences, _nothing(analysis)]
    sentences.append(front(analysis))
    sentences += [_best(best) for best in analysis.best]
    sentences += [_comparison(comparison) for comparison in analysis.comparisons]
    sentences += [_unranked(result) for result in analysis.baselines if not result.status]
    return [*sentences, noise(analysis), *_mixed(analysis)]


def trials(analysis: Analysis) -> str:
    """How many trials, by state."""
    counts = analysis.counts
    repeats = f" ({analysis.repeats} of them the same network again)" if analysis.repeats else ""
    parts = [f"{counts['complete']} measured{repeats}"]
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
            "The noise of this study is not known: no baseline was measured several times. "
            "Differences are taken at face value, but for what single readings say of themselves."
        )
    parts = [f"{METRICS[key].label} {noise_text(key, floor)}" for key, floor in analysis.floor.items()]
    return f"Noise (95 %, from the repeated baselines): {', '.join(parts)}. Smaller differences are called ties."


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


def _mixed(analysis: Analysis) -> list[str]:
    """A warning for every measured objective whose readings were not taken on one device."""
    mixed = [
        axis(key).label
        for key, _ in analysis.objectives
        if len({result.record.readings[key].conditions.get("device") for result in analysis.results
                if key in result.record.readings}) > 1
    ]  # fmt: skip
    return [f"Take care: {' and '.join(mixed)} was measured on more than one device."] if mixed else []


def _nothing(analysis: Analysis) -> str:
    wanted = " and ".join(axis(key).label for key, _ in analysis.objectives)
    return f"No network has a value for every objective ({wanted}), so there is no front."


def _best(best: Best) -> str:
    metric = axis(best.key)
    word = "Lowest" if metric.goal == "minimize" else "Highest"
    value = reading_text(metric, best.result.values[best.key], best.result.spreads.get(best.key))
    ties = f", with {plural(best.ties, 'other')} within noise of it" if best.ties else ""
    return f"{word} {metric.label}: {value}{unit(metric)}, {best.result.name}{ties}."


def _comparison(comparison: Comparison) -> str:
    baseline = comparison.baseline
    stands = {"front": "on the front", "tied": "on the front, but tied", "dominated": "dominated"}
    opening = f"Baseline {baseline.name} is {stands[str(baseline.status)]}"
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
    return f"Baseline {result.name} lacks an objective and is not compared."


def plural(count: int, word: str) -> str:
    """The count and the word in its number."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
