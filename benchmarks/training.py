"""Experiments on training, through the command line, as anybody would run them.

    python benchmarks/training.py progressive        plain against progressive learning, at equal epochs
    python benchmarks/training.py self-training      a Noisy Student of few labels, beside its teacher at equal steps

Runs take turns, seed by seed, each in a process of its own; a run that stands in results.jsonl is not repeated. On a
GPU: --device cuda --network efficientnetv2-s --data folder:PATH --pixels 300 --from-pixels 128 --batch 256 --epochs 90.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = (
    "arch", "data", "top1_pct", "held_out_images", "seconds", "training_s", "expected_s", "steps", "batch", "seed",
    "recipe", "rounds", "labels", "environment",
)  # fmt: skip


def progressive(options: argparse.Namespace) -> dict[str, list[str]]:
    """The ways to train: constant size and regularisation; sizes that grow; and regularisation that grows with them."""
    end = {"resolution": options.pixels, "randaugment": 9, "mixup": 0.2, "dropout": 0.2}
    start = {"stages": 4, "resolution": options.from_pixels}
    adaptive = {**start, "randaugment": 0, "mixup": 0.0, "dropout": 0.0}
    return {
        "plain": sets(end),
        "sizes only": sets(end) + sets(start, "progressive."),
        "progressive": sets(end) + sets(adaptive, "progressive."),
    }


def self_training(options: argparse.Namespace) -> dict[str, list[str]]:
    """Two rounds after the teacher, which `nas train` gives about as many steps as each of its students."""
    noise = sets({"resolution": options.pixels, "randaugment": 9, "dropout": 0.2, "drop_path": 0.1})
    labels = ["--labels", str(options.labels)]
    return {
        f"confidence {least}": [*noise, *labels, "--rounds", "2", "--confidence", least] for least in ("0.3", "0.9")
    }


def sets(values: dict[str, float], prefix: str = "") -> list[str]:
    return [word for key, value in values.items() for word in ("--set", f"{prefix}{key}={value}")]


def run(words: list[str], folder: Path) -> dict[str, object]:
    """The result of one `nas train`, in a process of its own."""
    command = [sys.executable, "-m", "nas", "train", *words, "-o", str(folder / "run"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    found = json.loads(done.stdout)
    return {"command": f"nas train {' '.join(words)}", **{key: found[key] for key in KEPT if key in found}}


def rows(results: list[dict[str, object]]) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """What is compared: every way, and of rounds every round."""
    ways = list(dict.fromkeys(str(result["way"]) for result in results))
    for way in ways:
        own = [result for result in results if result["way"] == way]
        if "rounds" not in own[0]:
            yield way, own  # type: ignore[misc]
            continue
        for number in range(len(own[0]["rounds"])):  # type: ignore[arg-type]
            yield f"{way}, round {number}", [result["rounds"][number] for result in own]  # type: ignore[index]


def table(results: list[dict[str, object]]) -> str:
    """Markdown: mean and standard deviation over the seeds of accuracy, and of seconds where they were taken."""
    lines = ["| way | top-1, mean ± s (each seed) | training, mean ± s | expected before |", "|---|---|---|---|"]
    for name, own in rows(results):
        each = ", ".join(f"{one['top1_pct']:.1f}" for one in own)
        seconds = spread([one["training_s"] for one in own], "s") if "training_s" in own[0] else "–"
        expected = f"{statistics.mean(one['expected_s'] for one in own):.1f} s" if "expected_s" in own[0] else "–"
        lines.append(f"| {name} | {spread([one['top1_pct'] for one in own], '%')} ({each}) | {seconds} | {expected} |")
    return "\n".join(lines)


def spread(values: list[float], unit: str) -> str:
    s = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{s} {unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("progressive", "self-training"))
    parser.add_argument("--network", default="efficientnetv2-b0")
    parser.add_argument("--data", default="")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--pixels", type=int, default=0)
    parser.add_argument("--from-pixels", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--labels", type=int, default=8, help="kept of each class")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    first = options.what == "progressive"
    options.pixels = options.pixels or (96 if first else 32)
    options.epochs = options.epochs or (16 if first else 8)
    data = options.data or ("fractals:64x16" if first else "fractals")
    out = options.out or ROOT / "studies" / ("progressive-training" if first else "self-training")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.jsonl"
    results = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    ways = (progressive if first else self_training)(options)
    common = [
        options.network, "--data", data, "--recipe", "short", "--epochs", str(options.epochs), "--batch",
        str(options.batch), "--device", options.device, *sets({"width": options.width}), "--set",
        f"threads={options.threads}",
    ]  # fmt: skip
    for seed in range(options.seeds):
        for way, words in ways.items():
            if any((result["way"], result["seed"]) == (way, seed) for result in results):
                continue
            with tempfile.TemporaryDirectory() as folder:
                result = run([*common, *words, "--seed", str(seed)], Path(folder))
            results.append({"way": way, **result})
            path.write_text("".join(json.dumps(one, sort_keys=True) + "\n" for one in results))
            print(
                f"seed {seed}, {way}: top-1 {result['top1_pct']:.2f} %, {result['training_s']:.1f} s", file=sys.stderr
            )
    print(table(results))


if __name__ == "__main__":
    main()
