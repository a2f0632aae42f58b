"""Imports: networks of torchvision and timm read back into the table, and held against what they are."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from nas.arch import Architecture, parse
from nas.cli import main
from nas.cost import cost
from nas.export import importing, inverse
from nas.export.check import CheckError
from nas.export.formats import FORMATS, export
from nas.export.importing import Around, import_network, is_block_strings
from nas.export.source import run_source
from nas.export.subject import Subject
from nas.foreign import Foreign, ForeignError
from nas.scaling import scale
from nas.space_file import load_architecture, load_space
from tests.golden.test_published_networks import IN_TIMM, IN_TORCHVISION, LARGE


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    with pytest.raises(SystemExit) as end:
        main(["import", *words])
    assert end.value.code == code
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert len(stderr.splitlines()) <= 2
    return stderr


# What is read is the network


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in {"efficientnet-b2", "efficientnet-b3"} else name
        for name in sorted(set(IN_TORCHVISION) - LARGE - {"resnet-152", "efficientnet-b4"})
    ],
)
def test_the_shipped_networks_are_read_from_torchvision(name: str) -> None:
    found = import_network(f"torchvision:{IN_TORCHVISION[name]}")
    shipped = load_architecture(name)
    assert dataclasses.replace(found.arch, resolution=shipped.resolution) == shipped
    if name.startswith("efficientnet"):
        assert found.arch.norm_eps == shipped.norm_eps
    assert cost(found.arch).params == models.get_model_weights(IN_TORCHVISION[name]).IMAGENET1K_V1.meta["num_params"]


@pytest.mark.parametrize("name", IN_TIMM)
def test_the_shipped_networks_are_read_from_timm(name: str) -> None:
    pytest.importorskip("timm")
    found, shipped = import_network(f"timm:{IN_TIMM[name]}").arch, load_architecture(name)
    assert cost(found).params == cost(shipped).params
    if name != "mobilenetv1":  # whose equal blocks are one stage here, and several in the paper's table
        assert dataclasses.replace(found, resolution=shipped.resolution) == shipped


@pytest.mark.parametrize(
    ("reference", "notation"),
    [
        ("timm:mobilenetv2_050", "r224 s16 m1k3s1c8n1 m6k3s2c16n2 m6k3s2c16n3 m6k3s2c32n4 m6k3s1c48n3 m6k3s2c80n3 "
         "m6k3s1c160n1 h1280 relu6"),
        ("timm:efficientnet_es@64", "r64 s32 f3k3s1c24n1 f8k3s2c32n2 f8k3s2c48n4 m8k5s2c96n5 m8k5s1c144n4 m8k5s2c192n2 "
         "h1280 relu"),
        ("timm:mnasnet_small", "r224 s8 m1k3s1c8n1 m3k3s2c16n1 m6k3s2c16n2 m6k5s2c32n4se0.25 m6k3s1c32n3se0.25 "
         "m6k5s2c88n3se0.25 m6k3s1c144n1 h1280 relu"),
        ("torchvision:mnasnet0_5@96y10", "r96 s16 m1k3s1c8n1 m3k3s2c16n3 m3k5s2c24n3 m6k5s2c40n3 m6k3s1c48n2 "
         "m6k5s2c96n4 m6k3s1c160n1 h1280 y10 relu"),
        ("torchvision:wide_resnet50_2", "r224 s64k7p2 n0.5k3s1c256n3 n0.5k3s2c512n4 n0.5k3s2c1024n6 n0.5k3s2c2048n3 h0 "
         "relu"),
    ],
)  # fmt: skip
def test_other_networks_of_these_families(reference: str, notation: str) -> None:
    if reference.startswith("timm"):
        pytest.importorskip("timm")
    assert str(import_network(reference).arch) == notation


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("key", ["timm", "torchvision"])
def test_what_left_as_source_comes_back_as_the_same_network(key: str, seed: int, tmp_path: Path) -> None:
    if key == "timm":
        pytest.importorskip("timm")
    for space in ("efficientnet", "efficientnetv2", "efficientnetv2-wide"):
        member = scale(load_space(space).sample(seed), width=0.5, depth=0.34)
        arch = dataclasses.replace(member, resolution=64, classes=10)
        if FORMATS[key].obstacle(arch) is None:
            path = tmp_path / "net.py"
            path.write_bytes(export(Subject("x", arch), FORMATS[key], "net.py").files["net.py"])
            net = run_source(path, "build")
            assert same(inverse.architecture_of(net, Foreign(f"{key}:net", 64, 10)), arch)


def same(one: Architecture, other: Architecture) -> bool:
    """Whether two are made of the same blocks: a ratio may be written otherwise, where rounding hides it."""

    def made(arch: Architecture) -> list[object]:
        return [arch.stem_conv, *((block.convs(), block.shortcut) for _, block in arch.blocks()), arch.head_conv]

    return made(one) == made(other) and (one.activation, one.norm_eps) == (other.activation, other.norm_eps)


def test_odd_expansions_are_read() -> None:
    pytest.importorskip("timm")
    inverted = "ir_r2_k3_s2_e2.7_c32_se0.25 er_r2_k5_s1_e1.5_c24 ds_r2_k3_s1_e1_c24"
    arch = import_network(
        f"timm:{inverted} cn_r2_k3_s1_e1_c24_skip dsa_r1_k3_s1_c40", Around(stem=16, head=0, resolution=32)
    ).arch
    expected = parse("r32 s16 m2.7k3s2c32n2se0.25 f1.5k5s1c24n2 m1k3s1c24n2 f1k3s1c24n2 d1k3s1c40n1 h0")
    assert same(arch, expected)
    assert [stage.layers for stage in arch.stages] == [2, 2, 2, 2, 1]


# What cannot be expressed


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("torchvision:densenet121", "DenseNet is no family that nas can express"),
        ("torchvision:mobilenet_v3_small", "MobileNetV3 is no family"),
        ("torchvision:resnet51", "no classification model of that name"),
        ("timm:tf_efficientnet_b0", "blocks.1.0.conv_dw: Conv2dSame pads as TensorFlow does"),
        ("timm:fbnetc_100", "blocks.0.0: a block of 1×1 16→16, 3×3 16→16 in 16 groups, 1×1 16→16 is none"),
        ("timm:resnet50d", "layer2.0.downsample.0: AvgPool2d is nothing that nas can express"),
        ("timm:resnet26t", "nothing that nas can express"),
        ("timm:ecaresnet26t", "layer1.0.se.conv: Conv1d is nothing"),
        ("timm:mixnet_s", "blocks.1.0: a block of"),
        ("timm:gc_efficientnetv2_rw_t", "blocks.3.0.se"),
        ("efficientnet-b0", "'efficientnet-b0' is no network of another library"),
        ("mymodule:net", "'mymodule:net' is no network of another library"),
    ],
)
def test_what_cannot_be_expressed_names_the_module(
    here: Path, capsys: pytest.CaptureFixture[str], reference: str, says: str
) -> None:
    if reference.startswith("timm"):
        pytest.importorskip("timm")
    error = refused(capsys, reference, "-o", "net.yaml")
    assert says in error
    assert reference in error
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("words", ["timm:ir_r2_k3_s1_e6_c32_noskip", "timm:cn_r2_k3_s1_e1_c32"])
def test_a_missing_shortcut_is_found_by_running_it_and_the_block_named(words: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ForeignError, match=r"blocks\.0\.0 computes something else") as error:
        import_network(words, Around(resolution=32))
    assert isinstance(error.value.__cause__, CheckError)


class Changed(nn.Module):
    """A torchvision network with one part changed."""

    def __init__(self, name: str, path: str, part: nn.Module) -> None:
        super().__init__()
        self.net = getattr(models, name)()
        self.net.set_submodule(path, part)


@pytest.mark.parametrize(
    ("path", "part", "says"),
    [
        ("features.1.conv.1", nn.Conv2d(32, 16, 1), "features.1.conv.1: a convolution with a bias"),
        ("features.2.conv.1.0", nn.Conv2d(96, 96, 3, 2, 1, dilation=2, groups=96, bias=False), "dilation=(2, 2)"),
        ("features.2.conv.1.0", nn.Conv2d(96, 96, 3, 2, 0, groups=96, bias=False), "is no convolution that nas"),
        ("features.2.conv.1.0", nn.Conv2d(96, 96, 3, 2, 1, groups=48, bias=False), "features.2: a block of"),
        ("features.2.conv.1.2", nn.Tanh(), "features.2.conv.1.2: Tanh is nothing"),
        ("features.2.conv.1.2", nn.ReLU(), "more than one activation: relu, relu6"),
        ("features.2.conv.1.1", nn.BatchNorm2d(96, eps=1e-2), "more than one epsilon of batch norm: 0.01, 1e-05"),
        ("features.0.0", nn.Conv2d(3, 32, 3, 1, 1, bias=False), "no stem of nas' notation"),
        ("features.18.0", nn.Conv2d(320, 1280, 3, 1, 1, bias=False), "no head of nas' notation"),
    ],
)
def test_a_part_that_differs_is_named(path: str, part: nn.Module, says: str) -> None:
    net = Changed("mobilenet_v2", path, part).net
    with pytest.raises(ForeignError) as error:
        inverse.architecture_of(net, Foreign("torchvision:mobilenet_v2"))
    assert says in str(error.value)


def test_a_width_that_no_ratio_gives_is_named() -> None:
    net = models.mobilenet_v2()
    block = net.get_submodule("features.2.conv")
    assert isinstance(block, nn.Sequential)
    block[0][0], block[0][1] = nn.Conv2d(16, 91, 1, bias=False), nn.BatchNorm2d(91)
    block[1][0], block[1][1] = nn.Conv2d(91, 91, 3, 2, 1, groups=91, bias=False), nn.BatchNorm2d(91)
    block[2] = nn.Conv2d(91, 24, 1, bias=False)
    with pytest.raises(ForeignError, match=r"features\.2: MBConv of 91 channels inside, 16 in and 24 out: no ratio"):
        inverse.architecture_of(net, Foreign("torchvision:mobilenet_v2"))


# The check


def test_a_wrong_reading_is_not_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = importing.architecture_of

    def misread(net: nn.Module, foreign: Foreign) -> Architecture:
        return dataclasses.replace(read(net, foreign), norm_eps=1e-2)

    monkeypatch.setattr(importing, "architecture_of", misread)
    error = refused(capsys, "torchvision:mobilenet_v2", "-o", "net.yaml")
    assert "computes something else" in error
    monkeypatch.setattr(importing, "architecture_of", lambda *_: parse("r64 s8 m1k3s1c8n1 h8"))
    error = refused(capsys, "torchvision:mobilenet_v2", "-o", "net.yaml", code=5)
    assert "params; expected 3,504,872" in error
    assert list(here.iterdir()) == []


def test_reading_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    arch = parse("r32 s8 m1k3s1c8n1 h8")
    torch.manual_seed(11)
    assert import_network("torchvision:mobilenet_v2@32").arch.resolution == 32
    assert export(Subject("x", arch), FORMATS["python"], "x.py").files
    assert torch.equal(torch.rand(1), expected)


# The command


def test_the_table_is_printed_or_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["import", "torchvision:mobilenet_v2"])
    stdout, stderr = capsys.readouterr()
    assert end.value.code == 0
    assert "checked: the same params" in stderr
    (here / "printed.yaml").write_text(stdout)
    with pytest.raises(SystemExit):
        main(["import", "torchvision:mobilenet_v2", "-o", "written.yaml", "--json"])
    document = json.loads(capsys.readouterr().out)
    written = load_architecture("written.yaml")
    assert written == load_architecture("printed.yaml") == load_architecture("mobilenetv2")
    assert written.norm_eps == document["norm_eps"] == 1e-5
    assert (document["notation"], document["file"]) == (str(written), "written.yaml")


def test_block_strings_are_told_from_names() -> None:
    assert is_block_strings("timm:ds_r1_k3_s1_e1_c16_se0.25")
    assert is_block_strings("timm:[['cn_r1_k3_s1_c16'], ['ir_r2_k3_s2_e6_c24', 'ir_r1_k5_s1_e3_c24']]")
    for other in ("timm:tf_efficientnet_b0", "timm:resnet50", "torchvision:ds_r1_k3_s1_e1_c16", "timm:", "ds_r1_k3_s1"):
        assert not is_block_strings(other)


def test_block_strings_and_what_is_around_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("timm")
    words = "timm:ds_r1_k3_s1_e1_c16_se0.25 ir_r2_k3_s2_e6_c24_se0.25"
    around = ["--stem", "16", "--stem-kernel", "5", "--head", "0", "--resolution", "48", "--classes", "7"]
    with pytest.raises(SystemExit) as end:
        main(["import", words, *around, "--activation", "hardswish", "--norm-eps", "1e-5", "-o", "net.yaml"])
    assert end.value.code == 0
    found = load_architecture("net.yaml")
    assert str(found) == "r48 s16k5 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 h0 y7 hardswish"
    assert found.norm_eps == 1e-5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["torchvision:resnet18", "--head", "3"], "--head is for block strings"),
        (["timm:qq_r2_k3_s1_e6_c32"], "timm does not read 'qq_r2_k3_s1_e6_c32'"),
        (["timm:ir_r2_k3_s1_c32"], "'ir_r2_k3_s1_c32': expected an expansion; no e is there"),
        (["timm:ir_r1_k3"], "'ir_r1_k3': expected a stride from 1 to 2; no s is there"),
        (["timm:uir_r1_a0_k0_s1_e4_c24"], "blocks.0.0"),
        (["timm:ir_r0_k3_s1_e6_c16"], "expected repeats from 1 to 1,000; got r0"),
        (["timm:ir_r1_k3_s2_e6_c24_zz9"], "'zz9' is no part of a block string"),
        (["timm:ir_r1_k3_s2_e6_c24_es0.25"], "'es0.25' is no part of a block string"),
        (["timm:ds_r1_k3_s1_e1_c16", "--activation", "swich"], "--activation swich: not an activation"),
        (["timm:ds_r1_k3_s1_e1_c16", "--stem", "0"], "--stem 0: expected a whole number from 1"),
        (["timm:ds_r1_k3_s1_e1_c16", "--norm-eps", "2"], "--norm-eps 2: expected a number between 0 and 1"),
        (["timm:ir_r1_k3_s2_e6_c16", "--resolution", "3"], "3 px is too small for a total stride of 4"),
        (["timm:ir_r1_k3_s3_e6_c16"], "expected a stride from 1 to 2; got s3"),
        (["timm:ir_r99999_k3_s1_e6_c16"], "'ir_r99999_k3_s1_e6_c16': expected repeats from 1 to 1,000; got r99999"),
        (["timm:ir_r1_k4_s2_e6_c16"], "blocks.0.0.conv_dw"),
    ],
)
def test_wrong_words_are_one_line(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    pytest.importorskip("timm")
    assert says in refused(capsys, *words)


def test_without_timm_block_strings_are_not_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name == "timm" or name.startswith("timm.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "timm", None)
    error = refused(capsys, "timm:ds_r1_k3_s1_e1_c16")
    assert "timm, which is not installed" in error
    assert "pip install timm" in error


def test_a_file_of_another_kind_is_spared(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "net.yaml").write_text("a thesis")
    assert "holds no network" in refused(capsys, "torchvision:mobilenet_v2", "-o", "net.yaml")
    assert (here / "net.yaml").read_text() == "a thesis"
