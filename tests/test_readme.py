"""Every example in the README runs: Python blocks as they stand, `$ nas …` lines through the command line."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


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
    for command in COMMANDS:
        words = shlex.split(command, comments=True)
        assert words[0] == "nas", command
        if "ray" in words and importlib.util.find_spec("ray") is None:
            continue  # an extra, which CI installs
        with pytest.raises(SystemExit) as end:
            main(words[1:])
        _, stderr = capsys.readouterr()
        assert end.value.code == 0, f"{command}\n{stderr}"


def test_what_the_readme_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
