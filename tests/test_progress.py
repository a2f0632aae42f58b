"""How a search went: lanes, pauses, the best so far, and the figures of long searches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from nas.record import Reading, Record, State
from nas.report import StudyReport
from nas.report.analysis import analyse
from nas.report.progress import best_so_far, drawings, history
from nas.report.timeline import lanes, timeline
from tests.report_records import recipe, records

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def trial(number: int, start: float, seconds: float | None, state: State = "complete", **more: object) -> Record:
    started = (FIRST + timedelta(seconds=start)).isoformat(timespec="seconds")
    record = Record("s", number, state, f"network {number}", f"{number:010x}", started=started, seconds=seconds)
    return dataclasses.replace(record, **more)  # type: ignore[arg-type]


def test_trials_that_overlap_lie_in_lanes_of_their_own_and_a_free_lane_is_taken_again() -> None:
    spans = lanes([trial(0, 0, 10), trial(1, 2, 20), trial(2, 10, 5), trial(3, 11, 5), trial(4, 40, None, "running")])
    assert [span.lane for span in spans] == [0, 1, 0, 2, 0]
    assert spans[-1].end == spans[-1].start
    assert [span.end - span.start for span in spans[:2]] == [10, 20]


def test_a_running_trial_lasts_until_the_last_that_is_known() -> None:
    spans = lanes([trial(0, 0, None, "running"), trial(1, 5, 30), trial(2, 35, 5)])
    assert spans[0].end - spans[0].start == 40
    assert [span.lane for span in spans] == [0, 1, 1]


def test_a_pause_is_left_out_and_said() -> None:
    drawing = timeline([trial(0, 0, 60), trial(1, 60, 60), trial(2, 90_000, 60)])
    assert drawing
    (bars,) = drawing.figure.data
    assert list(bars.base) == [0, 1, 2]  # minutes
    assert "24.9" in drawing.caption or "25 h" in drawing.caption
    assert "pause" in drawing.figure.layout.xaxis.title.text
    assert len(drawing.figure.layout.shapes) == 1


def test_every_state_has_a_bar_with_a_second_sign_and_a_failure_says_why() -> None:
    failed = trial(2, 20, 3, "failed", reason="out of <memory> at batch 64", retry_of=1)
    drawing = timeline([trial(0, 0, 9), trial(1, 10, None, "infeasible"), failed, trial(3, 30, None, "running")])
    assert drawing
    bars = {trace.name.partition(" (")[0]: trace for trace in drawing.figure.data}
    assert set(bars) == {"measured", "over a limit", "failed", "running"}
    assert len({trace.marker.pattern.shape for trace in bars.values()}) == 4
    assert {trace.width for trace in bars.values()} == {0.75}
    assert "out of &lt;memory&gt; at batch 64<br>#1 tried again" in bars["failed"].text[0]
    assert "failed to read why" in drawing.caption


def test_records_without_times_draw_no_timeline_and_are_counted_beside_others() -> None:
    assert timeline([trial(0, 0, 1), dataclasses.replace(trial(1, 0, 1), started="")]) is None
    drawing = timeline([trial(0, 0, 1), trial(1, 1, 1), dataclasses.replace(trial(2, 0, 1), started="soon")])
    assert drawing
    assert "1 trial without a time is not drawn" in drawing.caption


def long_search(count: int) -> Sequence[Record]:
    readings = [
        {"top1_pct": Reading(50 + place % 97 / 10), "flops": Reading(1e9 + place % 89 * 1e6)} for place in range(count)
    ]
    return [trial(n, 7 * n, 7, "failed" if n % 50 == 9 else "complete", readings=readings[n]) for n in range(count)]


def test_a_long_search_is_counted_and_not_drawn_trial_by_trial() -> None:
    known = long_search(10_000)
    analysis = analyse(known, recipe(objectives=("top1_pct", "flops")))
    drawn = {drawing.name: drawing for drawing in drawings(StudyReport(known, analysis.recipe, {}), analysis)}
    assert set(drawn) == {"history", "best-0", "timeline"}
    bars = drawn["timeline"].figure.data
    assert sum(sum(trace.y) for trace in bars) == 10_000
    assert all(len(trace.x) <= 81 for trace in bars)
    assert "10,000 trials are too many for a bar each" in drawn["timeline"].caption
    assert len(drawn["best-0"].figure.data) == 1
    assert "too many to follow the pointer" in drawn["best-0"].caption
    assert sum(len(drawing.figure.to_json()) for drawing in drawn.values()) < 150_000


def test_of_a_long_history_the_steps_are_kept() -> None:
    analysis = analyse(long_search(3_000), recipe(objectives=("top1_pct", "flops")))
    drawing = history(analysis)
    assert drawing
    (line,) = drawing.figure.data
    steps = {place + 1: share for place, share in enumerate(analysis.history.share)}
    assert line.x[0] == 1
    assert line.x[-1] == 3_000
    assert list(line.y) == [round(steps[x], 6) for x in line.x]
    assert len(set(steps.values())) == len(set(line.y))


def test_the_best_so_far_only_rises_stays_within_the_limits_and_is_not_drawn_of_what_is_computed() -> None:
    analysis = analyse(records(40), recipe())
    found = {drawing.title: drawing for drawing in best_so_far(analysis)}
    assert set(found) == {"top-1, trial by trial", "train img/s, trial by trial"}
    line = found["top-1, trial by trial"].figure.data[-1]
    assert list(line.y) == sorted(line.y)
    within = [one.values["top1_pct"] for one in analysis.results if one.feasible and "top1_pct" in one.values]
    assert line.y[-1] == max(within)
