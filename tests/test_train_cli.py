"""`nas train` and `nas evaluate` as a person meets them, and one clear line for every bad input."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from nas.arch import parse
from nas.cli import main
from nas.nets import build
from nas.training.weights import write_weights

NET = "r16 s8 m1k3s1c8n1 f4k3s2c16n1 h16"
Run = Callable[..., tuple[int, str, str]]
QUICK = ("--data", "digits", "--set", "resolution=16", "--set", "batch=256", "--set", "threads=1", "--epochs", "1")


@pytest.fixture
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of NET for the digits."""
    arch, path = parse(f"{NET} y10"), tmp_path_factory.mktemp("w") / "w.safetensors"
    write_weights(path, build(arch).state_dict(), {"arch": str(arch)})
    return path


def test_from_a_network_to_weights_that_are_evaluated(nas: Run) -> None:
    code, out, err = nas("train", NET, *QUICK, "--set", "epochs=2", "-o", "run", "--epochs", "2")
    assert code == 0, err
    assert "top-1" in out
    assert "images/s" in err
    assert "epoch 2/2" in err
    assert "expected" in err
    code, out, err = nas("evaluate", "run/weights.safetensors", "--data", "digits", "--json")
    assert code == 0, err
    found = json.loads(out)
    trained = json.loads(Path("run/result.json").read_text())
    assert found["top1_pct"] == pytest.approx(trained["top1_pct"], abs=0.3)
    assert found["images"] == 359
    assert nas("evaluate", NET, "--weights", "run/weights.safetensors", "--data", "digits")[0] == 0


def test_a_dry_run_says_the_schedule_and_writes_nothing(nas: Run) -> None:
    words = ("--set", "progressive.stages=2", "--set", "progressive.resolution=8", "--epochs", "4", "--dry-run")
    code, out, err = nas("train", NET, *QUICK, *words, "-o", "run")
    assert code == 0, err
    assert "1–2" in out
    assert "3–4" in out
    code, out, _ = nas("train", NET, *QUICK, *words, "-o", "run", "--json")
    assert [stage["resolution"] for stage in json.loads(out)["stages"]] == [8, 16]
    assert not Path("run").exists()


def test_the_learning_rate_follows_the_batch(nas: Run) -> None:
    code, out, err = nas("train", NET, *QUICK, "--batch", "128", "-o", "run", "--json")
    assert code == 0, err
    recipe = json.loads(out)["recipe"]
    assert (recipe["batch"], recipe["learning_rate"]) == (128, pytest.approx(0.015 * 128 / 256))


def test_rounds_of_self_training_go_on_where_they_stopped(nas: Run) -> None:
    words = (
        "train",
        NET,
        *QUICK,
        "--labels",
        "20",
        "--rounds",
        "1",
        "--confidence",
        "0.01",
        "-o",
        "run",
        "--epochs",
        "4",
    )
    code, out, err = nas(*words, "--json")
    assert code == 0, err
    rounds = json.loads(out)["rounds"]
    assert [one["round"] for one in rounds] == [0, 1]
    assert rounds[1]["unlabelled"] == 1438 - 200
    assert 0 <= rounds[1]["labels_right_pct"] <= 100
    Path("run/round-1/result.json").unlink()
    Path("run/round-1/weights.safetensors").unlink()
    code, out, err = nas(*words, "--json", "--resume")
    assert code == 0, err
    assert "run/round-0 has ended" in err
    again = json.loads(out)["rounds"]
    assert [one["top1_pct"] for one in again] == [one["top1_pct"] for one in rounds]


def test_a_student_may_be_larger_than_its_teacher(nas: Run) -> None:
    words = ("--labels", "20", "--rounds", "1", "--confidence", "0.01", "--grow", "3", "-o", "run", "--json")
    code, out, err = nas("train", NET, *QUICK, *words)
    assert code == 0, err
    first, second = (parse(one["arch"]) for one in json.loads(out)["rounds"])
    assert second.depth > first.depth
    assert second.resolution == first.resolution


def test_a_teacher_and_first_weights_are_named_in_the_result(nas: Run, weights: Path) -> None:
    code, out, err = nas(
        "train", NET, *QUICK, "--teacher", f"{NET}:{weights}", "--weights", str(weights), "-o", "run", "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["teacher"].endswith("w.safetensors")
    assert found["weights"] == "run/weights.safetensors"


BAD = [
    (("--set", "epohcs=3"), "unknown key of a training recipe", "did you mean epochs or"),
    (("--set", "progressive.stagse=3"), "unknown key of a training recipe", "progressive.stages"),
    (("--set", "epochs"), "expected KEY=VALUE", "epochs=10"),
    (("--set", "warmup=many"), "warmup: expected a number; got the string 'many'", ""),
    (("--set", "progressive.stages=2"), "2 stages need as many epochs; epochs is 1", "fewer stages"),
    (
        ("--set", "progressive.resolution=24", "--set", "progressive.stages=1"),
        "starts at 24 and ends at 16",
        "lower it",
    ),
    (("--recipe", "shrot"), "unknown training recipe 'shrot'", "did you mean short?"),
    (("--recipe", "bad.yaml"), "bad.yaml: epoch: unknown key", "did you mean epochs"),
    (("--weights", "nowhere.safetensors"), "nowhere.safetensors: no such file", "weights.safetensors"),
    (("--weights", "cut.safetensors"), "cut.safetensors: no readable weights", "write it again"),
    (
        ("--weights", "other.safetensors"),
        "weights of another network: 'stem.0.weight' is 16×3×3×3, this network's is 8×3×3×3",
        "y10",
    ),
    (("--teacher", "seven.safetensors"), "a teacher of 7 classes cannot teach digits: it has 10", "same classes"),
    (("--teacher", "bare.safetensors"), "does not say what network it is of", "REF:"),
    (("--unlabeled", "empty", "--rounds", "1"), "unlabeled empty: no pictures", "give a folder"),
    (("--unlabeled", "empty"), "nothing would use them", "--rounds 1"),
    (("--rounds", "1"), "no pictures without labels", "--unlabeled DIR"),
    (("--data", "digitz"), "unknown data set 'digitz'", "did you mean digits?"),
]


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    BAD,
    ids=[" ".join(bad[0]) for bad in BAD],
)
def test_bad_input_is_one_clear_line(nas: Run, weights: Path, words: tuple[str, ...], says: str, hint: str) -> None:
    Path("bad.yaml").write_text("width: 1.0\nepoch: 3\n")
    Path("empty").mkdir()
    Path("cut.safetensors").write_bytes(weights.read_bytes()[:200])
    for name, text in (("other", "r16 s16 m1k3s1c8n1 f4k3s2c16n1 h16 y10"), ("seven", f"{NET} y7")):
        write_weights(Path(f"{name}.safetensors"), build(parse(text)).state_dict(), {"arch": text})
    write_weights(Path("bare.safetensors"), build(parse(f"{NET} y10")).state_dict(), {})
    code, out, err = nas("train", NET, *QUICK, "-o", "run", *words)
    assert code == 2, err
    assert not out
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert says in errors[0]
    assert hint in err
    assert "Traceback" not in err
    assert not Path("run").exists()


def test_a_diverging_training_fails_with_its_step(nas: Run) -> None:
    code, _, err = nas("train", NET, *QUICK, "--set", "optimizer=sgd", "--set", "learning_rate=1e30", "-o", "run")
    assert code == 1
    assert "the loss is no number at step" in err
    assert "no epoch had ended" in err


def test_classes_of_weights_and_data_must_agree_to_evaluate(nas: Run, weights: Path) -> None:
    code, _, err = nas("evaluate", str(weights), "--data", "fractals:4x2")
    assert code == 2
    assert "tells 10 classes apart; fractals" in err
    assert "has 4" in err


def test_weights_that_name_code_do_not_run_it(nas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("evil.py").write_text("raise SystemExit('imported')\n")
    write_weights(Path("w.safetensors"), build(parse(f"{NET} y10")).state_dict(), {"arch": "evil:make@32y10"})
    for words in (
        ("evaluate", "w.safetensors", "--data", "digits"),
        ("train", NET, *QUICK, "--teacher", "w.safetensors"),
    ):
        code, _, err = nas(*words)
        assert code == 2
        assert "runs code" in err


def test_weights_of_a_network_with_the_same_shapes_are_refused_too(nas: Run, weights: Path) -> None:
    code, _, err = nas(
        "evaluate", NET.replace("m1k3s1c8n1", "m1k3s2c8n1"), "--weights", str(weights), "--data", "digits"
    )
    assert code == 2
    assert "weights of another network: r16 s8 m1k3s1c8n1" in err


def test_resuming_without_an_option_that_was_given_is_refused(nas: Run, weights: Path) -> None:
    words = ("train", NET, *QUICK, "-o", "run", "--weights", str(weights))
    assert nas(*words)[0] == 0
    result = json.loads(Path("run/result.json").read_text())
    Path("run/result.json").unlink()
    assert result["identity"]["weights"] == str(weights)
    Path("run/checkpoint.json").write_text(json.dumps({**CHECKPOINT, "identity": result["identity"]}))
    Path("run/checkpoint-0001.safetensors").write_bytes(EMPTY)
    code, _, err = nas(*words[:-2], "--resume")
    assert code == 2
    assert f"its training has weights '{weights}'; got none" in err


EMPTY = (2).to_bytes(8, "little") + b"{}"
CHECKPOINT = {
    "schema": 1, "epoch": 1, "file": "checkpoint-0001.safetensors", "sha256": hashlib.sha256(EMPTY).hexdigest(),
    "step": 5, "curve": [],
}  # fmt: skip


def test_held_out_pictures_are_never_labelled_and_trained_on(nas: Run, tmp_path: Path) -> None:
    for part, count in (("train", 4), ("val", 2), ("more", 3)):
        for name in ("a", "b"):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (16, 16), (60 * number, 0, 99)).save(tmp_path / "data" / part / name / f"{number}.png")
    words = ("train", NET, *QUICK, "--data", "folder:data", "--rounds", "1", "--confidence", "0.01", "-o", "run")
    for folder in ("data", "data/val", "data/train/a", "."):
        code, _, err = nas(*words, "--unlabeled", folder)
        assert code == 2
        assert "held-out pictures of folder:data would be trained on" in err
    code, out, err = nas(*words, "--unlabeled", "data/more", "--json")
    assert code == 0, err
    assert json.loads(out)["rounds"][1]["unlabelled"] == 6


def test_rounds_of_another_training_are_not_taken_for_this_ones(nas: Run) -> None:
    words = ("train", NET, *QUICK, "--rounds", "1", "--confidence", "0.01", "-o", "run")
    assert nas(*words, "--labels", "20")[0] == 0
    code, _, err = nas(*words, "--labels", "10", "--resume")
    assert code == 2
    assert "round-0: its training has" in err


def test_labels_are_those_of_the_pictures_and_the_confidence_that_were_asked_for(nas: Run, tmp_path: Path) -> None:
    def pictures(folder: str, count: int) -> None:
        (tmp_path / folder).mkdir()
        for number in range(count):
            Image.new("RGB", (16, 16), (9 * number, 0, 99)).save(tmp_path / folder / f"{number}.png")

    pictures("some", 7)
    (tmp_path / "some" / "gone.png").symlink_to("nowhere")  # cannot be read, as any other
    pictures("others", 5)
    words = ("train", NET, *QUICK, "--rounds", "1", "-o", "run", "--resume")
    asked = (*words, "--unlabeled", "some", "--confidence", "0")
    code, _, err = nas(*asked)
    assert code == 0, err
    code, _, err = nas(*words, "--unlabeled", "some", "--confidence", "0.9")
    assert code == 2
    assert "labels with confidence 0.0; got 0.9" in err
    shutil.rmtree("run/round-1")  # as if it was killed before its first checkpoint
    code, _, err = nas(*words, "--unlabeled", "others", "--confidence", "0")
    assert code == 2
    assert "labels with unlabeled_pictures" in err
    assert nas(*asked)[0] == 0
    about = json.loads(Path("run/round-1/result.json").read_text())
    assert (about["confidence"], about["unlabelled"]) == (0, 7)


def test_rounds_do_not_move_in_with_a_training_without_them(nas: Run) -> None:
    words = ("train", NET, *QUICK, "-o", "run")
    assert nas(*words)[0] == 0
    code, _, err = nas(*words, "--labels", "20")
    assert code == 2
    assert "run: holds a training without rounds" in err
    assert nas("train", NET, *QUICK, "-o", "rounds", "--labels", "20")[0] == 0
    code, _, err = nas("train", NET, *QUICK, "-o", "rounds")
    assert code == 2
    assert "rounds: holds rounds of self-training" in err


def test_weights_that_lie_in_the_folder_are_not_written_over(nas: Run, weights: Path) -> None:
    Path("run").mkdir()
    shutil.copy(weights, "run/weights.safetensors")
    for more in ((), ("--weights", "run"), ("--resume",)):
        code, _, err = nas("train", NET, *QUICK, "-o", "run", *more)
        assert code == 2
        assert "holds a weights.safetensors that would be written over" in err
    assert Path("run/weights.safetensors").read_bytes() == weights.read_bytes()


def test_a_teacher_is_the_very_file_that_the_training_began_with(nas: Run, weights: Path) -> None:
    shutil.copy(weights, "t.safetensors")
    words = ("train", NET, *QUICK, "--teacher", "t.safetensors", "-o", "run")
    assert nas(*words)[0] == 0
    write_weights(Path("t.safetensors"), build(parse(f"{NET} y10")).state_dict(), {"arch": f"{NET} y10", "other": 1})
    code, _, err = nas(*words, "--resume")
    assert code == 2
    assert "its training has teacher_sha256" in err


def test_a_training_whose_weights_are_gone_has_not_just_ended(nas: Run) -> None:
    words = ("train", NET, *QUICK, "-o", "run")
    assert nas(*words)[0] == 0
    Path("run/weights.safetensors").unlink()
    code, _, err = nas(*words, "--resume")
    assert code == 2
    assert "run/weights.safetensors: missing" in err


def test_a_name_that_is_too_long_for_a_folder_is_one_line(nas: Run) -> None:
    code, _, err = nas("train", NET, *QUICK, "-o", "a" * 300)
    assert code == 2
    assert "no name that a folder can have" in err


def test_what_has_weights_is_named_by_its_folder(nas: Run) -> None:
    assert nas("train", NET, *QUICK, "--labels", "20", "-o", "run")[0] == 0
    for command in (("evaluate", "run", "--data", "digits"), ("train", NET, *QUICK, "--teacher", "run")):
        code, _, err = nas(*command)
        assert code == 2
        assert "run: no weights.safetensors in this folder\nhint: name a round, such as run/round-0" in err
    assert nas("evaluate", "run/round-0", "--data", "digits")[0] == 0
    assert nas("train", NET, *QUICK, "--teacher", "run/round-0", "--weights", "run/round-0", "-o", "more")[0] == 0
    code, _, err = nas("export", "more", "--format", "python")
    assert code == 0, err
    assert Path("more.safetensors").exists()
    code, _, err = nas("evaluate", "nowhere", "--data", "digits")
    assert code == 2
    assert "nowhere: no folder of a training" in err


def test_a_held_out_size_that_the_network_cannot_have_is_refused_before_training(nas: Run) -> None:
    deep = "r64 s8 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 h16"
    code, _, err = nas("train", deep, *QUICK, "--set", "held_resolution=8", "-o", "run")
    assert code == 2
    assert "8 px is too small for a total stride of 16" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--freeze", "backbone"), "it would stay as it was drawn"),
        (("--set", "temperature=4"), "only a student has it"),
        (("--grow", "1"), "only the students of --rounds grow"),
        (("--labels", "500", "--rounds", "1"), "class 0 of digits has"),
        (("--set", "learning_rate=fast", "--batch", "64"), "learning_rate: expected a number"),
        (("--set", "progressive=3", "--set", "progressive.stages=2"), "progressive is 3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_would_do_nothing_or_harm_are_refused(nas: Run, words: tuple[str, ...], says: str) -> None:
    code, _, err = nas("train", NET, *QUICK, "-o", "run", *words)
    assert code == 2
    assert says in err
    assert not Path("run").exists()


def test_a_training_that_has_ended_is_not_trained_again_by_resuming(nas: Run) -> None:
    words = ("train", NET, *QUICK, "-o", "run", "--json")
    first = json.loads(nas(*words)[1])
    before = Path("run/weights.safetensors").stat().st_mtime_ns
    code, out, err = nas(*words, "--resume")
    assert code == 0, err
    again = json.loads(out)
    assert again.keys() == first.keys()
    assert again["top1_pct"] == first["top1_pct"]
    assert Path("run/weights.safetensors").stat().st_mtime_ns == before
    assert nas("evaluate", "run", "--data", "digits")[0] == 0, "the folder is enough"


def test_of_several_processes_only_the_first_says_that_it_has_ended(nas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("train", NET, *QUICK, "-o", "run", "--json")
    assert nas(*words)[0] == 0
    monkeypatch.setattr("nas.training.plumbing.rank", lambda: 1)
    code, out, _ = nas(*words, "--resume")
    assert (code, out) == (0, "")


def test_a_file_in_the_place_of_the_folder_is_refused_before_a_step(nas: Run) -> None:
    Path("run").write_text("mine")
    for more in ((), ("--dry-run",)):
        code, _, err = nas("train", NET, *QUICK, "-o", "run", *more)
        assert code == 2
        assert "run is no folder" in err
        assert "images/s" not in err
    assert Path("run").read_text() == "mine"


def test_a_network_without_weights_is_not_evaluated(nas: Run) -> None:
    code, _, err = nas("evaluate", NET, "--data", "digits")
    assert code == 2
    assert "add --weights FILE" in err


def test_too_little_memory_says_what_to_do(nas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("nas.training.session.Session.forecast", full)
    code, _, err = nas("train", NET, *QUICK, "--set", "accumulate=2", "-o", "run")
    assert code == 1
    assert "out of memory at a batch of 256 in 2 parts" in err
    assert "--set accumulate=4" in err
