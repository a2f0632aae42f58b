"""The driver's storage: what it writes is what Optuna reads, once, whatever the database does meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial
from sqlalchemy.exc import OperationalError

from nas.recipe import Recipe
from nas.study.driver import DriverStorage, StorageLostError, driver_storage
from nas.study.storage import open_storage
from tests import workers
from tests.conftest import make_recipe
from tests.test_engine import Inline, open_search, url


def as_optuna_reads(folder: Path) -> list[FrozenTrial]:
    return optuna.load_study(study_name="test", storage=url(folder)).get_trials()


def comparable(trial: FrozenTrial) -> dict[str, Any]:
    return {key: value for key, value in vars(trial).items() if key != "_trial_id"}


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "nsga3", "grid"])
def test_optuna_reads_what_the_driver_has(tmp_path: Path, sampler: str) -> None:
    limits = [] if sampler == "grid" else ["flops<=350M"]
    space = None
    if sampler == "grid":
        from tests.test_engine import tiny_space

        space = tiny_space(tmp_path)
    baselines = [] if sampler == "grid" else ["efficientnetv2-s", "efficientnet-b0"]
    recipe = make_recipe(sampler=sampler, trials=12, limits=limits, baselines=baselines)
    search = open_search(tmp_path, recipe, Inline(workers.quick), space)
    search.run()
    mine = search.study.get_trials()
    assert [comparable(trial) for trial in mine] == [comparable(trial) for trial in as_optuna_reads(tmp_path)]
    stored = optuna.load_study(study_name="test", storage=url(tmp_path))
    assert stored.user_attrs == search.study.user_attrs
    assert stored._storage.get_study_system_attrs(stored._study_id) == search.study._storage.get_study_system_attrs(0)
    again = DriverStorage(open_storage(url(tmp_path)), "test")
    assert [comparable(trial) for trial in again.get_all_trials(0)] == [comparable(trial) for trial in mine]


class Unanswered:
    """A database whose next commits succeed, or fail, without an answer."""

    def __init__(self, engine: Any, answers: list[str]) -> None:
        self.engine, self.answers = engine, answers
        self.dialect, self.url = engine.dialect, engine.url

    @contextmanager
    def begin(self) -> Iterator[Any]:
        answer = self.answers.pop(0) if self.answers else ""
        if answer == "away":
            raise OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))
        with self.engine.connect() as connection:
            yield connection
            if answer == "lost before":
                connection.rollback()
            else:
                connection.commit()
        if answer.startswith("lost"):
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("locked"), connection_invalidated=True)

    def connect(self) -> Any:
        return self.engine.connect()


@pytest.mark.parametrize("answer", ["lost after", "lost before", "away"])
def test_a_commit_without_an_answer_is_made_once(tmp_path: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.study.driver._PAUSES", (0.0,))
    search = open_search(tmp_path, make_recipe(trials=8, limits=["flops<=350M"]))
    storage = driver_storage(search.study)
    said: list[str] = []

    class Ear:
        def told(self, record: Any) -> None: ...

        def tick(self) -> None: ...

        def note(self, text: str) -> None:
            said.append(text)

    search.listeners.append(Ear())
    answers = [answer, "", answer, answer, ""] * 100
    storage._database.engine = Unanswered(storage._database.engine, answers)  # type: ignore[assignment]
    assert search.run() == "done"
    assert [comparable(trial) for trial in search.study.get_trials()] == [
        comparable(trial) for trial in as_optuna_reads(tmp_path)
    ]
    assert any("is away" in text for text in said)
    assert "the storage is back" in said


def test_nothing_is_written_after_an_outage_before_the_study_is_surely_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.study.driver._PAUSES", (0.0,))
    search = open_search(tmp_path, make_recipe())
    search.run()
    storage = driver_storage(search.study)
    storage._database.engine = Unanswered(storage._database.engine, ["away"])  # type: ignore[assignment]
    answers, reasons = [False, False, True], []

    def held() -> bool:
        assert "late" not in optuna.load_study(study_name="test", storage=url(tmp_path)).user_attrs
        return answers.pop(0)

    storage.guard, storage.waiting = held, lambda reason, seconds: reasons.append(reason)
    search.study.set_user_attr("late", 1)
    storage.commit()
    assert not answers
    assert reasons[1:] == ["its lock cannot be had"] * 2
    assert optuna.load_study(study_name="test", storage=url(tmp_path)).user_attrs["late"] == 1


def test_a_full_disk_ends_the_search_and_loses_nothing_told(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, make_recipe(trials=400))
    told: list[int] = []

    class Ear:
        def told(self, record: Any) -> None:
            told.append(record.trial)

        def tick(self) -> None: ...

        def note(self, text: str) -> None: ...

    search.listeners.append(Ear())
    engine = driver_storage(search.study)._database.engine
    with engine.connect() as connection:  # the pool keeps this connection, and with it the limit
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}")
    with pytest.raises(StorageLostError, match="full") as error:
        search.run()
    assert "free some space" in error.value.hint
    assert told
    stored = {trial.number: trial.state for trial in as_optuna_reads(tmp_path)}
    assert all(stored[number].is_finished() for number in told)
    after = open_search(tmp_path, make_recipe(trials=len(told) + 3))
    after.run()
    assert after.done == len(told) + 3


def test_an_interrupt_ends_the_wait_for_a_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.study.driver._PAUSES", (0.01,))
    monkeypatch.setattr("nas.study.engine.GRACE", 0.1)
    search = open_search(tmp_path, make_recipe())
    storage = driver_storage(search.study)

    class Impatient:
        def told(self, record: Any) -> None: ...

        def tick(self) -> None: ...

        def note(self, text: str) -> None:
            search.stop = "interrupted"

    search.listeners.append(Impatient())
    storage._database.engine = Unanswered(storage._database.engine, ["", "", ""] + ["away"] * 10_000)  # type: ignore[assignment]
    with pytest.raises(StorageLostError, match="away"):
        search.run()
    after = open_search(tmp_path, make_recipe())
    assert after.run() == "done"
    assert after.done == 6
