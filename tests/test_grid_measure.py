"""The networks of a grid as a study: each measured once, in a drawn order, resumed, refused under another grid."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from nas.arch import parse
from nas.choice import choose
from nas.cli import main
from nas.cli.grid_measure import Wanted, answer_document, print_answer, settle_grid
from nas.cli.study_report import write_study_report
from nas.document import DocumentError
from nas.errors import NasError
from nas.grid import BASE, PAPER, grid
from nas.measured_grid import measured
from nas.recipe import Recipe
from nas.record import read_records
from nas.space import SpaceError
from nas.study.driver import driver_storage
from nas.study.engine import Search
from nas.study.grid_space import GridSpace, parse_any_space
from nas.study.lifecycle import open_or_create, resolve, resolve_baselines
from nas.study.storage import StudyError, open_storage, records, space_of
from nas.training import proxy_resolution
from nas.training.proxy import proxy
from tests import workers
from tests.conftest import make_recipe
from tests.test_engine import Inline, networks, url

TINY = "r32 s8 m1k3s1c8n1 m4k3s2c16n2 m4k3s2c24n2 h64 y10"


def space(**changes: Any) -> GridSpace:
    asked: dict[str, Any] = {"step": 0.2, "tolerance": 0.3, "constraint": "real", **changes}
    return GridSpace.of(grid(parse(TINY), **asked), "tiny")


def recipe(**changes: object) -> Recipe:
    options = {"base": TINY, "step": 0.2, "tolerance": 0.3, "constraint": "real"}
    document = {"grid": options, "space": "tiny", "baselines": ["base", "paper"], "trials": space().size, "repeats": 2}
    return make_recipe(**{**document, **changes})


def open_grid(folder: Path, executor: Any = None, where: GridSpace | None = None, how: Recipe | None = None) -> Search:
    chosen, settled = where or space(), how or recipe()
    study = open_or_create(open_storage(url(folder), create=True), settled, chosen, "cpu", "nas grid", {}).study
    return Search(study, settled, chosen, executor or Inline(), "cpu", resolve_baselines(settled, chosen))


def test_it_holds_the_members_the_base_and_the_papers_triple_each_network_once() -> None:
    found, made = grid(parse(TINY), step=0.2, tolerance=0.3, constraint="real"), space()
    archs = [arch.id for arch in made.samples(made.size)]
    assert len(set(archs)) == made.size
    assert {member.arch.id for member in found.members} <= set(archs)
    assert made.decode(made.settings(BASE)) == parse(TINY)
    assert set(made.marked) == {"base", "paper"}
    assert made.decode({"alpha": 1.2, "beta": 1.1, "gamma": 1.15}).resolution == 40
    for arch in made.samples(made.size):
        assert made.decode(made.encode(arch)) == arch
        assert arch in made


def test_a_member_that_the_papers_triple_builds_goes_by_it() -> None:
    wide = space(step=0.1, tolerance=0.5)
    same = [member for member in grid(parse(TINY), step=0.1, tolerance=0.5, constraint="real").members
            if member.arch == wide.decode(wide.settings(PAPER))]  # fmt: skip
    assert same
    assert PAPER in wide.triples
    assert (same[0].alpha, same[0].beta, same[0].gamma) not in wide.triples


def test_what_is_none_of_it_is_refused() -> None:
    made = space()
    with pytest.raises(SpaceError, match="none of its"):
        made.decode({"alpha": 1.93, "beta": 1.0, "gamma": 1.0})
    with pytest.raises(SpaceError, match="no setting for 'gamma'"):
        made.decode({"alpha": 1.0, "beta": 1.0})
    with pytest.raises(SpaceError, match="not in tiny"):
        made.encode(parse("r32 s8 m1k3s1c8n3 h64"))


def test_it_round_trips_as_a_study_stores_it() -> None:
    made = space()
    stored = json.loads(json.dumps(made.to_document()))
    assert parse_any_space(stored, "here") == made
    assert parse_any_space(stored, "here").hash == made.hash
    assert space(step=0.1).hash != made.hash
    with pytest.raises(DocumentError, match="does not read"):
        parse_any_space({**stored, "base": "nonsense"}, "here")


def test_every_network_is_measured_once_with_repeats_and_optuna_sees_the_triples(tmp_path: Path) -> None:
    executor = Inline()
    search = open_grid(tmp_path, executor)
    assert search.run() == "done"
    found = records(search.study)
    assert [record.state for record in found] == ["complete"] * space().size
    assert sorted(networks(search)) == sorted(str(arch) for arch in space().samples(99))
    assert all(spec.settings["repeats"] == 2 for spec in executor.specs)
    for trial in search.study.get_trials():
        assert tuple(trial.params[name] for name in ("alpha", "beta", "gamma")) in space().triples
    assert {record.baseline: tuple(record.settings.values()) for record in found if record.baseline} == space().marked
    assert "rank_score" not in found[0].readings
    assert space_of(search.study) == space()


def test_the_order_is_drawn_from_the_seed(tmp_path: Path) -> None:
    orders = []
    for number, seed in enumerate((0, 0, 1)):
        (tmp_path / str(number)).mkdir()
        search = open_grid(tmp_path / str(number), how=recipe(seed=seed))
        search.run()
        orders.append(networks(search))
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != [str(arch) for arch in space().samples(99)]


def test_it_goes_on_after_a_dead_driver_and_measures_nothing_twice(tmp_path: Path) -> None:
    class Dying(Inline):
        def wait(self, timeout: float) -> Any:
            if len(self.specs) > 2:
                raise KeyboardInterrupt
            return super().wait(timeout)

    search = open_grid(tmp_path, Dying())
    with pytest.raises(KeyboardInterrupt):
        search.run()
    executor = Inline()
    again = open_grid(tmp_path, executor)
    assert again.done == 2
    again.run()
    states = [trial.state for trial in again.study.get_trials()]
    assert states.count(TrialState.COMPLETE) == space().size
    assert states.count(TrialState.FAIL) == 1
    assert len(executor.specs) == space().size - 2
    assert again.done == space().size


def test_a_network_that_failed_is_tried_again_by_the_same_command_three_times_in_all(tmp_path: Path) -> None:
    def failing(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        broken = parse(architecture).resolution == 40
        return workers.quick(architecture, settings, seed) if not broken else {}

    tries = []
    for _ in range(5):
        executor = Inline(failing)
        search = open_grid(tmp_path, executor)
        search.run()
        tries.append(sum(parse(spec.architecture).resolution == 40 for spec in executor.specs))
    broken = sum(arch.resolution == 40 for arch in space().samples(99))
    assert broken
    assert tries == [broken, broken, broken, 0, 0]
    mended = [record for record in records(search.study) if record.state == "complete"]
    assert len(mended) == space().size - broken


def test_another_grid_or_recipe_under_the_same_name_is_refused(tmp_path: Path) -> None:
    open_grid(tmp_path).run()
    with pytest.raises(StudyError, match="triples"):
        open_grid(tmp_path, where=space(step=0.1))
    with pytest.raises(StudyError, match="repeats: 2 → 3"):
        open_grid(tmp_path, how=recipe(repeats=3))
    options = {"base": TINY, "step": 0.2, "tolerance": 0.3, "constraint": "real", "band": 0.25}
    assert open_grid(tmp_path, how=recipe(grid=options)).done == space().size, "the band only changes what is said"


def test_a_study_from_before_repeats_and_grids_goes_on(tmp_path: Path) -> None:
    from nas.space_file import load_space

    plain, where = make_recipe(), load_space("efficientnet")
    storage = open_storage(url(tmp_path), create=True)
    study = open_or_create(storage, plain, where, "cpu", "nas search", {}).study
    stored = dict(study.user_attrs["nas"])
    old = {key: value for key, value in stored["recipe"].items() if key not in ("grid", "repeats")}
    old["training"] = {key: value for key, value in old["training"].items() if key != "pixels"}
    study.set_user_attr("nas", {**stored, "recipe": old})
    driver_storage(study).commit()
    assert open_or_create(storage, plain, where, "cpu", "nas search", {}).resumed
    with pytest.raises(StudyError, match=r"training\.epochs: \d+ → 99"):
        open_or_create(storage, make_recipe(training={"epochs": 99}), where, "cpu", "nas search", {})


def test_its_records_answer_which_triple_is_best(tmp_path: Path) -> None:
    def trained(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        readings = workers.quick(architecture, settings, seed)
        arch = parse(architecture)
        top1 = 90.0 if arch.resolution == 40 else 70.0
        readings["top1_pct"] = {"value": top1, "spread": 1.0, "detail": {"repeats": [top1 - 0.4, top1 + 0.4]}}
        return readings

    search = open_grid(tmp_path, Inline(trained), how=recipe(measure=["top1_pct", "train_images_per_s"]))
    search.run()
    assert search.recipe.grid
    choice = choose(measured(records(search.study), search.recipe.grid), target=2.0, band=0.2)
    assert parse(choice.answers[0].best.measured.arch).resolution == 40
    assert choice.paper
    assert choice.base.arch == TINY
    assert len(choice.networks) == space().size


def test_images_grow_with_gamma_where_the_recipe_fixes_them() -> None:
    settled = resolve(recipe(training={"resolution": 64}), space())
    assert settled.training.resolution_scale == 2.0


def tiny_recipe(folder: Path) -> str:
    (folder / "tiny.yaml").write_text(
        "name: tiny\nquestion: Which?\n"
        f"grid: {{base: {TINY}, target: 2.0, step: 0.2, tolerance: 0.3, constraint: real, band: 0.2}}\n"
        "objectives: [top1_pct, flops]\nmeasure: [top1_pct]\nrepeats: 2\nbaseline_repeats: 2\n"
        "training: {data: digits, width: 1.0, resolution_scale: 1.0, epochs: 1, batch: 256, threads: 1}\n"
    )
    return "tiny.yaml"


def test_the_command_measures_answers_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nas(*words: str) -> tuple[str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["grid", "--measure", "--device", "cpu", *words])
        assert stopped.value.code == 0
        return capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    name = tiny_recipe(tmp_path)
    dry, _ = nas("--recipe", name, "--dry-run", "--json")
    assert json.loads(dry)["trials"] == space().size
    assert not (tmp_path / "nas.db").exists()
    first, told = nas("--recipe", name, "--json")
    document = json.loads(first)
    assert document["choice"]["networks"] == document["trials"]["complete"] == space().size
    assert "alpha 1.2  beta 1.1  gamma 1.15  40 px  paper" in told
    again, told = nas("--study", "tiny")
    assert "Equal FLOPs" in again
    assert f"{space().size} of {space().size} done" in told
    written = ("choice.md", "figures/choice-flops.svg", "tables/choice-flops.csv", "tables/networks.tex", "report.html")
    for name in written:
        assert (tmp_path / "runs" / "tiny" / name).stat().st_size > 200
    page = (tmp_path / "runs" / "tiny" / "report.html").read_text()
    assert 'id="grid"' in page
    assert 'id="triangle"' in page
    assert "Equal FLOPs" in page
    wider, _ = nas("--study", "tiny", "--band", "0.3", "--json")
    assert {answer["band"] for answer in json.loads(wider)["choice"]["answers"]} == {0.3}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.cli.grid_measure.print_answer", interrupted)
    with pytest.raises(SystemExit) as stopped:
        main(["grid", "--measure", "--device", "cpu", "--study", "tiny"])
    assert stopped.value.code == 130
    assert "all trials are done; the same command writes the answer: nas grid --measure" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grid", "--recipe", "compound-grid", "--measure", "--constraint", "loose"), "constraint: expected"),
        (("grid", "--recipe", "compound-gird", "--measure"), "did you mean"),
        (("grid", "--recipe", "compound-grid", "--measure", "--step", "0"), "grid: step: expected"),
        (("grid", "--recipe", "compound-grid", "--measure", "--target", "90"), "no triple within"),
        (("grid", "--recipe", "compound-grid", "--dry-run"), "add --measure"),
        (("grid", "--recipe", "compound-grid", "--band", "0.2"), "--band is for a grid that is measured"),
        (("grid", "--recipe", "compound-grid", "--measure", "--band", "3"), "grid: band: expected less than 1"),
        (("grid", "--recipe", "compound-grid", "--measure", "--dry-run", "--data", "nosuch"), "data set 'nosuch'"),
        (("grid", "--recipe", "compound-grid"), "--device is for a grid that is measured"),
        (("search", "--recipe", "compound-grid"), "nas grid --recipe compound-grid --measure"),
    ],
)
def test_bad_input_is_one_line(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--device", "cpu"])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("sampler: tpe\n", "sampler: not for a grid"),
        ("trials: 5\nlimits: [flops<=1M]\n", "limits, trials: not for a grid"),
        ("repeats: 1\nbaseline_repeats: 1\n", "the noise of an accuracy stays unknown"),
        ("measure: [train_images_per_s]\n", "timing.batch: a grid compares step times at one batch"),
    ],
)
def test_a_recipe_that_a_grid_cannot_follow_is_refused(
    stated: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / tiny_recipe(tmp_path)
    replaced = {line.partition(":")[0] for line in stated.splitlines()}
    kept = [line for line in path.read_text().splitlines() if line.partition(":")[0] not in replaced]
    path.write_text("\n".join([*kept, stated]))
    with pytest.raises(SystemExit) as stopped:
        main(["grid", "--measure", "--recipe", path.name, "--device", "cpu"])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_without_an_answer_the_reason_is_said_and_no_older_answer_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = open_grid(tmp_path, how=recipe(repeats=1, baseline_repeats=1, measure=["top1_pct"]))
    search.run()
    (tmp_path / "choice.html").write_text("of an older study")
    write_study_report(search.recipe.name, tmp_path, f"sqlite:///{tmp_path / 'nas.db'}")
    assert not (tmp_path / "choice.html").exists()
    print_answer(search.study)
    told = capsys.readouterr().err
    assert "no network was trained with two seeds" in told
    assert "repeats of at least 2" in told
    assert "two seeds" in answer_document(search.study)["no_choice"]


def test_without_a_recipe_networks_are_trained_and_timed_as_they_are_at_one_batch(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'nas.db'}"
    given = {"base": TINY, "step": 0.2, "tolerance": 0.3, "constraint": "real"}
    wanted = Wanted(given, None, None, storage, "cpu", None, 1, None, 2_000_000, False)
    settled, where = settle_grid(wanted, "cpu")
    assert settled.timing.batch == settled.training.batch
    assert settled.repeats == 3
    assert settled.timing.resolution_scale == 1
    for arch in where.samples(99):
        assert proxy(arch, settled.training, arch.classes) == arch
    sides = {arch.resolution: proxy_resolution(arch, settled.training) for arch in where.samples(99)}
    assert sides == {side: side for side in sides}  # the base has the 32 px of the recipe


@pytest.mark.parametrize(("words", "noted"), [((), True), (("--band", "0.4"), False)])
def test_the_plan_says_what_is_run_and_whether_any_network_can_be_compared(
    words: tuple[str, ...],
    noted: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """α = 2 alone is nominally near 2.7 ×; it and the paper's triple build networks of about 2 ×."""
    monkeypatch.chdir(tmp_path)
    command = ["grid", "--measure", "--base", TINY, "--target", "2.7", "--tolerance", "0.75", "--step", "1"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--device", "cpu", "--dry-run", *words])
    assert stopped.value.code == 0
    told = capsys.readouterr().err
    assert "networks are trained and timed as they are, at 32 to 40 px" in told
    assert "--recipe compound-grid" in told
    assert ("no network within 10 % of 2.7 × the base's FLOPs" in told) == noted
    assert "--band" in told or not noted


def test_a_recipe_needs_a_space_or_a_grid() -> None:
    with pytest.raises((NasError, ValueError), match="space"):
        Recipe.model_validate({"name": "x"})
    assert Recipe.model_validate({"name": "x", "grid": {}}).space == "grid"


def test_the_committed_study_is_of_its_recipe_and_its_readme_of_its_records() -> None:
    root = Path(__file__).parent.parent
    spec = importlib.util.spec_from_file_location("compound_grid", root / "benchmarks" / "compound_grid.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    wanted = Wanted({}, "compound-grid", None, "sqlite:///nas.db", "cpu", None, 1, None, 2_000_000, False)
    settled, where = settle_grid(wanted, "cpu")
    assert settled.grid
    found = list(read_records(root / "studies" / "compound-grid" / "records.jsonl"))
    assert {record.arch for record in found} == {str(arch) for arch in where.samples(where.size)}
    choice = choose(measured(found, settled.grid), target=settled.grid.target, band=settled.grid.band)
    readme = (root / "studies" / "compound-grid" / "README.md").read_text(encoding="utf-8")
    assert script.page(found, choice, settled) == readme
