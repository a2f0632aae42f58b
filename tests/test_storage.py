"""Storages: what opens, what is refused, what reading leaves untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

import nas
from nas.recipe import Recipe
from nas.record import read_records, write_records
from nas.study.server import engine_options
from nas.study.storage import StudyError, masked, open_storage, open_study, records
from tests.test_engine import open_search, url


def test_records_come_back_as_a_frame_and_as_lines(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)
    search.run()
    frame = nas.load_records(url(tmp_path), study="test")
    assert list(frame["trial"]) == list(range(6))
    assert {"params", "flops", "top1_pct", "train_images_per_s", "arch", "state"} <= set(frame.columns)
    assert frame["train_images_per_s"].isna().all()
    write_records(tmp_path / "out.jsonl", records(search.study))
    assert list(read_records(tmp_path / "out.jsonl")) == records(search.study)
    assert nas.load_records(str(tmp_path / "out.jsonl")).equals(frame)
    assert nas.load_records(url(tmp_path)).equals(frame)  # the only study need not be named


def test_reading_never_creates_a_database(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not exist"):
        nas.load_records(url(tmp_path), study="test")
    assert not list(tmp_path.iterdir())


def test_an_unknown_study_names_the_nearest(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    with pytest.raises(StudyError, match="unknown study 'tset'") as error:
        open_study(open_storage(url(tmp_path)), "tset")
    assert "test" in error.value.hint


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\x00" + b"\x00" * 50, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "nas.db").write_bytes(content)
    for create in (True, False):
        with pytest.raises(StudyError, match="storage"):
            open_storage(url(tmp_path), create=create)
    assert (tmp_path / "nas.db").read_bytes() == content


def test_a_truncated_database_is_one_clear_error(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    path = tmp_path / "nas.db"
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = path.read_bytes()
    for extra in tmp_path.glob("nas.db-*"):
        extra.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(nas.NasError) as error:
        nas.load_records(url(tmp_path), study="test")
    assert "\n" not in str(error.value)


def test_a_database_of_someone_else_holds_no_studies_of_ours(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "nas.db") as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.close()
    with pytest.raises(StudyError):
        open_storage(url(tmp_path))


def test_the_database_is_private(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe)
    assert (tmp_path / "nas.db").stat().st_mode & 0o077 == 0


def test_what_is_stored_says_how_it_began(tmp_path: Path, recipe: Recipe) -> None:
    study = open_search(tmp_path, recipe).study
    stored = study.user_attrs["nas"]
    assert stored["recipe"]["space"] == "efficientnet"
    assert stored["space"]["stages"]
    json.dumps(stored, allow_nan=False)


def test_a_server_that_does_not_answer_is_not_waited_for_long() -> None:
    asked = engine_options(make_url("postgresql+psycopg://box/nas"), 2)["connect_args"]
    assert (asked["connect_timeout"], asked["tcp_user_timeout"]) == (2, 20_000)
    given = engine_options(make_url("postgresql+psycopg://box/nas?connect_timeout=60"))["connect_args"]
    assert "connect_timeout" not in given  # the URL's own
    assert engine_options(make_url("mysql+pymysql://box/nas"))["connect_args"] == {"connect_timeout": 10}


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("postgresql://me:pw@box/nas", "postgresql://me:***@box/nas"),
        ("postgresql:///nas?host=box&user=me&password=pw", "postgresql:///nas?host=box&password=***&user=me"),
        ("mysql+pymysql://box/nas?passwd=pw&charset=utf8", "mysql+pymysql://box/nas?charset=utf8&passwd=***"),
        ("postgresql:/me:pw@box", "postgresql:/me:***@box"),
        ("sqlite:///nas.db", "sqlite:///nas.db"),
    ],
)
def test_passwords_are_not_shown(whole: str, shown: str) -> None:
    assert masked(whole) == shown
