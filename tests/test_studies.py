"""`nas studies`: what is in a storage, whether it is driven now, and when it last did something."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nas.cli.study_state import ago
from nas.study.lock import driver_lock
from tests.conftest import make_recipe
from tests.test_engine import open_search, url

Run = Callable[..., subprocess.CompletedProcess[str]]
ME = f"pid {os.getpid()} on {socket.gethostname()}"


@pytest.fixture
def two(tmp_path: Path) -> str:
    """A storage with a study that is done, and one of six trials that was interrupted after two."""
    open_search(tmp_path, make_recipe(name="whole", trials=3)).run()
    open_search(tmp_path, make_recipe(name="part", trials=2)).run()
    again = open_search(tmp_path, make_recipe(name="part", trials=6))
    again.stop = "interrupted"
    again.run()
    return url(tmp_path)


def listed(run_nas: Run, *words: str) -> dict[str, dict[str, Any]]:
    done = run_nas("studies", *words, "--json")
    assert done.returncode == 0, done.stderr
    return {row["study"]: row for row in json.loads(done.stdout)["studies"]}


def test_the_list_says_what_is_done_and_what_waits(run_nas: Run, two: str) -> None:
    rows = listed(run_nas, "--storage", two)  # without a subcommand
    assert rows == listed(run_nas, "list", "--storage", two)
    whole, part = rows["whole"], rows["part"]
    assert [(row["state"], row["driver"], row["done"], row["total"]) for row in (whole, part)] == [
        ("done", "", 3, 3),
        ("waiting", "", 2, 6),
    ]
    assert (whole["complete"], whole["failed"], whole["running"]) == (3, 0, 0)
    assert whole["front"] >= 1
    last = datetime.fromisoformat(whole["last"])
    assert timedelta(0) <= datetime.now(UTC) - last < timedelta(minutes=5)


def test_the_study_that_is_driven_now_is_running_and_no_other(run_nas: Run, two: str) -> None:
    with driver_lock(two, "part"):
        rows = listed(run_nas, "--storage", two)
        shown = run_nas("studies", "show", "part", "--storage", two)
        document = json.loads(run_nas("studies", "show", "part", "--storage", two, "--json").stdout)
    assert [(rows[name]["state"], rows[name]["driver"]) for name in ("whole", "part")] == [
        ("done", ""),
        ("running", ME),
    ]
    assert f"running: {ME}   2 of 6 done   last activity " in shown.stdout
    assert (document["state"], document["driver"], document["done"]) == ("running", ME, 2)
    assert "running" not in {row["state"] for row in listed(run_nas, "--storage", two).values()}


def test_the_table_is_for_people(run_nas: Run, two: str) -> None:
    shown = run_nas("studies", "--storage", two)
    assert shown.returncode == 0
    assert "2 of 6" in shown.stdout
    assert "waiting" in shown.stdout
    assert " ago" in shown.stdout or "just now" in shown.stdout


def test_a_study_that_failed_for_good_is_done(tmp_path: Path, run_nas: Run) -> None:
    from tests import workers
    from tests.test_engine import Inline

    open_search(tmp_path, make_recipe(trials=2, baselines=[]), Inline(workers.nothing)).run()
    (row,) = listed(run_nas, "--storage", url(tmp_path)).values()
    assert (row["state"], row["done"], row["complete"], row["front"]) == ("done", 2, 0, 0)


def test_help_and_a_wrong_word_are_as_of_any_group(run_nas: Run) -> None:
    assert "Usage: nas studies" in run_nas("studies", "--help").stdout
    wrong = run_nas("studies", "lits")
    assert wrong.returncode == 2
    assert "No such command 'lits'" in wrong.stderr


@pytest.mark.parametrize(
    ("back", "words"),
    [(-5, "just now"), (0, "just now"), (59, "59 s ago"), (200, "3 min ago"), (7_300, "2 h ago"), (90_000, "1 day ago"),
     (864_000, "10 days ago")],
)  # fmt: skip
def test_how_long_ago(back: float, words: str) -> None:
    assert ago((datetime.now(UTC) - timedelta(seconds=back + 0.2 * (back > 0))).isoformat()) == words
