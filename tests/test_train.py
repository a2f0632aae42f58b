"""Trainings that end in weights: they go on where they stopped, keep what they had, and do what their recipe says."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from nas.arch import parse
from nas.data import Data, load_data
from nas.data.change import Change
from nas.data.split import Part
from nas.data.stream import Streamed
from nas.nets import build
from nas.progressive import Stage
from nas.training import DivergedError, train
from nas.training.augment import change_of, mix_of
from nas.training.averaging import average_of
from nas.training.checkpoint import CheckpointError, read_checkpoint
from nas.training.distil import Teacher, distilled
from nas.training.loop import Run
from nas.training.optimizer import make_optimizers, set_rate
from nas.training.outcome import Epoch, Ways
from nas.training.schedule import factor
from nas.training.session import Job, Session, SessionError
from nas.training.start import start_from
from nas.training.weights import Weights, WeightsError, load, read_weights, torchvision_weights, write_weights
from nas.training_recipe import Progressive, Training
from tests.conftest import ROOT

SMALL = parse("r16 s8 m1k3s1c8n1se0.25 f4k3s2c16n2 m4k3s2c24n1se0.25 h32 y10")
PLAIN = Training(width=1.0, resolution=16, epochs=3, batch=128, data="digits", learning_rate=0.01, threads=1)
EVERYTHING = PLAIN.model_copy(
    update={
        "ema": 0.9, "dropout": 0.2, "drop_path": 0.1, "randaugment": 6, "mixup": 0.2, "cutmix": 0.2, "erasing": 0.2,
        "augment": "resized", "clip": 1.0, "accumulate": 2, "label_smoothing": 0.1,
        "progressive": Progressive(stages=2, resolution=8, randaugment=0, mixup=0.0, cutmix=0.0, dropout=0.0),
    }
)  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def digits(resolution: int) -> Data:
    return load_data("digits", resolution=resolution)


def few(resolution: int) -> Data:
    """A third of the training images, for what need not learn."""
    data, index = digits(resolution), torch.arange(512)
    return replace(data, train=data.train.take(index, data.train.targets[index]))


def session(folder: Path, training: Training = PLAIN, *, resume: bool = False, **more: Any) -> Session:
    return Session(Job(SMALL, few, training, folder, **more), resume=resume)


class Stopped(Exception):  # noqa: N818
    """What ends a training from outside."""


def stop_after(epochs: int) -> Any:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == epochs:
            raise Stopped

    return stop


def stopped(folder: Path, training: Training, epochs: int) -> None:
    with pytest.raises(Stopped):
        session(folder, training).go(stop_after(epochs))


def same(one: Path, other: Path) -> bool:
    first, second = read_weights(one).tensors, read_weights(other).tensors
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Resume.


@pytest.mark.parametrize("optimizer", ["muon", "rmsprop", "adamw", "sgd"])
def test_a_training_that_was_stopped_ends_in_the_same_weights_to_the_last_bit(tmp_path: Path, optimizer: str) -> None:
    rates = {"muon": 0.01, "rmsprop": 0.002, "adamw": 0.005, "sgd": 0.05}
    training = EVERYTHING.model_copy(update={"optimizer": optimizer, "learning_rate": rates[optimizer]})
    whole = session(tmp_path / "whole", training).go(lambda _: None)
    for epochs in (1, 2):
        folder = tmp_path / f"after-{epochs}"
        stopped(folder, training, epochs)
        later = session(folder, training, resume=True)
        assert later.resumed == epochs
        later.forecast(cap=0.1)
        assert same(later.go(lambda _: None).weights, whole.weights)


def test_a_forecast_leaves_the_training_as_it_was(tmp_path: Path) -> None:
    plain = session(tmp_path / "plain", EVERYTHING).go(lambda _: None)
    timed = session(tmp_path / "timed", EVERYTHING)
    forecasts = timed.forecast(cap=1.0)
    assert [(one.stage.resolution, one.epochs) for one in forecasts] == [(8, 1), (16, 2)]
    assert all(one.seconds > 0 and one.images_per_s > 0 for one in forecasts)
    assert same(timed.go(lambda _: None).weights, plain.weights)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_training_loses_at_most_its_epoch(tmp_path: Path) -> None:
    words = [
        str(SMALL).removesuffix(" y10"), "--data", "digits", "--epochs", "12", "--set", "resolution=16", "--set",
        "threads=1", "--set", "randaugment=5",
    ]  # fmt: skip
    command = [sys.executable, "-m", "nas", "train", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen([*command, "-o", "killed"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    path = tmp_path / "killed" / "checkpoint.json"
    end = time.monotonic() + 100
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    found = read_checkpoint(tmp_path / "killed")
    assert found is not None
    assert 1 <= found.epoch < 12
    for more in (["-o", "killed", "--resume"], ["-o", "whole"]):
        subprocess.run([*command, *more], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert same(tmp_path / "killed" / "weights.safetensors", tmp_path / "whole" / "weights.safetensors")


def test_an_ended_training_leaves_weights_that_say_what_they_are_and_no_checkpoint(tmp_path: Path) -> None:
    done = session(tmp_path, PLAIN, said={"data": "digits"}).go(lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir() if "tfevents" not in path.name) == [
        "result.json", "weights.safetensors",
    ]  # fmt: skip
    assert [path for path in tmp_path.iterdir() if "tfevents" in path.name], "TensorBoard reads these"
    weights = read_weights(done.weights)
    assert (weights.arch, weights.classes) == (SMALL, 10)
    assert weights.about["top1_pct"] == done.trained.top1_pct
    assert len(json.loads((tmp_path / "result.json").read_text())["curve"]) == 3
    with pytest.raises(SessionError, match="has ended"):
        session(tmp_path, PLAIN, resume=True)


def test_the_weights_are_those_that_were_evaluated(tmp_path: Path) -> None:
    done = session(tmp_path, EVERYTHING).go(lambda _: None)
    net = build(SMALL).eval()
    load(net, read_weights(done.weights))
    right = sum(int((net(images).argmax(1) == labels).sum()) for images, labels in digits(16).held.batches(256))
    assert 100 * right / 359 == pytest.approx(done.trained.top1_pct, abs=0.3)


def test_another_training_does_not_go_on_in_the_folder(tmp_path: Path) -> None:
    stopped(tmp_path, PLAIN, 1)
    with pytest.raises(SessionError, match="1 epochs are done") as caught:
        session(tmp_path, PLAIN)
    assert "--resume" in caught.value.hint
    with pytest.raises(SessionError, match=r"its training has learning_rate 0.01; got 0.02"):
        session(tmp_path, PLAIN.model_copy(update={"learning_rate": 0.02}), resume=True)
    with pytest.raises(SessionError, match="its training has seed 0; got 1"):
        session(tmp_path, PLAIN, resume=True, seed=1)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "json", "schema"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    stopped(tmp_path, PLAIN, 1)
    path, tensors = tmp_path / "checkpoint.json", next(tmp_path.glob("checkpoint-*.safetensors"))
    content = tensors.read_bytes()
    if damage == "cut":
        tensors.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        tensors.write_bytes(content[:-4] + bytes(4))
    elif damage == "gone":
        tensors.unlink()
    elif damage == "json":
        path.write_text(path.read_text()[:50])
    else:
        path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(CheckpointError) as caught:
        session(tmp_path, PLAIN, resume=True)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.hint


def test_a_full_disk_leaves_the_checkpoint_before_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes, mode: int = 0o666) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            monkeypatch.setattr("nas.training.weights.write_whole", full)

    with pytest.raises(CheckpointError, match=r"No space left .* epoch 1 is intact"):
        session(tmp_path, PLAIN).go(on_epoch)
    monkeypatch.undo()
    assert session(tmp_path, PLAIN, resume=True).resumed == 1


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    def second(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            with pytest.raises(SessionError, match="another process trains there"):
                session(tmp_path, PLAIN, resume=True).go(lambda _: None)

    assert session(tmp_path, PLAIN).go(second).weights.exists()


def test_what_another_process_trained_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    late = session(tmp_path, PLAIN)
    stopped(tmp_path, PLAIN, 1)
    with pytest.raises(SessionError, match="another process trained there meanwhile"):
        late.go(lambda _: None)
    kept = session(tmp_path, PLAIN, resume=True).go(lambda _: None).weights.read_bytes()
    with pytest.raises(SessionError, match="has ended"):
        late.go(lambda _: None)
    assert (tmp_path / "weights.safetensors").read_bytes() == kept


def test_curves_are_events_that_tensorboard_reads(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    stopped(tmp_path, PLAIN, 1)
    session(tmp_path, PLAIN, resume=True).go(lambda _: None)
    found = set()
    for file in sorted(tmp_path.glob("events.*")):
        content = file.read_bytes()
        while content:  # TFRecord: length, its checksum, the event, its checksum
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            found |= {(value.tag, event.step) for value in event.summary.value}
            content = content[16 + length :]
    assert {("loss/train", epoch) for epoch in range(1, PLAIN.epochs + 1)} <= found


def test_a_full_disk_ends_the_curves_without_a_word(tmp_path: Path) -> None:
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom nas.training.curves import Curves\n"
        "from nas.training.outcome import Epoch\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        f"curves = Curves(Path({str(tmp_path)!r}), 0)\n"
        "for number in range(1, 9):\n    curves.add(Epoch(number, 1.0, 2.0, 3.0, 4, 5.0, 6, 7.0))\n"
        "curves.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (events,) = tmp_path.glob("events*")
    assert 0 < events.stat().st_size <= 600


def test_a_file_system_that_locks_no_folders_is_trained_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_nfs(handle: int, kind: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("nas.training.session.fcntl.flock", as_nfs)
    assert session(tmp_path, PLAIN).go(lambda _: None).weights.exists()


def test_a_loss_that_is_no_number_says_where_and_what_is_left(tmp_path: Path) -> None:
    wild = PLAIN.model_copy(update={"optimizer": "sgd", "learning_rate": 1e8, "warmup": 0.5, "epochs": 4})
    with pytest.raises(DivergedError) as caught:
        session(tmp_path, wild).go(lambda _: None)
    words = str(caught.value)
    assert "no number at step" in words
    assert "learning rate of" in words
    done = read_checkpoint(tmp_path)
    assert (f"checkpoint of epoch {done.epoch}" if done else "no epoch had ended") in words
    assert "clip" in caught.value.hint


# What a recipe says.


def weights_after(training: Training, seed: int = 0) -> dict[str, torch.Tensor]:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    torch.manual_seed(seed)
    nn.init.normal_(net[1].weight, std=0.01)
    nn.init.zeros_(net[1].bias)
    train(net, digits(16), training)
    return net.state_dict()


def test_a_batch_in_parts_is_the_same_batch() -> None:
    plain = PLAIN.model_copy(update={"optimizer": "sgd", "epochs": 1})
    whole, parts = (weights_after(plain.model_copy(update={"accumulate": parts})) for parts in (1, 5))
    for name in whole:
        assert torch.allclose(whole[name], parts[name], atol=1e-6)


def test_gradients_are_cut_to_the_recipes_length() -> None:
    plain = PLAIN.model_copy(update={"optimizer": "sgd", "epochs": 1, "weight_decay": 0.0, "warmup": 0.0})
    start = weights_after(plain.model_copy(update={"learning_rate": 1e-30}))
    moved = weights_after(plain.model_copy(update={"clip": 1e-3}))
    steps, longest = len(digits(16).train) // 128, 0.01 * 1e-3 / (1 - 0.9) * 2
    distance = math.sqrt(sum(float((moved[name] - start[name]).square().sum()) for name in start))
    assert 0 < distance <= steps * longest


def test_the_rate_falls_by_the_recipes_schedule() -> None:
    stairs = Training(epochs=10, schedule="exponential", decay=0.5, decay_epochs=2.0, warmup=0.0)
    assert [factor(stairs, 10 * epoch, 100) for epoch in range(10)] == [
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.25,
        0.125,
        0.125,
        1 / 16,
        1 / 16,
    ]
    assert factor(stairs.model_copy(update={"warmup": 0.1}), 0, 100) == pytest.approx(1 / 11)
    assert factor(Training(schedule="constant", warmup=0.0), 99, 100) == 1.0
    assert factor(Training(schedule="cosine", warmup=0.0), 50, 100) == pytest.approx(0.5)


def test_an_average_follows_its_formula_and_warms_up() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 0.0)
    average = average_of(net, 0.5)
    expected, decays = 0.0, []
    for step in range(30):
        nn.init.constant_(net.weight, float(step))
        average.update_parameters(net)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = float(step) if step == 0 else decay * expected + (1 - decay) * step
        decays.append(decay)
    assert float(average.module.weight) == pytest.approx(expected, rel=1e-5)
    assert decays[1] < 0.5 == decays[-1]


def test_batch_norm_takes_the_recipes_momentum() -> None:
    training = PLAIN.model_copy(update={"batch_norm_momentum": 0.01})
    run = Run(SMALL, digits(16), training, seed=0, device=CPU)
    assert {module.momentum for module in run.net.modules() if isinstance(module, nn.BatchNorm2d)} == {0.01}


def test_dropout_and_size_follow_the_schedule() -> None:
    training = EVERYTHING.model_copy(update={"epochs": 2})
    sizes = []

    def source(pixels: int) -> Data:
        sizes.append(pixels)
        return digits(pixels)

    run, dropouts, shown = Run(SMALL, source, training, seed=0, device=CPU), [], []
    run.net.register_forward_pre_hook(lambda net, inputs: shown.append((net.training, inputs[0].shape[-1])))
    for _ in run.epochs():
        dropouts.append(run.net.dropout.p)
    assert dropouts == [0.0, 0.2]
    assert [epoch.resolution for epoch in run.curve] == [8, 16]
    assert {size for training_mode, size in shown if training_mode} == {8, 16}


# Pictures.


STAGE = Stage(1, 1, 16, 9, 0.2, 0.0, 0.0)


@pytest.mark.parametrize("augment", ["none", "crop"])
def test_parts_of_a_batch_are_the_whole_batch(augment: str) -> None:
    change = change_of(PLAIN.model_copy(update={"augment": "resized", "erasing": 0.5}), STAGE)

    def batches(part: Part) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(digits(16).train.batches(64, torch.Generator().manual_seed(3), augment, change, part))  # type: ignore[arg-type]

    for (images, labels), first, second in zip(batches(Part()), batches(Part(0, 2)), batches(Part(1, 2)), strict=True):
        assert torch.equal(images, torch.cat((first[0], second[0])))
        assert torch.equal(labels, torch.cat((first[1], second[1])))


def test_streamed_pictures_change_by_their_own_seed_whoever_reads_them(tmp_path: Path) -> None:
    for number in range(12):
        pixels = torch.randint(0, 255, (20, 30, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(number))
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{number}.png")
    split = Streamed(tuple((tmp_path / f"{number}.png", number) for number in range(12)), 16)
    change = change_of(PLAIN.model_copy(update={"augment": "resized"}), STAGE)

    def batches(part: Part, seed: int = 3) -> list[torch.Tensor]:
        made = split.batches(4, torch.Generator().manual_seed(seed), "none", change, part)
        return [images for images, _ in made]

    whole = batches(Part())
    assert [tuple(images.shape) for images in whole] == [(4, 3, 16, 16)] * 3
    halves = [torch.cat(pair) for pair in zip(batches(Part(0, 2)), batches(Part(1, 2)), strict=True)]
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))
    assert not torch.equal(whole[0], batches(Part(), seed=4)[0])


def test_every_process_gets_as_many_pictures_where_some_cannot_be_read(tmp_path: Path) -> None:
    for number in range(8):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / f"{number}.png")
    for number in (1, 2, 5):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    split = Streamed(tuple((tmp_path / f"{number}.png", number) for number in range(8)), 16)
    for rank in (0, 1):
        batches = list(split.batches(8, torch.Generator().manual_seed(0), "flip", None, Part(rank, 2)))
        assert [len(labels) for _, labels in batches] == [4]
        assert not {1, 2, 5} & set(batches[0][1].tolist())


def test_every_size_is_normalised_alike() -> None:
    training = PLAIN.model_copy(update={"progressive": Progressive(stages=2, resolution=8)})
    run = Run(SMALL, digits, training, seed=0, device=CPU)
    assert torch.equal(run.source(8).train.deviation, digits(16).held.deviation)
    assert not torch.equal(digits(8).train.deviation, digits(16).train.deviation)


def test_global_random_state_is_left_alone_by_changed_pictures() -> None:
    state = torch.random.get_rng_state()
    next(iter(digits(16).train.batches(8, torch.Generator().manual_seed(0), "none", change_of(PLAIN, STAGE))))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_recipe_without_changes_changes_nothing() -> None:
    calm = Stage(1, 1, 16, 0, 0.0, 0.0, 0.0)
    assert change_of(PLAIN, calm) is None
    assert mix_of(calm, 10) is None
    assert isinstance(change_of(PLAIN, STAGE), Change)


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_mixed_labels_are_shares_that_sum_to_one(mixup: float, cutmix: float) -> None:
    mix = mix_of(Stage(1, 1, 16, 0, mixup, cutmix, 0.0), 10)
    assert mix is not None
    images, labels = mix(torch.rand(8, 3, 16, 16), torch.arange(8))
    assert images.shape == (8, 3, 16, 16)
    assert torch.allclose(labels.sum(1), torch.ones(8), atol=1e-5)


# Teachers.


def test_distillation_is_hintons() -> None:
    student, teacher = torch.randn(4, 10, requires_grad=True), torch.randn(4, 10)
    hard = functional.cross_entropy(student, torch.arange(4))
    assert torch.equal(distilled(hard, student, teacher, 4.0, 1.0), hard)
    assert float(distilled(hard, student, student.detach(), 4.0, 0.0).detach()) == pytest.approx(0, abs=1e-5)
    p, q = (torch.softmax(logits / 4.0, 1) for logits in (teacher, student.detach()))
    expected = 16 * float((p * (p / q).log()).sum(1).mean())
    assert distilled(hard, student, teacher, 4.0, 0.0).item() == pytest.approx(expected, rel=1e-5)
    assert distilled(hard, student, teacher, 4.0, 0.3).item() == pytest.approx(
        0.3 * hard.item() + 0.7 * expected, rel=1e-5
    )


class Recorder(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return torch.zeros(len(x), 10)


def test_a_teacher_sees_pictures_as_it_was_used_to() -> None:
    raw = torch.rand(2, 3, 16, 16) * 255
    given, own = (torch.full((3,), 100.0), torch.full((3,), 50.0)), (torch.full((3,), 120.0), torch.full((3,), 60.0))
    net = Recorder()
    Teacher(net, 24, given, own)((raw - 100) / 50)
    assert net.seen.shape == (2, 3, 24, 24)
    Teacher(net, 16, given, own)((raw - 100) / 50)
    assert torch.allclose(net.seen, (raw - 120) / 60, atol=1e-4)


def test_a_teacher_stays_as_it_is_and_its_student_learns() -> None:
    data = digits(16)
    teacher = Run(SMALL, data, PLAIN.model_copy(update={"epochs": 4}), seed=1, device=CPU)
    list(teacher.epochs())
    assert teacher.trained().top1_pct > 60
    before = {name: tensor.clone() for name, tensor in teacher.net.state_dict().items()}
    taught = Teacher(teacher.net, 16, (data.held.mean, data.held.deviation), None)
    training = PLAIN.model_copy(update={"hard_weight": 0.0})
    student = Run(SMALL, data, training, seed=0, device=CPU, ways=Ways(teacher=taught))
    list(student.epochs())
    assert student.trained().top1_pct > 50, "of labels alone it saw nothing"
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.net.state_dict().items())


# Transfer.


def test_a_frozen_backbone_does_not_move_its_statistics_neither() -> None:
    run = Run(SMALL, digits(16), PLAIN, seed=0, device=CPU, ways=Ways(backbone_rate=0.0))
    before = {name: tensor.clone() for name, tensor in run.net.state_dict().items()}
    list(run.epochs())
    moved = {name for name, tensor in run.net.state_dict().items() if not torch.equal(before[name], tensor)}
    assert moved == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_the_backbone_learns_at_a_rate_of_its_own(optimizer: str) -> None:
    net = build(SMALL)
    optimizers = make_optimizers(net, PLAIN.model_copy(update={"optimizer": optimizer}), backbone_rate=0.1)
    set_rate(optimizers, 2.0)
    rates = {id(one): group["lr"] for item in optimizers for group in item.param_groups for one in group["params"]}
    assert {rates[id(one)] for one in net.classifier.parameters()} == {2.0}
    assert {rates[id(one)] for one in net.parameters() if id(one) not in map(id, net.classifier.parameters())} == {0.2}


def test_other_classes_get_a_new_classifier_and_the_rest_is_kept(tmp_path: Path) -> None:
    old = build(SMALL)
    write_weights(tmp_path / "w.safetensors", old.state_dict(), {"arch": str(SMALL)})
    weights = read_weights(tmp_path / "w.safetensors")
    new = build(parse(str(SMALL).replace("y10", "y7")))
    drawn = new.classifier.weight.clone()
    assert start_from(new, weights, 7)
    assert torch.equal(new.classifier.weight, drawn)
    assert torch.equal(new.stem[0].weight, old.stem[0].weight)
    again = build(SMALL)
    assert not start_from(again, weights, 10)
    assert torch.equal(again.classifier.weight, old.classifier.weight)


def test_weights_of_another_network_are_refused_at_the_first_layer_that_differs(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", build(SMALL).state_dict(), {"arch": str(SMALL)})
    weights = read_weights(tmp_path / "w.safetensors")
    wider = build(parse(str(SMALL).replace("f4k3s2c16n2", "f4k3s2c24n2")))
    with pytest.raises(
        WeightsError, match=r"'stages\.1\.0\.body\.1\.0\.weight' is 16×32×1×1, .* is 24×32×1×1"
    ) as caught:
        load(wider, weights)
    assert str(SMALL) in caught.value.hint


def test_weights_that_are_no_numbers_are_refused() -> None:
    state = build(SMALL).state_dict()
    state["head.0.weight"].fill_(math.nan)
    with pytest.raises(WeightsError, match=r"'head\.0\.weight' holds values that are no numbers"):
        load(build(SMALL), Weights("w", state))


def test_torchvisions_weights_go_into_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.efficientnet_b0(weights=None).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    name = torchvision.models.EfficientNet_B0_Weights.DEFAULT.url.rpartition("/")[2]
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(theirs.state_dict(), cache / name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    from nas.space_file import load_architecture

    ours = build(load_architecture("efficientnet-b0")).eval()
    weights = torchvision_weights("efficientnet_b0", ours)
    load(ours, weights)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5  # torchvision's B0 was trained under it
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(ours(images), theirs(images), atol=1e-4)
    assert weights.statistics is not None
    with pytest.raises(WeightsError, match="torchvision:efficientnet_b0: weights of another network"):
        load(build(SMALL), torchvision_weights("efficientnet_b0", build(SMALL)))


# Several processes.


@pytest.mark.timeout(240)
def test_two_processes_end_in_the_weights_of_one_with_twice_the_batch(tmp_path: Path) -> None:
    words = [
        "-m", "nas", "train", "r16 s8 m1k3s1c8n2se0.25 f4k3s2c16n1 h32", "--data", "digits", "--epochs", "2",
        "--set", "resolution=16", "--set", "optimizer=sgd", "--set", "learning_rate=0.02", "--set", "ema=0.9",
        "--set", "randaugment=4", "--set", "threads=1", "--device", "cpu",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, more in (("one", []), ("two", torchrun)):
        command = [sys.executable, *more, *words, "-o", name]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    one, two = (read_weights(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert (one.about["processes"], two.about["processes"]) == (1, 2)
    for name, tensor in one.tensors.items():
        assert torch.allclose(tensor.float(), two.tensors[name].float(), atol=1e-4, rtol=1e-3), name
