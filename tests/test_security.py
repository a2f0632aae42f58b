"""What SECURITY.md promises: no pickle, no code from files, no listener, and nobody else's eyes."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nas
from nas.cli.refs import resolve_network
from nas.errors import NasError
from nas.foreign import ForeignError, check_allowed, is_code
from nas.space_file import load_space
from nas.study.lifecycle import resolve_baselines
from tests.conftest import ROOT, make_recipe
from tests.fuzz.guard import CANARY
from tests.fuzz.seeds import RECORD
from tests.fuzz.targets import make_study, prepare

SOURCES = sorted(Path(nas.__file__).parent.rglob("*.py"))
REFUSED_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
REFUSED_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.hub.load", "torch.jit.load", "pandas.read_pickle",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


def faults(source: str) -> list[str]:
    """What of this source could read a pickle, or run text as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"imports {name}" for name in modules if name.partition(".")[0] in REFUSED_MODULES]
        if isinstance(node, ast.Call):
            found += _call_faults(node)
    return found


def _call_faults(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    found = [f"calls {name}"] if name in REFUSED_CALLS else []
    if given.get("shell", "False") != "False":
        found.append(f"{name} with shell={given['shell']}")
    if name.endswith("torch.load") and given.get("weights_only") != "True":
        found.append("torch.load without weights_only=True")
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        found.append(f"{name} without allow_pickle=False")
    if name == "yaml.load" and [ast.unparse(argument) for argument in call.args[1:]] != ["_Loader"]:
        found.append("yaml.load without nas.document's own loader")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(Path(nas.__file__).parent)))
def test_no_pickle_is_read_and_no_text_is_run(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_the_one_loader_of_yaml_is_a_safe_one() -> None:
    import yaml

    from nas.document import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
    assert not issubclass(_Loader, yaml.FullLoader | yaml.UnsafeLoader)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "torch.load('x')", "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)", "np.load('x')", "yaml.load(text, yaml.Loader)", "yaml.load(text, Loader=L)",
        "subprocess.run('ls', shell=True)", "eval('1')", "os.system('ls')", "__import__('os')",
    ],
)  # fmt: skip
def test_the_watch_sees_what_it_must(source: str) -> None:
    assert len(faults(source)) == 1


def test_the_watch_lets_through_what_is_harmless() -> None:
    harmless = (
        "net.eval()\nnp.load(path, allow_pickle=False)\ntorch.load(f, weights_only=True)\nyaml.load(t, _Loader)\n"
    )
    assert faults(harmless + "subprocess.run(['ls'])\nre.compile('x')") == []


# Code that a file names.


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a study, a recipe, records and a module of a stranger, who would leave a file `ran`."""
    prepare(tmp_path)
    (tmp_path / f"{CANARY}.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\nfrom torch import nn\n"
        "def make(): return nn.Sequential(nn.Conv2d(3, 7, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    make_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "ran"
    sys.modules.pop(CANARY, None)


def test_code_that_a_recipe_names_runs_only_where_it_is_allowed(canary: Path) -> None:
    recipe = make_recipe(baselines=[f"{CANARY}:make@32"], objectives=["latency_ms"], measure=["latency_ms"])
    space = load_space("tiny.yaml")
    with pytest.raises(ForeignError, match=f"baselines: {CANARY}:make@32 runs code") as caught:
        resolve_baselines(recipe, space)
    assert "--allow-code" in caught.value.hint
    assert not canary.exists()
    assert str(resolve_baselines(recipe, space, allow_code=True)[f"{CANARY}:make@32"]) == f"{CANARY}:make@32y7"
    assert canary.exists()


def test_a_search_by_a_strangers_recipe_is_refused_before_it_runs_anything(
    canary: Path, run_nas: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for words in (["--dry-run"], []):
        done = run_nas("search", "--recipe", "recipe.yaml", "--device", "cpu", *words)
        assert done.returncode == 2
        assert "runs code, and code that a file or a stored study names is not run" in done.stderr
    assert not canary.exists()


def test_a_grid_by_a_strangers_recipe_runs_nothing(
    canary: Path, run_nas: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    Path("recipe.yaml").write_text(f"name: b\ngrid: {{base: '{CANARY}:make'}}\ntiming: {{batch: 4}}\n")
    for words in ([], ["--measure", "--dry-run", "--device", "cpu"]):
        done = run_nas("grid", "--recipe", "recipe.yaml", *words)
        assert done.returncode == 2, done.stderr
        assert "has no stages to scale" in done.stderr
    assert not canary.exists()


def test_a_trial_of_a_stored_study_runs_no_code(canary: Path) -> None:
    import sqlite3

    arch = json.dumps({**RECORD, "arch": f"{CANARY}:make@32y7", "id": "0"})
    with sqlite3.connect("nas.db") as storage:
        storage.execute("UPDATE trial_user_attributes SET value_json = ? WHERE key = 'record'", (arch,))
    storage.close()
    with pytest.raises(ForeignError, match=r"first:0: .* runs code") as caught:
        resolve_network("first:0", "sqlite:///nas.db")
    assert f"nas measure {CANARY}:make@32y7" in caught.value.hint
    assert not canary.exists()
    assert str(resolve_network(f"{CANARY}:make@32", "sqlite:///nas.db")) == f"{CANARY}:make@32y7", "named by the user"


def test_a_report_of_a_strangers_records_runs_no_code(
    canary: Path, run_nas: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    stranger = {**RECORD, "arch": f"{CANARY}:make@32", "baseline": f"{CANARY}:make", "study": "../../elsewhere"}
    Path("theirs.jsonl").write_text(json.dumps(stranger) + "\n")
    Path("nas.toml").unlink()  # it names another folder
    done = run_nas("report", "theirs.jsonl")
    assert done.returncode == 0, done.stderr
    assert not canary.exists()
    assert [path.name for path in Path("runs").iterdir()] == ["elsewhere-records"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("module:callable", True),
        ("timm.models:create_model@64", True),
        ("torchvision.models:resnet18", True),
        ("os:system", True),
        ("timm:resnet18", False),
        ("torchvision:resnet18@64", False),
        ("r64 s8 m1k3s1c8n1 h8", False),
        ("study:17", False),
    ],
)
def test_what_is_code(text: str, code: bool) -> None:
    assert is_code(text) is code
    check_allowed(text, "here", allowed=True)
    if code:
        with pytest.raises(ForeignError, match="here: "):
            check_allowed(text, "here", allowed=False)
    else:
        check_allowed(text, "here", allowed=False)


@pytest.mark.parametrize(
    "reference",
    ["timm:hf-hub:someone/net", "timm:hf_hub:someone/net", "timm:local-dir:/tmp/net", "timm:https://127.0.0.1/net",
     "torchvision:http://127.0.0.1/net", "timm:../net", "timm:local-dir"],
)  # fmt: skip
def test_no_library_is_asked_to_fetch_a_network(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[str] = []
    monkeypatch.setattr("socket.socket.connect", lambda *_: heard.append("connect"))
    with pytest.raises(NasError):
        resolve_network(reference, "sqlite:///nas.db")
    assert heard == []


def test_a_strangers_text_gives_no_commands_to_a_terminal(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    from nas.cli import main

    text = "\x1b]0;title\x07\x1b[2J [/] [bold]x[/nope] :bomb: \u202ecba"
    failed = json.dumps({**RECORD, "arch": "", "readings": {}, "reason": text})
    with sqlite3.connect("nas.db") as storage:
        storage.execute("UPDATE trial_user_attributes SET value_json = ? WHERE key = 'record'", (failed,))
        storage.execute("UPDATE trials SET state = 'FAIL'")
    storage.close()
    space = Path("tiny.yaml").read_text() + 'source: "[/] [bold]x[/nope] :bomb:"\n'
    Path("space.yaml").write_text(space)
    for words in (["studies", "show", "first"], ["spaces", "space.yaml", "--sample", "9"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        assert "[/] [bold]x[/nope] :bomb:" in said.out
        assert all(character.isprintable() or character == "\n" for character in said.out)
    assert not canary.exists()


# What is left on disk, and who may read it.

TINY_SEARCH = ("search", "--space", "tiny.yaml", "-n", "2", "--objective", "rank_score", "--objective", "flops",
               "--device", "cpu", "--seed", "0")  # fmt: skip


def modes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in sorted(folder.rglob("*"))}


def test_what_a_study_leaves_is_its_owners_alone(
    tmp_path: Path, run_nas: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    prepare(tmp_path)
    (tmp_path / "nas.toml").unlink()  # it names another folder
    before = set(modes(tmp_path))
    mask = os.umask(0o022)
    try:
        done = run_nas(*TINY_SEARCH)
        assert done.returncode == 0, done.stderr
        for words in (
            ["studies", "export", "tiny", "-o", "out.jsonl"],
            ["show", "tiny:0", "-o", "net.yaml"],
            ["measure", "tiny:0", "--what", "params", "-o", "out.csv"],
            ["report", "tiny", "--out", "again"],
        ):
            done = run_nas(*words)
            assert done.returncode == 0, done.stderr
    finally:
        os.umask(mask)
    made = {name: mode for name, mode in modes(tmp_path).items() if name not in before}
    assert {"nas.db", "nas.db.lock", "runs/tiny/report.html", "out.jsonl", "net.yaml", "out.csv"} <= set(made)
    assert any(name.startswith("runs/tiny/logs/") for name in made)
    for name, mode in made.items():
        assert mode == ("0o700" if (tmp_path / name).is_dir() else "0o600"), name


def test_the_logs_of_the_database_are_as_private_as_it_is(tmp_path: Path) -> None:
    from sqlalchemy import text

    from nas.study.storage import open_storage

    mask = os.umask(0o022)
    try:
        storage = open_storage(f"sqlite:///{tmp_path / 'nas.db'}", create=True)
        with storage.engine.connect() as connection:
            connection.execute(text("SELECT 1 FROM studies"))
            found = modes(tmp_path)
        storage.engine.dispose()
    finally:
        os.umask(mask)
    assert set(found) == {"nas.db", "nas.db-wal", "nas.db-shm"}
    assert set(found.values()) == {"0o600"}


# Who listens.


def descendants(pid: int) -> list[int]:
    """The process and all that it started, as far as they are there now."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in descendants(int(child)))]


def listening(pid: int) -> list[str]:
    """Addresses on which the process listens: its TCP sockets in state 0A."""
    held = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile, as the one that lists them is
                held.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
        lines = [
            line.split()
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        ]
    except OSError:  # it ended meanwhile
        return []
    return [f"{pid}: {words[1]}" for words in lines if words[3] == "0A" and words[9] in held]


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
def test_nothing_listens_while_a_search_runs(tmp_path: Path) -> None:
    prepare(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *TINY_SEARCH],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    seen, heard = set[int](), set[str]()
    while process.poll() is None:
        family = descendants(process.pid)
        seen.update(family)
        heard.update(line for pid in family for line in listening(pid))
        time.sleep(0.05)
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read().decode()
    assert len(seen) > 1, "no worker was seen"
    assert heard == set()


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
def test_a_listener_would_be_heard() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        assert [line for line in listening(os.getpid()) if line.endswith(f":{port}")]
    assert os.getpid() in descendants(os.getppid())
