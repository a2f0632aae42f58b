"""How long the closed-form grid takes, and how much memory, against the number of its triples. One core.

    python benchmarks/grid.py            # about half a minute; writes benchmarks/results/grid.json

Every grid is made in a process of its own with an empty cache. Seconds are of that process on its core, so that
neighbours on a shared machine count for less; memory is its highest, what Python and numpy take included. Pixels are
whole (`--pixels 1`), which makes the most distinct networks. "every" has a tolerance that lets each triple pass, so
that each network is made: no question needs it, and what is asked for is said of the others. Beside it: scaling and
counting triples one by one, from a sample; the sample's costs must be the grid's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

STEPS = (0.1, 0.05, 0.025, 0.0125, 0.01)  # 1,331 … 1,030,301 triples over [1, 2]³
BASES = ("efficientnet-b0", "efficientnetv2-xl")
ASKED_SECONDS, ASKED_MIB = 10.0, 2048.0
SAMPLE = 300


def one(base: str, constraint: str, step: float) -> dict[str, float]:
    """Makes one grid in this process: seconds, MiB, and what one-by-one counting of a sample says and takes."""
    from nas.cost import block_cost, cost
    from nas.grid import grid
    from nas.scaling import scale
    from nas.space_file import load_architecture

    origin = load_architecture(base)
    started = time.process_time()
    if constraint == "every":  # the widest tolerance: no triple is left out
        found = grid(origin, step=step, target=16.5, tolerance=16, pixels=1)
    else:
        found = grid(origin, step=step, constraint=constraint, pixels=1)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    triples = [(member, triple) for member in found.members for triple in member.triples]
    drawn = random.Random(0).sample(triples, min(SAMPLE, len(triples)))
    block_cost.cache_clear()
    started = time.process_time()
    counted = [cost(scale(origin, depth=a, width=b, resolution=c)) for _, (a, b, c) in drawn]
    each = (time.process_time() - started) / len(drawn)
    if counted != [member.cost for member, _ in drawn]:
        raise SystemExit(f"{base}, {constraint}, {step}: the grid does not cost what its networks cost")
    return {
        "triples": found.considered,
        "passed": found.passed,
        "networks": len(found.members),
        "seconds": round(seconds, 3),
        "peak_mib": round(peak, 1),
        "one_by_one_seconds": round(each * found.considered, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=3, metavar=("BASE", "CONSTRAINT", "STEP"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "grid.json")
    options = parser.parse_args()
    if options.one:
        base, constraint, step = options.one
        print(json.dumps(one(base, constraint, float(step))))
        return

    from nas.environment import environment

    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    rows = []
    print(
        f"{'base':20}{'constraint':12}{'triples':>11}{'passed':>11}{'networks':>10}{'seconds':>9}{'MiB':>7}"
        f"{'1 by 1, s':>11}"
    )
    for base in BASES:
        for constraint in ("nominal", "real", "every"):
            for step in STEPS:
                command = [sys.executable, __file__, "--one", base, constraint, str(step)]
                done = subprocess.run(
                    command, env={**os.environ, **threads}, capture_output=True, text=True, check=True
                )
                row = {"base": base, "constraint": constraint, "step": step, **json.loads(done.stdout)}
                rows.append(row)
                print(
                    f"{base:20}{constraint:12}{row['triples']:>11,}{row['passed']:>11,}{row['networks']:>10,}"
                    f"{row['seconds']:>9.2f}{row['peak_mib']:>7.0f}{row['one_by_one_seconds']:>11,.0f}"
                )
    asked = [row for row in rows if row["constraint"] != "every"]
    slowest, largest = (max(row[key] for row in asked) for key in ("seconds", "peak_mib"))
    longest, most = (max(row[key] for row in rows) for key in ("seconds", "peak_mib"))
    met = slowest <= ASKED_SECONDS and largest <= ASKED_MIB
    print(
        f"asked for: {ASKED_SECONDS:g} s and {ASKED_MIB:g} MiB on one core; most of nominal and real here: "
        f"{slowest:.2f} s, {largest:.0f} MiB: {'met' if met else 'NOT met'}. Every network made, which nothing asks "
        f"for: {longest:.2f} s, {most:.0f} MiB"
    )
    result = {
        "benchmark": "grid",
        "range": [1, 2],
        "target": 2,
        "tolerance": 0.1,
        "pixels": 1,
        "grids": rows,
        "environment": {
            **{key: value for key, value in environment("cpu").items() if key != "platform"},
            "threads": 1,
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
