"""A short run of the fuzzer, and the inputs that were found by name: `make fuzz` is the long run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.arch import parse
from nas.cli.settings import load_settings
from nas.errors import NasError
from nas.recipe import load_recipe
from nas.record import LONGEST_LINE, read_records
from nas.space_file import load_architecture, load_space
from nas.study.feed import open_sources
from nas.study.storage import masked, open_storage
from tests.fuzz.guard import Tally
from tests.fuzz.long import ROOT, row, total

SPACE = """
resolution: 64
stem: 8
stages:
  - {op: mbconv, kernel: [3, 5], stride: 2, channels: 16, layers: {from: 1, to: 4}, expand: 1, se: 0}
head: 32
"""
STAGE = SPACE.splitlines()[4]


def short_run(tmp_path: Path, engine: str, inputs: int, *targets: str) -> None:
    words = [sys.executable, "-m", "tests.fuzz.long", "--inputs", str(inputs), "--engine", engine, "--seed", "7"]
    words += ["--limit-s", "60", "--json", str(tmp_path / "tally.json")]  # no test judges how fast this machine is
    words += [word for target in targets for word in ("--only", target)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tallies = json.loads((tmp_path / "tally.json").read_text())["targets"]
    assert [tally["target"] for tally in tallies] == list(targets)
    for tally in tallies:
        assert tally["inputs"] > 10
        assert tally["refused"] > 0, "nothing was spoilt"
        assert tally["accepted"] > 0, "everything was spoilt"


def test_spoilt_documents_and_texts_are_refused_in_one_line(tmp_path: Path) -> None:
    names = ("space files", "recipes", "notation", "records", "expressions", "settings")
    short_run(tmp_path, "hypothesis", 2_000, *names)


def test_spoilt_trainings_are_refused_in_one_line(tmp_path: Path) -> None:
    short_run(tmp_path, "hypothesis", 3_000, "training recipes", "weights", "checkpoints")


def test_spoilt_command_lines_end_with_a_code_of_their_own(tmp_path: Path) -> None:
    short_run(tmp_path, "hypothesis", 3_000, "command line")


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed: nas[fuzz]")
def test_atheris_feeds_the_text_parsers(tmp_path: Path) -> None:
    short_run(tmp_path, "atheris", 4_000, "notation", "expressions")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("open('/tmp/nas-fuzz-elsewhere', 'w').close()", "open outside its folder"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "socket.bind"),
        ("import nas_fuzz_canary", "imported a module that a file named"),
        ("raise NasError('two\\x1blines' * 5000)", ""),
        ("sum(range(5 * 10**7))", "slow"),
        ("bytearray(80 * 2**20)", "memory"),
        ("raise SystemExit(1)", "exit code 1"),
        ("raise SystemExit(2)", ""),
    ],
)
def test_the_guard_hears_what_it_must(tmp_path: Path, does: str, says: str) -> None:
    """In a process of its own, for an audit hook stays for good."""
    (tmp_path / "nas_fuzz_canary.py").write_text("")
    program = f"""
import json, sys
from pathlib import Path
from nas.errors import NasError
from tests.fuzz.guard import Guard, Tally
sys.path.append({str(tmp_path)!r}); sys.dont_write_bytecode = True
tally = Tally("x", "y")
Guard(tally, Path({str(tmp_path)!r}), limit_s=0.2, limit_mib=50).run(lambda data: exec({does!r}), b"in")
print(json.dumps([failure["problem"] for failure in tally.failures]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    problems = json.loads(done.stdout) if done.returncode == 0 else [done.stderr]
    Path("/tmp/nas-fuzz-elsewhere").unlink(missing_ok=True)
    assert (problems == []) if not says else (len(problems) == 1 and says in problems[0]), problems


def test_the_tally_sums_up() -> None:
    tallies = [
        vars(Tally("a", "e", 3, 1, 2, 4.0, 5.0, 1.0)),
        vars(Tally("b", "e", 4, 2, 1, 3.0, 9.0, 2.0, [{"problem": "x"}])),
    ]
    assert row(total(tallies)) == "| all |  | 7 | 3 | 3 | 4 | 9 | 2 | 1 |"


@pytest.mark.parametrize("load", [load_space, load_architecture, load_recipe])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n", "aliases (*name) are not allowed"),
        ("a: " + "[" * 60_000, "nested too deeply"),
        ("a: " + "{b: " * 15_000, "nested too deeply"),
        ("- " * 30_000, "nested too deeply"),
        ("stem: 0x" + "f" * 60_000, "a number of 60,002 characters"),
        ("stem: 1" + ":59" * 20_000, "a number of 60,001 characters"),
        ("stem: 1" + ":59" * 20_000 + ".5", "a number of 60,003 characters"),
        ("stem: " + "9" * 60_000, "a number of 60,000 characters"),
        ("a: [" + "1," * 30_000 + "]", "more than 5,000 values"),
        ("a: 1\n" * 50 + "\n" * 70_000, "larger than 65,536 bytes"),
        ('name: "\\ud800"', "the character \\ud800 is no text"),
        ('name: "\\u202ecba"', "the character \\u202e is no text"),
        ('name: "\\e[2J"', "the character \\x1b is no text"),
        ('name: "a\\0b"', "the character \\x00 is no text"),
        ("name: \x1b[2J", "special characters are not allowed"),
    ],
)
def test_yaml_that_is_an_attack(tmp_path: Path, load: Callable[[str], object], content: str, says: str) -> None:
    (tmp_path / "file.yaml").write_text(content)
    with pytest.raises(NasError) as caught:
        load(str(tmp_path / "file.yaml"))
    assert says in str(caught.value)
    assert str(caught.value).count("file.yaml") == 1, "the file is named once"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{from: 1, to: 4}", "1000000000", "layers: expected a whole number from 1 to 1,000"),
        ("resolution: 64", "resolution: 1000000", "resolution: expected a whole number from 1 to 8,192"),
        ("channels: 16", "channels: 1000000000", "channels: expected a whole number from 1 to 65,536"),
        ("{from: 1, to: 4}", "{from: 1, to: 1000000000, by: 1}", "layers: more than 10,000 values"),
        ("expand: 1", "expand: .nan", "expand: expected a number above 0"),
        ("expand: 1", "expand: .inf", "expand: expected a number above 0"),
        ("se: 0", "se: [.nan, .nan]", "se: a choice stands twice"),
        ("head: 32", "head: " + "9" * 90, "head: expected a whole number from 0"),
        (STAGE, "\n".join([STAGE] * 61), "stages: expected at most 60; got 61"),
        (
            STAGE,
            "\n".join([STAGE.replace("16", "{from: 1, to: 9999}")] * 3),
            "options in all cells; expected at most 20,000",
        ),
        (STAGE, "\n".join([STAGE.replace("16", "{from: 1, to: 300}")] * 50), "more than 1e+100 networks"),
    ],
)
def test_a_space_beyond_all_measure(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SPACE
    (tmp_path / "space.yaml").write_text(SPACE.replace(old, new, 1))
    with pytest.raises(NasError) as caught:
        load_space(str(tmp_path / "space.yaml"))
    assert says in str(caught.value)


def test_notation_beyond_all_measure() -> None:
    with pytest.raises(NasError, match="at most 200; got 201"):
        parse("r64 s8 " + "m1k3s1c8n1 " * 201 + "h8")
    with pytest.raises(NasError, match="expected at most 21,000 characters; got 1,100,009"):
        parse("r64 s8 " + "m1k3s1c8n1 " * 100_000 + "h8")
    with pytest.raises(NasError, match="layers: expected a whole number from 1 to 1,000"):
        parse("r64 s8 m1k3s1c8n1000000000 h8")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_large_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**20)


@pytest.mark.parametrize("make", [a_fifo, a_device, a_folder, a_loop, a_large_file])
@pytest.mark.parametrize("read", ["space", "architecture", "recipe", "records", "feed", "settings", "storage"])
def test_what_is_no_file_of_words_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], read: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = {"records": "in.jsonl", "feed": "in.jsonl", "settings": "in.toml", "storage": "in.db"}.get(read, "in.yaml")
    make(Path(name))
    readers: dict[str, Callable[[], object]] = {
        "space": lambda: load_space(name),
        "architecture": lambda: load_architecture(name),
        "recipe": lambda: load_recipe(name),
        "records": lambda: list(read_records(Path(name))),
        "feed": lambda: open_sources([name], "sqlite:///nas.db"),
        "settings": lambda: load_settings(name),
        "storage": lambda: open_storage(f"sqlite:///{name}"),
    }
    if read == "feed" and make is a_large_file:
        pytest.skip("records may be large: they are read in pieces")
    with pytest.raises(NasError) as caught:
        readers[read]()
    assert (str(caught.value) + caught.value.hint).isprintable()


def test_a_line_without_an_end_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"schema": 1}'.ljust(LONGEST_LINE + 2))
    with pytest.raises(NasError, match=r"in\.jsonl:1: a line of more than"):
        list(read_records(tmp_path / "in.jsonl"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://:1]/nas",
        "sqlite://sqlite:////",
        "sqlite+lite+pysqlite:///nas.db",
        "sqlite:///nas\udced\udca0.db",
        "sqlite:///a\0b.db",
        f"sqlite:///{'a' * 300}.db",
        f"sqlite:///{'a/' * 3000}.db",
    ],
)
def test_a_storage_that_has_no_such_name(url: str) -> None:
    with pytest.raises(NasError):
        open_storage(url)
    masked(url)


@pytest.mark.parametrize("name", ["../../x", "..", ".hidden", "a/b", "a\\b", "a\0b", "a\nb", "", "x" * 101, "-rf"])
def test_no_study_has_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "recipe.yaml").write_text(f"name: {json.dumps(name)}\nspace: efficientnet\n")
    with pytest.raises(NasError):
        load_recipe(str(tmp_path / "recipe.yaml"))


def test_messages_end(tmp_path: Path) -> None:
    error = NasError("x" * 100_000 + "expected 3", "y" * 100_000)
    assert len(str(error)) < 1_100
    assert str(error).endswith("expected 3")
    assert len(error.hint) < 1_100
