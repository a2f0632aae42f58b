"""Storages on a server: which driver talks to it, and how long a silent network is believed."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url

CONNECT_S = 10  # seconds that a connection may take
_CONNECT_OPTION = {  # driver → what it calls the seconds it waits for a server
    "psycopg2": "connect_timeout",
    "psycopg": "connect_timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "mysqlconnector": "connection_timeout",
    "pg8000": "timeout",
}
# Without these a connection over a cut network waits for ever; with them it fails within 20 s.
_LIBPQ = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_LIBPQ_DRIVERS = ("psycopg", "psycopg2")
_SESSION = {  # of the server: how it finds out that a client is gone; 0 for no limit
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "0",
    "lock_timeout": "15s",
}


def with_driver(url: str) -> URL:
    """The URL with a driver that is installed: PostgreSQL's without a named one gets psycopg, or psycopg2."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        for driver in _LIBPQ_DRIVERS:
            if find_spec(driver):
                return parsed.set(drivername=f"postgresql+{driver}")
    return parsed


def engine_options(url: URL, connect_s: int = 0, *, driving: bool = False) -> dict[str, Any]:
    """What SQLAlchemy's engine of this server is made with. What the URL's own query says wins.

    `connect_s`: how long a connection may take, in seconds; 0 for ten. `driving`: a lost connection is an error, not
    another connection: the study's lock may have been lost with it.
    """
    driver = url.get_driver_name()
    arguments: dict[str, Any] = dict(_LIBPQ) if driver in _LIBPQ_DRIVERS else {}
    if option := _CONNECT_OPTION.get(driver):
        arguments[option] = connect_s or CONNECT_S
    given = {name: value for name, value in arguments.items() if name not in url.query}
    return {"connect_args": given, "pool_pre_ping": not driving}


def driver_hint(url: str) -> str:
    """What to do about a driver that is not installed."""
    if url.startswith("postgresql"):
        return "pip install 'nas[postgresql]'"
    return "install the database's Python driver, for example pip install pymysql"


def notice_silence(engine: Engine) -> None:
    """Let PostgreSQL end sessions whose client fell silent, and so free what they lock; other servers as they are.

    Its own default is two hours, in which a transaction that was cut off would block the one that repeats it.
    """
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            for name, value in _SESSION.items():  # of those that this version of the server knows
                cursor.execute("SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s", (value, name))
        connection.commit()
