"""Studies on a real PostgreSQL server: one driver each, through restarts and cut networks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from nas.recipe import Recipe
from nas.record import Record
from nas.space_file import load_space
from nas.study.engine import Search
from nas.study.lifecycle import open_or_create, resolve_baselines
from nas.study.lock import LockLostError, creating, driver_lock, holder
from nas.study.lock_server import ServerLock
from nas.study.storage import StudyError, open_storage, records
from tests.conftest import ROOT, make_recipe
from tests.postgres import Postgres
from tests.proxy import Proxy
from tests.test_cli import TINY
from tests.test_engine import Inline, networks

HOST = socket.gethostname()
ME = f"pid {os.getpid()} on {HOST}"
IMPATIENT = "?tcp_user_timeout=1500&connect_timeout=2"  # gives a silent network up early
OPEN = """
import sys
from nas.study.lock import creating
from nas.study.storage import open_storage
print("ready", flush=True)
sys.stdin.readline()
with creating(sys.argv[1]):
    open_storage(sys.argv[1], create=True)
"""


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    if sys.platform != "linux":
        pytest.skip("packets are dropped by a socket filter of Linux")
    network = Proxy(postgres.port)
    yield network
    network.close()


def through(proxy: Proxy, postgres: Postgres, url: str) -> str:
    """The same database, over a network that can be cut."""
    return postgres.url(url.rpartition("/")[2], proxy.port)


@dataclass
class Watcher:
    """Does something when so many trials were told, and keeps what was noted."""

    after: int = 0
    act: Callable[[], None] = lambda: None
    told_of: list[int | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def told(self, record: Record) -> None:
        self.told_of.append(record.trial)
        if len(self.told_of) == self.after:
            self.act()

    def tick(self) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@contextmanager
def driven(url: str, recipe: Recipe, executor: Any = None) -> Iterator[Search]:
    """A search as `nas search` opens it, with a worker that answers at once."""
    space = load_space(recipe.space)
    with driver_lock(url, recipe.name) as lock:
        with creating(url):
            storage = open_storage(url, create=True)
        study = open_or_create(storage, recipe, space, "cpu", "nas search", {}).study
        baselines = resolve_baselines(recipe, space)
        yield Search(study, recipe, space, executor or Inline(), "cpu", baselines, guard=lock.check)


def undisturbed(folder: Path, recipe: Recipe) -> list[str]:
    """The networks of the same search on a quiet SQLite file."""
    with driven(f"sqlite:///{folder}/quiet.db", recipe) as search:
        search.run()
        return networks(search)


def assert_whole(url: str, search: Search, watcher: Watcher, expected: list[str]) -> None:
    """Every trial is stored once, by itself and in order, and is what it would have been without the fault."""
    stored = open_or_create(open_storage(url), search.recipe, search.space, "cpu", "nas search", {}).study
    found = records(stored)
    assert [record.trial for record in found] == watcher.told_of == list(range(search.recipe.trials))
    assert {record.state for record in found} == {"complete"}
    assert [record.arch for record in found] == expected
    assert isinstance(search.executor, Inline)
    assert len(search.executor.specs) == len(found)  # nothing was measured twice
    assert all(trial.state is TrialState.COMPLETE for trial in stored.get_trials())


def command(url: str, *words: str) -> list[str]:
    quick = ["--space", "tiny.yaml", "--study", "cli", "--objective", "rank_score", "--objective", "flops"]
    return [sys.executable, "-m", "nas", "search", *quick, "--storage", url, "--device", "cpu", *words]


def started(folder: Path, url: str, *words: str) -> subprocess.Popen[str]:
    """`nas search` in a process of its own."""
    (folder / "tiny.yaml").write_text(TINY)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(url, *words), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def eventually(holds: Callable[[], object], seconds: float = 200) -> None:
    """Waits until it holds; fails when it does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.3)


# A study.


def test_a_study_runs_and_goes_on(database: str, tmp_path: Path) -> None:
    whole = make_recipe(trials=10)
    with driven(database, make_recipe(trials=6)) as search:
        assert search.run() == "done"
    with driven(database, whole) as search:
        assert search.done == 6
        assert search.run() == "done"
    found = records(search.study)
    assert [record.trial for record in found] == list(range(10))
    assert {record.state for record in found} == {"complete"}
    assert [record.arch for record in found][:6] == undisturbed(tmp_path, whole)[:6]


def test_the_url_needs_no_driver_and_its_password_is_not_shown(database: str) -> None:
    plain = database.replace("+psycopg", "")
    with driven(plain, make_recipe(trials=1)) as search:
        search.run()
        with pytest.raises(StudyError) as error, driver_lock(plain, "test"):
            pass
    assert ME in str(error.value)
    assert "***" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.slow
def test_eight_first_opens_at_once_all_succeed(database: str) -> None:
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, database],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in opening:  # all have imported: now at once
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate() for process in opening]
    assert [process.returncode for process in opening] == [0] * 8, ends
    assert open_storage(database).get_all_studies() == []


# Two drivers.


@pytest.mark.slow
def test_of_two_first_drivers_at_once_one_is_refused_with_the_others_pid_and_host(
    database: str, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    both = [started(folder, database, "-n", "100000") for folder in folders]
    try:
        eventually(lambda: any(process.poll() is not None for process in both))
        refused, driving = sorted(both, key=lambda process: process.poll() is None)
        _, said = refused.communicate()
        assert refused.returncode == 2, said
        assert f"is being driven by pid {driving.pid} on {HOST}" in " ".join(said.split())
        assert "Traceback" not in said
        assert holder(database, "cli") == f"pid {driving.pid} on {HOST}"
        eventually(lambda: open_storage(database).get_all_studies())
        driving.send_signal(signal.SIGTERM)
        _, said = driving.communicate(timeout=60)
        assert driving.returncode == 143, said
    finally:
        for process in both:
            process.kill()
            process.communicate()
    assert holder(database, "cli") == ""


def test_kill_9_of_the_driver_frees_the_study_and_the_same_command_goes_on(
    database: str, postgres: Postgres, tmp_path: Path
) -> None:
    first = started(tmp_path, database, "-n", "100000")
    try:
        eventually(lambda: holder(database, "cli") == f"pid {first.pid} on {HOST}")
        eventually(lambda: _told(postgres, database) >= 3)
    finally:
        first.kill()
        first.communicate()
    eventually(lambda: holder(database, "cli") == "", 10)
    before = _told(postgres, database)
    second = started(tmp_path, database, "-n", str(before + 3))
    _, said = second.communicate(timeout=200)
    assert second.returncode == 0, said
    stored = open_storage(database)
    trials = stored.get_all_trials(stored.get_study_id_from_name("cli"))
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert all(trial.state.is_finished() for trial in trials)


def _told(postgres: Postgres, url: str) -> int:
    name = url.rpartition("/")[2]
    if postgres.execute("SELECT to_regclass('trials')", name) == [(None,)]:  # not begun yet
        return 0
    return int(postgres.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'", name)[0][0])


def test_two_studies_of_one_database_are_two_locks(database: str, postgres: Postgres) -> None:
    with driver_lock(database, "a"), driver_lock(database, "b"), driver_lock(postgres.new_database(), "a"):
        assert holder(database, "a") == holder(database, "b") == ME
        assert holder(database, "c") == ""
    eventually(lambda: not holder(database, "a"), 10)


def test_a_holder_that_is_not_nas_is_told_as_what_it_is(database: str) -> None:
    import psycopg

    lock = ServerLock(database, "mine")
    with psycopg.connect(database.replace("+psycopg", ""), application_name="psql", autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", (lock._key,))
        with pytest.raises(StudyError, match=rf"driven by session {session.info.backend_pid} of the server, psql"):
            lock.take()


def test_a_server_that_is_away_is_one_line(database: str, postgres: Postgres) -> None:
    postgres.stop()
    for attempt in (lambda: driver_lock(database, "a"), lambda: creating(database)):
        with pytest.raises(StudyError, match="cannot be reached"), attempt():
            pass
    with pytest.raises(StudyError, match="cannot be reached"):
        holder(database, "a")


# The lock, when its server or its network fails.


@pytest.mark.parametrize("fault", ["stop", "kill"])
def test_a_lock_outlives_its_server(database: str, postgres: Postgres, fault: str) -> None:
    with driver_lock(database, "a") as lock:
        getattr(postgres, fault)()
        assert not lock.check()  # away: for the storage to wait
        postgres.start()
        assert holder(database, "a") == ""
        assert lock.check()
        assert holder(database, "a") == ME


def test_whoever_took_the_study_meanwhile_has_it(database: str, postgres: Postgres) -> None:
    with driver_lock(database, "a") as lock:
        postgres.restart()
        with driver_lock(database, "a"), pytest.raises(LockLostError, match=rf"driven by {ME}: it began while"):
            lock.check()


def test_a_lock_survives_a_reset_network(database: str, postgres: Postgres, proxy: Proxy) -> None:
    with driver_lock(through(proxy, postgres, database), "a") as lock:
        proxy.reset()
        lock.check()
        assert holder(database, "a") == ME
        assert proxy.connections == 2


@pytest.mark.slow
def test_a_check_over_a_cut_network_comes_back_and_the_next_one_takes_the_lock_again(
    database: str, postgres: Postgres, proxy: Proxy
) -> None:
    with driver_lock(through(proxy, postgres, database), "a") as lock:
        proxy.cut()
        began = time.monotonic()
        assert not lock.check()
        assert time.monotonic() - began < 60  # a hang, not a timing: the network stays cut
        assert holder(database, "a") == ME  # the server has not noticed
        proxy.heal()
        eventually(lambda: lock.check() and proxy.connections > 1, 30)
        assert holder(database, "a") == ME
        with pytest.raises(StudyError, match=ME), driver_lock(database, "a"):
            pass


def test_what_a_driver_left_on_the_server_itself_is_ended(database: str, postgres: Postgres) -> None:
    lock = ServerLock(database, "a")
    lock.take()
    left, lock._session = lock._session, None  # as after a cut: alive on the server, and lost to us
    assert left is not None
    (before,) = _sessions(postgres, lock._name)
    lock.check()
    assert _sessions(postgres, lock._name) != [before]
    assert holder(database, "a") == ME
    lock.release()
    left.invalidate()
    left.close()


def _sessions(postgres: Postgres, name: str) -> list[int]:
    return [pid for (pid,) in postgres.execute(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'")]


def test_the_server_looks_for_silent_clients_itself(database: str) -> None:
    with open_storage(database, create=True).engine.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("tcp_keepalives_idle", "tcp_user_timeout", "lock_timeout")
        ]
    assert settings == ["5", "20000", "15s"]


# A study, when its server or its network fails.


@pytest.mark.parametrize("fault", ["stop", "kill"])
def test_a_server_that_restarts_in_mid_study_is_waited_for(
    database: str, postgres: Postgres, tmp_path: Path, fault: str
) -> None:
    recipe = make_recipe(trials=12)
    again = threading.Timer(2.0, postgres.start)

    def disturb() -> None:
        getattr(postgres, fault)()
        again.start()

    watcher = Watcher(4, disturb)
    with driven(database, recipe) as search:
        search.listeners.append(watcher)
        assert search.run() == "done"
        assert holder(database, "test") == ME
    assert any("the storage is away" in note for note in watcher.notes)
    assert watcher.notes[-1] == "the storage is back"
    assert_whole(database, search, watcher, undisturbed(tmp_path, recipe))


def survives_a_cut(proxy: Proxy, quiet: str, cut: str, folder: Path, seconds: float) -> Watcher:
    """Drive a study over a network that is cut for so many seconds; what its watcher saw."""
    recipe = make_recipe(trials=8)
    healing = threading.Timer(seconds, proxy.heal)

    def disturb() -> None:
        proxy.cut()
        healing.start()

    watcher = Watcher(3, disturb)
    with driven(cut, recipe) as search:
        search.listeners.append(watcher)
        assert search.run() == "done"
        assert holder(quiet, "test") == ME
    assert_whole(quiet, search, watcher, undisturbed(folder, recipe))
    return watcher


def test_a_network_cut_in_mid_study_is_waited_for(
    database: str, postgres: Postgres, proxy: Proxy, tmp_path: Path
) -> None:
    watcher = survives_a_cut(proxy, database, through(proxy, postgres, database) + IMPATIENT, tmp_path, 6)
    assert any("the storage is away" in note for note in watcher.notes)


@pytest.mark.slow
def test_a_network_cut_for_30_seconds_is_waited_for(
    database: str, postgres: Postgres, proxy: Proxy, tmp_path: Path
) -> None:
    watcher = survives_a_cut(proxy, database, through(proxy, postgres, database), tmp_path, 30)
    assert any("the storage is away" in note for note in watcher.notes)
    assert "the storage is back" in watcher.notes


def test_a_study_that_another_driver_took_meanwhile_is_left_to_it(database: str, postgres: Postgres) -> None:
    taken: list[Any] = []

    def disturb() -> None:
        postgres.restart()
        other = ServerLock(database, "test")
        other.take()
        taken.append(other)

    with driven(database, make_recipe(trials=8)) as search:
        search.listeners.append(Watcher(3, disturb))
        with pytest.raises(LockLostError, match=ME):
            search.run()
    taken[0].release()
    stored = open_storage(database)
    trials = stored.get_all_trials(stored.get_study_id_from_name("test"))
    assert sum(trial.state.is_finished() for trial in trials) == 3
