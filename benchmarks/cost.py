"""How fast `nas.cost` counts networks on one core, beside fvcore counting one small network.

    python benchmarks/cost.py            # about ten seconds; writes benchmarks/results/cost.json

Each sample is counted twice: with an empty cache of blocks, and again with a warm one, as in the middle of a search.
Seconds are of the process on its core, so that neighbours on a shared machine count for less. The ratio to fvcore is
taken in turns, on the same network, and both must say the same FLOPs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

import nas
from nas.cost import block_cost
from nas.environment import environment
from nas.resources import names
from nas.space_file import load_space

ASKED = 1_000  # networks a second on one core
SMALL = nas.parse("r64 s16 f1k3s1c16n1 f4k3s2c24n2 m4k3s2c48n2se0.25 m6k5s2c96n2se0.25 h256")


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def rates(space_name: str, count: int) -> dict[str, float]:
    """Networks a second: cost with an empty and a warm cache, and drawing a member (decoding included)."""
    space = load_space(space_name)
    archs: list[nas.Architecture] = []
    drawing = seconds(lambda: archs.extend(space.samples(count, seed=0)))
    block_cost.cache_clear()
    cold = seconds(lambda: [nas.cost(arch) for arch in archs])
    warm = seconds(lambda: [nas.cost(arch) for arch in archs])
    return {"cold": count / cold, "warm": count / warm, "drawn": count / drawing}


def against_fvcore(rounds: int) -> dict[str, float]:
    """Milliseconds to count one small network: closed form with an empty cache, and fvcore tracing the built module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

    net = nas.build(SMALL).eval()
    image = torch.zeros(1, 3, SMALL.resolution, SMALL.resolution)
    ours, theirs = [], []
    for _ in range(rounds):
        block_cost.cache_clear()
        ours.append(seconds(lambda: nas.cost(SMALL)))
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            analysis = FlopCountAnalysis(net, image).unsupported_ops_warnings(False).tracer_warnings("none")
            theirs.append(seconds(analysis.by_operator))
        counted = analysis.by_operator()
        if counted["conv"] + counted["linear"] != nas.cost(SMALL).flops:
            raise SystemExit(f"{SMALL}: fvcore counts {counted}, nas.cost {nas.cost(SMALL)}")
    mine, other = statistics.median(ours), statistics.median(theirs)
    return {"nas_ms": mine * 1e3, "fvcore_ms": other * 1e3, "fvcore_over_nas": other / mine}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3_000, help="networks drawn from each space")
    parser.add_argument("--rounds", type=int, default=15, help="turns of nas.cost and fvcore")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cost.json")
    options = parser.parse_args()
    torch.set_num_threads(1)

    spaces = {name: rates(name, options.count) for name in names("search_spaces")}
    print(f"{'networks a second':24}{'empty cache':>14}{'warm cache':>14}{'drawn':>14}")
    for name, rate in spaces.items():
        print(f"{name:24}{rate['cold']:>14,.0f}{rate['warm']:>14,.0f}{rate['drawn']:>14,.0f}")
    turns = against_fvcore(options.rounds)
    print(
        f"\none small network ({SMALL.id}): nas.cost {turns['nas_ms']:.2f} ms, fvcore {turns['fvcore_ms']:.1f} ms: "
        f"{turns['fvcore_over_nas']:,.0f} times as long"
    )
    slowest = min(rate["cold"] for rate in spaces.values())
    print(f"asked for: {ASKED:,} a second; slowest here: {slowest:,.0f}: {'met' if slowest >= ASKED else 'NOT met'}")

    result = {
        "benchmark": "cost",
        "networks_per_space": options.count,
        "networks_per_s": {name: {key: round(value) for key, value in rate.items()} for name, rate in spaces.items()},
        "small_network": str(SMALL),
        "against_fvcore": {key: round(value, 3) for key, value in turns.items()},
        "environment": {key: value for key, value in environment("cpu").items() if key != "platform"},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
