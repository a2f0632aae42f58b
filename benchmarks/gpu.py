"""What `make gpu` runs: throughput of every shipped baseline on this machine's GPU, then a 40-trial search.

    python benchmarks/gpu.py                   # at most nine minutes; the same command again goes on where it stopped

Networks are measured at their published training sizes in bf16 autocast and channels-last, at the largest power of two
of images that fits, up to 256. Each becomes one line of studies/zoo/<device>/records.jsonl as soon as it is done; the
search's trials are exported beside it. Runs in any Python from 3.11 on that can import torch and the packages of
pyproject.toml, installed or not.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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

# Sides in pixels at which the published networks were trained: arXiv:1905.11946 (V1 trains at its own resolution);
# arXiv:2104.00298, the configurations of its code (V2: the last stage of progressive learning).
TRAIN_SIZES = {
    "efficientnet-b0": 224,
    "efficientnet-b1": 240,
    "efficientnet-b2": 260,
    "efficientnet-b3": 300,
    "efficientnet-b4": 380,
    "efficientnet-b5": 456,
    "efficientnet-b6": 528,
    "efficientnet-b7": 600,
    "efficientnetv2-b0": 192,
    "efficientnetv2-b1": 192,
    "efficientnetv2-b2": 208,
    "efficientnetv2-b3": 240,
    "efficientnetv2-s": 300,
    "efficientnetv2-m": 384,
    "efficientnetv2-l": 384,
    "efficientnetv2-xl": 384,
}
MEASURED = ("train_images_per_s", "infer_images_per_s", "peak_memory_mib")
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


def slug(name: str) -> str:
    """`NVIDIA H200` → `nvidia-h200`: a folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def measure_zoo(options: argparse.Namespace, folder: Path, budget: Budget) -> list[str]:
    """Measure what records.jsonl lacks, cheapest first, while time is left. Returns the names still to do."""
    from nas import cost, load_architecture
    from nas.record import read_records, write_records

    path = folder / "records.jsonl"
    records = list(read_records(path)) if path.exists() else []
    done = {record.baseline for record in records if record.state == "complete"}
    sized = {
        name: replace(load_architecture(name), resolution=max(32, round(TRAIN_SIZES[name] * options.scale)))
        for name in options.names
    }
    todo = sorted((name for name in options.names if name not in done), key=lambda name: cost(sized[name]).flops)
    slowest = 0.0
    while todo and budget.left > max(slowest * 1.5, 3 * options.seconds):
        name = todo.pop(0)
        begin = time.monotonic()
        record = measure_one(name, sized[name], options)
        records = [kept for kept in records if kept.baseline != name] + [record]
        write_records(path, records)
        slowest = max(slowest, time.monotonic() - begin)
        print(line(name, record.values, record.reason, time.monotonic() - begin), flush=True)
    return todo


def measure_one(name: str, arch: Any, options: argparse.Namespace) -> Any:
    """The record of one baseline at the resolution of `arch`."""
    from nas import cost
    from nas.environment import environment
    from nas.meters import measure
    from nas.recipe import Timing
    from nas.record import Reading, Record

    timing = Timing(
        batch="auto",
        largest_batch=options.largest_batch,
        precision="bf16",
        memory_format="channels_last",
        tolerance=0.01,
        time_cap=options.seconds,
    )
    started, begin, spent = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic(), cost(arch)
    closed = {"tool": "closed form", "batch": 1, "resolution": arch.resolution}
    readings = {
        key: Reading(value, spread=0.0, conditions=closed)
        for key, value in (("params", spent.params), ("flops", spent.flops), ("activations", spent.activations))
    }
    reason = ""
    try:
        readings |= measure(arch, MEASURED, timing, device=options.device, seed=0)
    except Exception as error:  # one network that fails must not end the others
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if not reason and (absent := [key for key in MEASURED if key not in readings]):
        reason = f"not measurable here: {', '.join(absent)}"
    return Record(
        study="zoo",
        trial=None,
        state="complete" if any(key in readings for key in MEASURED) else "failed",
        arch=str(arch),
        id=arch.id,
        readings=readings,
        baseline=name,
        reason=reason,
        started=started,
        seconds=round(time.monotonic() - begin, 2),
        environment=environment(options.device),
    )


def line(name: str, values: dict[str, float], reason: str, seconds: float) -> str:
    """One line of progress."""
    train, infer = values.get("train_images_per_s"), values.get("infer_images_per_s")
    said = f"train {train:,.0f}  infer {infer:,.0f} images/s" if train and infer else reason or "incomplete"
    return f"{name:20} {said}  ({seconds:.0f} s)"


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
    parser.add_argument("--names", nargs="+", default=list(TRAIN_SIZES), choices=list(TRAIN_SIZES), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=6.0, help="time cap of a reading")
    parser.add_argument("--largest-batch", type=int, default=256)
    parser.add_argument("--scale", type=float, default=1.0, help="of the training sizes; below 1 only to try it out")
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
    from nas.meters import resolve_device
    from nas.meters.conditions import device_name

    try:
        folder = options.out / slug(device_name(resolve_device(options.device)))
        folder.mkdir(parents=True, exist_ok=True)
        todo = measure_zoo(options, folder, budget)
    except NasError as error:
        print(f"{error}\n{error.hint}")
        return 2
    print(f"zoo: {len(options.names) - len(todo)} of {len(options.names)} in {folder / 'records.jsonl'}", flush=True)
    finished = not todo and (not options.trials or search_on(options, folder, budget, run_search))
    if not finished:
        print("time is up: the same command goes on from here")
    return 0 if finished else 3


if __name__ == "__main__":
    sys.exit(main())
