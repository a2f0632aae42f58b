"""Disks that fill up: under the storage, the study's folder, the cache, the log. Each a small tmpfs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from nas.record import read_records, write_records
from tests.chaos.search import REAL, Search, eventually


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """`folder` as a disk of that size, gone afterwards. Skips where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, spare: int = 0) -> Path:
    """A file that takes what is free on the disk but for `spare` bytes."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    if spare:
        os.truncate(ballast, max(0, ballast.stat().st_size - spare))
    return ballast


def under_the_storage(place: Path, dice: Random) -> None:
    """One message, exit code 1, the file sound and every told trial in it; with space again it goes on."""
    with small_disk(place / "disk") as disk:
        search = Search(place / "search", trials=12)
        search.place = disk / "nas.db"
        search.env = {"CHAOS_SECONDS": "0.2"}
        try:
            driver = search.start()
            search.until(dice.randrange(1, 5), driver)
            ballast = fill(disk, dice.choice((0, 0, 4096, 20_000)))
            assert driver.wait() == 1, f"exit code {driver.process.returncode}: {driver.said[-600:]}"
            errors = [line for line in driver.said.splitlines() if line.startswith("error:")]
            assert len(errors) == 1, driver.said
            assert "full" in errors[0], errors
            assert "go on with: nas search --study chaos" in driver.said, driver.said
            assert "Traceback" not in driver.said, driver.said
            again = search.start()  # still full: said again, nothing harmed
            assert again.wait() in (1, 2), again.said
            assert sum(line.startswith("error:") for line in again.said.splitlines()) == 1, again.said
            ballast.unlink()
            search.finish()
            search.check()
        finally:
            search.close()


def under_the_folder(place: Path, dice: Random) -> None:
    """No room for logs, heartbeat and report: the search is done, and says so of the report, which is made later."""
    search = Search(place / "search", trials=10, words=("--out", "out"), env={"CHAOS_SECONDS": "0.2"})
    with small_disk(search.folder / "out") as disk:
        try:
            driver = search.start()
            search.until(dice.randrange(1, 5), driver)
            ballast = fill(disk, dice.choice((0, 0, 5000)))
            assert driver.wait() == 1, f"exit code {driver.process.returncode}: {driver.said[-600:]}"
            assert "the report could not be written: " in driver.said, driver.said
            assert "No space left on device" in driver.said, driver.said
            assert "Traceback" not in driver.said, driver.said
            assert [record.state for record in search.check()] == ["complete"] * 10
            ballast.unlink()
            search.finish()
            assert (disk / "report.html").stat().st_size > 100_000
        finally:
            search.close()


def under_the_cache(place: Path, dice: Random) -> None:
    """No room for the drawn images: they are drawn again by each worker, and the search is done."""
    search = Search(place / "search", "real", 3, REAL)
    with small_disk(place / "cache", "1m") as disk:
        search.env = {"NAS_CACHE": str(disk)}
        try:
            ballast = fill(disk, dice.choice((0, 4096, 100_000)))
            search.finish()
            assert [record.state for record in search.check()] == ["complete"] * 3
            assert [path.name for path in disk.iterdir()] == [ballast.name]  # no half of a file
        finally:
            search.close()


def under_the_log(place: Path, dice: Random) -> None:
    """No room for a line: said once, the search is done; lines that are there read, but for one that was cut short."""
    search = Search(place / "search", trials=14, env={"CHAOS_SECONDS": "0.2"})
    with small_disk(place / "disk", "64k") as disk:
        search.log = disk / "log.jsonl"
        try:
            driver = search.start()
            search.until(dice.randrange(1, 4), driver)
            before = search.told()
            ballast = fill(disk, dice.choice((0, 700)))
            eventually(lambda: "lines are missing" in driver.said or not driver.alive)
            ballast.unlink()
            assert driver.wait() == 0, driver.said[-600:]
            assert driver.said.count("lines are missing") == 1, driver.said
            assert [record.state for record in search.check()] == ["complete"] * 14
            assert search.told() > before  # it goes on where there is room again
            lines = search.log.read_bytes().splitlines()
            torn = [line for line in lines if line and not line.endswith(b"}")]
            assert len(torn) <= 1, torn
        finally:
            search.close()


def under_an_export(place: Path, dice: Random) -> None:
    """No room for an export: one line, exit code, and the earlier file is as it was."""
    del dice
    search = Search(place / "search", trials=6)
    with small_disk(place / "disk", "64k") as disk:
        try:
            search.finish()
            records = search.check()
            write_records(disk / "out.jsonl", records)
            before = (disk / "out.jsonl").read_bytes()
            fill(disk)
            done = search.nas("studies", "export", "chaos", "-o", str(disk / "out.jsonl"))
            assert done.returncode in (1, 2), done.stderr
            assert sum(line.startswith("error:") for line in done.stderr.splitlines()) == 1, done.stderr
            assert (disk / "out.jsonl").read_bytes() == before
            assert list(read_records(disk / "out.jsonl")) == records
        finally:
            search.close()
