"""Studies that search the training schedule: the recipe's cells, the space of them, and the search through it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from nas.arch import parse
from nas.cells import Choice, Range
from nas.cli.live import line
from nas.cli.refs import resolve, training_of
from nas.document import DocumentError, validate, validate_stored
from nas.errors import NasError
from nas.recipe import Recipe, load_recipe
from nas.record import Reading, Record, read_records, write_records
from nas.report.analysis import analyse
from nas.report.assumed import assumed_recipe
from nas.report.explore import head, study_document
from nas.report.row import row
from nas.report.tables import front_table, trials_table
from nas.report.words import findings
from nas.space import SpaceError
from nas.space_file import load_architecture, load_space
from nas.study.copy import copy_study
from nas.study.grid_space import parse_any_space
from nas.study.importance import importance
from nas.study.lifecycle import check_training
from nas.study.lifecycle import resolve as resolve_recipe
from nas.study.machine import Share
from nas.study.storage import StudyError, open_storage, open_study, records
from nas.study.training_space import Scheduled, TrainingSpace, with_training
from nas.study.worker import evaluate
from tests.conftest import make_recipe
from tests.test_engine import Inline, Killed, open_search, url

CELLS = {"stages": [1, 2, 4], "resolution": {"from": 16, "to": 32, "by": 8}, "dropout": [0, 0.2]}
TRAINING = {"data": "digits", "width": 0.1, "resolution": 32, "epochs": 4, "dropout": 0.2, "progressive": CELLS}


def recipe_of_schedules(**changes: object) -> Recipe:
    document: dict[str, object] = {
        "space": "efficientnet-b0",
        "objectives": ["top1_pct", "train_seconds"],
        "measure": [],
        "training": TRAINING,
    }
    return make_recipe(**{**document, **changes})


def space_of_schedules(recipe: Recipe) -> TrainingSpace:
    space = with_training(load_space(recipe.space), recipe)
    assert isinstance(space, TrainingSpace)
    return space


def schedules(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Readings that a schedule decides: smaller images train faster, and a little worse."""
    start = settings["training"]["progressive"] or {}
    stages = start.get("stages", 1)
    pixels = 32 if stages == 1 else start["resolution"]
    values = {"top1_pct": 60 + pixels / 8 - stages, "train_seconds": pixels / 4 + 1 / stages}
    conditions = {"device": "cpu", "threads": 1, "data": "digits", "progressive": settings["training"]["progressive"]}
    return {key: {"value": value, "conditions": conditions} for key, value in values.items()}


def searched(folder: Path, executor: Any = None, **changes: object) -> tuple[Any, list[Record]]:
    recipe = recipe_of_schedules(**changes)
    search = open_search(folder, recipe, executor or Inline(schedules), space_of_schedules(recipe))
    search.run()
    return search, records(search.study)


# The recipe.


def test_an_open_cell_is_moved_aside_and_leaves_its_first_value() -> None:
    recipe = recipe_of_schedules()
    assert recipe.training_cells == {
        "progressive.stages": Choice((1, 2, 4)),
        "progressive.resolution": Range(16, 32, 8),
        "progressive.dropout": Choice((0, 0.2)),
    }
    start = recipe.training.progressive
    assert start
    assert (start.stages, start.resolution, start.dropout, start.mixup) == (1, 16, 0, None)


def test_a_stored_recipe_has_its_cells_as_they_were_written() -> None:
    recipe = recipe_of_schedules()
    stored = json.loads(json.dumps(recipe.model_dump(mode="json")))
    assert {key: stored["training"]["progressive"][key] for key in CELLS} == CELLS
    again = validate_stored(Recipe, stored, "stored")
    assert again == recipe
    assert again.identity() == recipe.identity()
    assert recipe.model_copy(update={"trials": 9}).training_cells == recipe.training_cells
    other = recipe_of_schedules(training={**TRAINING, "progressive": {**CELLS, "stages": [1, 2]}})
    assert other != recipe
    assert other.identity() != recipe.identity()


def test_a_cell_of_one_value_is_closed() -> None:
    closed = recipe_of_schedules(training={**TRAINING, "progressive": {"stages": [2], "resolution": [16]}})
    assert not closed.training_cells
    assert closed == recipe_of_schedules(training={**TRAINING, "progressive": {"stages": 2, "resolution": 16}})
    assert closed.training_with({}) == closed.training  # every network is trained by it, baselines too


def test_training_with_what_was_chosen_and_the_plain_one_with_nothing() -> None:
    recipe = recipe_of_schedules()
    chosen = recipe.training_with({"progressive.stages": 2, "progressive.resolution": 24, "progressive.dropout": 0})
    assert chosen.progressive
    assert (chosen.progressive.stages, chosen.progressive.resolution, chosen.progressive.dropout) == (2, 24, 0.0)
    assert chosen.model_copy(update={"progressive": None}) == recipe.training_with({})


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"stages": [1, "2"]}, "progressive.stages[1]: expected a whole number; got the string '2'"),
        ({"stages": [0, 2]}, "progressive.stages: expected greater than or equal to 1; got 0"),
        ({"stages": []}, "progressive.stages: expected at least one choice; got an empty list"),
        ({"stags": [1, 2]}, "progressive.stags: unknown key"),
        ({"resolution": {"from": 16, "too": 32}}, "progressive.resolution.too: unknown key"),
        ({"dropout": [0, 1.0]}, "progressive.dropout: expected less than 1; got 1.0"),
        ({"dropout": {"from": 0, "to": 1}}, "progressive.dropout: a range needs whole numbers"),
        ({"dropout": {"mbconv": 0.1}}, "progressive.dropout: expected a value, choices or a range; got values by"),
        ({"stages": [1, 2, 8]}, "progressive.stages: 8 stages need as many epochs; epochs is 4"),
        ({"resolution": [16, 48]}, "progressive.resolution: starts at 48 and ends at 32"),
        ({"randaugment": [0, 5]}, "progressive.randaugment: starts at 5 and ends at 0"),
        ({"stages": 1, "resolution": [16, 32]}, "progressive.resolution: open, and changes nothing"),
    ],
)
def test_a_cell_that_makes_no_schedule_is_refused_with_file_and_path(cells: dict[str, Any], said: str) -> None:
    training = {**TRAINING, "progressive": {"stages": 2, **cells}}
    with pytest.raises(DocumentError) as caught:
        validate(Recipe, {"name": "x", "space": "efficientnet-b0", "training": training}, "x.yaml")
    assert str(caught.value).startswith(f"x.yaml: training.{said}")
    assert "\n" not in str(caught.value)


def test_the_networks_of_a_grid_are_trained_alike() -> None:
    with pytest.raises(DocumentError, match=r"x: training\.progressive\.stages: expected one value"):
        validate(Recipe, {"name": "x", "grid": {}, "training": TRAINING}, "x")


def test_a_start_above_where_the_smallest_network_ends_is_refused() -> None:
    """Where each network ends at its own size, only the space knows the smallest."""
    recipe = recipe_of_schedules(training={**TRAINING, "resolution_scale": 0.2})  # 224 px end at 48
    check_training(recipe, space_of_schedules(recipe))
    small = recipe_of_schedules(training={**TRAINING, "resolution_scale": 0.1})  # at 24, but no less than 32
    check_training(small, space_of_schedules(small))
    large = {**CELLS, "resolution": [16, 40]}
    late = recipe_of_schedules(training={**TRAINING, "resolution_scale": 0.1, "progressive": large})
    with pytest.raises(NasError, match=r"training\.progressive\.resolution: starts at 40 and ends at 32"):
        check_training(late, space_of_schedules(late))


# The space.


def test_a_shipped_network_is_the_space_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("efficientnet-b0")
    b0 = load_architecture("efficientnet-b0")
    assert (space.name, space.size, space.published, space.sample()) == ("efficientnet-b0", 1, ("efficientnet-b0",), b0)
    text = Path(__file__).parent.parent.joinpath("search_spaces/baselines/efficientnet-b0.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(text)
    assert load_space("mine.yaml").sample() == b0


def test_the_same_network_under_another_schedule_is_another_member() -> None:
    space = space_of_schedules(recipe_of_schedules())
    b0 = load_architecture("efficientnet-b0")
    settings = {
        "training.progressive.stages": 2,
        "training.progressive.resolution": 16,
        "training.progressive.dropout": 0,
    }
    one, two = space.decode(settings), space.decode({**settings, "training.progressive.stages": 4})
    assert str(one) == str(two) == str(b0)
    assert one != two
    assert len({one.id, two.id, b0.id}) == 3
    assert one == space.decode(settings)
    assert space.encode(one) == settings
    assert one in space
    assert b0 not in space
    assert one.network == b0
    assert parse(str(one)).id == b0.id


def test_a_schedule_of_one_stage_is_one_member_wherever_it_would_start() -> None:
    space = space_of_schedules(recipe_of_schedules())
    drawn = [arch for arch in space.samples(200) if dict(arch.training)["progressive.stages"] == 1]
    assert len(drawn) > 20
    assert len({arch.id for arch in drawn}) == 1
    assert space.decode(space.encode(drawn[0])) == drawn[0]


def test_size_counts_settings_of_networks_and_trainings() -> None:
    recipe = recipe_of_schedules(space="efficientnet")
    networks = load_space("efficientnet")
    space = space_of_schedules(recipe)
    assert space.size == networks.size * 3 * 3 * 2
    assert list(space.cells) == [*networks.cells, *(f"training.progressive.{key}" for key in CELLS)]
    arch = next(space.samples(1))
    assert space.rank_score(arch) == networks.rank_score(arch.network)
    assert space_of_schedules(recipe_of_schedules()).rank_score(arch) is None  # among one network there is no rank


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.progressive.stages": 3}, r"training\.progressive\.stages: expected 1 \| 2 \| 4; got 3"),
        ({"training.progressive.mixup": 0.1}, r"no open cell 'training\.progressive\.mixup'"),
        ({"stage1.kernel": 3}, r"no open cell 'stage1\.kernel'"),
    ],
)
def test_settings_of_no_member_are_refused(changes: dict[str, Any], said: str) -> None:
    space = space_of_schedules(recipe_of_schedules())
    settings = space.encode(next(space.samples(1)))
    with pytest.raises(SpaceError, match=said):
        space.decode({**settings, **changes})
    with pytest.raises(SpaceError, match=r"no setting for the open cell 'training\.progressive\.dropout'"):
        space.decode({name: value for name, value in settings.items() if not name.endswith("dropout")})


def test_a_network_without_a_schedule_or_with_another_is_no_member() -> None:
    space = space_of_schedules(recipe_of_schedules())
    member = next(space.samples(1))
    assert Scheduled(**{**member.__dict__, "training": (("progressive.stages", 3),)}) not in space
    with pytest.raises(SpaceError, match="nothing is chosen of its training"):
        space.encode(member.network)


# The search.


def test_a_search_trains_each_member_by_its_schedule_and_the_baseline_plainly(tmp_path: Path) -> None:
    executor = Inline(schedules)
    search, found = searched(tmp_path, executor, trials=8, baseline_repeats=2)
    assert (found[0].baseline, found[0].trial, found[0].training) == ("efficientnet-b0", None, {})
    assert executor.specs[0].settings["training"]["progressive"] is None
    assert executor.specs[0].settings["repeats"] == 2
    measured = [record for record in found[1:] if record.reused is None]
    assert len(measured) == 8 == len(executor.specs) - 1
    for record, spec in zip(measured, executor.specs[1:], strict=True):
        asked = search.recipe.training_with(record.training).model_dump(mode="json")
        assert spec.settings["training"]["progressive"]["stages"] == asked["progressive"]["stages"]
        if asked["progressive"]["stages"] > 1:
            assert spec.settings["training"] == asked
        assert parse(spec.architecture) == parse(record.arch) == load_architecture("efficientnet-b0")


def test_each_training_is_measured_once_and_its_readings_reused(tmp_path: Path) -> None:
    executor = Inline(schedules)
    search, found = searched(tmp_path, executor, trials=99, sampler="grid")
    assert search.stop == "exhausted"
    members = 1 + 2 * 3 * 2  # one stage, whatever its start; and two or four from each
    trainings = [json.dumps(spec.settings["training"]["progressive"]) for spec in executor.specs]
    assert len(set(trainings)) == len(trainings) == 1 + members  # and the baseline's
    trials = [record for record in found if record.trial is not None]
    assert len(trials) == 18
    assert len({record.id for record in trials}) == members
    first = {record.id: record for record in reversed(trials)}
    again = [record for record in trials if record.reused is not None]
    assert len(again) == 5
    assert {json.dumps(record.training["progressive.stages"]) for record in again} == {"1"}
    assert all(record.readings == first[record.id].readings for record in again)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_small_space_of_schedules_is_tried_out(tmp_path: Path, sampler: str) -> None:
    executor = Inline(schedules, width=3)
    search, found = searched(tmp_path, executor, trials=99, sampler=sampler)
    assert search.stop == "exhausted"
    assert len(executor.specs) == 14
    assert {record.state for record in found} == {"complete"}


def test_a_search_goes_on_where_it_stopped_and_measures_nothing_again(tmp_path: Path) -> None:
    searched(tmp_path, trials=4)
    executor = Inline(schedules)
    search, found = searched(tmp_path, executor, trials=9)
    assert search.done == 9
    assert len(executor.specs) == 5
    assert len({record.id for record in found}) == 10


def test_a_driver_that_dies_leaves_a_schedule_to_be_tried_again(tmp_path: Path) -> None:
    recipe = recipe_of_schedules(baselines=[], trials=3)
    with pytest.raises(KeyboardInterrupt):
        open_search(tmp_path, recipe, Killed(), space_of_schedules(recipe)).run()
    _, found = searched(tmp_path, baselines=[], trials=3)
    died = next(record for record in found if record.state == "failed")
    retry = next(record for record in found if record.retry_of == died.trial)
    assert (retry.id, retry.training, retry.state) == (died.id, died.training, "complete")
    assert died.id != parse(died.arch).id


def test_other_cells_are_another_study(tmp_path: Path) -> None:
    searched(tmp_path, trials=2)
    recipe = recipe_of_schedules(training={**TRAINING, "progressive": {**CELLS, "stages": [1, 2]}})
    with pytest.raises(StudyError) as caught:
        open_search(tmp_path, recipe, space=space_of_schedules(recipe))
    assert str(caught.value).endswith("was started otherwise: training.progressive.stages: [1, 2, 4] → [1, 2]")


def test_a_limit_on_the_seconds_of_training_keeps_slow_schedules_off_the_front(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=13, sampler="grid", limits=["train_seconds<=6.5"])
    over = {record.id for record in found if record.excess["train_seconds<=6.5"] > 0}
    assert 0 < len(over) < 14
    assert {record.value("train_seconds") for record in found if record.id not in over} == {4.25, 4.5, 6.25, 6.5}
    assert all(member["train_seconds"] <= 6.5 for member in search.ledger.front.members)


def test_a_studys_schedules_survive_storage_copy_and_export(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=5)
    study = open_study(open_storage(url(tmp_path)), "test")
    assert records(study) == found
    copy_study(open_storage(url(tmp_path)), open_storage(f"sqlite:///{tmp_path}/other.db", create=True), "test", "copy")
    copied = records(open_study(open_storage(f"sqlite:///{tmp_path}/other.db"), "copy"))
    assert [(record.id, record.training) for record in copied] == [(record.id, record.training) for record in found]
    write_records(tmp_path / "records.jsonl", found)
    assert list(read_records(tmp_path / "records.jsonl")) == found
    stored = json.loads(json.dumps(search.space.to_document()))
    assert parse_any_space(stored, "stored") == search.space
    assert parse_any_space(stored, "stored").hash == search.space.hash


def test_a_trial_names_its_network_and_its_training(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=3)
    for record in found[1:]:
        reference = f"test:{record.trial}"
        assert resolve(reference, url(tmp_path)) == load_architecture("efficientnet-b0")
        assert training_of(reference, url(tmp_path)) == search.recipe.training_with(record.training)
    assert training_of("efficientnet-b0", url(tmp_path)) is None
    with pytest.raises(NasError, match="has no trial 99"):
        training_of("test:99", url(tmp_path))


def test_a_report_has_each_schedule_as_a_member_of_its_own(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=8, baseline_repeats=1)
    analysis = analyse(found, search.recipe)
    assert len(analysis.results) == 9
    assert any(result.record.training for result in analysis.front)
    for table in (front_table(analysis), trials_table(analysis)):
        column = [one.key for one in table.columns].index("training")
        baseline = [one.key for one in table.columns].index("baseline")
        assert len({cells[column].text for cells in table.rows}) >= len(analysis.front)
        assert [cells[column].text for cells in table.rows if cells[baseline].text == "efficientnet-b0"] == ["plain"]
    assert not any("more than one training" in sentence for sentence in findings(analysis))
    member = next(record for record in found if record.training)
    assert f"stages {member.training['progressive.stages']}, resolution" in line(member, search)


def test_the_explorer_compares_the_schedules_of_one_study_and_says_each(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=8)
    rows = [row(record, search.objectives) for record in found]
    document = study_document(head(search.recipe), rows, whole=True)
    assert document["trained"] == []  # else each schedule would stand alone
    assert study_document(head(search.recipe), rows[:1])["trained"] == []  # from the first trial on
    assert study_document(head(assumed_recipe("test", found)), rows)["trained"] == []  # and where no recipe says so
    assert study_document(head(make_recipe()), rows[:1])["trained"] == ["top1_pct", "train_seconds"]
    assert "train_seconds" in document["timed"]
    assert document["rows"]["repeat"] == [place for place, record in enumerate(found) if record.reused is not None]
    assert len(document["trainings"]) == 9
    assert document["trainings"][0] == "digits"
    assert all("progressive stages" in label for label in document["trainings"][1:])
    assert document["settings"]["names"] == list(search.space.cells)


def test_importance_is_shared_among_the_cells_of_the_training(tmp_path: Path) -> None:
    search, found = searched(tmp_path, trials=99, sampler="random")
    shares = importance(found, search.space, ["train_seconds"])["train_seconds"]
    assert set(shares) == set(search.space.cells)
    assert max(shares, key=lambda name: shares[name]) != "training.progressive.dropout"  # which these readings ignore


TINY = """\
resolution: 32
stem: 8
head: 16
stages:
  - {op: mbconv, kernel: 3, stride: 2, channels: 8, layers: 1, expand: 1}
"""
SEARCH = """\
name: schedules
question: Which schedule?
space: tiny.yaml
baselines: [tiny.yaml]
baseline_repeats: 2
trials: 2
sampler: grid
objectives: [top1_pct, train_seconds]
measure: []
training:
  data: digits
  width: 1.0
  resolution: 32
  epochs: 2
  progressive: {stages: [1, 2], resolution: [16, 32]}
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network and a recipe that searches its schedule."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "schedules.yaml").write_text(SEARCH)
    return tmp_path


def test_schedules_are_really_trained_and_timed(written: Path) -> None:
    """Digits, the worker's own measuring, and the same search again, which goes on."""
    for trials in (2, 4):
        recipe = load_recipe("schedules.yaml", trials=trials)
        search = open_search(written, recipe, Inline(evaluate), space_of_schedules(recipe))
        search.run()
    found = records(search.study)
    assert {record.state for record in found} == {"complete"}
    assert len({record.id for record in found}) == 4  # plain, one stage, two stages from 16 and from 32 px
    assert [record.reused is not None for record in found].count(True) == 1
    for record in found:
        seconds, accuracy = record.readings["train_seconds"], record.readings["top1_pct"]
        assert seconds.value > 0
        told = [{key: value for key, value in one.conditions.items() if key != "seed"} for one in (seconds, accuracy)]
        assert told[0] == told[1]
        assert seconds.samples == accuracy.samples == (2 if record.baseline else 1)
        assert (seconds.spread is None) is not bool(record.baseline)  # one training says nothing of its noise
        trained = accuracy.conditions.get("progressive") or {}
        assert trained.get("stages") == record.training.get("progressive.stages")


@pytest.mark.parametrize(
    ("asked", "how"), [(["top1_pct"], "own"), (["top1_pct", "train_seconds"], "alone"), (["train_seconds"], "alone")]
)
def test_what_is_timed_is_trained_alone_and_trained_once(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], how: str
) -> None:
    shares: list[str] = []
    trained: list[str] = []

    def share(name: str) -> Any:
        return lambda _: shares.append(name) or contextlib.nullcontext()

    def trains(*_: object, **__: object) -> dict[str, Reading]:
        trained.append(shares[-1])
        return {"top1_pct": Reading(50.0), "train_seconds": Reading(3.0)}

    for name in ("own", "alone"):
        monkeypatch.setattr(Share, name, share(name))
    monkeypatch.setattr("nas.meters.accuracy.accuracy", trains)
    settings = {"measure": asked, "timing": {}, "training": {}, "device": "cpu"}
    readings = evaluate("r32 s8 m1k3s1c8n1 h16", settings, 0)
    assert trained == [how]
    assert set(readings) - {"params", "flops", "activations"} == set(asked)


@pytest.mark.slow
def test_the_command_line_searches_schedules_and_goes_on(written: Path, run_nas: Any) -> None:
    said = run_nas("search", "--recipe", "schedules.yaml", "-n", "1", "--quiet")
    assert said.returncode == 0, said.stderr
    again = run_nas("search", "--study", "schedules", "-n", "3", "--json")  # its times are of one thread, as trained
    assert again.returncode == 0, again.stderr
    front = json.loads(again.stdout)["front"]
    assert all(("progressive.stages" in member.get("training", {})) is (not member["baseline"]) for member in front)
    assert "  stages 2, resolution" in again.stderr
    shown = json.loads(run_nas("studies", "show", "schedules", "--json").stdout)
    assert shown["recipe"]["training"]["progressive"]["stages"] == [1, 2]
    assert [list(record.get("settings", {})) for record in shown["records"]] == [[]] + 3 * [
        ["training.progressive.stages", "training.progressive.resolution"]
    ]
    trials = (written / "runs/schedules/tables/trials.md").read_text()
    assert "| training |" in trials
    assert "| plain |" in trials
    assert "| stages 2, resolution " in trials
    assert run_nas("show", "schedules:0").returncode == 0
    refused = run_nas("search", "--recipe", "schedules.yaml", "--data", "fractals")
    assert refused.returncode == 2
    assert "training.data: digits → fractals" in refused.stderr
    assert "progressive" not in refused.stderr  # its cells are still open


# The shipped study.


def test_the_shipped_study_searches_the_schedule_of_one_network() -> None:
    recipe = load_recipe("progressive-cpu")
    space = space_of_schedules(recipe)
    assert space.networks.size == 1
    assert recipe.objectives == ("top1_pct", "train_seconds")
    assert recipe.timed == ("train_seconds",)
    assert resolve_recipe(recipe, space).baselines == ("efficientnet-b0",)
    assert recipe.trials < space.size
    check_training(recipe, space)
