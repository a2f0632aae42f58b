"""Faults of the driver: killed, asked to stop, cut off from who reads it, met by another one."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from tests.chaos.search import Driver, Search, eventually

STOP_S = 30  # a clean stop takes 10 s where nothing else runs


def killed(place: Path, dice: Random, times: int) -> None:
    """`kill -9` at any time, from the first line of Python on, and the same command again."""
    search = Search(place / "killed", trials=times * 3 + 6, words=("--workers", "2"), env={"CHAOS_SECONDS": "0.3"})
    try:
        for number in range(times):
            driver = search.start()
            if number % 5 == 4:  # while it starts, and opens the study
                time.sleep(dice.uniform(0, 6))
            else:
                search.until(search.told() + dice.randrange(1, 4), driver)
                time.sleep(dice.uniform(0, 0.4))
            driver.kill()
            search.wait_gone()  # no worker outlives it
            if search.place.exists() and search.told():
                _no_told_trial_is_lost(search)
        search.finish()
        search.check()
        search.wait_gone()
    finally:
        search.close()


def _no_told_trial_is_lost(search: Search) -> None:
    stored = {record.trial: record for record in search.records()}
    for event in search.events():
        assert stored[event["trial"]].state == event["state"], f"trial {event['trial']} was told, and is lost"


def interrupted(place: Path, dice: Random, number: signal.Signals) -> float:
    """A signal: a clean stop, what was told is said with the command that goes on, and it goes on. Seconds it took."""
    search = Search(place / f"stopped-{number.name}", trials=8, env={"CHAOS_SECONDS": "0.5"})
    try:
        driver = search.start()
        search.until(dice.randrange(1, 4), driver)
        time.sleep(dice.uniform(0, 0.5))
        seconds = driver.signal(number)
        code = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}[number]
        assert driver.process.returncode == code, f"exit code {driver.process.returncode}: {driver.said[-600:]}"
        assert "go on with: nas search --study chaos" in driver.said, driver.said[-600:]
        _stopped_clean(search, driver, seconds)
        return seconds
    finally:
        search.close()


def stuck_worker(place: Path, dice: Random) -> float:
    """SIGTERM while a trial runs that does not end: it gets its seconds, and is the first of the next run."""
    search = Search(place / "stuck", "first_is_slow", 4)
    try:
        driver = search.start()
        eventually(lambda: list((search.folder / "marks").glob("once-slow-0")) or not driver.alive)
        time.sleep(dice.uniform(0, 0.5))
        seconds = driver.signal(signal.SIGTERM)
        assert driver.process.returncode == 143, driver.said[-600:]
        assert [record.reason for record in search.records()] == ["interrupted"]
        _stopped_clean(search, driver, seconds)
        return seconds
    finally:
        search.close()


def terminal_closed(place: Path, dice: Random) -> float:
    """The terminal goes away with the window it is in: SIGHUP, and nowhere to write to."""
    search = Search(place / "terminal", trials=8, env={"CHAOS_SECONDS": "0.5"})
    try:
        window, end = pty.openpty()
        # a session of its own, whose controlling terminal this is
        driver = search.start(stdin=end, stdout=end, stderr=end, prefix=("setsid", "--ctty", "--wait"))
        os.close(end)
        search.until(dice.randrange(1, 4), driver)
        before = time.monotonic()
        os.close(window)
        eventually(lambda: not search.processes(), STOP_S, "the driver outlived its terminal")
        seconds = time.monotonic() - before
        driver.wait()
        _stopped_clean(search, driver, seconds)
        return seconds
    finally:
        search.close()


def nobody_reads(place: Path, dice: Random, stream: str, number: signal.Signals) -> float:
    """Standard output or error is a pipe that is full, and stays so: the search goes on, and stops when asked to."""
    search = Search(place / f"full-{stream}", trials=8, env={"CHAOS_SECONDS": "0.3"})
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        driver = search.start(**{stream: writing})
        search.until(dice.randrange(2, 5), driver)
        seconds = driver.signal(number)
        assert driver.process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        _stopped_clean(search, driver, seconds)
        return seconds
    finally:
        os.close(reading)
        os.close(writing)
        search.close()


def reader_gone(place: Path, dice: Random, stream: str) -> None:
    """Who reads standard output or error goes away in mid-search: the search is done all the same, and whole."""
    search = Search(place / f"gone-{stream}", trials=8, env={"CHAOS_SECONDS": "0.2"})
    reading, writing = os.pipe()
    try:
        driver = search.start(**{stream: writing})
        os.close(writing)
        search.until(dice.randrange(1, 4), driver)
        os.close(reading)
        driver.wait()
        search.finish()
        search.check()
    finally:
        search.close()


def _stopped_clean(search: Search, driver: Driver, seconds: float) -> None:
    """It ended in time, left nothing running, neither trials nor processes, and goes on."""
    assert seconds < STOP_S, f"it took {seconds:.0f} s"
    assert "Traceback" not in driver.said, driver.said
    search.check(done=False)
    search.wait_gone()
    search.finish()
    search.check()


def two_drivers(place: Path, dice: Random, times: int) -> None:
    """Others are refused, in one line that names the first; which does not notice."""
    search = Search(place / "two", trials=10 + 20 * times, env={"CHAOS_SECONDS": "0.5"})
    try:
        first = search.start()
        search.until(dice.randrange(1, 3), first)
        for _ in range(times):
            second = search.start()
            assert second.wait() == 2, second.said
            assert first.alive, "the first was done before the second began"
            holder = f"is being written by pid {first.process.pid} on {socket.gethostname()}"
            errors = [line for line in second.said.splitlines() if line.startswith("error:")]
            assert len(errors) == 1, second.said
            assert holder in errors[0], second.said
        assert first.wait() == 0, first.said[-600:]
        assert len(search.check()) == search.trials
    finally:
        search.close()


def clock_jumps(place: Path, dice: Random, days: tuple[int, ...]) -> None:
    """The clock of driver and workers jumps by so many days in mid-search."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    search = Search(place / "clock", trials=6 + 3 * len(days), recipe={"timeout": "1h"}, env={"CHAOS_SECONDS": "0.4"})
    clock = search.folder / "clock"
    clock.write_text("+0")
    library = _faketime()
    fake = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    try:
        driver = search.start(env=fake)
        for day in days:
            search.until(search.told() + dice.randrange(1, 3), driver)
            clock.write_text(f"{86_400 * day:+d}")
            eventually(lambda day=day: _shows(search, day) or not driver.alive, what="the clock did not move")
        assert driver.wait() == 0, driver.said[-600:]
        found = search.check()
        assert [record.state for record in found] == ["complete"] * search.trials
        assert all(record.seconds < 3600 for record in found if record.seconds is not None)
        page = (search.folder / "runs" / "chaos" / "README.md").read_text()
        assert "-1 day" not in page
        (stop,) = search.events("stop")
        assert stop["reason"] == "done"
    finally:
        search.close()


def _faketime() -> str:
    words = ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def _shows(search: Search, days: int) -> bool:
    """Whether the last told trial has the time of that day."""
    from datetime import UTC, datetime

    last = datetime.fromisoformat(search.events()[-1]["time"]) if search.told() else datetime.now(UTC)
    return round((last - datetime.now(UTC)).total_seconds() / 86_400) == days


def suspended(place: Path, dice: Random, seconds: float) -> None:
    """Driver and workers stop for so long, as when the lid is closed, and go on."""
    search = Search(place / "suspended", trials=8, recipe={"trial_timeout": "60s"}, env={"CHAOS_SECONDS": "0.3"})
    try:
        driver = search.start()
        search.until(dice.randrange(1, 4), driver)
        stopped = search.processes()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in stopped:
                os.kill(pid, number)
            time.sleep(seconds if number is signal.SIGSTOP else 0)
        assert driver.wait() == 0, driver.said[-600:]
        found = search.check()
        assert [record.state for record in found] == ["complete"] * search.trials
        beat = json.loads((search.folder / "runs" / "chaos" / "heartbeat.json").read_text())
        assert (beat["state"], beat["done"]) == ("stopped", search.trials)
    finally:
        search.close()
