"""Faults of the study's file: cut short, bytes turned over, of somebody else, of another schema."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

from tests.chaos.search import Search

Spoil = Callable[[Path, Random], None]


def _cut_short(path: Path, dice: Random) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: dice.randrange(1, len(whole))])


def _turned_over(path: Path, dice: Random) -> None:
    whole = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 20, 2000))):
        whole[dice.randrange(len(whole))] = dice.randrange(256)
    path.write_bytes(whole)


def _noise(path: Path, dice: Random) -> None:
    path.write_bytes(dice.randbytes(dice.choice((1, 100, 5000))))


def _empty(path: Path, dice: Random) -> None:
    del dice
    path.write_bytes(b"")


def _folder(path: Path, dice: Random) -> None:
    del dice
    path.unlink()
    path.mkdir()


def _of_another(path: Path, dice: Random) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE photos_{dice.randrange(1000)} (id INTEGER)")


def _older_nas(path: Path, dice: Random) -> None:
    facts = json.dumps({"schema": dice.choice((0, 99))})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = 'nas'", (facts,))


def _older_optuna(path: Path, dice: Random) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (dice.choice(("v2.4.0.a", "v99.9.9.a")),))


SPOILT: dict[str, Spoil] = {
    "cut short": _cut_short,
    "bytes turned over": _turned_over,
    "noise": _noise,
    "empty": _empty,
    "a folder": _folder,
    "somebody else's": _of_another,
    "of another nas": _older_nas,
    "of another Optuna": _older_optuna,
}
_READABLE = {"bytes turned over", "empty"}  # a byte may lie where nothing is; an empty file is a new one


def spoilt(place: Path, dice: Random, ways: tuple[str, ...]) -> None:
    """Read and gone on with: refused in one line with exit code 2, or read; what is refused is left byte for byte."""
    search = Search(place / "search", trials=5)
    try:
        search.finish()
        with closing(sqlite3.connect(search.place)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        good = place / "good.db"
        shutil.copyfile(search.place, good)
        for number, way in enumerate(ways):
            search.place = place / f"{number}.db"
            shutil.copyfile(good, search.place)
            SPOILT[way](search.place, dice)
            before = _content(search.place)
            listed = search.nas("studies", "list")
            _refused_or_read(way, listed.returncode, listed.stderr, reading=True)
            assert _content(search.place) == before, f"{way}: a reader changed it"
            driver = search.start()
            code = driver.wait()
            _refused_or_read(way, code, driver.said, reading=False)
            assert code == 0 or way in _READABLE or _content(search.place) == before, f"{way}: it was written to"
    finally:
        search.close()


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _refused_or_read(way: str, code: int, said: str, *, reading: bool) -> None:
    assert "Traceback" not in said, f"{way}: {said}"
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    if code == 0:
        # a list names studies of another nas too, or leaves them out; only these may be gone on with
        assert way in _READABLE or (reading and way == "of another nas"), f"{way}: nobody noticed"
        return
    assert code == 2 or (code == 1 and way in _READABLE), f"{way}: exit code {code}: {said[-400:]}"
    assert len(errors) == 1, f"{way}: {said[-400:]}"
