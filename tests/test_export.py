"""Exports: what is written is the network; what a format cannot express, or what came out otherwise, is not written."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from safetensors.torch import load_file

from nas.arch import Activation, Architecture, parse
from nas.cli import main
from nas.export import formats, source
from nas.export.check import CheckError, check_logits
from nas.export.formats import FORMATS, ExportError, export, format_of
from nas.export.source import ACTIVATIONS, MARK, run_source
from nas.export.subject import Subject, drawn, images, trained
from nas.nets import build
from nas.record import Reading, Record
from nas.report.card import CARD, Card, model_card
from nas.scaling import scale
from nas.space_file import baselines, load_architecture, load_space
from nas.training.weights import Weights, WeightsError, read_weights, write_weights
from tests.properties.strategies import architectures

TINY = parse("r40 s8 f1k3s1c8n2 f4k3s2c16n2 m4k5s2c24n3se0.25 h32 y10")
ODD = parse("r33 s8k5p2 d1k3s2c12n2se0.5 b1k3s1c12n2 n0.5k3s2c24n2g4se0.25 f1.5k3s1c20n2se0.25 h0 y7 hardswish")
SOURCES = [form.key for form in FORMATS.values() if form.holds == "source"]
WITH_WEIGHTS = [*SOURCES, "onnx", "torch-export"]
ABOUT = {
    "arch": str(TINY), "norm_eps": 1e-3, "data": "digits", "seed": 7, "top1_pct": 91.25, "held_out_images": 360,
    "mean": [77.0, 78.0, 79.0], "deviation": [51.0, 61.2, 71.4], "recipe": {"epochs": 3, "optimizer": "muon"},
    "from": "first:2", "environment": {"cpu": "a processor", "torch": "2.10"},
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def weights(here: Path) -> Path:
    """Weights as a training leaves them."""
    path = here / "runs" / "mine" / "weights.safetensors"
    path.parent.mkdir(parents=True)
    write_weights(path, drawn(TINY, seed=3).state_dict(), ABOUT)
    return path


def ended(code: int, *words: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["export", *words])
    assert end.value.code == code


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """The error and the hint, one line each."""
    ended(2, *words)
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    lines = [line for line in stderr.splitlines() if line.startswith(("error:", "hint:"))]
    assert len(lines) <= 2
    assert lines[0].startswith("error:")
    return lines[0], "".join(lines[1:])


def in_text(arch: Architecture, key: str) -> str:
    return export(Subject("x", arch), FORMATS[key], "x.py").files["x.py"].decode()


# What is written is the network


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(architectures())
def test_any_network_leaves_as_python_and_as_timm_if_at_all(arch: Architecture) -> None:
    """A CheckError here would be an obstacle that was not foreseen."""
    made = export(Subject("x", arch), FORMATS["python"], "x.py")
    assert made.checked.difference is not None
    assert max(map(len, made.files["x.py"].decode().splitlines())) <= 120
    ast.parse(made.files["x.py"])
    if FORMATS["timm"].obstacle(arch) is None:
        pytest.importorskip("timm")
        assert export(Subject("x", arch), FORMATS["timm"], "x.py").checked.difference is not None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("space", ["efficientnet", "efficientnetv2", "efficientnetv2-wide"])
def test_members_of_the_shipped_spaces_leave_in_every_source_that_can(space: str, seed: int) -> None:
    member = scale(load_space(space).sample(seed), width=0.25, depth=0.34)
    arch = dataclasses.replace(member, resolution=64, classes=10)
    for key in SOURCES:
        if FORMATS[key].obstacle(arch) is None and (key != "timm" or importlib.util.find_spec("timm")):
            assert export(Subject("x", arch), FORMATS[key], "x.py").checked.difference is not None


CANNOT = {
    "timm": {"resnet-18", "resnet-34", "resnet-50", "resnet-101", "resnet-152", "resnext-50", "se-resnet-50"},
    "torchvision": {"mnasnet-a1", "mnasnet-b1", "mobilenetv1", "mobilenetv2"},
}


DEEP = {
    *(f"efficientnet-b{number}" for number in (4, 5, 6, 7)),
    *(f"efficientnetv2-{size}" for size in ("m", "l", "xl")),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in baselines()]
)
def test_every_shipped_network_leaves_as_source(name: str) -> None:
    arch = dataclasses.replace(scale(load_architecture(name), width=0.25, depth=0.34), resolution=64)
    for key in SOURCES:
        can = name not in CANNOT.get(key, set()) | (CANNOT["timm"] if key == "torchvision" else set())
        assert (FORMATS[key].obstacle(arch) is None) == can
        if can and (key != "timm" or importlib.util.find_spec("timm")):
            assert export(Subject(name, arch), FORMATS[key], "x.py").checked.difference is not None


@pytest.mark.parametrize("norms", ["new", "half"])
def test_onnx_counts_what_its_exporter_leaves_out(tmp_path: Path, norms: str) -> None:
    """A bias of zeros is dropped: that of a norm that was not trained yet, or of a new classifier."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = build(TINY)
    for number, module in enumerate(net.modules()):
        if isinstance(module, torch.nn.BatchNorm2d) and norms == "half" and number % 2:
            torch.nn.init.normal_(module.bias)
            torch.nn.init.normal_(module.running_mean)
    write_weights(tmp_path / "w.safetensors", net.state_dict(), {"arch": str(TINY)})
    subject = trained("x", None, read_weights(tmp_path / "w.safetensors"))
    assert export(subject, FORMATS["onnx"], "x.onnx").checked.difference is not None


@pytest.mark.parametrize("arch", [TINY, ODD], ids=["tiny", "odd"])
def test_onnx_runs_any_batch(arch: Architecture, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    subject = Subject("x", arch)
    made = export(subject, FORMATS["onnx"], "x.onnx")
    assert list(made.files) == ["x.onnx"], "weights inside"
    assert made.checked.difference is not None
    path = tmp_path / "x.onnx"
    path.write_bytes(made.files["x.onnx"])
    model = onnx.load(str(path))
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    five = images(arch, 5, seed=9)
    with torch.inference_mode():
        expected = subject.net(five)
    torch.testing.assert_close(torch.from_numpy(session.run(None, {"images": five.numpy()})[0]), expected)


@pytest.mark.parametrize("arch", [TINY, ODD], ids=["tiny", "odd"])
def test_a_program_of_torch_export_runs_any_batch(arch: Architecture, tmp_path: Path) -> None:
    subject = Subject("x", arch)
    made = export(subject, FORMATS["torch-export"], "x.pt2")
    (tmp_path / "x.pt2").write_bytes(made.files["x.pt2"])
    program = torch.export.load(str(tmp_path / "x.pt2")).module()
    five = images(arch, 5, seed=9)
    with torch.inference_mode():
        torch.testing.assert_close(program(five), subject.net(five))


@pytest.mark.parametrize("key", ["yaml", "notation"])
def test_the_network_itself_reads_back(here: Path, key: str) -> None:
    arch = dataclasses.replace(ODD, norm_eps=1e-5)
    (here / "odd.yaml").write_text(export(Subject("odd", arch), FORMATS["yaml"], "odd.yaml").files["odd.yaml"].decode())
    ended(0, "odd.yaml", "--format", key, "-o", f"out{FORMATS[key].suffix}")
    text = (here / f"out{FORMATS[key].suffix}").read_text()
    found = load_architecture("out.yaml") if key == "yaml" else parse(text.strip())
    assert found == arch
    assert found.norm_eps == (1e-5 if key == "yaml" else 1e-3)


def test_the_notation_says_what_it_does_not_carry(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(0, "efficientnet-b0", "--format", "notation")
    assert "does not carry batch norm's epsilon of 1e-05" in capsys.readouterr().err
    ended(0, "efficientnetv2-s", "--format", "notation")
    assert "epsilon" not in capsys.readouterr().err


def test_show_and_export_write_the_same_yaml(here: Path) -> None:
    with pytest.raises(SystemExit):
        main(["show", "efficientnet-b0", "-o", "net.yaml"])
    shown = (here / "net.yaml").read_bytes()
    ended(0, "efficientnet-b0", "--format", "yaml", "-o", "net.yaml")
    assert (here / "net.yaml").read_bytes() == shown


def test_python_source_has_the_table_and_only_the_classes_it_needs() -> None:
    text = in_text(TINY, "python")
    (documentation,) = (ast.get_docstring(ast.parse(text)),)
    assert documentation is not None
    for words in ("Fused-MBConv4, k3×3", "MBConv4, k5×5, SE0.25", str(TINY), "stride  channels  layers"):
        assert words in documentation
    classes = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)}
    assert classes == {"SqueezeExcite", "FusedMBConv", "MBConv", "Network"}
    assert "*(MBConv(24, 24, expanded=96, kernel=5, squeezed=6) for _ in range(2))" in text
    plain = in_text(parse("r32 s8 d1k3s2c16n1 h0"), "python")
    assert "squeezed" not in plain
    assert "self.head" not in plain
    imported = {
        alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
    }
    assert imported == {"torch"}


@pytest.mark.parametrize("activation", Activation)
def test_every_activation_has_its_module(activation: Activation) -> None:
    text = in_text(dataclasses.replace(TINY, activation=activation), "python")
    assert f"nn.{ACTIVATIONS[activation]}(inplace=True)" in text


# Weights


@pytest.mark.parametrize("key", SOURCES)
def test_a_stranger_loads_the_weights_without_nas(weights: Path, here: Path, key: str) -> None:
    if key == "timm":
        pytest.importorskip("timm")
    ended(0, str(weights), "--format", key, "-o", f"out/net{FORMATS[key].suffix}")
    assert {path.name for path in (here / "out").iterdir()} == {"net.py", "net.safetensors", "net.py.md"}
    five = images(TINY, 5, seed=9)
    torch.save(five, here / "five.pt")
    program = (
        "import sys, torch, net\n"
        "logits = net.load('net.safetensors')(torch.load('../five.pt'))\n"
        "torch.save(logits.detach(), '../logits.pt')\n"
        "assert not any(name == 'nas' or name.startswith('nas.') for name in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", program], cwd=here / "out", env=environment, check=True, timeout=120)
    with torch.inference_mode():
        expected = drawn(TINY, seed=3)(five)
    torch.testing.assert_close(torch.load(here / "logits.pt"), expected)


@pytest.mark.parametrize("key", ["onnx", "torch-export"])
def test_a_file_with_weights_has_those_that_were_given(weights: Path, here: Path, key: str) -> None:
    if key == "onnx":
        pytest.importorskip("onnxscript")
    ended(0, str(weights), "--format", key)
    five = images(TINY, 5, seed=9)
    with torch.inference_mode():
        expected = drawn(TINY, seed=3)(five)
    if key == "torch-export":
        found = torch.export.load("mine.pt2").module()(five)
    else:
        session = pytest.importorskip("onnxruntime").InferenceSession("mine.onnx", providers=["CPUExecutionProvider"])
        found = torch.from_numpy(session.run(None, {"images": five.numpy()})[0])
    check_logits(expected, found.detach(), "the file")


def test_classes_pixels_and_epsilon_are_those_of_the_weights(here: Path) -> None:
    used = dataclasses.replace(TINY, norm_eps=1e-5)
    write_weights(Path("w.safetensors"), drawn(used).state_dict(), {**ABOUT, "norm_eps": 1e-5})
    asked = dataclasses.replace(TINY, classes=1000, resolution=224)
    found = trained("x", asked, read_weights(Path("w.safetensors"))).arch
    assert (found, found.norm_eps) == (used, 1e-5)
    ended(0, str(asked), "--weights", "w.safetensors", "--format", "python", "-o", "net.py")
    assert "classes: int = 10" in Path("net.py").read_text()
    assert "eps=1e-05" in Path("net.py").read_text()


def test_weights_that_name_no_network_are_those_of_the_network_named(here: Path) -> None:
    write_weights(Path("w.safetensors"), drawn(TINY).state_dict(), {})
    found = trained("x", dataclasses.replace(TINY, classes=1000), read_weights(Path("w.safetensors")))
    assert found.arch == TINY
    with pytest.raises(WeightsError, match="does not say of which network it is") as error:
        trained("x", None, read_weights(Path("w.safetensors")))
    assert "nas export REF --weights w.safetensors" in error.value.hint


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"arch": "torchvision:alexnet@224"}, "no network of nas' notation"),
        ({"arch": "r32 s8 nonsense"}, "does not read: notation: cannot read 'nonsense'"),
    ],
)
def test_what_a_file_says_of_itself_may_be_wrong(about: dict[str, object], says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        trained("x", None, Weights("w.safetensors", drawn(TINY).state_dict(), about))


def test_weights_of_another_network_name_the_first_layer_and_both_shapes(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(TINY).replace("c24", "c32")
    error, hint = refused(capsys, other, "--weights", str(weights), "--format", "python")
    assert "'stages.2.0.body.3.0.weight' is 24×64×1×1, this network's is 32×64×1×1" in error
    assert str(TINY) in hint


def test_a_file_that_is_no_weights_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.safetensors").write_bytes(b"\x20\0\0\0\0\0\0\0{")
    assert "no readable weights" in refused(capsys, "broken.safetensors", "--format", "python")[0]
    assert "no such file" in refused(capsys, "nothing.safetensors", "--format", "python")[0]


def test_weights_where_there_is_no_place_for_them(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error, _ = refused(capsys, str(TINY), "--weights", str(weights), "--format", "yaml")
    assert "yaml holds a network without weights" in error
    ended(0, str(weights), "--format", "yaml")
    assert load_architecture("mine.yaml") == TINY


def test_random_weights_are_said_to_be_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(0, str(TINY), "--format", "torch-export", "-o", "net.pt2")
    assert "no --weights: they are drawn at random" in capsys.readouterr().err
    assert "drawn at random" in Path("net.pt2.md").read_text()


# The check


def test_random_weights_tell_networks_apart() -> None:
    """Logits depend on the image, on epsilon, and on every convolution: else a check with them would see nothing."""
    net, five = drawn(TINY).double(), images(TINY, 5, seed=1).double()
    modules = list(net.modules())
    with torch.inference_mode():
        logits = net(five)
        assert (logits[0] - logits[1]).abs().max() > 0.01 * logits.abs().max()
        for module in modules:
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                kept = module.weight.clone()
                module.weight.copy_(kept.roll(1, 0))
                with pytest.raises(CheckError, match="differ by"):
                    check_logits(logits, net(five), "with the filters of one layer in another order, it")
                module.weight.copy_(kept)
        for module in modules:
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = 1e-5
        with pytest.raises(CheckError, match="differ by"):
            check_logits(logits, net(five), "with another epsilon, it")


def test_large_random_networks_do_not_magnify_what_rounding_leaves() -> None:
    arch = dataclasses.replace(scale(load_architecture("efficientnetv2-xl"), width=0.125), resolution=64)
    net, four = drawn(arch), images(arch, 4, seed=1)
    with torch.inference_mode():
        single = net(four)
        check_logits(net.double()(four.double()).float(), single, "in single precision it")


DAMAGE = [
    ("eps=0.001", "eps=0.01"),
    ("nn.SiLU", "nn.ReLU"),
    ("return self.body(x) + x if self.residual", "return self.body(x) if self.residual"),
    ("torch.sigmoid(gate)", "torch.tanh(gate)"),
    ("padding = kernel // 2", "padding = (kernel - 1) // 2 + stride - 1"),
    ("x.mean((2, 3))", "x.amax((2, 3))"),
    ("kernel=5, stride=2", "kernel=3, stride=2"),
    ("self.head = conv_norm_act(24, 32)", "self.head = conv_norm_act(24, 40)"),
    ("def __init__(self, classes", "def __init__(self, klasses"),
]


@pytest.mark.parametrize(("right", "wrong"), DAMAGE)
def test_a_failed_check_writes_nothing_and_says_what_differs(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], right: str, wrong: str
) -> None:
    write = source.write_source

    def damaged(subject: Subject, path: Path, text: str, *more: str) -> None:
        assert right in text
        write(subject, path, text.replace(right, wrong), *more)

    monkeypatch.setattr("nas.export.python.write_source", damaged)
    ended(5, str(TINY), "--format", "python", "-o", "net.py")
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.startswith("error: --format python: ")
    assert any(words in stderr for words in ("differ by", "expected", "does not run"))
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("key", ["onnx", "torch-export"])
def test_a_file_of_another_network_is_not_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    if key == "onnx":
        pytest.importorskip("onnxruntime")
    form = FORMATS[key]

    def write_other(subject: Subject, path: Path) -> None:
        form.write(Subject("x", subject.arch, seed=1), path)

    monkeypatch.setitem(formats.FORMATS, key, dataclasses.replace(form, write=write_other))
    ended(5, str(TINY), "--format", key, "-o", f"net{form.suffix}")
    assert "gives other logits for 1 random image: they differ by" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_logits_that_are_no_numbers_are_no_agreement() -> None:
    one = torch.ones(2, 3)
    with pytest.raises(CheckError, match="differ by nan"):
        check_logits(one, one * torch.nan, "it")
    with pytest.raises(CheckError, match=r"shape \(2, 4\); expected \(2, 3\)"):
        check_logits(one, torch.ones(2, 4), "it")
    assert check_logits(one, one + 5e-5, "it") == pytest.approx(5e-5, rel=0.01)


def test_a_library_that_would_check_is_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = without("timm", monkeypatch)
    ended(0, str(TINY), "--format", "timm", "-o", "net.py", "--json")
    stdout, stderr = capsys.readouterr()
    assert "NOT CHECKED: timm is not installed: pip install timm" in stderr
    document = json.loads(stdout)
    assert (document["difference"], document["not_checked"]) == (None, "timm is not installed: pip install timm")
    assert "NOT checked" in Path("net.py.md").read_text()
    assert hidden == {"timm"}


def test_onnxruntime_is_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    without("onnxruntime", monkeypatch)
    ended(0, str(TINY), "--format", "onnx", "-o", "net.onnx")
    assert "NOT CHECKED: onnxruntime is not installed" in capsys.readouterr().err


def test_onnx_is_missing(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    without("onnx", monkeypatch)
    error, hint = refused(capsys, str(TINY), "--format", "onnx", "-o", "net.onnx")
    assert "onnx is not installed" in error
    assert "pip install 'nas[onnx]'" in hint


def test_the_names_of_timms_weights_are_not_known_without_timm(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without("timm", monkeypatch)
    error, hint = refused(capsys, str(weights), "--format", "timm")
    assert "only it knows the names" in error
    assert "pip install timm" in hint


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Python says that the package is not there; the names that were asked for and hidden."""
    found, hidden = importlib.util.find_spec, set[str]()

    def find_spec(name: str, *more: str) -> object:
        if name == package:
            hidden.add(name)
            return None
        return found(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return hidden


# What a format cannot express


@pytest.mark.parametrize(
    ("key", "notation", "says", "can"),
    [
        ("timm", "r64 s8 m1k3s1c8n1 n0.25k3s1c32n1 h8", "stage 2: Bottleneck blocks", "python, onnx, torch-export"),
        ("timm", "r64 s8p2 m1k3s1c8n1 h8", "the stem: a max pool", "python, onnx, torch-export"),
        ("timm", "r64 s8 f1k3s1c8n1se0.25 h8", "stage 1: SE in a Fused-MBConv that does not", "python, onnx"),
        (
            "timm",
            "r64 s8 m1k3s1c12n1 m3k3s1c20n1 h8",
            "stage 2: an inner width of 36, which timm rounds to 40",
            "python",
        ),
        ("torchvision", "r64 s8 m1k3s1c8n1se0.25 h8 relu", "the activation relu", "python, timm, onnx, torch-export"),
        ("torchvision", "r64 s8k5 m1k3s1c8n1se0.25 h8", "the stem: a 5×5 kernel", "python, timm"),
        ("torchvision", "r64 s8 m1k3s1c8n1se0.25 h0", "head 0", "python, timm"),
        ("torchvision", "r64 s8 f4k3s1c8n1se0.25 h8", "stage 1: SE in a Fused-MBConv", "python, timm"),
        ("torchvision", "r64 s8 m1k3s1c8n1 d1k3s1c8n1 h8", "stage 2: Separable blocks", "python, timm"),
        ("torchvision", "r64 s8 m4k3s1c8n1se0.5 h8", "stage 1: SE of 4 channels; it has a quarter", "python, timm"),
        ("torchvision", "r64 s8 m1k3s1c12n1se0.25 h8", "stage 1: a width of 12, which it rounds to 16", "python"),
    ],
)
def test_what_cannot_be_expressed_is_named_with_its_place(
    here: Path, capsys: pytest.CaptureFixture[str], key: str, notation: str, says: str, can: str
) -> None:
    error, hint = refused(capsys, notation, "--format", key)
    assert f"--format {key} cannot express {says}" in error
    assert f"these can: {can}" in hint
    assert list(here.iterdir()) == []
    if key == "timm":
        pytest.importorskip("timm")
    unforeseen = dataclasses.replace(FORMATS[key], obstacle=lambda _: None)
    with pytest.raises(CheckError):  # and it is so: written all the same, it is another network
        export(Subject("x", parse(notation)), unforeseen, "x.py")


def test_torchvision_takes_mbconv_without_se() -> None:
    arch = parse("r64 s8 m4k3s2c16n2 m4k3s2c24n2se0.25 h32 y10")
    text = in_text(arch, "torchvision")
    assert "MBConvConfig(4, 3, 2, 8, 16, 2, block=partial(MBConv, se_layer=nn.Identity))" in text
    assert "MBConvConfig(4, 3, 2, 16, 24, 2)," in text


def test_timm_squeezes_to_the_same_width_where_it_rounds_otherwise() -> None:
    pytest.importorskip("timm")
    arch = parse("r64 s22 m1k3s1c22n1se0.25 m4k3s2c24n2se0.25 h32 y10")  # 5.5 channels: 5 of ours, 6 of timm's
    assert export(Subject("x", arch), FORMATS["timm"], "x.py").checked.difference is not None


def test_an_unknown_format_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error, hint = refused(capsys, str(TINY), "--format", "onxx")
    assert "--format onxx: not a format" in error
    assert "onnx" in hint
    with pytest.raises(ExportError):
        format_of("")


def test_a_foreign_network_is_refused_and_how_to_read_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, hint = refused(capsys, "torchvision:resnet18", "--format", "onnx")
    assert "nas import torchvision:resnet18" in hint


# Files


@pytest.mark.parametrize("key", FORMATS)
def test_a_file_of_another_kind_is_spared_and_an_export_written_anew(
    weights: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    if key in ("onnx", "timm"):
        pytest.importorskip("onnxscript" if key == "onnx" else "timm")
    words = [str(TINY), "--format", key, *([] if FORMATS[key].holds == "network" else ["--weights", str(weights)])]
    name = f"net{FORMATS[key].suffix}"
    made = [name, f"{name}.md", *(["net.safetensors"] if FORMATS[key].holds == "source" else [])]
    for other in made:
        Path(other).write_text("a thesis, unsaved elsewhere")
        error, _ = refused(capsys, *words, "-o", name)
        assert f"{other}: there is a file already" in error
        assert Path(other).read_text() == "a thesis, unsaved elsewhere"
        Path(other).unlink()
    ended(0, *words, "-o", name)
    before = {other: Path(other).read_bytes() for other in made}
    ended(0, *words, "-o", name)
    assert set(before) == {path.name for path in Path().iterdir() if path.is_file()}


def test_trained_weights_are_not_written_over_by_exported_ones(
    weights: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights.read_bytes()
    error, _ = refused(capsys, str(weights), "--format", "python", "-o", str(weights.with_suffix(".py")))
    assert "weights.safetensors: there is a file already, which holds no weights of an export" in error
    assert weights.read_bytes() == before


@pytest.mark.parametrize(
    ("ref", "key", "name"),
    [
        ("efficientnet-b0", "yaml", "efficientnet-b0.yaml"),
        (str(TINY), "python", f"network_{TINY.id}.py"),
        (str(TINY), "timm", f"network_{TINY.id}_timm.py"),
        ("my nets/tiny 1.yaml", "torchvision", "tiny_1_torchvision.py"),
        ("my nets/tiny 1.yaml", "torch-export", "tiny-1.pt2"),
        ("runs/mine/weights.safetensors", "notation", "mine.txt"),
    ],
)
def test_the_file_is_named_by_the_network(
    weights: Path, here: Path, capsys: pytest.CaptureFixture[str], ref: str, key: str, name: str
) -> None:
    if key == "timm":
        pytest.importorskip("timm")
    Path("my nets").mkdir()
    Path("my nets/tiny 1.yaml").write_text(
        export(Subject("t", TINY), FORMATS["yaml"], "t.yaml").files["t.yaml"].decode()
    )
    Path("out").mkdir()
    ended(0, ref, "--format", key, "-o", "out")
    assert f"written out/{name}" in capsys.readouterr().out
    assert {name, f"{name}.md"} <= {path.name for path in (here / "out").iterdir()}


def test_a_name_that_says_another_format_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error, hint = refused(capsys, str(TINY), "--format", "onnx", "-o", "net.pt")
    assert "expected a name that ends in .onnx" in error
    assert "net.onnx" in hint


def test_a_name_cannot_break_out_of_the_documentation(here: Path) -> None:
    odd = 'it"""\nimport os\\'
    made = export(Subject(odd, TINY), FORMATS["python"], 'a"""b\\.py')
    (text,) = (content.decode() for content in made.files.values())
    assert ast.get_docstring(ast.parse(text)) is not None
    assert "import os" not in text
    assert MARK in text


def test_a_folder_that_cannot_be_written_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    error, _ = refused(capsys, str(TINY), "--format", "notation", "-o", "file/net.txt")
    assert "cannot be written" in error


def test_an_export_that_cannot_be_written_leaves_the_one_before_it_whole(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        write_weights(Path(f"{number}.safetensors"), drawn(TINY, seed=number).state_dict(), ABOUT)
    ended(0, "1.safetensors", "--format", "python", "-o", "x.py")
    capsys.readouterr()
    before = {path: path.read_bytes() for path in Path().glob("x.*")}
    assert len(before) == 3
    Path("x.py.partial").mkdir()
    error, _ = refused(capsys, "2.safetensors", "--format", "python", "-o", "x.py")
    assert "x.py: cannot be written" in error
    Path("x.py.partial").rmdir()
    assert {path: path.read_bytes() for path in Path().glob("x.*")} == before


# The model card


def test_the_card_says_what_is_known(weights: Path) -> None:
    ended(0, str(weights), "--format", "torchvision", "-o", "net.py", "--licence", "CC-BY-4.0 (mine)")
    card = Path("net.py.md").read_text()
    assert card.startswith(CARD)
    for words in (
        f"`{TINY}`", "MBConv4, k5×5, SE0.25", "In: float32 (N, 3, 40, 40), channels first; red, green, blue.",
        "mean 77.00, 78.00, 79.00; deviation 51.00, 61.20, 71.40", "deviation 0.20000, 0.24000, 0.28000",
        "Data: digits.", "Top-1: 91.25 % of 360 held-out images, measured on a processor, torch 2.10.",
        "Recipe: epochs 3; optimizer muon.", "Seed: 7.", "Trained from: first:2.", "Apache-2.0",
        "The weights: CC-BY-4.0 (mine).", "`net.safetensors`", "checked when it was made",
    ):  # fmt: skip
        assert words in card, words


def test_the_card_does_not_make_up_what_nobody_said() -> None:
    card = model_card(Card("net", TINY, [("net.py", "source")], about={}))
    for words in ("Normalisation: not stated", "Data: not stated", "Top-1: not stated", "The weights: not stated",
                  "order of the channels not stated"):  # fmt: skip
        assert words in card
    assert "## Measured" not in card
    assert "None: no trained weights" in model_card(Card("net", TINY, [], about=None))


def test_what_a_strangers_file_says_is_text_in_the_card() -> None:
    about = {"data": "<script>\x1b[31m [x](y)", "mean": ["a", 1, 2], "top1_pct": "100", "recipe": {"a": {"b": "*|*"}},
             "environment": "here", "seed": None}  # fmt: skip
    card = model_card(Card("a|b", TINY, [], about))
    assert "&lt;script&gt;" in card
    assert "\x1b" not in card
    assert "Top-1: not stated" in card
    assert "Normalisation: not stated" in card
    assert "# a\\|b" in card


def test_the_card_of_a_trial_has_its_readings() -> None:
    reading = Reading(61.25, 0.8, 3, {"device": "cpu", "data": "fractals"})
    record = Record(
        "first", 2, "complete", str(TINY), TINY.id, {"top1_pct": reading, "params": Reading(30_370)}, seed=5,
        started="2026-01-01T00:00:00", environment={"cpu": "a processor", "torch": "2.10"},
    )  # fmt: skip
    card = model_card(Card("net", TINY, [], None, record))
    for words in (
        "In the study first, trial 2 (2026-01-01T00:00:00, seed 5).", "| top-1 | 61.2 ± 0.8 % |",
        "device cpu; data fractals", "On cpu a processor; torch 2.10.", "the study's short training",
    ):  # fmt: skip
        assert words in card, words


def test_a_trial_is_exported_with_its_study(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.conftest import make_recipe
    from tests.test_public_api import store

    store("sqlite:///nas.db", make_recipe(name="one"), load_space("efficientnet"))
    ended(0, "one:0", "--format", "yaml")
    assert "written one-0.yaml" in capsys.readouterr().out
    assert "In the study one, trial 0" in Path("one-0.yaml.md").read_text()
    assert "has no trial 9" in refused(capsys, "one:9", "--format", "yaml")[0]


def test_help_loads_no_torch(run_nas: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    program = "import sys, nas.cli.export, nas.cli.import_; print('torch' in sys.modules, 'timm' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(source.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["False", "False"]
    shown = run_nas("export", "--help").stdout
    assert all(key in shown for key in FORMATS)


def test_python_weights_keep_the_names_that_nas_gives_them(weights: Path) -> None:
    ended(0, str(weights), "--format", "python")
    exported = load_file("mine.safetensors")
    assert list(exported) == list(load_file(str(weights)))
    assert run_source(Path("mine.py"), "load", "mine.safetensors")(images(TINY, 1, seed=0)).shape == (1, 10)
