"""A training as it runs: its schedule and what it may take, an epoch a line or a bar, and how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nas.cli import console

if TYPE_CHECKING:
    from nas.progressive import Schedule
    from nas.report.table import Table
    from nas.training.outcome import Epoch, Trained
    from nas.training.session import Forecast, Session

_SMALL = 8  # images a batch, of which fewer would be too few for batch norm


def announce(session: Session, forecasts: Sequence[Forecast], *, table: bool = True) -> None:
    """Say what is trained on what, by which schedule unless its `table` is shown elsewhere, and what that may take."""
    from nas.foreign import Foreign

    job, run = session.job, session.run
    data = run.held
    where = f"{job.device}" + (f", {run.part.of} processes" if run.part.of > 1 else "")
    state = f"resuming: {session.resumed} of {job.training.epochs} epochs done" if session.resumed else "new"
    images = len(job.source(run.schedule.stages[-1].resolution).train)
    console.say(f"train  {job.arch}")
    console.say(
        f"data   {job.training.data}, {images:,} training and {len(data.held):,} held-out images of {data.classes} "
        f"classes     device {where}"
    )
    console.say(
        f"folder {job.folder} ({state})     batch {run.batch}, {run.steps - run.step:,} steps, {job.training.optimizer}"
    )
    if run.teacher is not None:
        console.say(
            f"taught by {job.said['teacher']} at {run.teacher.resolution} px     temperature "
            f"{job.training.temperature:g}, {job.training.hard_weight:g} of the loss from the labels"
        )
    if run.steps < 4 * job.training.epochs and run.batch > _SMALL:
        console.say(f"note   an epoch has {run.steps // job.training.epochs} steps: a smaller --batch learns more")
    if run.batch < job.training.batch:
        console.say(f"note   a batch of {job.training.batch} is more than there are images; the learning rate stays")
    if data.skipped:
        console.say(f"note   {data.skipped:,} files of the data could not be read")
    if isinstance(job.arch, Foreign):
        console.say("note   dropout, stochastic depth and first weights are the library's own, not the recipe's")
    if table:
        console.messages().print(console.as_rich(stages(run.schedule, forecasts)))
    console.say(
        f"expected {clock(sum(one.seconds for one in forecasts))}: steps × the median of a few real ones at each size; "
        "evaluation comes on top"
    )


def stages(schedule: Schedule, forecasts: Sequence[Forecast]) -> Table:
    """Table 6 of a training, transposed: a row a stage, with its speed and what it may take."""
    from nas.report.table import Column, Table, text

    columns = ("epochs", "image size", "RandAugment", "mixup", "CutMix", "dropout", "images/s", "expected")
    by_stage = {one.stage: one for one in forecasts}
    rows = []
    for stage in schedule.stages:
        found = by_stage.get(stage)
        measured = (f"{found.images_per_s:,.0f}", clock(found.seconds)) if found else ("–", "done")
        values = (stage.resolution, stage.randaugment, stage.mixup, stage.cutmix, stage.dropout)
        first = stage.last - found.epochs + 1 if found else stage.first
        span = f"{first}–{stage.last}" if first < stage.last else f"{first}"
        cells = (span, *(f"{value:g}" for value in values), *measured)
        rows.append(tuple(map(text, cells)))
    return Table("stages", "", tuple(Column(label, label, "number") for label in columns), tuple(rows))


def clock(seconds: float) -> str:
    """`4.2 s`, `1:05`, `2:03:04`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def line(epoch: Epoch, epochs: int) -> str:
    """One epoch in one line."""
    return (
        f"epoch {epoch.epoch}/{epochs}  {epoch.resolution} px  loss {epoch.loss:.3f}  train {epoch.train_pct:.1f} %  "
        f"held-out {epoch.held_pct:.1f} % of {epoch.held_images:,}  {clock(epoch.training_s)}"
    )


@contextmanager
def watch(session: Session, forecasts: Sequence[Forecast]) -> Iterator[Callable[[Epoch], None]]:
    """Show every epoch: a line each, and on a terminal a bar of the steps with the time that is left.

    That time is what is expected of the steps to come, stretched by how far off the expectation was so far; evaluation
    comes on top.
    """
    run, epochs = session.run, session.job.training.epochs
    if not sys.stderr.isatty() or console.MANNERS.quiet:
        yield lambda epoch: console.say(line(epoch, epochs))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    each = [one.seconds / one.epochs * epochs / run.steps for one in forecasts for _ in range(one.epochs)]
    expected = [seconds for seconds in each for _ in range(run.steps // epochs)]  # of each step that is left
    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]} left"))
    with Progress(*columns, console=console.messages(), transient=True) as progress:
        first, began, whole = run.step, time.monotonic(), sum(expected)
        task = progress.add_task("steps", total=run.steps, completed=first, left=clock(whole))
        gone = 0.0

        def tick() -> None:
            nonlocal gone
            done = run.step - first
            gone += expected[done - 1] if done <= len(expected) else 0.0
            stretch = (time.monotonic() - began) / gone if gone else 1.0
            progress.update(task, completed=run.step, left=clock((whole - gone) * stretch))

        run.on_step = tick
        yield lambda epoch: progress.console.print(line(epoch, epochs))


def compare(forecasts: Sequence[Forecast], trained: Trained) -> list[tuple[Forecast, float]]:
    """What every stage took, in seconds, beside what it was expected to."""
    found = []
    for one in forecasts:
        last = one.stage.last
        own = [epoch.training_s for epoch in trained.curve if last - one.epochs < epoch.epoch <= last]
        found.append((one, sum(own)))
    return found


def took(forecasts: Sequence[Forecast], trained: Trained, *, resumed: bool) -> str:
    """`took 12.1 s, expected 11.8 s (16 px 4.1 of 4.0 s, 32 px 8.0 of 7.8 s); with evaluation 13.0 s`."""
    pairs = compare(forecasts, trained)
    each = ", ".join(f"{one.stage.resolution} px {clock(real)} of {clock(one.seconds)}" for one, real in pairs)
    real, expected = sum(real for _, real in pairs), sum(one.seconds for one, _ in pairs)
    stages = f" ({each})" if len(pairs) > 1 else ""
    before = trained.curve[-1 - sum(one.epochs for one in forecasts)].seconds if resumed else 0.0
    return f"took {clock(real)}, expected {clock(expected)}{stages}; with evaluation {clock(trained.seconds - before)}"
