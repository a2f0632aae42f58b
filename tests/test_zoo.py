from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.arch import Architecture
from nas.cli import main
from nas.cost import cost
from nas.document import DocumentError
from nas.errors import NasError
from nas.foreign import Foreign
from nas.record import Reading, Record, read_records, write_records
from nas.resources import shipped
from nas.space_file import baselines
from nas.zoo import Plan, counting_plans, load_zoo, plans
from nas.zoo import run as zoo_run
from nas.zoo.definition import TIMED
from nas.zoo.rounds import merged
from nas.zoo.run import Run, folder_name

TINY = "r32 s8 m1k3s1c8n1 h16 y10"
SMALL = f"""
sets:
  full: {{networks: all, rounds: 2, resolution_scale: 1.0, train_batch: 2, infer_batch: 2, precision: fp32,
         time_cap: 0.05, latency: all, budget: 9m}}
  reduced: {{networks: pairs, rounds: 2, resolution_scale: 0.5, train_batch: auto, infer_batch: auto, precision: fp32,
            latency: marked, latency_threads: 1, time_cap: 0.05}}
pairs:
  - {{name: one, network: {TINY}, train: 48, train_batch: 4}}
  - {{name: two, network: {TINY}, infer: 40, latency: true}}
others:
  - {{name: three, network: "torchvision:squeezenet1_1@64", what: [infer_images_per_s]}}
"""
PLACE = {"device": "cpu", "torch": "2.11"}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of three networks and no shipped ones."""
    path = tmp_path / "zoo.yaml"
    path.write_text(SMALL)
    monkeypatch.setattr("nas.zoo.definition.baselines", list)
    return path


class FakeMeter:
    """Answers 100, 101, … images a second, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[str, ...], Any]] = []
        self.fail: Exception | None = None

    def __call__(self, arch: Any, what: Any, timing: Any, *, device: str, seed: int = 0) -> dict[str, Reading]:
        if self.fail is not None:
            raise self.fail
        self.calls.append((str(arch), tuple(what), timing))
        value = 100.0 + len(self.calls) - 1
        return {key: Reading(value, 0.5, 7, {"batch": timing.batch}, {"settled": True}) for key in what}


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> FakeMeter:
    fake = FakeMeter()
    monkeypatch.setattr(zoo_run, "measure", fake)
    return fake


def measured(path: Path) -> dict[str, Record]:
    return {record.baseline: record for record in read_records(path)}


def start(small: Path, tmp_path: Path, budget: float | None = None, **changed: str) -> Run:
    return Run(plans(load_zoo(small), "full"), tmp_path / "out" / "records.jsonl", "cpu", {**PLACE, **changed}, budget)


# The shipped definition


def test_the_shipped_zoo_reads_and_has_every_baseline() -> None:
    zoo = load_zoo()
    assert {entry.name for entry in zoo.entries} >= set(baselines())
    for name in zoo.sets:
        for plan in plans(zoo, name):
            assert plan.steps
            for step in plan.steps:
                assert set(step.what) <= set(TIMED)


@pytest.mark.parametrize(
    ("name", "params", "flops"),  # as arXiv:2104.00298, Table 3 prints them, in M and B
    [
        ("efficientnet-b4", 19.3, 4.5),
        ("efficientnet-b4-fused-1-3", 20.0, 7.5),
        ("efficientnet-b4-fused-1-5", 43.4, 21.3),
        ("efficientnet-b4-fused-1-7", 132.0, 34.4),
    ],
)
def test_the_fused_b4_costs_what_table_3_prints(name: str, params: float, flops: float) -> None:
    (plan,) = plans(load_zoo(), "full", only=[name])
    assert isinstance(plan.arch, Architecture)
    assert cost(plan.arch).params / 1e6 == pytest.approx(params, rel=0.03)
    assert cost(plan.arch).flops / 1e9 == pytest.approx(flops, rel=0.03)


def test_the_committed_counts_are_of_the_zoo_and_agree_with_the_closed_form() -> None:
    records = measured(shipped("studies") / "zoo" / "counts" / "records.jsonl")
    planned = {plan.name: plan for plan in counting_plans(load_zoo())}
    assert set(records) == set(planned)
    for name, plan in planned.items():
        assert isinstance(plan.arch, Foreign)
        assert records[name].arch == str(plan.arch)
        assert {"params", "flops", "activations"} <= set(records[name].readings)
    twins = {"efficientnet-b0": "efficientnet_b0", "efficientnetv2-s": "efficientnet_v2_s"}
    for ours, theirs in twins.items():
        (plan,) = plans(load_zoo(), "full", only=[ours])
        assert isinstance(plan.arch, Architecture)
        spent = cost(plan.arch)
        values = records[f"torchvision:{theirs}"].values
        assert (values["params"], values["flops"], values["activations"]) == (
            spent.params,
            spent.flops,
            spent.activations,
        )


# Plans


def by_name(found: list[Plan]) -> dict[str, Plan]:
    return {plan.name: plan for plan in found}


def test_plans_follow_the_set_and_the_entry(small: Path) -> None:
    full = by_name(plans(load_zoo(small), "full"))
    assert [plan.rounds for plan in full.values()] == [2, 2, 1]
    train, infer = full["one"].steps
    assert (train.arch.resolution, train.timing.batch) == (48, 4)
    assert (infer.arch.resolution, infer.timing.batch, infer.what) == (32, 2, ("infer_images_per_s", "latency_ms"))
    assert full["two"].arch.resolution == 40
    assert full["three"].steps[0].what == ("infer_images_per_s",)


def test_a_reduced_set_has_the_pairs_at_a_scale_and_latency_at_the_whole_size_on_one_core(small: Path) -> None:
    reduced = by_name(plans(load_zoo(small), "reduced"))
    assert list(reduced) == ["one", "two"]
    assert [step.what for step in reduced["one"].steps] == [("train_images_per_s",), ("infer_images_per_s",)]
    assert {step.timing.batch for step in reduced["one"].steps} == {"auto"}  # an entry's batch is a GPU's
    latency = reduced["two"].steps[-1]
    assert latency.what == ("latency_ms",)
    assert (latency.timing.resolution_scale, latency.timing.threads) == (1.0, 1)
    assert reduced["two"].steps[0].timing.resolution_scale == 0.5


def test_unknown_names_and_sets_and_keys_are_one_line(small: Path) -> None:
    zoo = load_zoo(small)
    with pytest.raises(NasError, match="no such set"):
        plans(zoo, "ful")
    with pytest.raises(NasError, match="thre: not in this set") as error:
        plans(zoo, "full", only=["thre"])
    assert "three" in error.value.hint
    small.write_text(SMALL.replace("train: 48", "trian: 48"))
    with pytest.raises(DocumentError, match=r"zoo.yaml: pairs\[0\].trian: unknown key"):
        load_zoo(small)
    small.write_text(SMALL.replace("name: two", "name: one"))
    with pytest.raises(DocumentError, match="networks of one name: one"):
        load_zoo(small)


# Runs


def test_pairs_are_measured_round_after_round_then_the_others(small: Path, tmp_path: Path, meter: FakeMeter) -> None:
    run = start(small, tmp_path)
    order = [(done.record.baseline, done.round) for done in run.measure()]
    assert order == [("one", 1), ("two", 1), ("one", 2), ("two", 2), ("three", 1)]
    records = measured(run.path)
    reading = records["one"].readings["train_images_per_s"]
    values = [taken["value"] for taken in reading.detail["rounds"]]
    assert values == [100.0, 104.0]
    assert reading.value == 102.0
    assert reading.spread == pytest.approx(2 * 2.8284271)  # twice the deviation between the rounds: drift shows
    assert reading.samples == 14
    assert reading.conditions["rounds"] == 2
    assert records["three"].readings["infer_images_per_s"].spread == 0.5


def test_a_run_goes_on_where_it_stopped(small: Path, tmp_path: Path, meter: FakeMeter) -> None:
    first = start(small, tmp_path).measure()
    next(first)
    next(first)
    first.close()  # as Ctrl-C leaves it
    run = start(small, tmp_path)
    assert [(job.plan.name, job.round) for job in run.jobs] == [("one", 2), ("two", 2), ("three", 1)]
    assert len(list(run.measure())) == 3
    assert not start(small, tmp_path).jobs
    assert {len(record.readings["infer_images_per_s"].detail["rounds"]) for record in measured(run.path).values()} == {
        1,
        2,
    }


def test_records_of_other_conditions_are_measured_anew(small: Path, tmp_path: Path, meter: FakeMeter) -> None:
    list(start(small, tmp_path).measure())
    run = start(small, tmp_path, torch="2.12")
    assert run.anew["one"] == ["torch 2.11 → 2.12"]
    assert len(run.jobs) == 5
    list(run.measure())
    assert measured(run.path)["one"].readings["train_images_per_s"].detail["rounds"][0]["value"] >= 105
    small.write_text(SMALL.replace("train: 48", "train: 64"))
    changed = start(small, tmp_path, torch="2.12")
    assert changed.anew == {"one": ["sizes, batches or precision"]}
    assert [job.plan.name for job in changed.jobs] == ["one", "one"]


def test_a_later_round_takes_the_batch_that_fitted(small: Path, tmp_path: Path, meter: FakeMeter) -> None:
    run = start(small, tmp_path)
    rounds = run.measure()
    next(rounds)
    record = run.records["one"]
    record.readings["train_images_per_s"].conditions["batch"] = 1  # type: ignore[index]
    next(rounds)
    next(rounds)
    assert meter.calls[-2][2].batch == 1
    assert meter.calls[-1][2].batch == 2


def test_a_failure_is_a_record_with_its_reason_and_ends_nothing(small: Path, tmp_path: Path, meter: FakeMeter) -> None:
    meter.fail = RuntimeError("no kernel\nmore lines")
    run = start(small, tmp_path)
    assert len(list(run.measure())) == 3  # what failed in the first round is spared the second
    record = measured(run.path)["two"]
    assert record.state == "failed"
    assert "train_images_per_s: RuntimeError: no kernel" in record.reason
    meter.fail = None
    again = start(small, tmp_path)
    assert len(again.jobs) == 5  # failures are tried again
    next(again.measure())
    meter.fail = RuntimeError("later")
    list(start(small, tmp_path).measure())
    kept = measured(run.path)["one"]
    assert kept.state == "complete"
    assert len(kept.readings["train_images_per_s"].detail["rounds"]) == 1


def test_what_is_lacking_is_measured_and_no_more(
    small: Path, tmp_path: Path, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_inference(arch: Any, what: Any, timing: Any, **more: Any) -> dict[str, Reading]:
        if "infer_images_per_s" in what:
            raise RuntimeError("out of workspace")
        return meter(arch, what, timing, **more)

    monkeypatch.setattr(zoo_run, "measure", no_inference)
    list(start(small, tmp_path).measure())
    half = measured(tmp_path / "out" / "records.jsonl")["one"]
    assert (half.state, set(half.readings)) == ("complete", {"train_images_per_s"})
    assert "infer_images_per_s, latency_ms: RuntimeError: out of workspace" in half.reason
    monkeypatch.setattr(zoo_run, "measure", meter)
    meter.calls.clear()
    again = start(small, tmp_path)
    assert [(job.plan.name, job.round) for job in again.jobs[:2]] == [("one", 1), ("two", 1)]
    list(again.measure())
    assert {what for _, what, _ in meter.calls} == {("infer_images_per_s", "latency_ms"), ("infer_images_per_s",)}
    whole = measured(again.path)["one"]
    assert whole.reason == ""
    assert {len(reading.detail["rounds"]) for reading in whole.readings.values()} == {2}
    assert not start(small, tmp_path).jobs


def test_a_reading_that_began_anew_at_a_smaller_batch_is_owed_its_rounds(
    small: Path, tmp_path: Path, meter: FakeMeter
) -> None:
    run = start(small, tmp_path)
    list(run.measure())
    reading = run.records["one"].readings["infer_images_per_s"]
    new = Reading(90.0, 0.5, 7, {"batch": 1}, {"settled": True})
    kept = dataclasses.replace(run.records["one"], readings={**run.records["one"].readings})
    shrunk = merged(kept, dataclasses.replace(kept, readings={"infer_images_per_s": new}))
    assert len(reading.detail["rounds"]) == 2
    assert shrunk.readings["infer_images_per_s"].detail["rounds"][0]["value"] == 90.0
    write_records(run.path, [shrunk, *(record for name, record in run.records.items() if name != "one")])
    assert [(job.plan.name, job.round) for job in start(small, tmp_path).jobs] == [("one", 2)]


def test_the_budget_ends_a_run_before_a_network_that_would_not_fit(
    small: Path, tmp_path: Path, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr(zoo_run.time, "monotonic", lambda: float(next(clock)))
    run = start(small, tmp_path, budget=60.0)
    done = list(run.measure())
    assert 1 <= len(done) < 5
    assert run.jobs
    assert all(one.left <= 60 for one in done)


def test_networks_of_a_missing_library_are_skipped(
    small: Path, tmp_path: Path, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo_run.importlib.util, "find_spec", lambda name: None)
    run = start(small, tmp_path)
    assert run.skipped == {"three": "torchvision"}
    assert {job.plan.name for job in run.jobs} == {"one", "two"}


def test_the_folder_is_named_after_the_device() -> None:
    assert folder_name("cpu").startswith("cpu-")
    assert "core" in folder_name("cpu")


# The command


def test_the_command_measures_for_real_and_resumes(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = load_zoo(small)
    monkeypatch.setattr("nas.zoo.definition.load_zoo", lambda: zoo)
    words = ["measure", "--zoo", "--set", "full", "--device", "cpu", "--out", str(tmp_path / "zoo")]

    def run(*more: str) -> tuple[str, str]:
        with pytest.raises(SystemExit) as end:
            main([*words, *more])
        assert end.value.code == 0
        out, err = capsys.readouterr()
        return out, err

    _, stderr = run("one")
    assert "zoo: 2 measurings to do" in stderr
    assert "[  2/2] one (round 2)" in stderr
    stdout, stderr = run("--json")
    assert "3 measurings to do, 1 networks done already" in stderr
    answer = json.loads(stdout)
    assert (answer["complete"], answer["failed"], answer["left"]) == (3, [], 0)
    record = measured(Path(answer["records"]))["one"]
    assert record.study == "zoo"
    assert record.readings["train_images_per_s"].conditions["batch"] == 4
    assert record.readings["train_images_per_s"].conditions["resolution"] == 48
    assert record.readings["latency_ms"].conditions["batch"] == 1
    stdout, stderr = run()
    assert "0 measurings to do, 3 networks done already" in stderr
    assert "3 of 3 networks" in stdout


@pytest.mark.parametrize(
    ("words", "seconds"), [(("full",), 540.0), (("full", "--time-cap-total", "2h"), 7200.0), (("reduced",), None)]
)
def test_a_run_takes_no_longer_than_its_set_says(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], seconds: float | None
) -> None:
    zoo = load_zoo(small)
    monkeypatch.setattr("nas.zoo.definition.load_zoo", lambda: zoo)
    budgets = []

    def measuring(run: Run) -> Iterator[Any]:
        budgets.append(run.budget)
        return iter(())

    monkeypatch.setattr(Run, "measure", measuring)
    with pytest.raises(SystemExit):
        main(["measure", "--zoo", "--device", "cpu", "--out", str(tmp_path), "--set", *words])
    assert budgets == [seconds]
    assert load_zoo(shipped("studies") / "zoo" / "zoo.yaml").sets["full"].seconds == 540


def test_ctrl_c_loses_nothing_that_was_measured(
    small: Path, tmp_path: Path, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = load_zoo(small)
    monkeypatch.setattr("nas.zoo.definition.load_zoo", lambda: zoo)
    words = ["measure", "--zoo", "--set", "full", "--device", "cpu", "--out", str(tmp_path)]
    calls = iter(range(100))

    def interrupted(*given: Any, **more: Any) -> dict[str, Reading]:
        if next(calls) == 3:  # in the middle of the second network
            raise KeyboardInterrupt
        return meter(*given, **more)

    monkeypatch.setattr(zoo_run, "measure", interrupted)
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 130
    assert "the same command goes on" in capsys.readouterr().err
    (path,) = tmp_path.glob("*/records.jsonl")
    assert set(measured(path)) == {"one"}
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert set(measured(path)) == {"one", "two", "three"}


def test_counts_are_of_the_foreign_networks(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = load_zoo(small)
    monkeypatch.setattr("nas.zoo.definition.load_zoo", lambda: zoo)
    for expected in (1, 0):
        with pytest.raises(SystemExit):
            main(["measure", "--zoo", "--what", "params,flops,activations", "--out", str(tmp_path)])
        assert f"zoo: {expected} measurings to do" in capsys.readouterr().err
    record = measured(tmp_path / "counts" / "records.jsonl")["three"]
    assert set(record.readings) == {"params", "flops", "activations"}
    assert record.value("params") == 1_235_496
    assert "device" not in record.environment


@pytest.mark.parametrize(
    ("words", "says", "hints"),
    [
        (("--zoo", "--set", "ful"), "--set ful: the zoo has no such set", "full"),
        (("--zoo", "--what", "train"), "the zoo's sets say what is timed", "leave --what out"),
        (("--zoo", "efficientnet-b9"), "efficientnet-b9: not in this set", "efficientnet-b"),
        (("--zoo", "--time-cap-total", "soon"), "'soon' is not a duration", "9"),
        (("--zoo", "--time-cap", "0"), "expected seconds above 0", ""),
        (("--zoo", "--time-cap-total", "0s"), "expected a time above 0", ""),
        (("--zoo", "--batch", "16"), "--batch: the zoo's sets say how", "leave it out"),
        (("--zoo", "-o", "x.csv"), "--output", "--out DIR"),
        (("--zoo", "--out", "/proc/none"), "cannot be written", "another folder"),
        (("--set", "full", "efficientnet-b0"), "--set: only the zoo has it", "--zoo"),
        ((), "measure what?", "--zoo"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
    hints: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["measure", *words])
    assert end.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    assert hints in "".join(lines[1:])
    assert len(lines) <= 2
    assert not list(tmp_path.rglob("records.jsonl"))
