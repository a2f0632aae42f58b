"""The numbers of a report, without a pixel: the front, the ties, what beats the baseline, the volume covered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nas.metric import METRICS, Metric, Objective
from nas.pareto import (
    Objectives,
    Point,
    Status,
    beats,
    complete,
    hypervolume_history,
    ideal_point,
    reference_point,
    standing,
)
from nas.recipe import Recipe
from nas.record import Record, State
from nas.report.noise import Separation, noise_floor, separations, spreads
from nas.report.reward import rewards

STATES: tuple[State, ...] = ("complete", "infeasible", "failed", "running")


@dataclass(frozen=True, slots=True)
class Result:
    """One distinct network: its record, its readings and objectives by key, their noise, and where it stands."""

    record: Record
    values: Mapping[str, float]
    spreads: Mapping[str, float]
    status: Status | None = None

    @property
    def name(self) -> str:
        """`#12`, or the baseline's name with its trial."""
        number = "" if self.record.trial is None else f"#{self.record.trial}"
        if not self.record.baseline:
            return number or self.record.id
        return f"{self.record.baseline} ({number})" if number else self.record.baseline

    @property
    def over(self) -> tuple[str, ...]:
        """The limits that it breaks."""
        return tuple(limit for limit, excess in self.record.excess.items() if excess > 0)

    @property
    def feasible(self) -> bool:
        return self.record.state != "infeasible" and not self.over

    @property
    def stands(self) -> str:
        """`front`, `tied` or `dominated`; else why it is none of them."""
        return self.status or ("lacks a value" if self.feasible else "over a limit")

    @property
    def point(self) -> Point:
        return Point(self.values, self.spreads, feasible=self.feasible)

    def noise(self, other: Result, key: str) -> float:
        """The difference in `key` below which the two are tied: the larger of both spreads."""
        return max(self.spreads.get(key, 0.0), other.spreads.get(key, 0.0))


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of one objective, and how many others lie within noise of it."""

    key: str
    result: Result
    ties: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found against a baseline: those that beat it beyond noise, and the farthest step in each objective.

    A baseline over a limit is compared as well: it cannot be on the front, but what beats it is worth knowing."""

    baseline: Result
    better: tuple[Result, ...]
    farthest: Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class History:
    """The share of the box between `reference` and `ideal` that is dominated after each finished trial. Networks over
    a limit count for nothing, not for the box either."""

    share: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    reference: Mapping[str, float] = field(default_factory=dict)
    ideal: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Analysis:
    """All a report says of a study. `results` are the measured networks, each once, those over a limit too; `outside`
    the ones over a limit that were not measured; `front` holds tied ones too."""

    recipe: Recipe
    records: tuple[Record, ...]
    objectives: Objectives
    floor: Mapping[str, float]
    counts: Mapping[State, int]
    repeats: int
    results: tuple[Result, ...]
    outside: tuple[Result, ...]
    front: tuple[Result, ...]
    best: tuple[Best, ...]
    comparisons: tuple[Comparison, ...]
    separations: tuple[Separation, ...]
    history: History

    @property
    def baselines(self) -> tuple[Result, ...]:
        """Measured or not."""
        return tuple(result for result in (*self.results, *self.outside) if result.record.baseline)

    @property
    def measured(self) -> tuple[str, ...]:
        """Objectives first, then every other metric that any network has a value of."""
        goals = [key for key, _ in self.objectives]
        rest = [key for key in METRICS if key not in goals and any(key in result.values for result in self.results)]
        return (*goals, *rest)


def analyse(records: Iterable[Record], recipe: Recipe) -> Analysis:
    """The analysis of these trials under this recipe's objectives. A network measured before is counted once."""
    ordered = tuple(sorted(records, key=lambda record: -1 if record.trial is None else record.trial))
    goals = tuple((objective.key, objective.goal) for objective in recipe.parsed_objectives)
    floor = noise_floor(ordered)
    distinct = _distinct(record for record in ordered if record.state == "complete")
    drafts = [_result(record, recipe.parsed_objectives, floor) for record in distinct]
    statuses = standing([draft.point for draft in drafts], goals)
    results = tuple(
        Result(draft.record, draft.values, draft.spreads, status)
        for draft, status in zip(drafts, statuses, strict=True)
    )
    ranked = [result for result in results if result.status]
    counts = {state: sum(record.state == state for record in ordered) for state in STATES}
    measured = {record.id for record in distinct}
    return Analysis(
        recipe=recipe,
        records=ordered,
        objectives=goals,
        floor=floor,
        counts=counts,
        repeats=counts["complete"] - len(results),
        results=results,
        outside=tuple(
            _result(record, recipe.parsed_objectives, floor)
            for record in _distinct(record for record in ordered if record.state == "infeasible")
            if record.id not in measured
        ),
        front=_front(ranked, goals),
        best=tuple(_best(ranked, key) for key, _ in goals) if ranked else (),
        comparisons=tuple(
            _compare(one, ranked, goals)
            for one in results
            if one.record.baseline and complete(one.values, goals) and any(other is not one for other in ranked)
        ),
        separations=separations(ordered),
        history=_history(ordered, results, goals),
    )


def axis(key: str) -> Metric:
    """The metric called `key`, or for a product of powers a description of that reward."""
    return METRICS.get(key) or Metric(key, "reward", "", "maximize", "score", "plain", f"the scalar reward {key}")


def gain(new: Result, old: Result, key: str) -> float:
    """How much better `new` is in `key`, in the metric's unit; negative where it is worse."""
    return (old.values[key] - new.values[key]) * axis(key).sign


def _distinct(records: Iterable[Record]) -> list[Record]:
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.id or record.arch, record)
    return list(first.values())


def _result(record: Record, objectives: Sequence[Objective], floor: Mapping[str, float]) -> Result:
    values = {key: value for key, value in record.values.items() if math.isfinite(value)}
    noise = spreads(record, floor)
    for key, (reward, spread) in rewards(values, noise, objectives).items():
        values[key], noise[key] = reward, spread
    return Result(record, values, noise)


def _front(ranked: Sequence[Result], goals: Objectives) -> tuple[Result, ...]:
    """Members and tied ones, the best of the first objective first."""
    key = goals[0][0]
    members = [result for result in ranked if result.status in ("front", "tied")]
    return tuple(sorted(members, key=lambda result: axis(key).sign * result.values[key]))


def _best(ranked: Sequence[Result], key: str) -> Best:
    first = min(ranked, key=lambda result: axis(key).sign * result.values[key])
    ties = sum(-gain(other, first, key) <= first.noise(other, key) for other in ranked if other is not first)
    return Best(key, first, ties)


def _compare(baseline: Result, ranked: Sequence[Result], goals: Objectives) -> Comparison:
    better = tuple(other for other in ranked if other is not baseline and beats(other.point, baseline.point, goals))
    farthest: dict[str, Result] = {}
    for key, _ in goals:
        ahead = [other for other in better if gain(other, baseline, key) > other.noise(baseline, key)]
        if ahead:
            farthest[key] = max(ahead, key=lambda other: gain(other, baseline, key))
    return Comparison(baseline, better, farthest)


def _history(records: Sequence[Record], results: Sequence[Result], goals: Objectives) -> History:
    known = {id(result.record): result for result in results}
    finished = [record for record in records if record.state != "running"]
    feasible = {place: result for place, result in known.items() if result.feasible}
    values = [feasible[id(record)].values if id(record) in feasible else {} for record in finished]
    reference, ideal = reference_point(values, goals), ideal_point(values, goals)
    if not reference:
        return History()
    box = math.prod(abs(reference[key] - ideal[key]) for key, _ in goals)
    names = [_result_name(record, known.get(id(record))) for record in finished]
    share = tuple(volume / box for volume in hypervolume_history(values, goals, reference))
    return History(share, tuple(names), reference, ideal)


def _result_name(record: Record, result: Result | None) -> str:
    if result is not None:
        return result.name if result.feasible else f"{result.name}: over a limit"
    number = record.baseline if record.trial is None else f"#{record.trial}"
    return f"{number}: {'a repeat' if record.state == 'complete' else record.state}"
