"""The answer of a measured grid as people read it: sentences, the candidates of each cost, every network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nas.arch import parse
from nas.choice import DRAWS, Answer, Candidate, Choice
from nas.measured_grid import Gain, Measured
from nas.metric import si
from nas.report.table import Cell, Column, Table, text
from nas.report.words import plural

QUESTIONS = {"flops": "Equal FLOPs", "step": "Equal step time"}
_DIMENSIONS = {"alpha": "α", "beta": "β", "gamma": "γ"}
_ALONE = ("Depth", "Width", "Resolution")


def sentences(choice: Choice) -> list[str]:
    """The answers and how sure they are; gains of one dimension; drift. Plain text."""
    return [
        _noise(choice),
        *(sentence for answer in choice.answers for sentence in _answer(choice, answer)),
        *(f"No answer at {reason}." for reason in choice.unanswered),
        *map(_gain, choice.gains),
        *_spending(choice),
        *_drift(choice),
    ]


def verdict(answer: Answer) -> str:
    """`decided: (1.2, 1.1, 1.15)` or `not decided: 7 of 21 cannot be excluded`."""
    if answer.decided:
        return f"decided: {answer.best.measured.name}"
    kept = len(answer.contenders)
    if len(answer.candidates) == 1:
        return "not decided: one candidate, nothing to compare it with"
    if kept == 1:
        return f"not decided: {answer.best.measured.name} leads, but only with accuracies moved to the target"
    return f"not decided: {kept} of {len(answer.candidates)} candidates cannot be excluded"


def candidates_table(choice: Choice, answer: Answer) -> Table:
    """The networks compared at one cost, the best first."""
    columns = (
        *(Column(name, symbol, "number") for name, symbol in _DIMENSIONS.items()),
        Column("mark", "mark"),
        Column("flops_ratio", "FLOPs ×", "number"),
        Column("step_ms", "step ms", "number", noisy=True),
        Column("top1_pct", "top-1 %", "number"),
        Column("top1_moved_pct", "at the target %", "number"),
        Column("behind_points", "behind", "number", noisy=True),
        Column("wins", "wins", "number"),
        Column("contender", "may be best"),
    )
    caption = (
        f"{QUESTIONS[answer.question]}: {_target(answer)} ± {_percent(answer.band)}. {verdict(answer).capitalize()}"
    )
    return Table(f"choice-{answer.question}", caption, columns, tuple(_row(choice, one) for one in answer.candidates))


def networks_table(choice: Choice) -> Table:
    """Every network measured, in the order in which it was."""
    columns = (
        Column("trial", "trial", "number"),
        *(Column(name, symbol, "number") for name, symbol in _DIMENSIONS.items()),
        Column("mark", "mark"),
        Column("resolution", "px", "number"),
        Column("flops", "FLOPs", "number"),
        Column("flops_ratio", "FLOPs ×", "number"),
        Column("step_ms", "step ms", "number", noisy=True),
        Column("step_ratio", "step ×", "number"),
        Column("top1_pct", "top-1 %", "number"),
        Column("seeds", "by seed"),
        Column("arch", "network", "code"),
    )
    base = choice.base
    rows = tuple(
        (
            text(one.order),
            *_triple(one),
            text(one.mark),
            text(parse(one.arch).resolution),
            Cell(si(one.flops), one.flops),
            _ratio(one.flops, base.flops),
            _step(one),
            _ratio(one.step_s, base.step_s),
            Cell(f"{one.accuracy:.2f}", one.accuracy),
            Cell(" ".join(f"{value:.2f}" for value in one.accuracies), " ".join(map(str, one.accuracies))),
            text(one.arch),
        )
        for one in choice.networks
    )
    return Table("networks", "Every network measured; ratios are to the base", columns, rows)


def document(choice: Choice) -> dict[str, Any]:
    """The answers as JSON values."""
    return {
        "networks": len(choice.networks),
        "seed_deviation_points": choice.noise.deviation,
        "answers": [
            {
                "question": answer.question,
                "target": answer.target,
                "band": answer.band,
                "decided": answer.decided,
                "points_a_doubling": [answer.slope, answer.slope_error],
                "interval": {name: list(ends) for name, ends in answer.interval.items()},
                "candidates": [
                    {
                        "triple": list(one.measured.triple),
                        "mark": one.measured.mark,
                        "top1_pct": one.measured.accuracy,
                        "top1_moved_pct": one.moved,
                        "behind_points": [one.behind, one.behind_error],
                        "wins": one.wins,
                        "may_be_best": one.contender,
                    }
                    for one in answer.candidates
                ],
            }
            for answer in choice.answers
        ],
        "points_a_doubling_by": {one.dimension: [one.points, one.error] for one in choice.spending},
        "unanswered": list(choice.unanswered),
        "sentences": sentences(choice),
    }


def _noise(choice: Choice) -> str:
    seeds = sorted({len(one.accuracies) for one in choice.networks})
    often = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    return (
        f"{len(choice.networks)} networks were trained with {often} seeds each; the seeds of one network deviate by "
        f"{choice.noise.deviation:.2f} points (standard deviation, {choice.noise.freedom} degrees of freedom)."
    )


def _answer(choice: Choice, answer: Answer) -> Iterable[str]:
    best, count = answer.best, len(answer.candidates)
    band = f"{_target(answer)} ± {_percent(answer.band)}"
    yield (
        f"{QUESTIONS[answer.question]} ({band}, {plural(count, 'candidate')}): {verdict(answer)}. "
        f"{best.measured.name} leads with {best.moved:.2f} % and wins {_percent(best.wins)} of {DRAWS:,} redraws"
        + (f"; {_ahead(answer.candidates[1])}." if count > 1 else ".")
    )
    spans = ", ".join(f"{_DIMENSIONS[name]} {_span(*ends)}" for name, ends in answer.interval.items())
    yield f"Over the redraws the winner has {spans} (95 % of them)."
    yield _paper(choice, answer)
    moved = "leads as measured, too" if answer.unmoved is best.measured else f"as measured {answer.unmoved.name} leads"
    yield (
        f"Accuracies were moved to the target along {answer.slope:+.2f} ± {answer.slope_error:.2f} points a doubling; "
        + (f"{best.measured.name} {moved}." if moved.startswith("leads") else f"{moved}.")
    )


def _ahead(second: Candidate) -> str:
    return f"the next, {second.measured.name}, is {second.behind:.2f} ± {second.behind_error:.2f} points below"


def _paper(choice: Choice, answer: Answer) -> str:
    paper, one = choice.paper, answer.paper
    if paper is None:
        return "The paper's triple is not measured yet."
    if one is None:
        times = paper.flops / choice.base.flops
        return f"The paper's {paper.name} costs {times:.2f} × the base's FLOPs: outside the band, and not compared."
    place = answer.candidates.index(one) + 1
    if place == 1:
        return f"The paper's {paper.name} is the leader."
    told = "it cannot be excluded from being the best" if one.contender else "it is excluded from being the best"
    return (
        f"The paper's {paper.name} stands {place} of {len(answer.candidates)}, {one.behind:.2f} ± "
        f"{one.behind_error:.2f} points below the leader: {told} (95 %, all comparisons together)."
    )


def _gain(gain: Gain) -> str:
    place = next(number for number, value in enumerate(gain.measured.triple) if value != 1)
    time = f" and {gain.step:.2f} × the step time" if gain.step else ""
    return (
        f"{_ALONE[place]} alone, × {gain.measured.triple[place]:g}: {gain.points:+.2f} ± {gain.error:.2f} points over "
        f"the base, for {gain.flops:.2f} × its FLOPs{time}."
    )


def _spending(choice: Choice) -> Iterable[str]:
    parts = [
        f"by {one.dimension} {one.points:+.2f} ± {one.error:.2f} points"
        + (f" for {one.step:.2f} × the step time" if one.step else "")
        for one in choice.spending
    ]
    if parts:
        yield f"Fitted to all networks, twice the FLOPs gain {', '.join(parts)} (least squares, a line in each)."


def _drift(choice: Choice) -> Iterable[str]:
    if choice.drift is not None:
        drift, error = (100 * value for value in choice.drift)
        yield (
            f"From the first network to the last the step time changed by {drift:+.1f} ± {error:.1f} % beyond what "
            "FLOPs and activations explain; the order was drawn, so it follows no factor."
        )


def _target(answer: Answer) -> str:
    value = si(answer.target) if answer.question == "flops" else f"{1e3 * answer.target:.1f} ms"
    return f"{answer.target_is}, {value}"


def _row(choice: Choice, one: Candidate) -> tuple[Cell, ...]:
    found = one.measured
    return (
        *_triple(found),
        text(found.mark),
        _ratio(found.flops, choice.base.flops),
        _step(found),
        Cell(f"{found.accuracy:.2f}", found.accuracy),
        Cell(f"{one.moved:.2f}", one.moved),
        Cell(f"{one.behind:.2f} ± {one.behind_error:.2f}" if one.behind else "–", one.behind, one.behind_error),
        Cell(f"{100 * one.wins:.1f} %", one.wins),
        text("yes" if one.contender else "no"),
    )


def _triple(one: Measured) -> tuple[Cell, ...]:
    return tuple(Cell(f"{value:g}", value) for value in one.triple)


def _ratio(value: float | None, of: float | None) -> Cell:
    return Cell(f"{value / of:.2f}", value / of) if value and of else text(None)


def _step(one: Measured) -> Cell:
    if one.step_s is None:
        return text(None)
    milliseconds, noise = 1e3 * one.step_s, 1e3 * one.step_s * one.step_noise
    return Cell(f"{milliseconds:.1f} ± {noise:.1f}", milliseconds, noise)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
