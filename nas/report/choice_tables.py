"""The answer of a measured grid in tables: the candidates of each cost, every network."""

from __future__ import annotations

from collections.abc import Iterable

from nas.arch import parse
from nas.choice import Answer, Candidate, Choice
from nas.grid import DIMENSIONS
from nas.measured_grid import Measured
from nas.metric import si
from nas.report.choice import QUESTIONS, SYMBOLS, percent, target_words, verdict
from nas.report.table import Cell, Column, Table, text
from nas.spending import step_ratio


def candidates_table(choice: Choice, answer: Answer) -> Table:
    """The networks compared at one cost, the best first."""
    columns = (
        *_triple_columns(),
        Column("mark", "mark"),
        Column("flops_ratio", "FLOPs ×", "number"),
        Column("step_ms", "step ms", "number", noisy=True),
        Column("top1_pct", "mean top-1 %", "number"),
        Column("top1_moved_pct", "at the target %", "number"),
        Column("behind_points", "behind", "number", noisy=True),
        Column("wins", "wins", "number"),
        Column("contender", "may be best"),
        Column("also", "also built by"),
    )
    caption = (
        f"{QUESTIONS[answer.question]}: {target_words(answer)} ± {percent(answer.band)}. {verdict(answer).capitalize()}"
    )
    rows = tuple(_row(choice, one, answer.compared) for one in answer.candidates)
    return Table(f"choice-{answer.question}", caption, columns, rows)


def networks_table(choice: Choice) -> Table:
    """Every network measured, in the order in which it was."""
    columns = (
        Column("trial", "trial", "number"),
        *_triple_columns(),
        Column("mark", "mark"),
        Column("resolution", "px", "number"),
        Column("flops", "FLOPs", "number"),
        Column("flops_ratio", "FLOPs ×", "number"),
        Column("step_ms", "step ms", "number", noisy=True),
        Column("step_ratio", "step ×", "number", noisy=True),
        Column("top1_pct", "mean top-1 %", "number"),
        Column("seeds", "by seed"),
        Column("also", "also built by"),
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
            _step_ratio(one, base),
            Cell(f"{one.accuracy:.2f}", one.accuracy),
            Cell(" ".join(f"{value:.2f}" for value in one.accuracies), " ".join(map(str, one.accuracies))),
            text(_also(one)),
            text(one.arch),
        )
        for one in choice.networks
    )
    caption = (
        "Every network measured; FLOPs as trained, ratios to the base, accuracy the mean over the seeds; ± of step "
    )
    caption += "times: one standard error, of their ratios: half a 95 % interval"
    return Table("networks", caption, columns, rows)


def _row(choice: Choice, one: Candidate, compared: bool) -> tuple[Cell, ...]:
    found = one.measured
    return (
        *_triple(found),
        text(found.mark),
        _ratio(found.flops, choice.base.flops),
        _step(found),
        Cell(f"{found.accuracy:.2f}", found.accuracy),
        Cell(f"{one.moved:.2f}", one.moved),
        Cell(f"{one.behind:.2f} ± {one.behind_error:.2f}" if one.behind else "–", one.behind, one.behind_error),
        Cell(f"{100 * one.wins:.1f} %", one.wins) if compared else text(None),
        text(("yes" if one.contender else "no") if compared else None),
        text(_also(found)),
    )


def _triple_columns() -> Iterable[Column]:
    return (Column(name, symbol, "number") for name, symbol in zip(DIMENSIONS, SYMBOLS, strict=True))


def _also(one: Measured) -> str:
    """`α 1.1–1.2, γ 1.3–1.4`: where more than its own triple builds the network."""
    ends = zip(SYMBOLS, one.built_by, strict=True)
    return ", ".join(f"{symbol} {low:g}–{high:g}" for symbol, (low, high) in ends if low < high)


def _triple(one: Measured) -> tuple[Cell, ...]:
    return tuple(Cell(f"{value:g}", value) for value in one.triple)


def _ratio(value: float | None, of: float | None) -> Cell:
    return Cell(f"{value / of:.2f}", value / of) if value and of else text(None)


def _step(one: Measured) -> Cell:
    if one.timed is None:
        return text(None)
    milliseconds = 1e3 * one.timed.step_s
    noise = milliseconds * one.timed.noise
    return Cell(f"{milliseconds:.1f} ± {noise:.1f}", milliseconds, noise)


def _step_ratio(one: Measured, base: Measured) -> Cell:
    if one is base and base.timed:
        return Cell("1", 1.0, 0.0)
    ratio = step_ratio(one, base)
    return Cell(f"{ratio.value:.2f} ± {ratio.error:.2f}", ratio.value, ratio.error) if ratio else text(None)
