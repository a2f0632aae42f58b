"""A search watched from outside: its log, its heartbeat, its metrics; and that none of them can end it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nas.cli import console
from nas.cli.watch import heartbeat, journal, watched
from nas.errors import NasError
from nas.pareto import hypervolume, ideal_point, reference_point
from nas.recipe import Recipe
from nas.study.engine import Search
from tests import workers
from tests.conftest import make_recipe
from tests.test_engine import Inline, open_search


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def scrape(port: int) -> tuple[dict[str, float], str]:
    """Samples by name, and the whole page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}, page


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def say(search: Search, text: str) -> None:
    for listener in search.listeners:
        listener.note(text)


@pytest.fixture
def search(tmp_path: Path, recipe: Recipe) -> Search:
    return open_search(tmp_path, recipe)


def test_every_event_of_a_search_is_a_line_of_json(tmp_path: Path, search: Search) -> None:
    log = tmp_path / "log.jsonl"
    with watched(search, tmp_path, log_json=str(log)):
        say(search, "node 3 was lost")
        search.run()
    assert not search.listeners
    start, said, *trials, stop = lines(log)
    assert (start["event"], start["pid"], start["done"], start["total"]) == ("start", os.getpid(), 0, 6)
    assert (said["event"], said["text"]) == ("note", "node 3 was lost")
    assert [line["event"] for line in trials] == ["trial"] * 6
    assert [line["trial"] for line in trials] == list(range(6))
    assert trials[0]["baseline"] == "efficientnet-b0"
    assert trials[3]["state"] == "complete"
    assert trials[3]["values"]["top1_pct"] > 0
    assert [line["done"] for line in trials] == [1, 2, 3, 4, 5, 6]
    assert (stop["event"], stop["reason"], stop["trials"]["complete"]) == ("stop", "done", 6)
    for line in (start, *trials, stop):
        assert line["study"] == "test"
        assert datetime.fromisoformat(line["time"]).utcoffset() == UTC.utcoffset(None)
    assert log.stat().st_mode & 0o777 == 0o600
    with watched(search, tmp_path, log_json=str(log)):
        pass
    assert len(lines(log)) == 11  # what was there stays


def test_a_failed_trial_has_its_reason_in_the_log(tmp_path: Path) -> None:
    def explodes(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        return {} if seed == 0 else workers.quick(architecture, settings, seed)

    search = open_search(tmp_path, make_recipe(trials=1, baselines=[]), Inline(explodes))
    with watched(search, tmp_path, log_json=str(tmp_path / "log")):
        search.run()
    (trial,) = [line for line in lines(tmp_path / "log") if line["event"] == "trial"]
    assert (trial["state"], trial["reason"]) == ("failed", "top1_pct could not be measured")


def test_an_error_that_ends_the_search_is_in_its_last_words(tmp_path: Path, search: Search) -> None:
    with pytest.raises(RuntimeError), watched(search, tmp_path, log_json=str(tmp_path / "log")):
        raise RuntimeError("the cable was cut")
    assert lines(tmp_path / "log")[-1]["reason"] == "RuntimeError: the cable was cut"
    beat = json.loads((tmp_path / "heartbeat.json").read_text())
    assert (beat["state"], beat["reason"]) == ("stopped", "RuntimeError: the cable was cut")


def test_a_full_disk_is_said_once_and_the_search_goes_on(
    tmp_path: Path, search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(search, tmp_path, log_json="/dev/full"):
        assert search.run() == "done"
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_a_file_that_is_no_log_is_not_added_to(tmp_path: Path, search: Search) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("space: tiny\n")
    with (
        pytest.raises(NasError, match=r"study\.yaml: there is a file already, which holds no log"),
        watched(search, tmp_path, log_json=str(file)),
    ):
        pass
    assert file.read_text() == "space: tiny\n"
    for start in ("", '\n{"ti', '{"time": "2026-'):
        file.write_text(start)
        with watched(search, tmp_path, log_json=str(file)):
            pass
        assert file.read_text().startswith(start)


def test_after_a_torn_line_the_next_one_is_whole(tmp_path: Path, search: Search) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    said: list[str] = []
    try:
        log = journal.Journal(search, str(disk / "log"), said.append)
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 4096)
        for _ in range(20):
            log.note("w" * 999)
        ballast.unlink()
        log.note("whole")
        log.close("done")
        text = (disk / "log").read_text().splitlines()
    finally:
        subprocess.run(["umount", disk], check=True)
    assert len(said) == 1
    assert json.loads(text[-2])["text"] == "whole"
    read = [line for line in text if line.endswith("}")]
    assert len(read) == len(text) - 1
    assert all(json.loads(line)["study"] == "test" for line in read)


def test_a_pipe_that_nobody_reads_does_not_hold_the_search_up(
    tmp_path: Path, search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with watched(search, tmp_path, log_json=str(pipe)):
        for _ in range(200):
            say(search, "w" * 900)
        assert search.run() == "done"
    os.close(reader)
    assert capsys.readouterr().err.count("lines are missing") == 1


def test_a_log_that_cannot_be_opened_is_refused(tmp_path: Path, search: Search) -> None:
    with pytest.raises(NasError, match=r"--log-json .*/none/log: cannot be written"):  # noqa: SIM117
        with watched(search, tmp_path, log_json=str(tmp_path / "none" / "log"), metrics_port=0):
            pass
    assert not search.listeners


def test_the_log_says_when_nothing_is_measured_for_long(
    tmp_path: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_IDLE_S", 0.05)
    log = journal.Journal(search, str(tmp_path / "log"), print)
    for _ in range(4):
        time.sleep(0.04)
        log.tick()
    log.close("done")
    assert [line["event"] for line in lines(tmp_path / "log")] == ["start", "waiting", "stop"]


def test_the_heartbeat_says_how_far_the_search_is(
    tmp_path: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.0)
    file = tmp_path / "heartbeat.json"
    seen: list[dict[str, Any]] = []

    class Reader:
        def told(self, record: object) -> None:
            seen.append(json.loads(file.read_text()))

        def tick(self) -> None: ...
        def note(self, text: str) -> None: ...

    with watched(search, tmp_path):
        first = json.loads(file.read_text())
        search.listeners.append(Reader())
        search.run()
    assert (first["state"], first["pid"], first["host"], first["last"]) == (
        "running",
        os.getpid(),
        socket.gethostname(),
        None,
    )
    assert [beat["done"] for beat in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1]["last"]["trial"] == 5
    last = json.loads(file.read_text())
    assert (last["state"], last["reason"], last["trials"]) == (
        "stopped",
        "done",
        {"complete": 6, "infeasible": 0, "failed": 0},
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("heartbeat*")] == ["heartbeat.json"]


def test_a_heartbeat_that_cannot_be_written_does_not_end_the_search(
    tmp_path: Path, search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(search, tmp_path / "none"):
        say(search, "one")
        say(search, "two")
        assert search.run() == "done"
    assert capsys.readouterr().err.count("cannot be written") == 1


@pytest.fixture
def port() -> Iterator[int]:
    console.MANNERS.quiet = True
    yield free_port()
    console.MANNERS.quiet = False


def test_metrics_count_what_the_search_did(tmp_path: Path, search: Search, port: int) -> None:
    with watched(search, tmp_path, metrics_port=port):
        before, page = scrape(port)
        assert before['nas_trials{state="complete"}'] == 0
        assert before["nas_hypervolume"] == 0
        assert "not known yet" in page
        search.run()
        found, page = scrape(port)
    assert found['nas_trials{state="complete"}'] == 6
    assert found['nas_trials{state="failed"}'] == 0
    assert found["nas_trials_running"] == 0
    assert found["nas_workers"] == 1
    assert found["nas_trial_seconds_count"] == 6
    assert found["nas_front_size"] == len(search.ledger.front)
    assert 0 <= found["nas_worker_utilization"] <= 1
    goals = [(item.key, item.goal) for item in search.objectives]
    values = [record.values for record in search.ledger.measured.values()]
    reference, ideal = reference_point(values, goals), ideal_point(values, goals)
    box = (reference["flops"] - ideal["flops"]) * (ideal["top1_pct"] - reference["top1_pct"])
    assert found["nas_hypervolume"] == pytest.approx(hypervolume(values, goals, reference) / box)
    (said,) = [line for line in page.splitlines() if line.startswith("# HELP nas_hypervolume")]
    assert f"top1_pct {reference['top1_pct']:.6g}" in said
    with pytest.raises(OSError, match="refused"):
        scrape(port)


def test_metrics_go_on_where_an_earlier_run_stopped(tmp_path: Path, recipe: Recipe, port: int) -> None:
    first = open_search(tmp_path, recipe)
    with watched(first, tmp_path, metrics_port=port):
        first.run()
        whole = scrape(port)[0]
    with watched(open_search(tmp_path, recipe), tmp_path, metrics_port=port):
        again = scrape(port)[0]
    for name in ('nas_trials{state="complete"}', "nas_front_size", "nas_hypervolume"):
        assert again[name] == whole[name]


def test_the_time_at_work_is_that_of_the_workers(tmp_path: Path, port: int) -> None:
    class Slow(Inline):
        def wait(self, timeout: float) -> list[Any]:
            time.sleep(timeout)  # 0 right after a job was started
            return super().wait(timeout) if timeout else []

    search = open_search(tmp_path, make_recipe(trials=4, baselines=[]), Slow(width=2))
    with watched(search, tmp_path, metrics_port=port):
        search.run()
        busy = scrape(port)[0]["nas_worker_utilization"]
    assert 0 < busy <= 1


def test_only_this_machine_is_served_and_a_taken_port_is_refused(tmp_path: Path, search: Search, port: int) -> None:
    with watched(search, tmp_path, metrics_port=port):
        with pytest.raises(NasError, match=f"--metrics-port {port}: Address already in use"):  # noqa: SIM117
            with watched(search, tmp_path, metrics_port=port):
                pass
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        bound = [row.split()[1] for row in table if row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A"]
        assert bound == [f"0100007F:{port:04X}"]
    for wrong in (-1, 70_000):
        with pytest.raises(NasError, match=f"--metrics-port {wrong}"):  # noqa: SIM117
            with watched(search, tmp_path, metrics_port=wrong):
                pass
