"""Studies read while they are written: what is new, what is gone, and nothing that disturbs the writer."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nas.cli.options import DEFAULT_STORAGE
from nas.record import Record, write_records
from nas.study.driver import driver_storage
from nas.study.feed import Changes, Source, open_sources, read_all, storage_option
from nas.study.storage import StudyError, records
from tests import report_records
from tests.conftest import make_recipe
from tests.test_engine import open_search, url


def poll(source: Source) -> list[Changes]:
    return list(source.poll())


def found(changes: Iterable[Changes]) -> list[Record]:
    return [record for one in changes for record in one.records]


def plain(record: Record) -> dict[str, Any]:
    document = json.loads(json.dumps(record.to_json()))
    document.pop("settings", None)
    return document


def settle(source: Any, seconds: float = 10.0) -> list[Changes]:
    """The next changes: a place that was away is asked again after a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if changes := poll(source):
            return changes
        time.sleep(0.02)
    raise AssertionError("nothing changed")


def fold(folder: Path) -> None:
    """Bring the log into the file, as the last writer's close does."""
    with closing(sqlite3.connect(folder / "nas.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_it_reads_what_the_engine_wrote(tmp_path: Path) -> None:
    recipe = make_recipe(limits=["flops<=350M"], trials=8, baselines=["efficientnet-b0", "efficientnetv2-b0"])
    search = open_search(tmp_path, recipe)
    search.run()
    written = records(search.study)
    assert {record.state for record in written} == {"complete", "infeasible"}
    assert written[0].trial is None, "a baseline outside the space comes first"
    (source,) = open_sources([], url(tmp_path))
    changes = poll(source)
    assert changes[0].head is not None
    assert changes[0].head.recipe == recipe
    assert changes[0].head.option == f"--storage {url(tmp_path)}"
    assert list(map(plain, found(changes))) == list(map(plain, written))
    assert [plain(record) for record in read_all(open_sources([], url(tmp_path)))[0].records] == list(
        map(plain, written)
    )
    assert [record.settings for record in source.snapshot(changes[0].identity).records] == [
        record.settings for record in written
    ]
    assert poll(source) == []


def test_only_what_is_new_is_read_again(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=3)).run()
    (source,) = open_sources(["test"], url(tmp_path))
    assert len(found(poll(source))) == 3
    open_search(tmp_path, make_recipe(trials=5)).run()
    changes = poll(source)
    assert [record.trial for record in found(changes)] == [3, 4]
    assert changes[0].head is not None
    assert changes[0].head.recipe is not None
    assert changes[0].head.recipe.trials == 5


def test_a_trial_is_running_until_its_state_says_otherwise(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(trials=1, baselines=[]))
    (source,) = open_sources(["test"], url(tmp_path))
    poll(source)
    trial = search.study.ask()
    driver_storage(search.study).commit()
    assert [(one.state, one.arch) for one in found(poll(source))] == [("running", "")]
    arch = search.space.suggest(trial)
    driver_storage(search.study).commit()
    assert [(one.state, one.arch) for one in found(poll(source))] == [("running", str(arch))]
    outcome = replace(search._outcomes.record(arch, trial.number, {}, "failed"), reason="it broke")
    kept = {key: value for key, value in outcome.to_json().items() if key not in ("study", "trial", "settings")}
    trial.set_user_attr("record", kept)
    driver_storage(search.study).commit()
    assert {one.state for one in found(poll(source))} <= {"running"}, "the record is written first"
    search.study.tell(trial, state=TrialState.FAIL)
    assert [(one.state, one.reason) for one in found(poll(source))] == [("failed", "it broke")]
    assert found(poll(source)) == []


def test_a_waiting_trial_is_not_shown_before_it_runs(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(trials=1, baselines=[]))
    (source,) = open_sources(["test"], url(tmp_path))
    search.study.enqueue_trial({}, user_attrs={"baseline": "b0"})
    driver_storage(search.study).commit()
    assert found(poll(source)) == []
    search.study.ask()
    driver_storage(search.study).commit()
    assert [(one.state, one.baseline) for one in found(poll(source))] == [("running", "b0")]


def test_new_studies_appear_and_deleted_ones_are_gone(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()
    (source,) = open_sources([], url(tmp_path))
    poll(source)
    open_search(tmp_path, make_recipe(name="second", trials=1)).run()
    assert [one.head.name for one in poll(source) if one.head] == ["second"]
    optuna.delete_study(study_name="test", storage=url(tmp_path))
    assert [(one.identity.partition("#")[2], one.state) for one in poll(source)] == [("test", "gone")]
    assert poll(source) == []
    open_search(tmp_path, make_recipe(trials=2)).run()
    again = poll(source)
    assert [(one.state, one.fresh) for one in again][:1] == [("ok", True)]
    assert len(found(again)) == 2


def test_a_study_of_others_is_named_and_skipped(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()
    optuna.create_study(study_name="theirs", storage=url(tmp_path))
    (source,) = open_sources([], url(tmp_path))
    changes = poll(source)
    assert {one.identity.partition("#")[2] for one in changes} == {"test"}
    assert "'theirs': not written by nas" in changes[-1].note


def test_a_file_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=2)).run()
    (source,) = open_sources(["test"], url(tmp_path))
    poll(source)
    (tmp_path / "nas.db").rename(tmp_path / "elsewhere.db")
    (away,) = settle(source)
    assert away.state == "unreachable"
    assert "nas.db is not there any more" in away.note
    (tmp_path / "elsewhere.db").rename(tmp_path / "nas.db")
    (back,) = settle(source)
    assert (back.state, back.note, back.fresh, back.records) == ("ok", "", False, ())


def test_another_file_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=2)).run()
    other = tmp_path / "other"
    other.mkdir()
    open_search(other, make_recipe(trials=3, seed=5)).run()
    fold(tmp_path), fold(other)
    (source,) = open_sources(["test"], url(tmp_path))
    poll(source)
    (other / "nas.db").replace(tmp_path / "nas.db")
    again = settle(source)
    assert again[0].fresh
    assert len(found(again)) == 3
    assert again[0].head is not None
    assert again[0].head.recipe is not None
    assert again[0].head.recipe.seed == 5


def test_a_file_overwritten_by_nonsense_is_unreachable_not_fatal(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()
    (source,) = open_sources(["test"], url(tmp_path))
    poll(source)
    (tmp_path / "nas.db").unlink()
    (tmp_path / "nas.db").write_text("not a database, and more than a hundred bytes of it " * 4)
    (away,) = settle(source)
    assert away.state == "unreachable"
    assert "not a SQLite database" in away.note


def test_a_trial_that_does_not_read_is_said_and_the_others_shown(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=3)).run()
    with sqlite3.connect(tmp_path / "nas.db") as connection:
        connection.execute("UPDATE trial_user_attributes SET value_json = '{}' WHERE key = 'record' AND trial_id = 2")
    (source,) = open_sources(["test"], url(tmp_path))
    changes = poll(source)
    assert [record.trial for record in found(changes)] == [0, 2]
    assert "1 not shown" in changes[-1].note
    assert "#1" in changes[-1].note


def test_what_does_not_read_is_said_of_a_whole_study_too(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=3)).run()
    with sqlite3.connect(tmp_path / "nas.db") as connection:
        connection.execute("UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'record' AND trial_id = 2")
        connection.execute('UPDATE trial_params SET distribution_json = \'{"name": "Odd"}\' WHERE trial_id = 3')
    (source,) = open_sources(["test"], url(tmp_path))
    (snapshot,) = read_all([source])
    assert [record.trial for record in snapshot.records] == [0, 2]
    assert "1 not shown, for they do not read: #1" in snapshot.note
    assert "settings that do not read" in snapshot.note
    assert source.settings(poll(source)[0].identity)[0, ""] == snapshot.records[0].settings
    with sqlite3.connect(tmp_path / "nas.db") as connection:
        connection.execute("UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'record'")
    with pytest.raises(StudyError, match="study 'test': 3 not shown"):
        read_all(open_sources(["test"], url(tmp_path)))


@pytest.mark.parametrize(("stored", "says"), [('{"schema": 1}', "KeyError"), ("[]", "does not read"), (None, "space")])
def test_a_study_that_does_not_read_is_refused_in_one_line(tmp_path: Path, stored: str | None, says: str) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()
    with sqlite3.connect(tmp_path / "nas.db") as connection:
        ((facts,),) = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'nas'")
        changed = json.loads(facts)
        del changed["recipe"]["space"]
        written = (stored or json.dumps(changed),)
        connection.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = 'nas'", written)
    with pytest.raises(StudyError, match=says):
        open_sources(["test"], url(tmp_path))


@pytest.mark.parametrize("zone", ["UTC-2", "UTC+7"])
def test_a_running_trial_began_when_it_began_in_every_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", zone)
            time.tzset()
            search = open_search(tmp_path, make_recipe(trials=1, baselines=[]))
            search.study.ask()
            driver_storage(search.study).commit()
            (told,) = found(poll(open_sources(["test"], url(tmp_path))[0]))
            (stored,) = records(search.study)
            for began in (told.started, stored.started):
                assert abs(datetime.fromisoformat(began).timestamp() - time.time()) < 60
    finally:
        time.tzset()


def test_a_name_is_a_study_and_a_path_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_search(tmp_path, make_recipe(trials=1)).run()
    records_folder(tmp_path / "test"), records_folder(tmp_path / "other")
    assert read_all(open_sources(["test"], url(tmp_path)))[0].head.option is not None
    for path in ("./test", "test/", str(tmp_path / "test")):
        assert read_all(open_sources([path], url(tmp_path)))[0].head.option is None
    with pytest.raises(StudyError, match="unknown study 'other'") as refused:
        open_sources(["other"], url(tmp_path))
    assert "./other" in refused.value.hint


def test_a_storage_in_a_folder_with_a_mark_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a#b"
    folder.mkdir()
    open_search(folder, make_recipe(trials=1)).run()
    for reference in (url(folder), f"{url(folder)}#test"):
        assert len(read_all(open_sources([reference], ""))[0].records) == 1


def test_a_storage_that_breaks_at_the_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()

    def locked(_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("nas.study.feed_sql.studies", locked)
    with pytest.raises(StudyError, match="database is locked") as refused:
        open_sources(["test"], url(tmp_path))
    assert "ask again" in refused.value.hint


def test_the_usual_storage_is_the_commands(tmp_path: Path) -> None:
    assert storage_option(DEFAULT_STORAGE) == ""


def test_it_reads_beside_a_write_lock_and_leaves_nothing_open(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=2)).run()
    (source,) = open_sources(["test"], url(tmp_path))
    writer = sqlite3.connect(tmp_path / "nas.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE studies SET study_name = 'unseen'")
    start = time.monotonic()
    assert len(found(poll(source))) == 2
    assert time.monotonic() - start < 1
    writer.execute("ROLLBACK")
    busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0, "a reader holds the log"
    writer.close()


def test_a_writer_that_holds_the_whole_file_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_search(tmp_path, make_recipe(trials=2)).run()
    monkeypatch.setattr("nas.study.feed_storage._PATIENCE_MS", 50)
    fold(tmp_path)
    shutil.copy(tmp_path / "nas.db", tmp_path / "old.db")
    writer = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode=DELETE")
    (source,) = open_sources(["test"], f"sqlite:///{tmp_path}/old.db")
    writer.execute("BEGIN EXCLUSIVE")
    assert poll(source) == [], "no news, and no alarm"
    writer.execute("COMMIT")
    assert len(found(poll(source))) == 2
    writer.close()


def test_many_trials_come_in_pieces_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_search(tmp_path, make_recipe(trials=7)).run()
    monkeypatch.setattr("nas.study.feed_sql.PIECE", 2)
    (source,) = open_sources(["test"], url(tmp_path))
    changes = poll(source)
    assert len([one for one in changes if one.records]) == 4
    assert [record.trial for record in found(changes)] == list(range(7))


def test_what_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not exist"):
        open_sources([], url(tmp_path))
    open_search(tmp_path, make_recipe(trials=1)).run()
    with pytest.raises(StudyError, match="unknown study 'tset'") as refused:
        open_sources(["tset"], url(tmp_path))
    assert refused.value.hint == "did you mean test?"
    with pytest.raises(StudyError, match="no records there"):
        open_sources([str(tmp_path / "none.jsonl")], url(tmp_path))
    with pytest.raises(StudyError) as refused:
        open_sources([str(tmp_path / "nas.db")], "sqlite:///nas.db")
    assert f"sqlite:///{tmp_path}/nas.db" in refused.value.hint
    bare = tmp_path / "bare"
    bare.mkdir()
    optuna.create_study(study_name="theirs", storage=url(bare))
    with pytest.raises(StudyError, match=r"no studies in .*theirs"):
        open_sources([], url(bare))


def test_a_study_of_another_storage_and_each_place_once(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=1)).run()
    sources = open_sources([f"{url(tmp_path)}#test", url(tmp_path)], "sqlite:///absent.db")
    assert len(sources) == 1
    assert len(found(poll(sources[0]))) == 1


# Records files.


def records_folder(folder: Path, count: int = 6) -> Path:
    (folder / "data").mkdir(parents=True)
    write_records(folder / "data" / "records.jsonl", report_records.records(count))
    recipe = report_records.recipe().model_dump(mode="json")
    (folder / "provenance.json").write_text(json.dumps({"recipe": recipe, "provenance": {"command": "nas search"}}))
    return folder / "data" / "records.jsonl"


def test_a_records_file_with_the_recipe_beside_it(tmp_path: Path) -> None:
    path = records_folder(tmp_path / "out")
    for reference in (str(path), str(tmp_path / "out")):
        (source,) = open_sources([reference], "")
        (changes,) = poll(source)
        assert changes.head is not None
        assert (changes.head.name, changes.head.option) == ("example", None)
        assert changes.head.recipe == report_records.recipe()
        assert changes.head.facts == {"command": "nas search"}
        assert list(changes.records) == report_records.records(6)
        assert poll(source) == []


def test_lines_are_read_when_they_are_whole(tmp_path: Path) -> None:
    lines = [json.dumps(record.to_json()) + "\n" for record in report_records.records(6)]
    path = tmp_path / "mine.jsonl"
    path.write_text(lines[0] + lines[1][:100])
    (source,) = open_sources([str(path)], "")
    assert [record.trial for record in found(poll(source))] == [0]
    with path.open("a") as file:
        file.write(lines[1][100:] + lines[2][:-1])
    assert [record.trial for record in found(poll(source))] == [1, 2], "a last line may lack its end"
    with path.open("a") as file:
        file.write("\n{broken\n" + lines[3])
    changes = poll(source)
    assert [record.trial for record in found(changes)] == [3]
    assert "line 4" in changes[-1].note


def test_a_records_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    write_records(path, report_records.records(6))
    (source,) = open_sources([str(path)], "")
    poll(source)
    write_records(path, report_records.records(4))
    (changes,) = poll(source)
    assert changes.fresh
    assert len(changes.records) == 4
    path.write_text(path.read_text()[:-10] + "\n" * 500)
    assert poll(source)[0].fresh, "longer, and yet another"
    shutil.copy(path, tmp_path / "kept")
    path.unlink()
    (away,) = settle(source)
    assert away.state == "unreachable"
    (tmp_path / "kept").rename(path)
    assert settle(source)[-1].state == "ok"


def test_a_file_of_two_studies_is_two_studies(tmp_path: Path) -> None:
    path = tmp_path / "both.jsonl"
    write_records(path, [*report_records.records(3), *report_records.records(2, study="other")])
    (source,) = open_sources([str(path)], "")
    changes = poll(source)
    assert [(one.head.name if one.head else "", len(one.records)) for one in changes] == [("example", 3), ("other", 2)]
    assert [len(one.records) for one in read_all(open_sources([str(path)], ""))] == [3, 2]


def test_an_empty_file_is_a_study_without_trials(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    (source,) = open_sources([str(path)], "")
    (changes,) = poll(source)
    assert changes.head is not None
    assert (changes.head.name, changes.records) == ("empty", ())


def test_a_file_that_was_empty_becomes_its_first_study(tmp_path: Path) -> None:
    path = tmp_path / "filling.jsonl"
    path.touch()
    (source,) = open_sources([str(path)], "")
    (empty,) = poll(source)
    write_records(path, report_records.records(3))
    (changes,) = poll(source)
    assert changes.identity == empty.identity
    assert changes.head is not None
    assert (changes.head.name, len(changes.records)) == ("example", 3)
    assert len(source.snapshot(changes.identity).records) == 3


def test_a_study_that_a_file_written_anew_leaves_out_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "both.jsonl"
    both = [*report_records.records(3), *report_records.records(2, study="other")]
    write_records(path, both)
    (source,) = open_sources([str(path)], "")
    names = [one.head.name for one in poll(source) if one.head]
    write_records(path, both[:3])
    told = {one.identity.partition("#")[2]: (one.state, one.fresh) for one in poll(source)}
    assert names == ["example", "other"]
    assert told == {"example": ("ok", True), "other": ("gone", False)}
    write_records(path, both)
    told = {one.identity.partition("#")[2]: (one.state, one.fresh) for one in poll(source)}
    assert told == {"example": ("ok", True), "other": ("ok", True)}


def test_a_record_told_twice_counts_once_and_networks_without_trial_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    first, *others = report_records.records(4)
    foreign = [replace(one, trial=None, id="") for one in others]
    write_records(path, [first, first, *foreign])
    with path.open("a") as file:
        file.write("{broken\n")
    (snapshot,) = read_all(open_sources([str(path)], ""))
    assert list(snapshot.records) == [first, *foreign]
    assert "line 6" in snapshot.note
    path.write_text("{broken\n")
    with pytest.raises(StudyError, match="line 1"):
        read_all(open_sources([str(path)], ""))


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = records_folder(tmp_path / "out")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(StudyError, match="cannot be read: Permission denied"):
        open_sources([str(path)], "")


def test_a_report_two_folders_above_is_not_the_files(tmp_path: Path) -> None:
    records_folder(tmp_path / "out")
    other = tmp_path / "out" / "more"
    other.mkdir()
    write_records(other / "mine.jsonl", report_records.records(2))
    assert read_all(open_sources([str(other / "mine.jsonl")], ""))[0].head.recipe is None
