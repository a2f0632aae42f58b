"""The command line as a person meets it: results, messages, exit codes, and one clear line for bad input."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nas.cli import main
from nas.cli.settings import load_settings
from nas.errors import NasError
from tests.conftest import ROOT

Run = Callable[..., "subprocess.CompletedProcess[str]"]

FREE = ("--objective", "rank_score", "--objective", "flops")  # nothing to measure but fvcore's FLOPs
TINY = """\
resolution: 32
stem: 8
head: 16
stages:
  - {op: mbconv, kernel: [3, 5], stride: 1, channels: 8, layers: {from: 1, to: 9}, expand: [1, 4]}
  - {op: [mbconv, fused_mbconv], kernel: 3, stride: 2, channels: {from: 8, to: 64, by: 8}, layers: 1}
"""
RECIPE = """\
name: tiny
space: tiny.yaml
trials: 5
sampler: random
baselines: [smallest]
baseline_repeats: 2
objectives: [rank_score, flops]
measure: []
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "study.yaml").write_text(RECIPE)
    return tmp_path


def test_a_search_ends_with_a_report_and_the_same_command_resumes(tiny: Path, run_nas: Run) -> None:
    first = run_nas("search", "--recipe", "study.yaml", "--json")
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert document["schema"] == 1
    assert (document["study"], document["stopped"]) == ("tiny", "done")
    assert document["trials"]["complete"] == 5
    assert (tiny / document["report"]).is_file()
    for member in document["front"]:
        assert set(member) >= {"trial", "notation", "flops", "params", "rank_score", "top1_pct"}
    more = json.loads(run_nas("search", "--recipe", "study.yaml", "-n", "8", "--json").stdout)
    assert more["trials"]["complete"] == 8
    shutil.copyfile(tiny / "nas.db", tiny / "alone.db")  # as a backup takes it: without the log that may lie beside it
    with closing(sqlite3.connect(tiny / "alone.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone() == (8,)

    listed = json.loads(run_nas("studies", "list", "--json").stdout)
    assert [(row["study"], row["complete"]) for row in listed["studies"]] == [("tiny", 8)]
    shown = run_nas("show", "tiny:3", "--json")
    assert json.loads(shown.stdout)["notation"].startswith("r32 s8 ")
    exported = run_nas("studies", "export", "tiny", "-o", "out.jsonl")
    assert exported.returncode == 0
    assert len((tiny / "out.jsonl").read_text().splitlines()) == 8
    assert run_nas("studies", "export", "tiny", "-o", "out.jsonl").returncode == 0
    for words in (("studies", "export", "tiny"), ("show", "tiny:3")):
        refused = run_nas(*words, "-o", "nas.db")
        assert (refused.returncode, "there is a file already, which holds no" in refused.stderr) == (2, True)
    assert run_nas("report", "tiny", "--out", "again").returncode == 0
    assert (tiny / "again" / "report.html").is_file()
    assert run_nas("studies", "delete", "tiny", "--yes").returncode == 0
    assert json.loads(run_nas("studies", "list", "--json").stdout)["studies"] == []


def test_show_prints_the_papers_table_and_differences(run_nas: Run) -> None:
    table = run_nas("show", "efficientnetv2-s").stdout
    assert "Fused-MBConv4, k3×3" in table
    assert "21,458,488" in table
    assert "stage 6 channels" in run_nas("show", "efficientnetv2-s", "efficientnetv2-m").stdout
    assert "the same network" in run_nas("show", "efficientnet-b0", "efficientnet-b0").stdout


def test_spaces_lists_and_shows(run_nas: Run) -> None:
    assert "efficientnetv2-wide" in run_nas("spaces").stdout
    document = json.loads(run_nas("spaces", "efficientnetv2", "--limit", "flops<=8.8G", "--json").stdout)
    assert document["size"] == 105_670_033_571_840 or document["size"] > 10**13
    assert 0 < document["within"]["flops<=8800000000"] < 1
    flops = document["spread"]["flops"]
    assert flops["min"] < flops["median"] < flops["max"]


def test_measure_writes_a_table(run_nas: Run, tmp_path: Path) -> None:
    network = "r32 s8 m1k3s1c8n1 h16 y10"
    done = run_nas("measure", network, "--what", "params,flops,latency", "--time-cap", "2", "-o", "out.csv", "--json")
    assert done.returncode == 0, done.stderr
    readings = json.loads(done.stdout)["networks"][0]["readings"]
    assert readings["latency_ms"]["value"] > 0
    assert (tmp_path / "out.csv").read_text().startswith("name,notation,id,params,")


def test_doctor_and_version_and_help(run_nas: Run) -> None:
    assert json.loads(run_nas("doctor", "--json").stdout)["network"] == "builds and runs"
    assert run_nas("--version").stdout.startswith("nas ")
    for words in ((), ("search",), ("show",), ("spaces",), ("measure",), ("report",), ("studies",), ("doctor",)):
        page = run_nas(*words, "--help")
        assert page.returncode == 0
        assert "Usage" in page.stdout
        assert words in ((), ("studies",)) or "Examples" in page.stdout


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom nas.cli import main\ntry:\n main(['search', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'optuna', 'pandas', 'plotly', 'sklearn') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_a_dry_run_writes_nothing(tiny: Path, run_nas: Run) -> None:
    done = run_nas("search", "--recipe", "study.yaml", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"] == 2 * 9 * 2 * 2 * 8
    assert sorted(path.name for path in tiny.iterdir()) == ["study.yaml", "tiny.yaml"]


def test_an_empty_database_is_no_study_to_a_dry_run(tiny: Path, run_nas: Run) -> None:
    (tiny / "nas.db").touch()
    done = run_nas("search", "--recipe", "study.yaml", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumes"] is False


def test_settings_come_from_a_file_the_environment_and_flags(
    tiny: Path, run_nas: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny / "nas.toml").write_text("storage = 'sqlite:///from_file.db'\n")
    words = ("search", "--recipe", "study.yaml", "--dry-run", "--json")
    assert json.loads(run_nas(*words).stdout)["storage"] == "sqlite:///from_file.db"
    assert json.loads(run_nas(*words).stdout)["engine"] == "local"
    (tiny / "nas.toml").write_text("storage = 'sqlite:///from_file.db'\nengine = 'ray'\n")
    assert json.loads(run_nas(*words).stdout)["engine"] == "ray"
    monkeypatch.setenv("NAS_RAY_ADDRESS", "auto")
    assert json.loads(run_nas(*words, "--engine", "local").stdout)["engine"] == "local"
    monkeypatch.setenv("NAS_STORAGE", "sqlite:///from_env.db")
    assert json.loads(run_nas(*words).stdout)["storage"] == "sqlite:///from_env.db"
    assert json.loads(run_nas(*words, "--storage", "sqlite:///flag.db").stdout)["storage"] == "sqlite:///flag.db"


def test_an_engine_that_is_refused_leaves_no_study(tiny: Path, run_nas: Run) -> None:
    done = run_nas("search", "--recipe", "study.yaml", "--engine", "ray", "--ray-address", "127.0.0.1:1")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert not (tiny / "nas.db").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("workers = 'many'", r"nas\.toml: workers: expected a whole number; got the string 'many'"),
        ("storage = 3", r"nas\.toml: storage: expected text; got 3"),
        ("engin = 'ray'", r"nas\.toml: engin: unknown setting"),
        ("ray_address = 'there:6379'", r"nas\.toml: ray_address: unknown setting"),
    ],
)
def test_a_settings_file_says_what_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nas.toml").write_text(line)
    with pytest.raises(NasError, match=says):
        load_settings("")


def bad(name: str, *words: str, says: str, hints: str = "") -> object:
    return pytest.param(words, says, hints, id=name)


@pytest.mark.parametrize(
    ("words", "says", "hints"),
    [
        bad(
            "space", "search", "--space", "eficientnetv2", says="unknown space 'eficientnetv2'", hints="efficientnetv2"
        ),
        bad("study", "report", "tiny", "--storage", "sqlite:///empty.db", says="does not exist", hints="nas search"),
        bad("metric", "search", "--space", "tiny.yaml", "--objective", "flop", says="unknown metric 'flop'", hints=""),
        bad("sampler", "search", "--space", "tiny.yaml", "--sampler", "tpee", says="sampler: expected 'tpe'"),
        bad("dataset", "search", "--space", "tiny.yaml", "--data", "fractal", says="fractal", hints="fractals"),
        bad("typo", "search", "--recipe", "typo.yaml", says="typo.yaml: trails: unknown key", hints="trials"),
        bad(
            "string", "search", "--recipe", "string.yaml", says="string.yaml: trials: expected a whole number", hints=""
        ),
        bad("empty choice", "spaces", "empty.yaml", says="empty.yaml: stages[0].kernel: expected at least one choice"),
        bad("range", "spaces", "range.yaml", says="steps of 3 from 1 do not reach 9", hints="to: 7 or to: 10"),
        bad("limit", "search", "--space", "tiny.yaml", "--limit", "flops<=10", says="can meet it", hints="nas spaces"),
        bad("trials", "search", "--space", "tiny.yaml", "-n", "-3", says="trials: expected"),
        bad("out", "search", "--recipe", "study.yaml", "--out", "/proc/nowhere", says="cannot be written"),
        bad("storage", "search", "--recipe", "study.yaml", "--storage", "sqlite:////no/such/x.db", says="/no/such"),
        bad("server", "search", "--recipe", "study.yaml", "--storage", "postgresql://127.0.0.1:1/x", says="storage"),
        bad("no url", "search", "--recipe", "study.yaml", "--storage", "nas.db", says="not a URL", hints="sqlite:///"),
        bad("not sqlite", "studies", "list", "--storage", "sqlite:///tiny.yaml", says="is not a SQLite database"),
        bad("small", "show", "r16 s8 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 h8", says="too small", hints="32 px"),
        bad("device", "search", "--recipe", "study.yaml", "--device", "cuda:7", says="cuda:7"),
        bad(
            "network", "show", "efficientnet-b9", says="unknown architecture 'efficientnet-b9'", hints="efficientnet-b"
        ),
        bad("open", "show", "tiny.yaml", says="open cells", hints="nas spaces tiny.yaml"),
        bad("option", "search", "--spice", "x", says="--spice", hints="--help"),
        bad("command", "serch", says="serch", hints="--help"),
        bad("nothing", "search", says="search what?", hints="efficientnetv2"),
        bad("two spaces", "search", "--recipe", "compound-grid", "--space", "tiny.yaml", says="is that of a grid"),
        bad(
            "grid", "search", "--space", "efficientnetv2", "--sampler", "grid", says="a grid takes at most", hints="tpe"
        ),
        bad("duration", "search", "--recipe", "study.yaml", "--timeout", "4 weeks", says="not a duration"),
        bad("objective twice", "search", "--recipe", "study.yaml", *FREE, *FREE, says="each objective once"),
        bad(
            "name",
            "search",
            "--recipe",
            "study.yaml",
            "--study",
            "..",
            says="name: expected a name: at most",
        ),
        bad("copy", "studies", "copy", "sqlite:///a.db", "sqlite:///b.db", "--as", "x/y", says="--as 'x/y': expected"),
        bad("config", "--config", "none.toml", "spaces", says="none.toml: no such file"),
        bad("what", "measure", "efficientnet-b0", "--what", "speed", says="speed: not something to measure"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    tiny: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
    hints: str,
) -> None:
    monkeypatch.chdir(tiny)
    (tiny / "typo.yaml").write_text(RECIPE.replace("trials:", "trails:"))
    (tiny / "string.yaml").write_text(RECIPE.replace("trials: 5", "trials: 25e1"))
    (tiny / "empty.yaml").write_text(TINY.replace("[3, 5]", "[]"))
    (tiny / "range.yaml").write_text(TINY.replace("{from: 1, to: 9}", "{from: 1, to: 9, by: 3}"))
    with pytest.raises(SystemExit) as end:
        main(list(words))
    stdout, stderr = capsys.readouterr()
    assert end.value.code == 2, stderr
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith(("error:", "hint:"))]
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    assert hints in "".join(lines[1:])
    assert len(lines) <= 2
    assert stdout == ""


def test_a_study_of_another_schema_is_left_alone(tiny: Path, run_nas: Run) -> None:
    import optuna

    study = optuna.create_study(study_name="old", storage=f"sqlite:///{tiny}/nas.db")
    study.set_user_attr("nas", {"schema": 0})
    done = run_nas("report", "old")
    assert done.returncode == 2
    assert "schema 0" in done.stderr


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tiny: Path) -> None:
    (tiny / "study.yaml").write_text(RECIPE.replace("trials: 5", "trials: 100000"))
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "search", "--recipe", "study.yaml"],
        cwd=tiny,
        env={**__import__("os").environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    log = tiny / "nas.db-wal"
    while time.monotonic() < deadline and not (log.exists() and log.stat().st_size > 300_000):
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "go on with: nas search --study tiny" in errors
    assert "Traceback" not in errors


def test_nothing_usable_is_exit_code_4(tiny: Path, run_nas: Run) -> None:
    (tiny / "study.yaml").write_text(RECIPE.replace("measure: []", "measure: [latency_ms]\ntrial_timeout: 0.01s"))
    done = run_nas("search", "--recipe", "study.yaml", "-n", "2")
    assert done.returncode == 4, done.stderr
    assert "time limit" in done.stderr
