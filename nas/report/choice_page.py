"""The answer of a measured grid as files: Markdown, figures, tables. The page of its study shows the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from nas.choice import Answer, Choice, choose
from nas.measured_grid import BASE_MARK, PAPER_MARK, ChoiceError, Measured, measured
from nas.recipe import GridOptions
from nas.record import Record
from nas.report.choice import QUESTIONS, sentences
from nas.report.choice_tables import candidates_table, networks_table
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.table import markdown, to_markdown
from nas.report.write import WRITERS, ReportError, write_document

_ANSWER = "choice.md"
_PAGE = "choice.html"  # of earlier versions
_SCALE = {"flops": 1e-6, "step": 1e3}  # of a cost, in the unit of its axis
METHOD = """\
Candidates at a cost are the networks within the band around it. Inside the band costs still differ, so accuracies are
moved to the target along one line: least squares of mean accuracy on log2 cost over all networks measured. The redraws
draw every mean accuracy again from the seed deviation (pooled, so each is t distributed), every step time from its own
noise, the line from a resample of the networks (the base always in it), and choose anew. A triple *may be best* when
subset selection (Gupta 1965) cannot exclude it at 95 %, all comparisons together; the answer is *decided* when one is
left, and leads as measured too. *Also built by* lists the α, β, γ of the grid that build the same network once it is
rounded: they are one answer. *Wins* is the share of redraws won, which is not the probability of being best: of
many readings the luckiest stands too high."""


def write_answer_of(records: Iterable[Record], options: GridOptions, name: str, out: Path) -> None:
    """Write which triple of the measured grid `name` is best; where that is unknown, leave no older answer in `out`."""
    try:
        choice = choose(measured(records, options), target=options.target, band=options.band)
    except ChoiceError:
        remove_choice(out)
    else:
        write_choice(choice, name, out)


def write_choice(choice: Choice, name: str, out: Path) -> Path:
    """Write choice.md, its figures and the tables into `out` in place of older ones; return the path of the first. The
    same choice gives the same bytes.

    Raises: ReportError where `out` cannot be written.
    """
    from nas.report.papers.static import to_svg  # matplotlib takes half a second to load

    tables = [*(candidates_table(choice, answer) for answer in choice.answers), networks_table(choice)]
    documents = {f"tables/{table.name}.{kind}": write(table) for table in tables for kind, write in WRITERS.items()}
    shown = [figure(choice, answer) for answer in choice.answers]
    documents |= {f"figures/{one.name}.svg": to_svg(one) for one in shown}
    drawn = [f"![{markdown(one.title)}](figures/{one.name}.svg)\n\n{markdown(one.caption)}\n\n" for one in shown]
    documents[_ANSWER] = f"# Which triple is best: {markdown(name)}\n\n{''.join(drawn)}{as_markdown(choice)}"
    try:
        remove_choice(out)
        for file, content in documents.items():
            write_document(out / file, content)
    except OSError as error:
        reason = f"{out}: the choice cannot be written: {error.strerror or error}"
        raise ReportError(reason, "name another folder with --out") from None
    return out / _ANSWER


def remove_choice(out: Path) -> None:
    """Remove what an earlier answer left in `out`, so that none stands there that the records no longer give."""
    made = ("tables/choice-*", "tables/networks.*", "figures/choice-*")
    for old in (out / _PAGE, out / _ANSWER, *(path for pattern in made for path in out.glob(pattern))):
        old.unlink(missing_ok=True)


def as_markdown(choice: Choice) -> str:
    """The findings, the method and the tables as Markdown, without a title."""
    tables = [*(candidates_table(choice, answer) for answer in choice.answers), networks_table(choice)]
    parts = ["\n".join(f"- {markdown(sentence)}" for sentence in sentences(choice)), METHOD]
    parts += [f"**{markdown(table.caption)}**\n\n{to_markdown(table).rstrip()}" for table in tables]
    return "\n\n".join(parts) + "\n"


def figure(choice: Choice, answer: Answer) -> Figure:
    """Accuracy over one cost, with twice the standard error of each mean; the band, the line, the paper's triple."""
    candidates = {one.measured.arch: one for one in answer.candidates}
    groups: dict[str, list[Measured]] = {"cannot be excluded": [], "excluded": [], "outside the band": []}
    marked: dict[str, list[Measured]] = {"the paper's triple": [], "the base": []}
    for one in choice.networks:
        if _cost(answer, one) is None:
            continue
        if one.mark in (PAPER_MARK, BASE_MARK):
            marked["the paper's triple" if one.mark == PAPER_MARK else "the base"].append(one)
        elif one.arch not in candidates:
            groups["outside the band"].append(one)
        else:
            groups["cannot be excluded" if candidates[one.arch].contender else "excluded"].append(one)
    styles = {"cannot be excluded": 1, "excluded": 4, "outside the band": 3, "the paper's triple": 0, "the base": 2}
    drawn = {name: group for name, group in (groups | marked).items() if group}
    series = tuple(_series(choice, answer, name, group, styles[name]) for name, group in drawn.items())
    caption = "Each mark is a network: its mean accuracy, ± twice its standard error. The line is the one along which "
    caption += f"accuracies are moved; it spans the band of ± {100 * answer.band:.0f} % around the target."
    x = Axis("FLOPs of one image (M)", log=True) if answer.question == "flops" else Axis("step time (ms)", log=True)
    y = Axis("mean top-1 (%)")
    return Figure(f"choice-{answer.question}", QUESTIONS[answer.question], caption, x, y, (*series, _line(answer)))


def _series(choice: Choice, answer: Answer, name: str, group: list[Measured], style: int) -> Series:
    costs = tuple(_cost(answer, one) or 0.0 for one in group)
    names = tuple(f"{one.name} {one.mark}".rstrip() for one in group)
    errors = tuple(2 * choice.noise.deviation / len(one.accuracies) ** 0.5 for one in group)
    heights = tuple(one.accuracy for one in group)
    return Series(name, "measured", costs, heights, names, line=False, style=style, errors=errors)


def _line(answer: Answer) -> Series:
    """Through the leader, over the band."""
    ends = (1 - answer.band, 1 + answer.band)
    costs = tuple(_SCALE[answer.question] * answer.target * end for end in ends)
    heights = tuple(answer.best.moved + answer.slope * math.log2(end) for end in ends)
    return Series("the line, through the leader", "computed", costs, heights, ("", ""), style=1, marks=False)


def _cost(answer: Answer, one: Measured) -> float | None:
    cost = one.flops if answer.question == "flops" else one.timed.step_s if one.timed else None
    return cost and _SCALE[answer.question] * cost
