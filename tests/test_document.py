"""What bad input gets: one line that names the file and the field, and says what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import nas
from nas.document import DocumentError, digest, number_hint, read_yaml
from nas.errors import NasError, nearest
from nas.recipe import load_recipe
from nas.space_file import load_architecture, load_space

SPACE = """\
resolution: 64
stem: 8
stages:
  - {op: mbconv, kernel: [3, 5], stride: 2, channels: 16, layers: {from: 1, to: 4}, expand: 4, se: 0}
head: 32
"""
RECIPE = """\
name: test
space: efficientnetv2
trials: 8
timing: {tolerance: 0.1}
training: {epochs: 2}
"""
STAGES = SPACE[SPACE.index("stages:") : SPACE.index("head:")]


def refused(load: Callable[[str], object], file: Path, content: str | bytes) -> NasError:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(NasError) as caught:
        load(str(file))
    message = str(caught.value)
    assert file.name in message
    assert (message + caught.value.hint).isprintable(), "one line"
    return caught.value


def test_the_examples_are_good_before_they_are_spoilt(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert load_space(str(tmp_path / "space.yaml")).size == 8
    assert load_recipe(str(tmp_path / "recipe.yaml")).training.epochs == 2


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ("resolution", "resolutoin", "resolutoin: unknown key", "did you mean resolution?"),
        ("kernel", "kernle", "stages[0].kernle: unknown key", "did you mean kernel?"),
        ("resolution", '"res\\nol"', "unknown key", "resolution"),
        ("head: 32\n", "", "head: expected a value; the key is missing", ""),
        ("stride: 2, ", "", "stages[0].stride: expected a value; the key is missing", ""),
        ("head: 32", "head:", "head: expected a whole number; got nothing", ""),
        ("head: 32", "head: 25e6", "head: expected a whole number; got the string '25e6'", "write 25000000"),
        ("head: 32", "head: '32'", "head: expected a whole number; got the string '32'", "without quotes: 32"),
        ("se: 0", "se: 2.5e-1", "", ""),
        ("se: 0", "se: 25e-2", "stages[0].se: expected a number; got the string '25e-2'", "write 25.0e-2"),
        ("head: 32", "head: 32\nnorm_eps: 1e-5", "norm_eps: expected a number between 0 and 1", "write 1.0e-5"),
        ("[3, 5]", "[]", "stages[0].kernel: expected at least one choice", ""),
        ("[3, 5]", "[3, 3]", "stages[0].kernel: a choice stands twice", ""),
        ("[3, 5]", "[3, 4]", "kernel: expected an odd number from 1 to 11; got 4", ""),
        ("[3, 5]", "{from: 3, to: 8}", "kernel: expected an odd number from 1 to 11; got 8", ""),
        ("to: 4", "to: 4, by: 2", "stages[0].layers: steps of 2 from 1 do not reach 4", "to: 3 or to: 5"),
        ("from: 1, to: 4", "from: 4, to: 1", "stages[0].layers: expected from ≤ to", ""),
        ("from: 1", "from: 0", "stages[0].layers: only a stage of stride 1 can have 0 layers", "begin at 1"),
        ("{from: 1, to: 4}", "1000000000", "layers: expected a whole number from 1 to 1,000", ""),
        ("to: 4", "to: 1000000000", "stages[0].layers: more than 10,000 values", "larger step"),
        ("resolution: 64", "resolution: 1000000", "resolution: expected a whole number from 1 to 8,192", ""),
        ("resolution: 64", "resolution: 3", "3 px is too small for a total stride of 4", "at least 4 px"),
        ("resolution: 64", "resolution: [3, 64]", "3 px is too small for a total stride of 4", ""),
        ("se: 0", "se: {fused_mbconv: 0}", "stages[0].se.mbconv: expected a value; the key is missing", ""),
        ("op: mbconv", "op: mbcov", "stages[0].op: expected mbconv or fused_mbconv", ""),
        ("op: mbconv", 'op: "a\\nb"', "stages[0].op: expected mbconv or fused_mbconv", ""),
        ("head: 32", "head: 32\nactivation: swish", "activation: expected silu or relu", ""),
        ("head: 32", "head: {mbconv: 32, fused_mbconv: 16}", "head: a value by block type belongs in a stage", ""),
        ("head: 32", "head: 32\npublished: b0", "published: expected a list of names", ""),
        ("head: 32", "head: 32\nhead: 64", ":6: not valid YAML: key 'head' stands twice", ""),
        (STAGES, "stages: []\n", "stages: expected a list of stages; got an empty list", ""),
        (STAGES, "stages: 3\n", "stages: expected a list of stages; got 3", ""),
        (STAGES, "stages: [3]\n", "stages[0]: expected keys and values; got 3", ""),
        ("stride: 2", "stride: 1, se: 0.25", "key 'se' stands twice", ""),
    ],
)
def test_a_space_that_is_none(tmp_path: Path, old: str, new: str, says: str, hint: str) -> None:
    assert old in SPACE
    spoilt = SPACE.replace(old, new, 1)
    if not says:  # the way of writing that the hints recommend
        (tmp_path / "space.yaml").write_text(spoilt)
        assert load_space(str(tmp_path / "space.yaml"))
        return
    error = refused(load_space, tmp_path / "space.yaml", spoilt)
    assert says in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ("trials", "trails", "trails: unknown key", "trials"),
        ("tolerance", "tolerence", "timing.tolerence: unknown key", "did you mean tolerance?"),
        ("epochs", "epoch", "training.epoch: unknown key", "did you mean epochs or decay_epochs?"),
        ("space: efficientnetv2\n", "", "space: expected a value; the key is missing", ""),
        ("trials: 8", "trials: 25e6", "trials: expected a whole number; got the string '25e6'", "write 25000000"),
        ("trials: 8", "trials: -1", "trials: expected greater than or equal to 1; got -1", ""),
        ("trials: 8", "trials: 1.5", "trials: expected a whole number; got 1.5", ""),
        ("tolerance: 0.1", "tolerance: 1e-1", "timing.tolerance: expected a number", "write 1.0e-1"),
        ("tolerance: 0.1", "time_cap: .inf", "timing.time_cap: expected a finite number", ""),
        ("tolerance: 0.1", "batch: many", "timing.batch: expected 'auto' or a whole number", ""),
        ("{tolerance: 0.1}", "3", "timing: expected keys and values; got 3", ""),
        ("trials: 8", "objectives: [top1]", "objectives: unknown metric 'top1'", "did you mean top1_pct?"),
        ("trials: 8", "objectives: top1_pct", "objectives: expected a list", ""),
        ("trials: 8", "objectives: []", "objectives: expected a list that is not empty; got an empty list", ""),
        ("trials: 8", "objectives: [flops, flops]", "objectives: expected each objective once", ""),
        ("trials: 8", "limits: [flops=4]", "limits: limit 'flops=4' does not parse", "flops<=4e9"),
        ("trials: 8", "limits: [flps<=4]", "limits: unknown metric 'flps'", "did you mean flops?"),
        ("trials: 8", "limits: [flops<=lots]", "limits: 'lots' is not a number", "4G"),
        ("trials: 8", "measure: [latency]", "measure: unknown metric 'latency'", "did you mean latency_ms?"),
        ("trials: 8", "measure: [flops]", "measure: 'flops' is not measured by running", "top1_pct"),
        ("trials: 8", "sampler: nsga", "sampler: expected 'tpe', 'nsga2'", "did you mean nsga3 or nsga2?"),
        ("trials: 8", "trial_timeout: soon", "trial_timeout: 'soon' is not a duration", "90s"),
        ("trials: 8", "budget: .nan", "budget: expected a finite number", ""),
        ("name: test", "name: a/b", "name: expected", ""),
        ("name: test", "name: 3", "name: expected text; got 3", ""),
    ],
)
def test_a_recipe_that_is_none(tmp_path: Path, old: str, new: str, says: str, hint: str) -> None:
    assert old in RECIPE
    error = refused(load_recipe, tmp_path / "recipe.yaml", RECIPE.replace(old, new, 1))
    assert says in str(error)
    assert hint in error.hint


@pytest.mark.parametrize("load", [load_space, load_architecture, load_recipe])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: \xff\xfe", "expected UTF-8 text"),
        (SPACE.encode("utf-16"), "expected UTF-8 text"),
        ("head: 3\0", "not valid YAML: special characters are not allowed"),
        ("", "expected keys and values; got nothing"),
        ("- 1\n- 2\n", "expected keys and values; got a list"),
        ("just words", "expected keys and values; got the string 'just words'"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", ":2: not valid YAML: aliases (*name) are not allowed"),
        ("a: [1, 2\nb: 3\n", ":2: not valid YAML"),
        ("a: " + "[" * 3000, ":1: not valid YAML: nested too deeply"),
        ("? !!set {a}\n: 3\n", ":1: not valid YAML: a key must be a word"),
        ("head: !!bool perhaps\n", "not valid YAML: a value does not fit its tag"),
        ("head: !!int ''\n", "not valid YAML: a value does not fit its tag"),
        ("head: !!python/object/apply:os.getcwd []\n", "not valid YAML: could not determine a constructor"),
        ("head: 2001-13-01\n", "not valid YAML: month must be in 1..12"),
        ("head: " + "9" * 5000 + "\n", "not valid YAML"),
        ("head: " + "3" * 70_000, "file.yaml: larger than 65,536 bytes"),
    ],
)
def test_a_file_that_is_no_document(
    tmp_path: Path, load: Callable[[str], object], content: str | bytes, says: str
) -> None:
    assert says in str(refused(load, tmp_path / "file.yaml", content))


def test_an_open_space_is_no_network(tmp_path: Path) -> None:
    error = refused(load_architecture, tmp_path / "space.yaml", SPACE)
    assert "2 open cells (stage1.kernel, …); expected a network with every cell closed" in str(error)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("25e6", "YAML reads 25e6 as text: write 25000000"),
        ("1e-5", "YAML reads 1e-5 as text: write 1.0e-5"),
        ("1e300", "YAML reads 1e300 as text: write 1.0e+300"),
        ("1e999", "YAML reads 1e999 as text: write 1.0e+999"),
        ("0.25", "write it without quotes: 0.25"),
        ("lots", ""),
        (3, ""),
    ],
)
def test_how_to_write_a_number(written: object, hint: str) -> None:
    assert number_hint(written) == hint


def test_errors_show_what_cannot_be_printed() -> None:
    error = nas.NasError("got 'a\nb\x1b[31m' ≤ …", "one\rtwo")
    assert str(error) == "got 'a\\nb\\x1b[31m' ≤ …"
    assert error.hint == "one\\rtwo"
    assert isinstance(error, ValueError)


def test_nearest_names_the_close_ones_or_all() -> None:
    assert nearest("flpos", ["flops", "params"]) == "did you mean flops?"
    assert nearest("FLOPS", ["flops", "params"]) == "did you mean flops?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == ""


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
