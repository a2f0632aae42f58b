"""One driver for a study: on a SQLite file (test_postgres.py has the server)."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from nas.study.lock import LockLostError, creating, driver_lock, holder
from nas.study.storage import NoStudiesError, StudyError, open_storage
from tests.conftest import ROOT

ME = f"pid {os.getpid()} on {socket.gethostname()}"
HOLD = """
import sys
from contextlib import closing
from nas.study.lock import driver_lock
with driver_lock(sys.argv[1], "other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def place(folder: Path) -> str:
    return f"sqlite:///{folder}/nas.db"


def other_driver(url: str) -> subprocess.Popen[str]:
    """A process that holds the lock until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_driver_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = other_driver(place(tmp_path))
    try:
        him = f"pid {first.pid} on {socket.gethostname()}"
        assert holder(place(tmp_path), "other") == him
        assert holder(place(tmp_path), "any") == ""  # not driven, and locked all the same: one file, one writer
        with pytest.raises(StudyError, match=him) as error, driver_lock(place(tmp_path), "any"):
            pass
        assert "--storage" in error.value.hint
    finally:
        first.kill()
        first.communicate()
    assert holder(place(tmp_path), "other") == ""  # its file is still there, and says nothing any more
    with driver_lock(place(tmp_path), "any"):
        assert holder(place(tmp_path), "any") == ME


def test_asking_who_drives_creates_nothing(tmp_path: Path) -> None:
    assert holder(place(tmp_path), "any") == ""
    with creating(place(tmp_path)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    with driver_lock(place(tmp_path), "any") as lock:
        lock.check()
        (tmp_path / "nas.db.lock").unlink()
        assert holder(place(tmp_path), "any") == ""
        lock.check()
        assert holder(place(tmp_path), "any") == ME


def test_a_driver_that_came_in_over_a_removed_lock_file_is_named(tmp_path: Path) -> None:
    with driver_lock(place(tmp_path), "any") as lock:
        (tmp_path / "nas.db.lock").unlink()
        second = other_driver(place(tmp_path))
        try:
            with pytest.raises(LockLostError, match=f"pid {second.pid} on "):
                lock.check()
        finally:
            second.kill()
            second.communicate()


def test_a_folder_that_went_away_is_the_databases_to_tell(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with driver_lock(place(folder), "any") as lock:
        (folder / "nas.db.lock").unlink()
        folder.rmdir()
        lock.check()


def test_the_lock_file_is_private_and_a_missing_folder_is_said(tmp_path: Path) -> None:
    with driver_lock(place(tmp_path), "any"):
        assert (tmp_path / "nas.db.lock").stat().st_mode & 0o077 == 0
    with pytest.raises(StudyError, match="there is no folder"), driver_lock(place(tmp_path / "none"), "any"):
        pass


def test_a_server_of_another_kind_cannot_be_locked_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with driver_lock("mysql+pymysql://me:pw@box/nas", "mine", said.append) as lock:
        lock.check()
    assert len(said) == 1
    assert "mine" in said[0]
    assert "pw" not in said[0]


def test_a_driver_that_died_as_it_began_leaves_a_file_that_can_begin(tmp_path: Path) -> None:
    open_storage(place(tmp_path), create=True)
    with closing(sqlite3.connect(tmp_path / "nas.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables.sort(key=lambda name: name == "studies")  # the one the others point at goes last
        for name in ["alembic_version", *(name for name in tables if name != "alembic_version")]:
            connection.execute(f"DROP TABLE {name}")
            connection.commit()
            with pytest.raises(NoStudiesError, match="no studies"):
                open_storage(place(tmp_path))
    open_storage(place(tmp_path), create=True)
    assert open_storage(place(tmp_path)).get_all_studies() == []
