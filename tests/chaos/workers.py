"""Faults of workers: killed in each phase and at any time, out of memory, hanging, answering nonsense."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

from nas.record import Record
from tests.chaos.evaluations import PHASES
from tests.chaos.search import REAL, Search, eventually

_GROUPS = Path("/sys/fs/cgroup/memory")  # version 1; in version 2 a process may not add groups below its own
_EXACT = ("flops", "params", "activations", "top1_pct")  # the same in every run of a seed


def killed_in_each_phase(place: Path, dice: Random, times: int) -> None:
    """Workers kill themselves in the real build, warm-up, timing, training and reporting, at a step that is drawn."""
    networks = times + 2
    quiet = Search(place / f"quiet-{networks}", "real", networks, REAL)
    if not quiet.place.exists():
        quiet.finish()
    right = {record.id: _exact(record) for record in quiet.records()}
    phases = [PHASES[number % len(PHASES)] for number in range(times)]
    dice.shuffle(phases)
    marks = {"CHAOS_PHASES": ",".join(phases), "CHAOS_SEED": str(dice.random())}
    search = Search(place / "killed", "dies", networks, REAL, env=marks)
    try:
        search.finish()
        found = search.check()
        assert (search.folder / "marks" / "deaths").read_text().split() == phases
        failed = [record for record in found if record.state == "failed"]
        assert len(failed) == times, f"{len(failed)} trials failed"
        assert all(record.reason.startswith("the worker was killed by SIGKILL") for record in failed), failed
        retried = [record.retry_of for record in found if record.retry_of is not None]
        assert retried == [record.trial for record in failed]
        got = {record.id: _exact(record) for record in found if record.state == "complete"}
        assert got == right, "readings differ from those of an undisturbed search"
        search.wait_gone()
    finally:
        search.close()


def _exact(record: Record) -> Any:
    return {key: record.value(key) for key in _EXACT}


def killed_at_any_time(place: Path, dice: Random, times: int) -> None:
    """Workers are killed from outside, wherever they are: starting, idle, measuring, answering."""
    search = Search(place / "any", trials=times + 6, words=("--workers", "2"), env={"CHAOS_SECONDS": "0.2"})
    try:
        driver = search.start()
        search.until(1, driver)
        for _ in range(times):
            time.sleep(dice.uniform(0.0, 0.6))
            eventually(lambda: search.workers() or not driver.alive, what="no worker came back")
            if pids := search.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(pids), signal.SIGKILL)
            assert driver.alive or driver.wait() == 0, driver.said[-600:]
        assert driver.wait() == 0, driver.said[-600:]
        search.check()
        search.wait_gone()
    finally:
        search.close()


def misbehaving(place: Path, dice: Random, ways: tuple[str, ...]) -> None:
    """Workers hang, or answer what is no reading: failed with the reason, no value kept, no front has it."""
    said = {
        "hang": "longer than its time limit of 3s",
        "deaf": "longer than its time limit of 3s",
        "garbage": "the worker answered nonsense",
        "nan": "ValueError",
        "inf": "ValueError",
        "negative": "peak_memory_mib cannot be -4",
        "text": "the worker answered readings that do not read",
        "nothing": "peak_memory_mib could not be measured",
        "percent": "top1_pct cannot be 4321",
    }
    order = dice.sample(ways, len(ways))
    marks = {"CHAOS_WAYS": ",".join(order), "CHAOS_SECONDS": "0.01"}
    search = Search(place / "odd", "misbehaves", len(ways) + 4, {"trial_timeout": "3s"}, env=marks)
    try:
        search.finish()
        found = search.check()
        failed = [record for record in found if record.state == "failed"]
        firsts = [record for record in failed if record.retry_of is None]
        assert len(firsts) == len(ways), [record.reason for record in failed]
        for way, record in zip(order, firsts, strict=True):
            assert record.reason.startswith(said[way]), f"{way}: {record.reason}"
            assert record.value("peak_memory_mib") is None, f"{way}: {record.value('peak_memory_mib')} was kept"
            again = any(other.retry_of == record.trial for other in found)
            assert again == (way == "garbage"), f"{way}: {'' if again else 'not '}retried"
        search.wait_gone()
    finally:
        search.close()


def out_of_memory(place: Path, dice: Random, times: int) -> None:
    """A limit on the address space refuses: `MemoryError`, one failed trial, no retry, and the worker goes on."""
    del dice
    search = Search(place / "memory", "runs_out_of_memory", times + 3, env={"CHAOS_TIMES": str(times)})
    try:
        search.finish()
        failed = [record.reason for record in search.check() if record.state == "failed"]
        assert len(failed) == times, failed
        assert all(reason.startswith("out of memory") for reason in failed), failed
    finally:
        search.close()


def killed_for_memory(place: Path, dice: Random, times: int) -> None:
    """The kernel kills a worker that takes more than its control group may: failed, and tried once more."""
    import pytest

    group = _GROUPS / f"nas-chaos-{os.getpid()}-{dice.randrange(10**9)}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(96 << 20))
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error.strerror}")
    marks = {"CHAOS_TIMES": str(times), "CHAOS_CGROUP": str(group)}
    search = Search(place / "group", "runs_out_of_memory", times + 3, env=marks)
    try:
        search.finish()
        failed = [record.reason for record in search.check() if record.state == "failed"]
        assert failed == ["the worker was killed by SIGKILL (out of memory?)"] * 2 * times, failed
    finally:
        search.close()
        eventually(lambda: not (group / "cgroup.procs").read_text(), 10)
        group.rmdir()


def device_out_of_memory(place: Path, dice: Random, fits: int) -> None:
    """A device on which so many images fit: the batch halves until it does, and the reading says so; 0 fails."""
    del dice
    real = {**REAL, "objectives": ["train_images_per_s", "flops"], "measure": ["train_images_per_s"]}
    search = Search(place / f"device-{fits}", "device_runs_out", 2, real, env={"CHAOS_FITS": str(fits)})
    try:
        driver = search.start()
        assert driver.wait() == (0 if fits else 4), driver.said[-600:]
        for record in search.check():
            if fits:
                reading = record.readings["train_images_per_s"]
                assert reading.conditions["batch"] <= fits, reading
                assert reading.detail["out_of_memory_at"] == [
                    batch for batch in (8, 4, 2, 1) if batch > reading.conditions["batch"]
                ], reading
            else:
                assert record.state == "failed", record
                assert record.reason == "train_images_per_s could not be measured", record
    finally:
        search.close()
