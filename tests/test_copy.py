"""A study copied to another storage: all that is in it, or nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nas.recipe import Recipe
from nas.study.copy import copy_study
from nas.study.driver import driver_storage
from nas.study.storage import StudyError, open_storage, open_study, records
from tests.conftest import ROOT, make_recipe
from tests.test_engine import Inline, open_search, url

TABLES = {  # table → its columns besides ids, and what they are sorted by
    "trials": "number, state, datetime_start, datetime_complete",
    "trial_params": "number, param_name, param_value, distribution_json",
    "trial_values": "number, objective, value, value_type",
    "trial_user_attributes": "number, key, value_json",
    "trial_system_attributes": "number, key, value_json",
    "study_user_attributes": "key, value_json",
    "study_system_attributes": "key, value_json",
    "study_directions": "objective, direction",
}


def content(path: Path) -> dict[str, list[Any]]:
    """All rows of the file, without the ids that a storage gives."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for table, columns in TABLES.items():
            source = f"{table} JOIN trials USING (trial_id)" if table.startswith("trial_") else table
            found[table] = sorted(connection.execute(f"SELECT {columns} FROM {source}").fetchall(), key=repr)
    return found


def a_study(folder: Path, recipe: Recipe) -> None:
    """One with complete, infeasible, waiting and running trials."""
    search = open_search(folder, recipe)
    search.run()
    search.study.enqueue_trial({})
    search.study.ask()
    search.study.enqueue_trial({}, user_attrs={"baseline": "x"})
    driver = driver_storage(search.study)
    driver.set_study_system_attr(0, "a sampler's", {"generation": 3})
    driver.commit()


def test_every_row_arrives_and_the_study_goes_on_there(tmp_path: Path) -> None:
    a_study(tmp_path, make_recipe(limits=["flops<=350M"], baselines=["efficientnetv2-s", "efficientnet-b0"]))
    (tmp_path / "there").mkdir()
    source = open_storage(url(tmp_path))
    target = open_storage(url(tmp_path / "there"), create=True)
    assert copy_study(source, target, "test", "test") == len(source.get_all_trials(1, deepcopy=False))
    assert content(tmp_path / "there" / "nas.db") == content(tmp_path / "nas.db")
    assert all(content(tmp_path / "nas.db").values())
    executor = Inline()
    recipe = make_recipe(limits=["flops<=350M"], baselines=["efficientnetv2-s", "efficientnet-b0"], trials=8)
    search = open_search(tmp_path / "there", recipe, executor)
    assert search.done == 6
    search.run()
    assert search.done == 8


def test_a_name_that_is_taken_is_refused_and_nothing_is_written(tmp_path: Path, recipe: Recipe) -> None:
    a_study(tmp_path, recipe)
    storage = open_storage(url(tmp_path), create=True)
    before = content(tmp_path / "nas.db")
    with pytest.raises(StudyError, match="already"):
        copy_study(storage, storage, "test", "test")
    assert content(tmp_path / "nas.db") == before
    copy_study(storage, storage, "test", "again")
    copied = records(open_study(storage, "again"))
    assert [record.id for record in copied] == [record.id for record in records(open_study(storage, "test"))]


def test_a_copy_that_is_killed_leaves_nothing(tmp_path: Path, recipe: Recipe) -> None:
    a_study(tmp_path, recipe)
    (tmp_path / "there").mkdir()
    open_storage(url(tmp_path / "there"), create=True)
    program = (
        "import os, nas.study.rows as rows\nfrom nas.study.copy import copy_study\n"
        "from nas.study.storage import open_storage\n"
        "rows._Parts.insert = lambda *_: os.kill(os.getpid(), 9)\n"
        f"copy_study(open_storage({url(tmp_path)!r}), open_storage({url(tmp_path / 'there')!r}, create=True), "
        "'test', 'test')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    assert not any(content(tmp_path / "there" / "nas.db").values())
