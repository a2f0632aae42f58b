"""Every example in the README runs: Python blocks as they stand, `$ nas …` lines through the command line."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
WAY = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")


def python_of(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def commands_of(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


PYTHON, COMMANDS = python_of(README), commands_of(README)


def test_the_python_example_runs(tmp_path: Path) -> None:
    assert PYTHON
    script = "\n".join(PYTHON)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=None
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)  # all of them, one after the other
def test_the_commands_run_in_the_order_in_which_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(COMMANDS) >= 6
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").symlink_to(ROOT / "studies")  # as in a clone
    run_commands(COMMANDS, capsys)


def run_commands(commands: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands:
        words = shlex.split(command, comments=True)
        assert words[0] == "nas", command
        if "ray" in words and importlib.util.find_spec("ray") is None:
            continue  # an extra, which CI installs
        with pytest.raises(SystemExit) as end:
            main(words[1:])
        _, stderr = capsys.readouterr()
        assert end.value.code == 0, f"{command}\n{stderr}"


@pytest.mark.timeout(600)
def test_the_whole_way_from_a_search_to_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    run_commands(commands_of(WAY), capsys)
    script = "\n".join(python_of(WAY))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = float(re.search(r"top-1 in onnxruntime: ([\d.]+) %", done.stdout)[1])  # type: ignore[index]
    assert said == pytest.approx(json.loads(Path("runs/small/result.json").read_text())["top1_pct"], abs=0.3)


def test_what_the_readme_points_to_is_there() -> None:
    for folder, text in ((ROOT, README), (ROOT / "docs", WAY)):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert (folder / target).exists(), target
