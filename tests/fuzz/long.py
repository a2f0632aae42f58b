"""The long run: python -m tests.fuzz.long --inputs 100000. Prints the tally; exit 5 where anything failed."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
_LONGEST = 3_600  # seconds of one target


def run(inputs: int, seed: int, limit_s: float, only: list[str], engines: list[str]) -> list[dict[str, Any]]:
    """The tally of every target and engine, one after the other, each in a process of its own."""
    done = []
    for name, target in TARGETS.items():
        if only and name not in only:
            continue
        for engine, count in _shares(target, inputs, engines).items():
            with tempfile.TemporaryDirectory(prefix="nas-fuzz-") as folder:
                done.append(_one(name, engine, count, seed, Path(folder) / "target", limit_s))
            tally = done[-1]
            print(row(tally), file=sys.stderr, flush=True)
    return done


def _shares(target: Target, inputs: int, engines: list[str]) -> dict[str, int]:
    """Engine → inputs of this target."""
    whole = max(1, round(inputs * target.share))
    used = [engine for engine in engines if engine == "hypothesis" or target.covered]
    return {engine: whole // len(used) + (number < whole % len(used)) for number, engine in enumerate(used)}


def _one(name: str, engine: str, count: int, seed: int, folder: Path, limit_s: float) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.fuzz.one", name, engine, str(count), str(seed), str(folder), str(limit_s)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST, check=False)
    tally: dict[str, Any] = {"target": name, "engine": engine, "inputs": 0, "accepted": 0, "refused": 0, "failures": []}
    tally |= {"valid_ms": 0.0, "slowest_ms": 0.0, "peak_mib": 0.0}
    if (folder / "tally.json").exists():
        tally = json.loads((folder / "tally.json").read_text(encoding="utf-8"))
    if ended.returncode or tally["inputs"] < count:
        said = (ended.stderr or ended.stdout).strip()
        said = said if len(said) < 2_000 else f"{said[:400]} … {said[-1_600:]}"
        tally["failures"].append({"problem": f"the process ended with {ended.returncode}: {said}", "input": ""})
    return tally


HEAD = """\
| target | engine | inputs | accepted | refused | valid, ms | slowest, ms | memory, MiB | failures |
|---|---|--:|--:|--:|--:|--:|--:|--:|"""


def row(tally: dict[str, Any]) -> str:
    """One line of the table."""
    numbers = f"{tally['inputs']:,} | {tally['accepted']:,} | {tally['refused']:,}"
    worst = f"{tally['valid_ms']:.0f} | {tally['slowest_ms']:.0f} | {tally['peak_mib']:.0f} | {len(tally['failures'])}"
    return f"| {tally['target']} | {tally['engine']} | {numbers} | {worst} |"


def total(tallies: list[dict[str, Any]]) -> dict[str, Any]:
    """The last line: sums, and the worst of each."""
    summed = {key: sum(tally[key] for tally in tallies) for key in ("inputs", "accepted", "refused")}
    worst = {key: max(tally[key] for tally in tallies) for key in ("valid_ms", "slowest_ms", "peak_mib")}
    failures = [failure for tally in tallies for failure in tally["failures"]]
    return {"target": "all", "engine": "", **summed, **worst, "failures": failures}


def main() -> None:
    """Run, print the table, write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit-s", type=float, default=1.0, help="processor seconds beyond those of a valid input")
    parser.add_argument("--only", action="append", default=[], choices=list(TARGETS))
    parser.add_argument("--engine", action="append", default=[], choices=["hypothesis", "atheris"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    tallies = run(asked.inputs, asked.seed, asked.limit_s, asked.only, asked.engine or ["hypothesis", "atheris"])
    whole = total(tallies)
    if asked.json:
        about = {"inputs": asked.inputs, "seed": asked.seed, "limit_s": asked.limit_s}
        asked.json.write_text(json.dumps({**about, "targets": tallies}, indent=1) + "\n", encoding="utf-8")
    print("\n".join([HEAD, *map(row, tallies), row(whole)]))
    for failure in whole["failures"]:
        print(f"\n{failure['problem']}\n    {failure['input'][:400]!r}")
    sys.exit(5 if whole["failures"] else 0)


if __name__ == "__main__":
    main()
