"""A search as it runs: a bar and a line a trial on a terminal, a line a trial everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nas.arch import plain
from nas.cli import console
from nas.metric import METRICS
from nas.record import Record

if TYPE_CHECKING:
    from nas.cli.plan import Plan
    from nas.study.engine import Search


def announce(plan: Plan, search: Search, resumed: bool) -> None:
    """Say what is about to be measured, towards which goals, and where it is kept."""
    from nas.study.storage import masked

    recipe, space = plan.recipe, plan.space
    state = f"resuming: {search.done} of {recipe.trials} done" if resumed else "new"
    by = f"sampler {recipe.sampler}, seed {recipe.seed}"
    chosen = (
        f"{space.size} networks, all to be measured, in an order drawn from seed {recipe.seed}"
        if space.listed
        else f"{len(space.cells)} open cells, {space.size:.2g} settings     {by}"
    )
    said = [
        f"study  {recipe.name} ({state})     storage {masked(plan.storage)}     device {plan.device}",
        f"space  {space.name}, {chosen}",
        "goal   " + "  ".join(f"{item.key} {'↑' if item.goal == 'maximize' else '↓'}" for item in search.objectives),
    ]
    if recipe.limits:
        said.append("limit  " + "  ".join(recipe.limits))
    if plan.running.engine.name != "local":
        said.append(f"engine {plan.running.engine.name}, at most {plan.running.workers} at a time")
    elif plan.running.workers > 1 and recipe.timed and plan.device == "cpu":
        said.append(f"note   {plan.running.workers} workers measure {', '.join(recipe.timed)} one after the other")
    for text in said:
        console.say(text)


def short(notation: str) -> str:
    """`m1k3x2-f4k3x4-…@380`: block, expansion, kernel and layers of each stage, and the resolution; a foreign network's
    whole name."""
    from nas.foreign import Foreign, read

    arch = read(notation)
    if isinstance(arch, Foreign):
        return str(arch)
    stages = "-".join(f"{s.op.letter}{plain(s.expand)}k{s.kernel}x{s.layers}" for s in arch.stages)
    return f"{stages}@{arch.resolution}"


def line(record: Record, search: Search) -> str:
    """One trial in one line."""
    name = "base " if record.trial is None else f"#{record.trial:<4}"
    baseline = f"  {record.baseline}" if record.baseline else ""
    if record.state == "failed":
        return f"{name} failed: {record.reason}{baseline}"
    if record.state == "infeasible":
        over = [text for text, excess in record.excess.items() if excess > 0]
        return f"{name} over its limit: {', '.join(over)}"
    shown = [item.key for item in search.objectives if item.is_metric]
    values = "  ".join(f"{METRICS[key].format(record.value(key)):>9}" for key in shown)
    values += "".join(f"  {item.value(record.values):.4g}" for item in search.objectives if not item.is_metric)
    again = f"  as #{record.reused}" if record.reused is not None else ""
    members = {tuple(sorted(member.items())) for member in search.ledger.front.members}
    here = tuple(sorted((item.key, item.value(record.values)) for item in search.objectives))
    front = "  front" if here in members else ""
    return f"{name} {values}  {_network(record, search)}{baseline}{again}{front}"


def _network(record: Record, search: Search) -> str:
    """The settings of a network that a list holds; of any other its notation, shortened, and what was chosen of its
    training."""
    if not search.space.listed:
        return "  ".join(filter(None, (short(record.arch), record.training_text)))
    from nas.arch import parse

    arch = parse(record.arch)
    settings = search.space.encode(arch).items()
    shown = [f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in settings]
    return "  ".join([*shown, f"{arch.resolution} px"])


class _Lines:
    """One line a trial. Trials over a limit cost nothing and are only counted."""

    def __init__(self, search: Search) -> None:
        self.search = search

    def told(self, record: Record) -> None:
        if record.state != "infeasible" or console.MANNERS.verbose:
            console.say(line(record, self.search))

    def tick(self) -> None:
        return

    def note(self, text: str) -> None:
        console.say(f"note   {text}")


class _Bar:
    """The same lines above a bar with the time left and the state of the front."""

    def __init__(self, search: Search, total: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.search = search
        self.progress = Progress(
            TextColumn("search"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("gone,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console.messages(),
        )
        self.task = self.progress.add_task("search", total=total, completed=search.done, state="")

    def told(self, record: Record) -> None:
        if record.state != "infeasible" or console.MANNERS.verbose:
            self.progress.console.print(line(record, self.search), markup=False)
        self.tick()

    def tick(self) -> None:
        counts = self.search.ledger.counts
        state = f"{self.search.running} running  front {len(self.search.ledger.front)}{self._best()}"
        state += "".join(
            f"  {counts[key]} {word}"
            for key, word in (("failed", "failed"), ("infeasible", "over limits"))
            if counts[key]
        )
        self.progress.update(self.task, completed=self.search.done, state=state)

    def note(self, text: str) -> None:
        self.progress.console.print(f"note   {text}", markup=False)

    def _best(self) -> str:
        """The best value so far of the first objective."""
        first, members = self.search.objectives[0], self.search.ledger.front.members
        if not members or not first.is_metric:
            return ""
        best = (max if first.goal == "maximize" else min)(member[first.key] for member in members)
        return f"  best {METRICS[first.key].label} {METRICS[first.key].format(best)}"


@contextmanager
def watch(plan: Plan, search: Search) -> Iterator[None]:
    """Show the search on standard error while it runs."""
    if sys.stderr.isatty() and not console.MANNERS.quiet:
        bar = _Bar(search, plan.recipe.trials)
        search.listeners.append(bar)
        with bar.progress:
            yield
    else:
        search.listeners.append(_Lines(search))
        yield
