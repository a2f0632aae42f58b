"""What `make gpu` runs: the zoo on this machine's GPU (`nas measure --zoo`), then a 40-trial search.

    python benchmarks/gpu.py                   # at most nine minutes; the same command again goes on where it stopped

Each network becomes one line of studies/zoo/<device>/records.jsonl as soon as it is done; studies/zoo/zoo.yaml says
which, and at which sizes. The search's trials are exported beside it. Runs in any Python from 3.11 on that can import
torch and the packages of pyproject.toml, installed or not.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
NEEDED = (
    "torch",
    "torchvision",
    "fvcore",
    "optuna",
    "pydantic",
    "yaml",
    "plotly",
    "pandas",
    "typer",
    "rich",
    "sklearn",
)

REPORTING = 45.0  # seconds a search needs after its last trial: report, export


@dataclass(frozen=True)
class Budget:
    """Seconds left of a call."""

    seconds: float
    start: float

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.start)


def missing() -> list[str]:
    """The packages that this Python cannot import."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def measure_zoo(options: argparse.Namespace, folder: Path, budget: Budget) -> list[str]:
    """Measure what records.jsonl lacks while time is left: `nas measure --zoo`. Returns the names still to do."""
    from nas.cli.zoo import line
    from nas.environment import environment
    from nas.zoo import load_zoo, plans
    from nas.zoo.run import FILE, Run

    planned = plans(load_zoo(), options.set, time_cap=options.seconds, only=options.names)
    run = Run(planned, folder / FILE, options.device, environment(options.device), max(0.0, budget.left))
    for done in run.measure():
        print(line(done), flush=True)
    left = list(dict.fromkeys(job.plan.name for job in run.jobs))
    print(f"zoo: {len(planned) - len(run.skipped) - len(left)} of {len(planned)} in {run.path}", flush=True)
    return left


def search_command(options: argparse.Namespace, folder: Path, seconds: float) -> list[str]:
    """The command line of the search, which starts no trial after `seconds`."""
    words = ["--space", "efficientnetv2", "--trials", str(options.trials), "--study", "efficientnetv2-search"]
    places = ["--storage", f"sqlite:///{folder / 'search.db'}", "--out", str(folder / "search")]
    return [sys.executable, "-m", "nas", "search", *words, *places, "--device", options.device,
            "--timeout", f"{max(1, int(seconds))}s"]  # fmt: skip


def search(options: argparse.Namespace, folder: Path, budget: Budget, command: Sequence[str] | None = None) -> int:
    """Run the search for what is left of the budget, interrupting it in time. Returns its exit status."""
    words = list(command or search_command(options, folder, budget.left - 2 * REPORTING))
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(places)})
    grace = REPORTING
    for send in (lambda: child.send_signal(signal.SIGINT), child.kill, lambda: None):
        try:
            return child.wait(timeout=max(0.0, budget.left - grace))
        except subprocess.TimeoutExpired:
            send()
            grace = 0.0
    return child.wait()


def export(folder: Path) -> tuple[int, int]:
    """Write the search's trials to search.jsonl beside the zoo. Returns how many have ended, how many were measured."""
    from nas.record import write_records
    from nas.study.storage import open_storage, open_study, records

    found = records(open_study(open_storage(f"sqlite:///{folder / 'search.db'}"), "efficientnetv2-search"))
    write_records(folder / "search.jsonl", found)
    ended = [record for record in found if record.trial is not None and record.state != "running"]
    return len(ended), sum(record.state == "complete" for record in ended)


def search_on(options: argparse.Namespace, folder: Path, budget: Budget, run: Callable[..., int]) -> bool:
    """Search while time is left, and export what there is. Returns whether every trial has ended."""
    if budget.left < 3 * REPORTING:
        return False
    status = run(options, folder, budget)
    ended, measured = export(folder) if (folder / "search.db").exists() else (0, 0)
    print(f"search: {ended} of {options.trials} trials, {measured} of them measured; exit status {status}")
    return ended >= options.trials


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=8.5, help="of this call; it is resumable")
    parser.add_argument("--set", default="full", help="of the zoo (studies/zoo/zoo.yaml)")
    parser.add_argument("--names", nargs="+", default=[], metavar="NAME", help="only these of the set")
    parser.add_argument("--seconds", type=float, help="time cap of a reading, instead of the set's")
    parser.add_argument("--trials", type=int, default=40, help="of the search; 0 for none")
    parser.add_argument("--out", type=Path, default=ROOT / "studies" / "zoo")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None, run_search: Callable[..., int] = search) -> int:
    """Exit status: 0 when all is done, 3 when time ran out and the same command goes on, 2 for what is missing."""
    options = parsed(words)
    budget = Budget(60 * options.minutes, time.monotonic())
    if absent := missing():
        print(f"this Python lacks {', '.join(absent)}: install them, or name a folder that has them in PYTHONPATH")
        return 2
    from nas.errors import NasError
    from nas.zoo.run import folder_name

    try:
        folder = options.out / folder_name(options.device)
        folder.mkdir(parents=True, exist_ok=True)
        todo = measure_zoo(options, folder, budget)
    except NasError as error:
        print(f"{error}\n{error.hint}")
        return 2
    finished = not todo and (not options.trials or search_on(options, folder, budget, run_search))
    if not finished:
        print("time is up: the same command goes on from here")
    return 0 if finished else 3


if __name__ == "__main__":
    sys.exit(main())
