"""The search loop, driven with workers that answer at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nas.arch import Architecture, parse
from nas.grid import grid
from nas.recipe import Recipe, load_recipe
from nas.record import Record
from nas.space import SearchSpace
from nas.space_file import load_architecture, load_space
from nas.study.driver import driver_storage
from nas.study.engine import Search
from nas.study.executors import Pool, Result, Spec
from nas.study.executors.local import LocalExecutor
from nas.study.grid_space import GridSpace
from nas.study.lifecycle import open_or_create, resolve, resolve_baselines
from nas.study.lock import driver_lock
from nas.study.space import Space
from nas.study.storage import StudyError, open_storage, records
from tests import workers
from tests.conftest import make_recipe


@dataclass
class Inline:
    """An executor without processes: a job is answered when it is waited for."""

    evaluate: Any = workers.quick
    width: int = 1
    specs: list[Spec] = field(default_factory=list)
    pending: list[Spec] = field(default_factory=list)
    due: dict[int, float] = field(default_factory=dict)

    @property
    def capacity(self) -> int:
        return self.width - len(self.pending)

    def submit(self, spec: Spec) -> None:
        assert self.capacity > 0
        self.specs.append(spec)
        self.pending.append(spec)

    def wait(self, timeout: float) -> list[Result]:
        if not self.pending:
            return []
        spec = self.pending.pop(0)
        return [Result(spec.job, self.evaluate(spec.architecture, dict(spec.settings), spec.seed))]

    def age(self, job: int) -> float:
        return 0.0

    def cancel(self, job: int, reason: str) -> None:
        raise AssertionError("nothing hangs here")

    def close(self) -> None: ...


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/nas.db"


def open_search(folder: Path, recipe: Recipe, executor: Any = None, space: Space | None = None) -> Search:
    space = space or load_space(recipe.space)
    storage = open_storage(url(folder), create=True)
    study = open_or_create(storage, recipe, space, "cpu", "nas search", {}).study
    return Search(study, recipe, space, executor or Inline(), "cpu", resolve_baselines(recipe, space))


def networks(search: Search) -> list[str]:
    return [record.arch for record in records(search.study)]


def test_it_measures_the_asked_number_of_trials_the_baseline_first(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)
    assert search.run() == "done"
    found = records(search.study)
    assert [record.state for record in found] == ["complete"] * 6
    assert found[0].baseline == "efficientnet-b0"
    assert parse(found[0].arch) == load_architecture("efficientnet-b0")
    assert all(record.value("flops") and record.value("top1_pct") for record in found)
    assert [trial.values for trial in search.study.get_trials()] == [
        [record.value("top1_pct"), record.value("flops")] for record in found
    ]


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "nsga3"])
def test_the_same_seed_gives_the_same_networks_in_the_same_order(tmp_path: Path, sampler: str) -> None:
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        search = open_search(tmp_path / name, make_recipe(sampler=sampler, trials=15))
        search.run()
        runs.append(networks(search))
    assert runs[0] == runs[1]
    other = open_search(tmp_path, make_recipe(sampler=sampler, trials=15, seed=1))
    other.run()
    assert networks(other)[1:] != runs[0][1:]


def test_a_larger_total_goes_on_and_suggests_no_network_again(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    executor = Inline()
    search = open_search(tmp_path, make_recipe(trials=12), executor)
    assert search.done == 6
    search.run()
    assert len(records(search.study)) == 12
    assert len(executor.specs) == 6
    assert len(set(networks(search))) == 12


def test_a_changed_recipe_is_refused_and_says_what_changed(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    changed = make_recipe(seed=3, training={"epochs": 99})
    with pytest.raises(StudyError, match=r"seed: 0 → 3.*training\.epochs: \d+ → 99"):
        open_search(tmp_path, changed)


def test_a_changed_space_is_refused_and_says_what_changed(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    text = Path(__file__).parent.parent.joinpath("search_spaces/efficientnet.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("resolution: 224", "resolution: 192"))
    with pytest.raises(StudyError, match=r"space\.resolution: 224 → 192"):
        open_search(tmp_path, recipe, space=load_space(str(tmp_path / "mine.yaml")))


def test_what_is_over_a_limit_is_told_as_a_constraint_and_never_measured(tmp_path: Path) -> None:
    executor = Inline()
    search = open_search(tmp_path, make_recipe(limits=["flops<=350M", "params<=5M"], baselines=[], trials=8), executor)
    search.run()
    found = records(search.study)
    over = [record for record in found if record.state == "infeasible"]
    assert over
    assert len(found) - len(over) == 8 == len(executor.specs)
    for record in over:
        assert max(record.excess.values()) > 0
        assert "top1_pct" not in record.readings
    for spec in executor.specs:
        assert workers.cost(parse(spec.architecture)).flops <= 350e6
    for trial in search.study.get_trials():
        constraints = [value for key, value in trial.system_attrs.items() if key.startswith("constraints")]
        assert len(constraints) == 2


def tiny_space(tmp_path: Path) -> SearchSpace:
    (tmp_path / "tiny.yaml").write_text(
        "resolution: 32\nstem: 8\nhead: 16\nstages:\n"
        "  - {op: mbconv, kernel: [3, 5], stride: 1, channels: 8, layers: {from: 1, to: 3}, expand: 1}\n"
    )
    return load_space(str(tmp_path / "tiny.yaml"))


def test_the_same_network_is_measured_once_and_its_readings_reused(tmp_path: Path) -> None:
    executor = Inline()
    recipe = make_recipe(baselines=[], trials=6)
    search = open_search(tmp_path, recipe, executor, tiny_space(tmp_path))
    assert search.run() == "done"
    found = records(search.study)
    assert len(executor.specs) == len({record.id for record in found}) == 6  # all there are, each once
    first: dict[str, Record] = {}
    for record in found:
        if record.reused is not None:
            assert record.readings == first[record.id].readings
            assert record.reused == first[record.id].trial
        first.setdefault(record.id, record)
    assert any(record.reused is not None for record in found)
    assert open_search(tmp_path, recipe, executor, tiny_space(tmp_path)).done == 6


def test_a_small_space_ends_when_everything_was_tried(tmp_path: Path) -> None:
    executor = Inline()
    search = open_search(tmp_path, make_recipe(baselines=[], trials=50), executor, tiny_space(tmp_path))
    assert search.run() == "exhausted"
    assert len(executor.specs) == 6


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_sampler_that_comes_back_costs_no_measurement_and_gets_a_neighbour(tmp_path: Path, sampler: str) -> None:
    executor = Inline()
    search = open_search(tmp_path, make_recipe(sampler=sampler, trials=80, seed=2), executor)
    search.run()
    assert len(executor.specs) == len({spec.architecture for spec in executor.specs}) == 80
    trials = search.study.get_trials()
    for trial in trials:
        if "neighbour_of" in trial.user_attrs:
            origin = trials[trial.user_attrs["neighbour_of"]]
            assert 1 <= sum(trial.params[key] != origin.params[key] for key in origin.params) <= 5


def test_a_network_in_flight_is_not_measured_beside_itself(tmp_path: Path) -> None:
    executor = Inline(width=4)
    search = open_search(tmp_path, make_recipe(baselines=[], trials=6), executor, tiny_space(tmp_path))
    search.run()
    assert len(executor.specs) == len({spec.architecture for spec in executor.specs}) == 6
    assert not [trial for trial in search.study.get_trials() if trial.state is TrialState.RUNNING]


def test_a_grid_ends_when_everything_was_tried(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(baselines=[], trials=99, sampler="grid"), None, tiny_space(tmp_path))
    assert search.run() == "exhausted"
    assert len({record.id for record in records(search.study)}) == 6


def test_limits_that_hardly_anything_meets_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.study.engine._MOST_FREE", 20)
    search = open_search(tmp_path, make_recipe(baselines=[], limits=["flops<=107M"]))
    assert search.run() == "exhausted"


def test_time_runs_out_also_while_nothing_is_within_the_limits(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(baselines=[], limits=["flops<=107M"], timeout="1s"))
    assert search.run() == "timeout"


def test_a_baseline_over_a_limit_is_measured_and_is_on_no_front(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(limits=["flops<=300M"], trials=3))
    search.run()
    baseline = records(search.study)[0]
    assert (baseline.baseline, baseline.state) == ("efficientnet-b0", "complete")
    assert max(baseline.excess.values()) > 0
    assert baseline.values["flops"] not in [member["flops"] for member in search.ledger.front.members]


def test_what_is_limited_must_be_measured(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(limits=["peak_memory_mib<=10"], trials=2))
    search.run()
    assert {record.state for record in records(search.study)} == {"failed"}
    assert "peak_memory_mib could not be measured" in records(search.study)[0].reason


def test_a_measured_limit_keeps_a_network_off_the_front_and_tells_the_sampler(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(limits=["top1_pct>=99"], trials=3))
    search.run()
    found = records(search.study)
    assert {record.state for record in found} == {"complete"}
    assert all(record.excess["top1_pct>=99"] > 0 for record in found)
    assert len(search.ledger.front) == 0


def test_a_baseline_outside_the_space_is_measured_first_and_is_no_trial(tmp_path: Path) -> None:
    recipe = make_recipe(baselines=["efficientnetv2-s", "efficientnet-b0"], baseline_repeats=2, trials=3)
    executor = Inline()
    search = open_search(tmp_path, recipe, executor)
    search.run()
    found = records(search.study)
    assert [(record.baseline, record.trial) for record in found[:2]] == [
        ("efficientnetv2-s", None),
        ("efficientnet-b0", 0),
    ]
    assert len(found) == 4
    assert [spec.settings["repeats"] for spec in executor.specs] == [2, 2, 1, 1]
    again = Inline()
    open_search(tmp_path, make_recipe(**{**recipe.model_dump(), "trials": 4}), again).run()
    assert len(again.specs) == 1


@pytest.mark.parametrize("evaluate", [workers.nothing, workers.nonsense, workers.words, workers.not_a_number])
def test_readings_that_are_none_fail_the_trial_with_a_reason(tmp_path: Path, recipe: Recipe, evaluate: Any) -> None:
    search = open_search(tmp_path, recipe, Inline(evaluate))
    assert search.run() == "done"
    assert {record.state for record in records(search.study)} == {"failed"}
    assert all(record.reason for record in records(search.study))
    assert len(search.ledger.front) == 0


def test_trials_left_running_by_a_dead_driver_are_failed_and_retried_once(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)
    search.run()
    study, space = search.study, search.space
    asked = study.ask()
    orphan = space.suggest(asked)
    driver_storage(study).commit()
    after = open_search(tmp_path, make_recipe(trials=8))
    after.run()
    found = {record.trial: record for record in records(after.study)}
    assert found[asked.number].state == "failed"
    assert found[asked.number].reason == "its driver died"
    retry = next(record for record in found.values() if record.retry_of == asked.number)
    assert (retry.state, retry.id) == ("complete", orphan.id)
    assert sum(record.state == "complete" for record in found.values()) == 8

    # The retry dies with its driver too: that is enough.
    second = after.study.ask(fixed_distributions={})
    after.study._storage.set_trial_user_attr(second._trial_id, "attempt", 1)
    after.study._storage.set_trial_user_attr(second._trial_id, "begun", True)
    driver_storage(after.study).commit()
    last = open_search(tmp_path, make_recipe(trials=10))
    last.run()
    assert not any(record.retry_of == second.number for record in records(last.study))


class Killed(Inline):
    """The driver dies as soon as a network is being measured."""

    def wait(self, timeout: float) -> list[Result]:
        raise KeyboardInterrupt


def small_grid() -> GridSpace:
    base = parse("r32 s8 m1k3s1c8n1 m4k3s2c16n2 h64 y10")
    return GridSpace.of(grid(base, step=0.5, tolerance=0.5, constraint="real"), "small")


@pytest.mark.parametrize("space", [load_space("efficientnet"), small_grid()], ids=["search", "grid"])
def test_drivers_that_die_are_no_failures_of_the_network(tmp_path: Path, space: Space) -> None:
    names = ["base", "paper"] if space.listed else ["efficientnet-b0"]
    recipe = make_recipe(baselines=names, trials=max(1, len(space.listed)))
    for _ in range(3 * recipe.trials + 2):  # each network thrice
        with pytest.raises(KeyboardInterrupt):
            open_search(tmp_path, recipe, Killed(), space).run()
    search = open_search(tmp_path, recipe, Inline(), space)
    assert search.run() == "done"
    found = records(search.study)
    assert {record.reason for record in found if record.state == "failed"} == {"its driver died"}
    assert sum(record.state == "complete" for record in found) == recipe.trials == search.done
    assert set(names) == {record.baseline for record in found if record.baseline and record.state == "complete"}


def test_a_baseline_that_fails_by_itself_is_tried_by_three_runs(tmp_path: Path) -> None:
    recipe, tries = make_recipe(trials=1), []
    for _ in range(4):
        executor = Inline(workers.nothing)
        search = open_search(tmp_path, recipe, executor)
        search.run()
        tries.append(sum(parse(spec.architecture) == load_architecture("efficientnet-b0") for spec in executor.specs))
    assert tries == [1, 1, 1, 0]
    assert search.done == 1


def test_a_stop_is_clean_and_the_same_search_goes_on(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)

    class StopAfterTwo:
        seen = 0

        def told(self, record: Record) -> None:
            self.seen += 1
            if self.seen == 2:
                search.stop = "interrupted"

        def tick(self) -> None: ...

        def note(self, text: str) -> None: ...

    search.listeners.append(StopAfterTwo())
    assert search.run() == "interrupted"
    assert not [trial for trial in search.study.get_trials() if trial.state is TrialState.RUNNING]
    after = open_search(tmp_path, recipe)
    assert after.done == 2
    after.run()
    assert len(records(after.study)) == 6


def test_a_running_trial_that_is_interrupted_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.study.engine.GRACE", 0.2)
    executor = LocalExecutor(Pool(1, tmp_path, evaluate="tests.workers:hang"))
    search = open_search(tmp_path, make_recipe(trials=3), executor)

    class StopAtOnce:
        def told(self, record: Record) -> None: ...

        def tick(self) -> None:
            search.stop = "interrupted"

        def note(self, text: str) -> None: ...

    search.listeners.append(StopAtOnce())
    try:
        assert search.run() == "interrupted"
    finally:
        executor.close()
    (first,) = records(search.study)
    assert (first.state, first.reason, first.baseline) == ("failed", "interrupted", "efficientnet-b0")
    after = open_search(tmp_path, make_recipe(trials=3))
    assert after.done == 0  # known before anything runs
    after.run()
    found = records(after.study)
    assert (found[1].retry_of, found[1].id, found[1].baseline) == (0, first.id, "efficientnet-b0")
    assert [record.state for record in found] == ["failed", "complete", "complete", "complete"]


def test_the_last_network_of_a_small_space_is_tried_again_too(tmp_path: Path) -> None:
    recipe = make_recipe(baselines=[], trials=6, sampler="grid")
    search = open_search(tmp_path, recipe, None, tiny_space(tmp_path))
    search.recipe = recipe.model_copy(update={"trials": 5})
    search.run()
    asked = search.study.ask()
    search.space.suggest(asked)
    driver_storage(search.study).commit()  # and the driver dies
    after = open_search(tmp_path, recipe, None, tiny_space(tmp_path))
    assert after.run() == "done"
    assert len({record.id for record in records(after.study) if record.state == "complete"}) == 6


def test_a_resumed_grid_visits_every_point(tmp_path: Path) -> None:
    for trials in (2, 4, 6):
        search = open_search(
            tmp_path, make_recipe(baselines=[], trials=trials, sampler="grid"), None, tiny_space(tmp_path)
        )
        assert search.run() == "done"
    assert len({record.id for record in records(search.study)}) == 6


def test_what_waits_for_a_network_that_fails_does_not_count(tmp_path: Path) -> None:
    executor = Inline(workers.nothing, width=4)
    search = open_search(tmp_path, make_recipe(baselines=[], trials=6), executor, tiny_space(tmp_path))
    search.run()
    assert len(executor.specs) == search.done == 6
    for record in records(search.study):
        assert record.state == "failed"


def test_an_open_resolution_reaches_the_short_training(tmp_path: Path) -> None:
    from nas.training.proxy import proxy_resolution

    space = load_space("efficientnetv2-wide")
    training = resolve(load_recipe("default-cpu"), space).training
    sides = [proxy_resolution(parse(f"r{side} s8 m1k3s2c8n1 h8"), training) for side in (224, 300, 384)]
    assert sides == sorted(set(sides))
    assert sides[0] == training.resolution


def test_a_larger_budget_is_kept_for_who_resumes_by_name(tmp_path: Path, recipe: Recipe) -> None:
    open_search(tmp_path, recipe).run()
    study = open_search(tmp_path, make_recipe(trials=9)).study
    assert study.user_attrs["nas"]["recipe"]["trials"] == 9


def test_the_papers_scalar_reward_is_an_objective(tmp_path: Path) -> None:
    reward = "top1_pct*(flops/4e8)^-0.07"
    search = open_search(tmp_path, make_recipe(objectives=[reward]))
    search.run()
    record = records(search.study)[0]
    expected = record.values["top1_pct"] * (record.values["flops"] / 4e8) ** -0.07
    assert search.study.get_trials()[0].value == pytest.approx(expected)


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    place = url(tmp_path)
    with driver_lock(place, "a"), pytest.raises(StudyError, match=r"pid \d+ on "), driver_lock(place, "b"):
        pass


def test_numbers_are_contiguous_and_the_record_survives_the_storage(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)
    told: list[Record] = []

    class Keep:
        def told(self, record: Record) -> None:
            told.append(record)

        def tick(self) -> None: ...

        def note(self, text: str) -> None: ...

    search.listeners.append(Keep())
    search.run()
    stored = records(search.study)
    assert [record.trial for record in stored] == list(range(6))
    assert [(r.trial, r.arch, r.readings, r.state) for r in told] == [
        (r.trial, r.arch, r.readings, r.state) for r in stored
    ]


def test_local_workers_replace_what_dies_and_lose_nothing(tmp_path: Path) -> None:
    executor = LocalExecutor(Pool(2, tmp_path, evaluate="tests.workers:third_fails"))
    search = open_search(tmp_path, make_recipe(trials=20), executor)
    try:
        assert search.run() == "done"
    finally:
        executor.close()
    found = records(search.study)
    assert search.done == 20 == len({record.id for record in found})
    failed = [record.reason for record in found if record.state == "failed"]
    assert failed
    for record in found:
        assert (record.state == "failed") == (int(record.id, 16) % 2 == 0)
    # A worker that died says nothing of its network, which gets one more; an error of the network's own is its last.
    retried = {record.retry_of for record in found if record.retry_of is not None}
    lost = {r.trial for r in found if r.reason.startswith("the worker") and r.retry_of is None}
    assert retried == lost != set()
    assert {reason.split(":")[0].split(" (")[0] for reason in failed} <= {
        "the worker was killed by SIGKILL",
        "out of memory",
        "the worker ended with exit code 3",
        "RuntimeError",
    }


def test_a_trial_that_hangs_is_one_failed_trial(tmp_path: Path) -> None:
    executor = LocalExecutor(Pool(1, tmp_path, evaluate="tests.workers:hang"))
    search = open_search(tmp_path, make_recipe(trials=2, trial_timeout="1s"), executor)
    try:
        search.run()
    finally:
        executor.close()
    assert [record.reason for record in records(search.study)] == ["longer than its time limit of 1s"] * 2


def test_architecture_is_read_back(tmp_path: Path, recipe: Recipe) -> None:
    search = open_search(tmp_path, recipe)
    search.run()
    for record in records(search.study):
        arch: Architecture = search.space.decode(record.settings)
        assert (str(arch), arch.id) == (record.arch, record.id)


class Sleeping(Inline):
    """Answers half a second after it was asked."""

    def submit(self, spec: Spec) -> None:
        super().submit(spec)
        self.due[spec.job] = time.monotonic() + 0.5

    def wait(self, timeout: float) -> list[Result]:
        time.sleep(0.01)
        ready = [spec for spec in self.pending if time.monotonic() >= self.due[spec.job]]
        self.pending = [spec for spec in self.pending if spec not in ready]
        found = [(spec, self.evaluate(spec.architecture, dict(spec.settings), spec.seed)) for spec in ready]
        return [Result(spec.job, readings, seconds=0.5) for spec, readings in found]


@pytest.mark.parametrize("width", [1, 4])
def test_networks_are_asked_for_ahead_of_several_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("nas.study.pace._BUSY", 0.0)  # any sampler is slow
    search = open_search(tmp_path, make_recipe(trials=40, baselines=[]), Sleeping(width=width))
    most = [0]

    class Ear:
        def told(self, record: Record) -> None:
            if search.done == (3 if width == 1 else 12):
                search.stop = "interrupted"

        def tick(self) -> None:
            most[0] = max(most[0], len(search._ahead))

        def note(self, text: str) -> None: ...

    search.listeners.append(Ear())
    assert search.run() == "interrupted"
    assert (
        0 < most[0] <= width if width > 1 else most[0] == 0
    )  # a single worker's next network is asked for when its last is told
    found = records(search.study)
    left = [record for record in found if record.state == "failed"]
    assert all(record.reason == "interrupted" for record in left)
    assert search.done == len({record.id for record in found if record.state == "complete"})
    after = open_search(tmp_path, make_recipe(trials=40, baselines=[]))
    after.run()
    again = {record.retry_of: record.id for record in records(after.study) if record.retry_of is not None}
    assert again == {record.trial: record.id for record in left}
    assert after.done == 40 == len({record.id for record in records(after.study) if record.state == "complete"})


def test_a_sampler_that_does_not_keep_up_is_named_once(tmp_path: Path) -> None:
    search = open_search(tmp_path, make_recipe(trials=12, sampler="tpe"), Inline(width=4))
    search.pace.asking, search.pace.measuring = 10.0, 1.0
    said: list[str] = []

    class Ear:
        def told(self, record: Record) -> None: ...

        def tick(self) -> None: ...

        def note(self, text: str) -> None:
            said.append(text)

    search.listeners.append(Ear())
    search.run()
    (note,) = said
    assert note.startswith("tpe takes ")
    assert "4 workers" in note
    assert "--sampler nsga2" in note


def test_the_last_networks_of_a_small_space_are_waited_for(tmp_path: Path) -> None:
    class LastDies(Sleeping):
        def wait(self, timeout: float) -> list[Result]:
            found = super().wait(timeout)
            self.lost = getattr(self, "lost", False) or (len(self.specs) == 6 and bool(found))
            first = self.lost and len(self.specs) == 6
            return [Result(result.job, error="killed", lost=True) for result in found] if first else found

    executor = LastDies(width=2)
    search = open_search(tmp_path, make_recipe(baselines=[], trials=50), executor, tiny_space(tmp_path))
    assert search.run() == "exhausted"
    found = records(search.study)
    assert len({record.id for record in found if record.state == "complete"}) == 6
    assert any(record.retry_of is not None and record.state == "complete" for record in found)
    assert len(found) < 60, "networks that are known are not told again and again while the last ones run"


def test_what_no_worker_had_keeps_its_retry_whatever_becomes_of_drivers(tmp_path: Path) -> None:
    for _ in range(3):
        search = open_search(tmp_path, make_recipe(baselines=[], trials=4))
        search._prepare()
        search.space.suggest(search.study.ask())  # asked ahead
        driver_storage(search.study).commit()  # and killed
    search = open_search(tmp_path, make_recipe(baselines=[], trials=4))
    search.run()
    found = records(search.study)
    assert sum(record.state == "complete" for record in found) == 4 == search.done
    assert found[3].retry_of == 2
    assert [record.retry_of for record in found[:3]] == [None, 0, 1]


def timed_on(device: str, threads: int = 2) -> Any:
    def evaluate(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        found = workers.quick(architecture, settings, seed)
        found["train_images_per_s"]["conditions"] = {"device": device, "threads": threads}
        return found

    return evaluate


@pytest.mark.parametrize(("device", "threads"), [("Other CPU", 2), ("This CPU", 4)])
def test_times_of_two_devices_never_share_a_study(tmp_path: Path, device: str, threads: int) -> None:
    timed = {"objectives": ["top1_pct", "train_images_per_s"], "baselines": []}
    open_search(tmp_path, make_recipe(trials=2, **timed), Inline(timed_on("This CPU"))).run()
    search = open_search(tmp_path, make_recipe(trials=4, **timed), Inline(timed_on(device, threads)))
    search.run()
    found = records(search.study)
    assert [record.state for record in found] == ["complete", "complete", "failed", "failed"]
    assert found[2].reason.startswith(f"timed on {device} with {threads} threads; the times of this study are of This")
    assert len(search.ledger.front) <= 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("top1_pct", 4321.0), ("top1_pct", -1.0), ("train_images_per_s", 0.0), ("flops", float("inf"))],
)
def test_a_reading_that_cannot_be_fails_its_trial(tmp_path: Path, key: str, value: float) -> None:
    def evaluate(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        return {**workers.quick(architecture, settings, seed), key: {"value": value}}

    recipe = make_recipe(trials=2, objectives=["top1_pct", "train_images_per_s", "flops"])
    search = open_search(tmp_path, recipe, Inline(evaluate))
    search.run()
    for record in records(search.study):
        assert record.state == "failed"
        assert key in record.reason
        assert key not in record.readings or record.readings[key].value != value
    assert len(search.ledger.front) == 0


def test_a_baseline_outside_the_space_whose_worker_dies_is_tried_once_more(tmp_path: Path) -> None:
    class Dying(Inline):
        def wait(self, timeout: float) -> list[Result]:
            found = super().wait(timeout)
            first = len(self.specs) == 1
            return [Result(result.job, error="killed", lost=True) for result in found] if first else found

    executor = Dying()
    search = open_search(tmp_path, make_recipe(baselines=["efficientnetv2-s"], trials=2), executor)
    search.run()
    assert [spec.architecture for spec in executor.specs][:2] == [str(load_architecture("efficientnetv2-s"))] * 2
    (baseline,) = [record for record in records(search.study) if record.trial is None]
    assert baseline.state == "complete"


def test_two_names_of_one_network_whose_worker_dies_are_both_measured(tmp_path: Path) -> None:
    class Dying(Sleeping):
        def wait(self, timeout: float) -> list[Result]:
            found = super().wait(timeout)
            return [Result(result.job, error="killed", lost=True) if result.job == 1 else result for result in found]

    search = open_search(tmp_path, make_recipe(baselines=["efficientnet-b0"], trials=4), Dying(width=3))
    search.baselines = {**search.baselines, "mine": search.baselines["efficientnet-b0"]}
    assert search.run() == "done"
    found = [record for record in records(search.study) if record.baseline]
    assert {(record.baseline, record.state) for record in found[:2]} == {
        ("efficientnet-b0", "failed"),
        ("mine", "failed"),
    }
    assert {record.baseline for record in found if record.state == "complete"} == {"efficientnet-b0", "mine"}
    assert sum(record.state == "complete" and record.reused is None for record in found) == 1


optuna.logging.set_verbosity(optuna.logging.WARNING)
