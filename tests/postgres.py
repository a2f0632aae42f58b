"""A real PostgreSQL server of the tests' own: on loopback, in a folder that goes with it, as an unprivileged user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_PASSWORD = "secret, and / quoted"
_QUOTED = "secret%2C%20and%20%2F%20quoted"
_START_S = 60
_names = count(1)
# Ends the server and removes its folder when pytest is gone, however it went.
_REAPER = 'cat >/dev/null; read -r pid < "$0/data/postmaster.pid" && kill -QUIT "$pid"; sleep 0.5; rm -rf "$0"'


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the whole session, running at the start of each test that asks for it through `database`."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'nas[postgresql]'")
    server = Postgres.made()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The URL of a new, empty database."""
    if not postgres.running:
        postgres.start()
    return postgres.new_database()


def binary(name: str) -> str:
    """Where PostgreSQL's program is; skips the test where it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = next((str(path / name) for path in folders if (path / name).exists()), None) or shutil.which(name)
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return found


def _unprivileged() -> dict[str, Any]:
    """How subprocess becomes a user that PostgreSQL accepts; nothing where we are one already."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


@dataclass
class Postgres:
    """The server. `start`, `stop`, `restart` as an administrator would; `kill` as a power cut would."""

    folder: Path
    port: int
    _reaper: subprocess.Popen[bytes]
    _process: subprocess.Popen[bytes] | None = None
    _as: dict[str, Any] = field(default_factory=_unprivileged)

    @classmethod
    def made(cls) -> Postgres:
        """A server that is set up, and does not run yet."""
        initdb = binary("initdb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = Path(tempfile.mkdtemp(prefix="nas-postgres-"))
        words = ["sh", "-c", _REAPER, str(folder)]
        reaper = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        server = cls(folder, port, reaper)
        password = server.folder / "password"
        password.write_text(_PASSWORD)
        if user := server._as.get("user"):
            os.chown(server.folder, user, server._as["group"])
            os.chown(password, user, server._as["group"])
        words = ["--auth=scram-sha-256", f"--pwfile={password}", "-U", "nas", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [initdb, "-D", str(server._data), *words],
            cwd=server.folder,
            capture_output=True,
            text=True,
            check=False,
            **server._as,
        )
        if done.returncode:
            server.remove()
            raise RuntimeError(f"initdb: {done.stderr}")
        return server

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def running(self) -> bool:
        """Whether the server's main process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """The URL of a database, through another port (of a proxy) where one is given."""
        return f"postgresql+psycopg://nas:{_QUOTED}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database that has nothing in it."""
        name = f"study_{next(_names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement, run past everything that is tested."""
        import psycopg

        place = {"host": "127.0.0.1", "port": self.port, "user": "nas", "password": _PASSWORD, "dbname": database}
        with psycopg.connect(**place, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Run, and accept connections."""
        end = time.monotonic() + _START_S
        while not self._serves(end):
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.2)  # after a kill its children take a moment to go

    def _serves(self, end: float) -> bool:
        import psycopg

        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-D", str(self._data)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary("postgres"), *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest
                **self._as,
            )
        while self.running and time.monotonic() < end:
            with contextlib.suppress(psycopg.OperationalError):
                self.execute("SELECT 1")
                return True
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        """Shut down and end all sessions: a planned restart."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End at once, as `kill -9` does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, and start again."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop and leave nothing behind."""
        self._end(signal.SIGQUIT)
        self._reaper.communicate()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(number)
            self._process.wait(_START_S)
            self._process = None
