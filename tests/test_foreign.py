from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torchvision import models

from nas.arch import parse
from nas.cli import main
from nas.foreign import Foreign, ForeignError, is_foreign, read, split
from nas.meters import METERS, Bench, UnmeasurableError, measure
from nas.meters.accuracy import top1_pct
from nas.meters.batch import first_batch
from nas.meters.counts import image_flops
from nas.nets.foreign import build_foreign, resolve_foreign
from nas.recipe import Timing
from nas.record import read_records
from nas.training import proxy_resolution
from nas.training_recipe import Training

Run = Callable[..., subprocess.CompletedProcess[str]]

NETWORKS = """
from torch import nn
import torch

def net():
    first = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU()
    return nn.Sequential(*first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7))

class Tuple(nn.Module):
    def forward(self, x):
        return x, x

class Images(nn.Module):
    def forward(self, x):
        return x

class Big(nn.Module):
    def forward(self, x):
        return nn.functional.conv2d(x, torch.zeros(1, 3, 99, 99)).flatten(1)

class Auxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        return (self.net(x), self.net(x)) if self.training else self.net(x)

def listed():
    return [1]

def nothing():
    pass

def needs(width, depth, *, classes, heads=3):
    return net()

def raises():
    raise KeyError("width")

instance = Images()
number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with modules of a user's own."""
    (tmp_path / "theirs.py").write_text(NETWORKS)
    (tmp_path / "broken.py").write_text("import no_such_thing_at_all\n")
    (tmp_path / "quits.py").write_text("raise SystemExit(0)\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in ("theirs", "broken", "quits"):
            del sys.modules[name]


# The value


@pytest.mark.parametrize(
    "foreign",
    [
        Foreign("torchvision:densenet169", 224),
        Foreign("timm:tf_efficientnet_b0.ns_jft_in1k", 240),
        Foreign("my.own.module:Class.make", 33, 10),
    ],
)
def test_notation_reads_back(foreign: Foreign) -> None:
    assert read(str(foreign)) == foreign
    assert is_foreign(str(foreign))
    assert len(foreign.id) == 10
    assert foreign.id != Foreign(foreign.reference, foreign.resolution + 1, foreign.classes).id


def test_an_architecture_reads_as_one() -> None:
    text = "r40 s8 f1k3s1c8n1 h32 y10"
    assert read(text) == parse(text)
    assert not is_foreign(text)


@pytest.mark.parametrize(
    "text", ["study:17", "efficientnet-b0", "a:b@", "a:b@x", "1a:b", "a b:c", ":b", "a:", "c:/x.yaml"]
)
def test_other_forms_are_not_foreign(text: str) -> None:
    assert not is_foreign(text)
    with pytest.raises(ForeignError):
        split(text)


@pytest.mark.parametrize(("resolution", "classes"), [(0, 10), (9_000, 10), (32, 0), (True, 10)])
def test_impossible_values_are_refused(resolution: int, classes: int) -> None:
    with pytest.raises(ForeignError, match="expected 1 to"):
        Foreign("torchvision:alexnet", resolution, classes)


# Golden: torchvision's own metadata

AUXILIARY = 3_326_696  # torchvision states Inception-v3 with the auxiliary classifier it trains with: 27,161,264


def test_params_of_every_torchvision_model_are_those_it_states() -> None:
    for name in models.list_models(module=models):
        stated = next(iter(models.get_model_weights(name))).meta["num_params"]
        regnet = name.startswith("regnet")  # their constructor reads tensors: the smaller ones are built for real
        if regnet and stated > 40e6:
            continue
        with torch.device("cpu" if regnet else "meta"):
            net = build_foreign(Foreign(f"torchvision:{name}", resolve_size(name)))
        counted = sum(parameter.numel() for parameter in net.parameters())
        assert counted == stated - (AUXILIARY if name == "inception_v3" else 0), name


def resolve_size(name: str) -> int:
    """Of the first weights' images: those of ViT-H/14 are 518 px."""
    return int(next(iter(models.get_model_weights(name))).transforms.keywords["crop_size"])


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "squeezenet1_1",
        "shufflenet_v2_x1_0",
        "mobilenet_v3_small",
        "googlenet",
        pytest.param("inception_v3", marks=pytest.mark.slow),
        pytest.param("densenet169", marks=pytest.mark.slow),
        pytest.param("vgg16", marks=pytest.mark.slow),
        pytest.param("resnext101_64x4d", marks=pytest.mark.slow),
        pytest.param("vit_b_16", marks=pytest.mark.slow),
        pytest.param("swin_t", marks=pytest.mark.slow),
    ],
)
def test_flops_are_those_torchvision_states(name: str) -> None:
    foreign = resolve_foreign(f"torchvision:{name}")
    reading = measure(foreign, ["flops"], Timing(), device="cpu")["flops"]
    stated = next(iter(models.get_model_weights(name))).meta["_ops"]  # GFLOPs to three decimals
    assert round(reading.value / 1e9, 3) == pytest.approx(stated, abs=0.0011)
    assert reading.conditions["closed_form"].startswith("none")
    assert ("scaled_dot_product_attention" in reading.conditions["operators"]) == (name == "vit_b_16")


def test_own_size_is_the_default_and_another_is_tried_out() -> None:
    assert resolve_foreign("torchvision:inception_v3").resolution == 299
    assert resolve_foreign("torchvision:squeezenet1_1@64") == Foreign("torchvision:squeezenet1_1", 64)
    with pytest.raises(ForeignError, match=r"running it on \(2, 3, 32, 32\) raised RuntimeError"):
        resolve_foreign("torchvision:inception_v3@32")


def test_a_vision_transformer_is_built_for_the_size_it_is_measured_at() -> None:
    timing = Timing(batch=1, resolution_scale=0.25, time_cap=0.05, tolerance=0.5)
    timed = measure(Foreign("torchvision:vit_b_32", 256), ["latency_ms"], timing, device="cpu")
    assert timed["latency_ms"].conditions["resolution"] == 64


# While it is measured

QUICK = Timing(batch=1, time_cap=0.05, tolerance=0.5)


@pytest.mark.parametrize("batch", ["auto", 2])
def test_what_it_raises_while_it_is_measured_is_one_line(batch: int | str) -> None:
    timing = QUICK.model_copy(update={"batch": batch, "resolution_scale": 0.1})
    with pytest.raises(ForeignError, match=r"^torchvision:inception_v3@299: measuring its \w+ at 30 px raised Runtime"):
        measure(Foreign("torchvision:inception_v3", 299), ["infer_images_per_s"], timing, device="cpu")


def test_what_cannot_be_trained_is_still_inferred(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = ["infer_images_per_s", "train_images_per_s", "peak_memory_mib"]
    two = QUICK.model_copy(update={"batch": 2})
    assert set(measure(Foreign("theirs:Auxiliary", 32, 7), asked, two, device="cpu")) == {"infer_images_per_s"}
    assert "in train mode it answers with a tuple" in caplog.text
    caplog.clear()
    narrow = Foreign("torchvision:shufflenet_v2_x0_5", 32)  # its last maps are of one pixel
    assert set(measure(narrow, asked, QUICK, device="cpu")) == {"infer_images_per_s"}
    assert "batch norm saw one value a channel" in caplog.text


# Networks of a user's own


def test_a_callable_of_this_folder_is_measured(here: Path) -> None:
    foreign = resolve_foreign("theirs:net@32")
    assert foreign == Foreign("theirs:net", 32, 7)
    assert str(here) not in sys.path
    timing = Timing(batch=2, time_cap=0.05, tolerance=0.5)
    readings = measure(foreign, list(METERS), timing, device="cpu")
    assert set(readings) == set(METERS)
    maps = 15 * 15
    assert readings["params"].value == 3 * 8 * 9 + 8 + 16 + 8 * 7 + 7
    assert readings["flops"].value == 3 * 8 * 9 * maps + 8 * 7
    assert readings["activations"].value == 8 * maps + 7


def test_the_automatic_batch_follows_from_the_flops_counted(here: Path) -> None:
    foreign = Foreign("theirs:net", 512, 7)
    net = build_foreign(foreign)
    counted = image_flops(net, 512)
    assert counted == 3 * 8 * 9 * 255 * 255 + 8 * 7  # as the meter counts, by another tool
    assert net.training
    bench = Bench(foreign, Timing(), torch.device("cpu"), image_flops=20 * counted)
    assert first_batch(bench)[0] == 16  # 281 M × 16 ≤ 8 G < 281 M × 32
    readings = measure(
        foreign, ["latency_ms", "infer_images_per_s"], Timing(time_cap=0.05, tolerance=0.5), device="cpu"
    )
    assert readings["infer_images_per_s"].conditions["batch"] == 64


@pytest.mark.parametrize(
    ("reference", "says", "hints"),
    [
        ("torchvision:densnet169", "no classification model", "densenet169"),
        ("torchvision:fcn_resnet50", "no classification model", "resnet50"),
        ("nowhere_to_be_found:net", "no module 'nowhere_to_be_found'", "nowhere_to_be_found.py"),
        ("broken:net", "importing it raised ModuleNotFoundError: No module named 'no_such_thing_at_all'", ""),
        ("quits:net", "importing it raised SystemExit: 0", ""),
        ("theirs:nat", "'theirs' has no 'nat'", "net"),
        ("theirs:number.bit_lenth", "'theirs.number' has no 'bit_lenth'", "bit_length"),
        ("math:pi.x", "'math.pi' has no 'x'", ""),
        ("theirs:net@0", "resolution: expected 1 to 8,192; got 0", ""),
        ("torchvision:alexnet@0", "resolution: expected 1 to 8,192; got 0", ""),
        ("torchvision:alexnet@64y0", "classes: expected 1 to 1,000,000; got 0", ""),
        ("theirs:listed", "returned a list; expected a torch.nn.Module", ""),
        ("theirs:nothing", "returned nothing; expected a torch.nn.Module", ""),
        ("theirs:needs", "needs arguments (width, depth, classes)", "without arguments"),
        ("theirs:raises", "building it raised KeyError: 'width'", ""),
        ("theirs:number", "is an int; expected a callable", ""),
        ("theirs:instance", "is a network; expected a callable that makes one", "def make()"),
        ("theirs:Tuple", "returned a tuple; expected a tensor (N, classes)", ""),
        ("theirs:Images", "two images gave shape (2, 3, 224, 224); expected (2, classes)", ""),
        ("theirs:Big@64", "running it on (2, 3, 64, 64) raised RuntimeError", "@PIXELS"),
    ],
)
def test_what_makes_no_network_is_one_clear_line(
    here: Path, capsys: pytest.CaptureFixture[str], reference: str, says: str, hints: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["measure", reference, "--what", "params"])
    stdout, stderr = capsys.readouterr()
    assert end.value.code == 2
    error, *hint = stderr.splitlines()
    assert error.startswith(f"error: {reference.partition('@')[0]}")
    assert says in error
    assert len(hint) <= 1
    assert hints in "".join(hint)
    assert stdout == ""


def test_timm_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ForeignError, match="timm is not installed") as error:
        resolve_foreign("timm:resnet18")
    assert error.value.hint == "pip install timm"


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
def test_timm_models_are_built_for_their_size() -> None:
    assert resolve_foreign("timm:legacy_xception").resolution == 299
    assert resolve_foreign("timm:vit_tiny_patch16_224@64").resolution == 64
    with pytest.raises(ForeignError, match="no model of that name") as error:
        resolve_foreign("timm:resnst101e")
    assert "resnest101e" in error.value.hint


# On the command line


def test_records_are_written_and_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["measure", "theirs:net@32", "--what", "params,flops", "-o", "found.jsonl", "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["networks"][0]["notation"] == "theirs:net@32y7"
    (record,) = read_records(here / "found.jsonl")
    assert (record.study, record.baseline, record.arch) == ("measure", "theirs:net@32", "theirs:net@32y7")
    assert read(record.arch) == Foreign("theirs:net", 32, 7)
    assert record.value("params") == 303


@pytest.mark.parametrize("name", ["found.jsonl", "found.csv"])
def test_what_was_measured_before_one_failed_is_written_and_shown(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = ["measure", "theirs:net@32", "torchvision:inception_v3", "--resolution-scale", "0.1", "--what", "infer"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--batch", "2", "--time-cap", "0.05", "-o", name, "--json"])
    stdout, stderr = capsys.readouterr()
    assert end.value.code == 2
    assert "error: torchvision:inception_v3@299: measuring its infer_images_per_s at 30 px raised" in stderr
    assert [network["name"] for network in json.loads(stdout)["networks"]] == ["theirs:net@32"]
    assert (here / name).read_text().count("theirs:net@32y7") == 1


def test_what_needs_the_notation_refuses_a_foreign_network(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["show", "torchvision:alexnet"])
    assert end.value.code == 2
    stderr = capsys.readouterr().err
    assert "torchvision:alexnet: not a network of nas' notation" in stderr
    assert "nas measure torchvision:alexnet" in stderr


def test_reading_a_reference_imports_no_torch() -> None:
    script = "import sys, nas.foreign; nas.foreign.read('torchvision:alexnet@64'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


# Accuracy

TRAINING = Training(data="fractals:4x20", width=1.0, resolution=16, epochs=1, batch=16)


def test_accuracy_only_where_the_recipe_trains_the_whole_network(here: Path) -> None:
    narrow = TRAINING.model_copy(update={"width": 0.25})
    with pytest.raises(UnmeasurableError, match=r"at width 0\.25") as error:
        top1_pct(Foreign("torchvision:alexnet"), narrow, device="cpu", seed=0)
    assert "width: 1" in error.value.hint
    with pytest.raises(UnmeasurableError, match="tells 7 classes apart"):
        top1_pct(Foreign("theirs:net", 32, 7), TRAINING, device="cpu", seed=0)


@pytest.mark.parametrize(("pixels", "side"), [(8, 24), (1, 21), (32, 32)])
def test_a_foreign_network_is_trained_at_the_size_that_the_others_rule_gives(pixels: int, side: int) -> None:
    training = TRAINING.model_copy(update={"resolution_scale": 0.21, "pixels": pixels})
    assert proxy_resolution(Foreign("torchvision:alexnet", 100), training) == side
    assert proxy_resolution(parse("r100 s8 m1k3s2c8n1 h8"), training) == side


def test_accuracy_of_a_foreign_network_repeats() -> None:
    foreign = Foreign("torchvision:shufflenet_v2_x0_5", 224)
    first, second = (top1_pct(foreign, TRAINING, device="cpu", seed=3) for _ in range(2))
    assert first.value == second.value
    assert first.conditions["resolution"] == 16
    assert first.conditions["zero_init"] is False
    assert first.detail["trained"] == "torchvision:shufflenet_v2_x0_5@16y4"


# Beside a search

SPACE = """
name: tiny
resolution: 32
stem: 8
stages:
  - {op: mbconv, kernel: [3, 5], stride: 2, channels: 8, layers: 1, expand: 1, se: 0}
head: 16
"""
RECIPE = """
name: beside
space: tiny.yaml
baselines: ["theirs:net@32"]
baseline_repeats: 1
trials: 1
objectives: [latency_ms, params]
measure: [latency_ms, top1_pct]
timing: {batch: 1, time_cap: 0.05, tolerance: 0.5}
training: {data: "fractals:7x20", resolution: 32, epochs: 1, batch: 16, width: 1.0}
"""


def test_a_foreign_baseline_stands_on_the_front_of_a_search(
    here: Path, run_nas: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (here / "tiny.yaml").write_text(SPACE)
    (here / "study.yaml").write_text(RECIPE)
    done = run_nas("search", "--recipe", "study.yaml", "--device", "cpu", "--allow-code")
    assert done.returncode == 0, done.stderr
    records = {record.baseline: record for record in read_records(here / "runs" / "beside" / "data" / "records.jsonl")}
    theirs = records["theirs:net@32"]
    assert theirs.state == "complete"
    assert theirs.arch == "theirs:net@32y7"
    assert theirs.value("params") == 303
    assert {"flops", "activations", "latency_ms", "top1_pct"} <= set(theirs.readings)
    table = (here / "runs" / "beside" / "tables" / "front.md").read_text()
    assert "nas measure theirs:net@32" in table
    assert "theirs:net@32y7" in table


def test_a_foreign_baseline_that_would_have_to_be_narrowed_is_refused_before_the_search(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "tiny.yaml").write_text(SPACE)
    (here / "study.yaml").write_text(
        RECIPE.replace("[latency_ms, params]", "[top1_pct, params]").replace("1.0", "0.25")
    )
    with pytest.raises(SystemExit) as end:
        main(["search", "--recipe", "study.yaml", "--device", "cpu"])
    assert end.value.code == 2
    stderr = capsys.readouterr().err
    assert "theirs:net@32: cannot be trained at width 0.25" in stderr
    assert "set training.width: 1.0" in stderr


def test_records_are_added_to_a_file_and_replaced_only_by_the_same_reading_anew(run_nas: Run, tmp_path: Path) -> None:
    def names() -> list[str]:
        return [record.baseline for record in read_records(tmp_path / "all.jsonl")]

    first = run_nas("measure", "resnet-18", "mobilenetv2", "--what", "params,flops", "-o", "all.jsonl")
    assert first.returncode == 0, first.stderr
    second = run_nas("measure", "resnet-34", "mobilenetv2", "--what", "params,flops", "-o", "all.jsonl")
    assert second.returncode == 0, second.stderr
    assert "all.jsonl has 2 records" in second.stderr
    assert names() == ["resnet-18", "resnet-34", "mobilenetv2"]
    third = run_nas("measure", "resnet-18", "--what", "params", "-o", "all.jsonl")
    assert third.returncode == 0, third.stderr
    assert names() == ["resnet-18", "resnet-34", "mobilenetv2", "resnet-18"]  # the first has FLOPs, which this has not


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("resnet-18", "-o", "there.txt"), 2, "expected a name that ends in .csv or .jsonl"),
        (("resnet-18", "-o", "spoilt.jsonl"), 2, "spoilt.jsonl:1"),
        (("resnet-18", "--what", ""), 2, "nothing to measure"),
        (("torchvision:resnet18@-5",), 2, "write torchvision:NAME, and @PIXELS"),
        (("torchvision:",), 2, "write torchvision:NAME"),
        (
            ("r32 s8 m1k3s2c8n1 h8", "--batch", "1", "--what", "train", "--resolution-scale", "0.1"),
            4,
            "nothing asked for",
        ),
    ],
)
def test_what_cannot_be_measured_or_written_is_said(
    run_nas: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "spoilt.jsonl").write_text("my notes\n")
    done = run_nas("measure", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert (tmp_path / "spoilt.jsonl").read_text() == "my notes\n"


def test_a_network_that_fails_does_not_keep_the_next_from_being_measured(run_nas: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from torch import nn\n\n\nclass Broken(nn.Module):\n    def forward(self, x):\n"
        "        if x.shape[-1] < 32:\n            raise RuntimeError('no')\n        return x.flatten(1)[:, :10]\n"
    )
    done = run_nas(
        "measure", "broken:Broken@32", "resnet-18", "--what", "params,flops,infer", "--resolution-scale", "0.5",
        "--batch", "2", "--time-cap", "0.2", "-o", "kept.csv",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "broken:Broken@32 was not measured" in done.stderr
    assert "resnet-18" in done.stdout
    assert "resnet-18" in (tmp_path / "kept.csv").read_text()
