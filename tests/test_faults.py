"""The table of faults (docs/reliability.md), each once or a few times, done for real; `make chaos` is the long run.

`make test` does one of each kind; its sisters are slow.
"""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest

from tests.chaos import disks, drivers, files, workers
from tests.chaos.evaluations import PHASES

DICE = 5
pytestmark = pytest.mark.timeout(700)
slow = pytest.mark.slow


@pytest.fixture
def dice() -> Random:
    return Random(DICE)


@slow
def test_a_worker_killed_in_each_phase_costs_one_failed_trial(tmp_path: Path, dice: Random) -> None:
    workers.killed_in_each_phase(tmp_path, dice, len(PHASES))


def test_workers_killed_at_any_time(tmp_path: Path, dice: Random) -> None:
    workers.killed_at_any_time(tmp_path, dice, 6)


def test_a_driver_killed_at_any_time_loses_nothing_that_was_told(tmp_path: Path, dice: Random) -> None:
    drivers.killed(tmp_path, dice, 3)


def test_what_is_no_reading_is_never_kept(tmp_path: Path, dice: Random) -> None:
    workers.misbehaving(
        tmp_path, dice, ("hang", "deaf", "garbage", "nan", "inf", "negative", "text", "nothing", "percent")
    )


def test_memory_that_is_refused_is_one_failed_trial(tmp_path: Path, dice: Random) -> None:
    workers.out_of_memory(tmp_path, dice, 1)


def test_a_worker_that_the_kernel_kills_for_its_memory_is_tried_once_more(tmp_path: Path, dice: Random) -> None:
    workers.killed_for_memory(tmp_path, dice, 1)


@slow
@pytest.mark.parametrize("fits", [4, 0])
def test_a_device_out_of_memory_halves_the_batch(tmp_path: Path, dice: Random, fits: int) -> None:
    workers.device_out_of_memory(tmp_path, dice, fits)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(number, marks=slow) for number in (signal.SIGINT, signal.SIGHUP))]
)
def test_a_signal_stops_it_cleanly(tmp_path: Path, dice: Random, number: signal.Signals) -> None:
    drivers.interrupted(tmp_path, dice, number)


@slow
def test_a_trial_that_does_not_end_holds_up_no_stop(tmp_path: Path, dice: Random) -> None:
    drivers.stuck_worker(tmp_path, dice)


@slow
def test_a_closed_terminal(tmp_path: Path, dice: Random) -> None:
    drivers.terminal_closed(tmp_path, dice)


@pytest.mark.parametrize("stream", [pytest.param("stdout", marks=slow), "stderr"])
def test_a_pipe_that_is_full_and_never_read(tmp_path: Path, dice: Random, stream: str) -> None:
    drivers.nobody_reads(tmp_path, dice, stream, signal.SIGINT)


@slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away(tmp_path: Path, dice: Random, stream: str) -> None:
    drivers.reader_gone(tmp_path, dice, stream)


def test_a_second_driver_is_refused_and_the_first_does_not_notice(tmp_path: Path, dice: Random) -> None:
    drivers.two_drivers(tmp_path, dice, 1)


def test_the_clock_jumps(tmp_path: Path, dice: Random) -> None:
    drivers.clock_jumps(tmp_path, dice, (1, -1))


@slow
def test_a_lid_that_is_closed(tmp_path: Path, dice: Random) -> None:
    drivers.suspended(tmp_path, dice, 3.0)


def test_a_full_disk_under_the_storage(tmp_path: Path, dice: Random) -> None:
    disks.under_the_storage(tmp_path, dice)


@slow
def test_a_full_disk_under_the_folder_of_the_study(tmp_path: Path, dice: Random) -> None:
    disks.under_the_folder(tmp_path, dice)


@slow
def test_a_full_disk_under_the_cache(tmp_path: Path, dice: Random) -> None:
    disks.under_the_cache(tmp_path, dice)


@slow
def test_a_full_disk_under_the_log(tmp_path: Path, dice: Random) -> None:
    disks.under_the_log(tmp_path, dice)


@slow
def test_a_full_disk_under_an_export(tmp_path: Path, dice: Random) -> None:
    disks.under_an_export(tmp_path, dice)


def test_a_spoilt_study_file_is_refused_and_left_alone(tmp_path: Path, dice: Random) -> None:
    files.spoilt(tmp_path, dice, tuple(files.SPOILT))
