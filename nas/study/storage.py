"""Studies in an Optuna storage: open, lock, describe, list. The storage is the only truth; a record is a view of it."""

from __future__ import annotations

import os
import re
import sqlite3
import weakref
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nas.document import validate_stored
from nas.errors import NasError, nearest
from nas.recipe import Recipe
from nas.record import SCHEMA, Record, State
from nas.resources import is_name
from nas.study.grid_space import parse_any_space
from nas.study.rows import STUDIES, STUDY_USER
from nas.study.server import driver_hint, engine_options, notice_silence, with_driver
from nas.study.space import Space

STUDY_SCHEMA = 1
_FACTS = {"recipe": dict, "space": dict, "device": str, "command": str, "environment": dict, "created": str}
_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "infeasible",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
_LAST_TABLE = "alembic_version"  # that Optuna makes: without it a driver is just beginning, or died as it began
_ANY_VERSION = "SELECT 1 FROM alembic_version"
_SECRET = frozenset({"password", "passwd", "pwd", "passphrase", "sslpassword", "ssl_password", "token", "odbc_connect"})


class StudyError(NasError):
    """A storage or a study that is not there, not ours, changed, or held by another driver."""


class NoStudiesError(StudyError):
    """A storage that is not there yet, or has nothing in it yet."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no studies at {masked(url)}: {reason}", "start one: nas search --space efficientnetv2")


class LockLostError(StudyError):
    """The study is no longer this driver's: another one has it."""


def open_storage(url: str, *, create: bool = False, connect_s: int = 0) -> RDBStorage:
    """The storage at `url`, any that Optuna's RDBStorage knows. Reading never creates a database.

    SQLite is opened in WAL mode with a patient lock. A server that falls silent is an error within 20 s;
    `connect_s`: how long a connection to it may take, in seconds, 0 for ten. Raises: StudyError in one line;
    NoStudiesError where nothing has begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # what happens to a study is ours to tell
    path = sqlite_path(url)
    server, whole = with_driver(url), url
    if path is not None:
        _check_sqlite(path, url, create)
        engine: dict[str, Any] = {"creator": lambda: _connect(path, create)}
        # Whoever closes a SQLite file last moves its log into it; a reader that keeps a connection would prevent that.
        engine |= {} if create else {"poolclass": NullPool}
    else:
        whole, engine = server.render_as_string(hide_password=False), engine_options(server, connect_s, driving=create)
    try:
        if path is None and not create:
            _check_server(server, engine, url)
        storage = RDBStorage(url=whole, engine_kwargs=engine, skip_table_creation=not create)
    except NoStudiesError:
        raise
    except ImportError as error:
        raise no_driver(url, error) from None
    except (SQLAlchemyError, sqlite3.Error, OptunaError) as error:
        raise unreachable(url, error) from None
    except KeyError as error:  # Optuna fills in ${NAME} from the environment
        raise StudyError(f"storage {masked(url)}: there is no variable {error} in the environment") from None
    except (RuntimeError, ValueError) as error:  # another Optuna schema
        reason = str(error).strip().splitlines()[0]
        raise StudyError(
            f"storage {masked(url)}: {reason}", "open it with the Optuna that wrote it, or take another file"
        ) from None
    if path is None:
        storage.engine.dispose()  # of connections made before this
        notice_silence(storage.engine)
    weakref.finalize(storage, storage.engine.dispose)  # at the latest when the process ends
    return storage


def _check_server(server: URL, options: dict[str, Any], url: str) -> None:
    """Tables that are not there, or still being made, are left to who makes them: opening would write to them."""
    with create_engine(server, poolclass=NullPool, **options).connect() as connection:
        if not inspect(connection).has_table(_LAST_TABLE):
            raise NoStudiesError(url, "the database is empty")


def unreachable(url: str, error: Exception) -> StudyError:
    """The error of a storage that did not answer, with the first line of why."""
    cause = error.__cause__ or error
    reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
    if "full" in reason or "No space" in reason:
        return StudyError(f"storage {masked(url)}: cannot be written: {reason}", "free some space")
    return StudyError(f"storage {masked(url)}: cannot be reached: {reason}", "check the URL and the server")


def no_driver(url: str, error: ImportError) -> StudyError:
    """The error of a storage whose driver is not installed."""
    return StudyError(f"storage {masked(url)}: no driver: {error.__cause__ or error}", driver_hint(url))


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for a server. Raises: StudyError for what is no URL."""
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StudyError(f"storage '{masked(url)}' is not a URL Optuna can open", "write sqlite:///nas.db") from None
    except ImportError as error:
        raise no_driver(url, error) from None
    if not parsed.drivername.startswith("sqlite"):
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise StudyError(f"storage '{url}' names no file", "write sqlite:///nas.db")
    if not is_name(Path(parsed.database)):
        raise StudyError(f"storage '{url}': no file can have that name", "write sqlite:///nas.db")
    return Path(parsed.database)


def masked(url: str) -> str:
    """The URL without its passwords, fit to be shown and stored."""
    try:
        parsed = make_url(url)
        secret = {name: "***" for name in parsed.query if name.lower() in _SECRET}
        return parsed.update_query_dict(secret).render_as_string(hide_password=True).replace("=%2A%2A%2A", "=***")
    except (ArgumentError, ValueError):
        return re.sub(r":[^:@/]+@", ":***@", url)


def check_place(path: Path, url: str) -> None:
    """Raises: StudyError where a file of this path could not be."""
    if path.is_dir():
        raise StudyError(f"storage {url}: {path} is a folder; expected a file")
    if path.exists() and not path.is_file():
        raise StudyError(f"storage {url}: {path} is a device or a pipe; expected a file")
    if not path.parent.is_dir():
        raise StudyError(f"storage {url}: there is no folder {path.parent}", "make it first, or name another file")


def _check_sqlite(path: Path, url: str, create: bool) -> None:
    check_place(path, url)
    if not path.exists():
        if not create:
            raise NoStudiesError(url, f"{path} does not exist")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StudyError(f"storage {url}: cannot be written: {error.strerror}") from None
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise StudyError(f"storage {url}: cannot be read: {error.strerror}") from None
    if head:
        _check_content(path, url, head, create)
    elif not create:
        raise NoStudiesError(url, f"{path} is empty")


def _check_content(path: Path, url: str, head: bytes, create: bool) -> None:
    """A file that is damaged, or someone else's, is refused before anything is written into it."""
    if head[:16] != b"SQLite format 3\x00":
        raise StudyError(
            f"storage {url}: {path} is not a SQLite database", "name another file; this one is left as it is"
        )
    page = int.from_bytes(head[16:18], "big")
    whole = int.from_bytes(head[28:32], "big") * (65_536 if page == 1 else page)  # sqlite.org/fileformat2.html, 1.3
    damaged = StudyError(f"storage {url}: {path} is damaged or cut short", "restore a copy; this one is left as it is")
    logged = path.with_name(path.name + "-wal").exists()  # then pages may still stand in the log
    if len(head) < 100 or (path.stat().st_size < whole and not logged):
        raise damaged
    try:
        with closing(_connect(path, write=False)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            begun = _LAST_TABLE in tables and connection.execute(_ANY_VERSION).fetchone()
    except sqlite3.Error:
        raise damaged from None
    if "studies" not in tables and not tables <= {*BaseModel.metadata.tables, _LAST_TABLE}:
        raise StudyError(f"storage {url}: {path} holds something else", "name another file; this one is left as it is")
    if not begun and not create:
        raise NoStudiesError(url, f"{path} is empty")


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    mode = "rwc" if write else "ro"
    if not write and not os.access(path.parent, os.W_OK):
        mode = "ro&immutable=1"  # a read-only place: SQLite could not make the files that readers share
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", timeout=5 if write else 60, uri=True, check_same_thread=False
    )
    if write:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def delete_study(storage: RDBStorage, name: str) -> None:
    """Delete a study and all its trials."""
    optuna.delete_study(study_name=name, storage=storage)


def study_names(storage: RDBStorage) -> list[str]:
    """Names of the studies that nas wrote into the storage, in the order in which they began."""
    names = select(STUDIES.c.study_name).join(STUDY_USER, STUDY_USER.c.study_id == STUDIES.c.study_id)
    with storage.engine.connect() as connection:
        return list(connection.execute(names.where(STUDY_USER.c.key == "nas").order_by(STUDIES.c.study_id)).scalars())


def open_study(storage: RDBStorage, name: str | None) -> optuna.Study:
    """The study called `name`, or the only one, as it is now, in memory: to be read, not written to.

    Raises: StudyError with the nearest names.
    """
    from nas.study.driver import DriverStorage  # which builds on this module

    names = study_names(storage)
    if name is None:
        if len(names) == 1:
            name = names[0]
        else:
            raise StudyError(f"{len(names)} studies in the storage", f"name one: {', '.join(names)}")
    if name not in names:
        raise StudyError(f"unknown study '{name}'", nearest(name, names) or "start it: nas search --study " + name)
    sampler = optuna.samplers.RandomSampler()
    study = optuna.load_study(study_name=name, storage=DriverStorage(storage, name), sampler=sampler)
    facts(study)
    return study


def facts(study: optuna.Study) -> dict[str, Any]:
    """What the study was started with: recipe, space, command, environment.

    Raises: StudyError for another schema, and for facts that lack one.
    """
    found = study.user_attrs.get("nas", {})
    stored: dict[str, Any] = found if isinstance(found, dict) else {}
    if stored.get("schema") != STUDY_SCHEMA:
        raise StudyError(
            f"study '{study.study_name}' has schema {stored.get('schema')!r}; this version reads schema {STUDY_SCHEMA}",
            "open it with the version of nas that wrote it, or take another --study",
        )
    for name, kind in _FACTS.items():
        if not isinstance(stored.get(name), kind):
            raise StudyError(f"study '{study.study_name}' is damaged: it lacks its {name}", "restore a copy of it")
    return stored


def recipe_of(study: optuna.Study) -> Recipe:
    """The recipe that the study was started with."""
    return validate_stored(Recipe, facts(study)["recipe"], f"study '{study.study_name}': recipe")


def space_of(study: optuna.Study) -> Space:
    """The search space, or the grid, that the study was started with."""
    return parse_any_space(facts(study)["space"], f"study '{study.study_name}'")


def records(study: optuna.Study) -> list[Record]:
    """Every trial as a record, and before them the baselines that lie outside the space."""
    space = space_of(study)
    outside = [Record.from_json(value) for key, value in study.user_attrs.items() if key.startswith("baseline:")]
    trials = study.get_trials(deepcopy=False)
    return outside + [record_of(study.study_name, space, trial) for trial in trials if trial.state in _STATES]


def record_of(study: str, space: Space, trial: FrozenTrial) -> Record:
    """One stored trial as a record; Optuna's state wins over what the record says."""
    stored = trial.user_attrs.get("record")
    state = _STATES[trial.state]
    common = {"study": study, "trial": trial.number, "state": state, "settings": trial.params}
    if stored is not None:
        return Record.from_json({**stored, **common} if isinstance(stored, dict) else stored)
    try:
        arch = space.decode(trial.params)
        notation, identity = str(arch), arch.id
    except NasError:  # killed before every cell was chosen
        notation, identity = "", ""
    begun = trial.datetime_start  # Optuna's, in local time without a zone
    started = begun.astimezone(UTC).isoformat(timespec="seconds") if begun else ""
    kept: dict[str, Any] = {key: trial.user_attrs[key] for key in ("baseline", "retry_of") if key in trial.user_attrs}
    return Record.from_json(
        {
            "schema": SCHEMA,
            **common,
            "arch": notation,
            "id": identity,
            "readings": {},
            "started": started,
            **kept,
        }
    )
