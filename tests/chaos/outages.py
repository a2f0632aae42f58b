"""Faults of a storage that is a server: restarted, killed, cut off by the network."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

from tests.chaos.search import Search
from tests.postgres import Postgres
from tests.proxy import Proxy


def restarted(place: Path, dice: Random, hows: tuple[str, ...]) -> None:
    """A real PostgreSQL is stopped, or killed, in mid-study, and is back seconds later: waited for, nothing doubled."""
    import pytest

    pytest.importorskip("psycopg")
    server = Postgres.made()
    search = None
    try:
        server.start()
        search = Search(place / "search", trials=4 + 6 * len(hows), storage=server.new_database())
        search.env = {"CHAOS_SECONDS": "0.4"}
        driver = search.start()
        for how in hows:
            search.until(search.told() + dice.randrange(1, 4), driver)
            getattr(server, how)()
            again = threading.Timer(dice.uniform(1, 5), server.start)
            again.start()
            again.join()
        assert driver.wait() == 0, driver.said[-600:]
        assert "the storage is away" in driver.said, driver.said[-600:]
        assert "the storage is back" in driver.said, driver.said[-600:]
        assert [record.state for record in search.check()] == ["complete"] * search.trials
    finally:
        if search is not None:
            search.close()
        server.remove()


def cut_off(place: Path, dice: Random, seconds: float) -> None:
    """Every packet between driver and server is lost for so long: waited for, nothing doubled."""
    import pytest

    pytest.importorskip("psycopg")
    server = Postgres.made()
    search = proxy = None
    try:
        server.start()
        quiet = server.new_database()
        proxy = Proxy(server.port)
        search = Search(place / "search", trials=10, storage=server.url(quiet.rpartition("/")[2], proxy.port))
        search.env = {"CHAOS_SECONDS": "0.4"}
        driver = search.start()
        search.until(dice.randrange(1, 4), driver)
        proxy.cut()
        healing = threading.Timer(seconds, proxy.heal)
        healing.start()
        assert driver.wait() == 0, driver.said[-600:]
        assert "the storage is away" in driver.said, driver.said[-600:]
        assert [record.state for record in search.check()] == ["complete"] * search.trials
    finally:
        if search is not None:
            search.close()
        if proxy is not None:
            proxy.close()
        server.remove()
