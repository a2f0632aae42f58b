"""`nas measure`: take readings of networks, without a search."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, NOTATION, Device, Json, Storage, pick_device
from nas.errors import NasError, nearest

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.recipe import Timing
    from nas.record import Reading

_WHAT = {
    "params": "params",
    "flops": "flops",
    "activations": "activations",
    "train": "train_images_per_s",
    "infer": "infer_images_per_s",
    "latency": "latency_ms",
    "memory": "peak_memory_mib",
}


def measure(  # noqa: PLR0913, PLR0917
    refs: Annotated[list[str], typer.Argument(metavar="REF…", help=f"Networks: {NOTATION}.")],
    what: Annotated[str, typer.Option(help=f"Comma-separated: {', '.join(_WHAT)}.")] = "params,flops,train,infer",
    batch: Annotated[
        str, typer.Option(help="Images a step, or auto: on GPU the largest power of two that fits, on CPU by FLOPs.")
    ] = "auto",
    resolution_scale: Annotated[float, typer.Option(help="Of each network's own resolution.")] = 1.0,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    memory_format: Annotated[str, typer.Option(help="auto, contiguous or channels_last.")] = "auto",
    compile_model: Annotated[bool, typer.Option("--compile/--no-compile", help="torch.compile.")] = False,
    tolerance: Annotated[float, typer.Option(help="Stop at this relative 95 % half-width.")] = 0.02,
    time_cap: Annotated[float, typer.Option(help="Seconds a reading may take.")] = 20.0,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    storage: Storage = DEFAULT_STORAGE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write a CSV file.")] = None,
    json_output: Json = False,
) -> None:
    """Measure networks on this machine: cost, train and inference throughput, latency, memory.

    Examples:

      nas measure efficientnet-b0 efficientnetv2-b0 --batch 16 -o ours.csv

      nas measure efficientnetv2-s --what train,memory --precision bf16 --device cuda
    """
    from nas.cli.refs import resolve
    from nas.document import validate
    from nas.recipe import Timing

    asked = _asked(what)
    timing = validate(
        Timing,
        {
            "batch": int(batch) if batch.isdecimal() else batch,
            "resolution_scale": resolution_scale,
            "precision": precision,
            "memory_format": memory_format,
            "compile": compile_model,
            "tolerance": tolerance,
            "time_cap": time_cap,
        },
        "measure",
    )
    networks = [(ref, resolve(ref, storage)) for ref in refs]
    if output is not None:
        _check_output(output)
    chosen = pick_device(device)
    rows = []
    for ref, arch in networks:
        console.say(f"measuring {ref}")
        rows.append((ref, arch, _readings(arch, asked, timing, chosen, seed)))
    if output is not None:
        _write_csv(output, rows)
    if json_output:
        console.show_json({"networks": [_document(*row) for row in rows]})
    else:
        _print(rows, asked)


def _check_output(path: Path) -> None:
    """A file that cannot be written is said before anything is measured."""
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise NasError(f"--output {path}: cannot be written: {error.strerror}", "name another file") from None
    if not existed:
        path.unlink()


def _asked(what: str) -> list[str]:
    words = [word.strip() for word in what.split(",") if word.strip()]
    for word in words:
        if word not in _WHAT:
            raise NasError(f"--what {word}: not something to measure", nearest(word, _WHAT))
    if not words:
        raise NasError("--what: nothing to measure", f"known: {', '.join(_WHAT)}")
    return [_WHAT[word] for word in dict.fromkeys(words)]


def _readings(arch: Architecture, asked: list[str], timing: Timing, device: str, seed: int) -> dict[str, Reading]:
    from nas.cost import cost
    from nas.meters import METERS, measure
    from nas.record import Reading

    measured = measure(arch, [key for key in asked if key in METERS], timing, device=device, seed=seed)
    spent = cost(arch)
    closed = {key: Reading(getattr(spent, key)) for key in asked if key in ("params", "activations")}
    return {key: reading for key in asked if (reading := {**closed, **measured}.get(key)) is not None}


def _document(ref: str, arch: Architecture, readings: dict[str, Reading]) -> dict[str, Any]:
    taken = {key: reading.to_json() for key, reading in readings.items()}
    return {"name": ref, "notation": str(arch), "id": arch.id, "readings": taken}


def _print(rows: list[tuple[str, Architecture, dict[str, Reading]]], asked: list[str]) -> None:
    from rich.table import Table

    from nas.metric import METRICS

    table = Table()
    table.add_column("Network")
    for key in asked:
        table.add_column(METRICS[key].label, justify="right")
    for ref, _, readings in rows:
        cells = []
        for key in asked:
            reading = readings.get(key)
            text = METRICS[key].format(None if reading is None else reading.value)
            if reading is not None and reading.spread:
                text += f" ± {METRICS[key].format(reading.spread)}"
            cells.append(text)
        table.add_row(ref, *cells)
    console.show(table)
    shown = {key: reading.conditions for _, _, readings in rows for key, reading in readings.items()}
    for key, conditions in shown.items():
        if key in ("params", "activations"):
            continue
        facts = ", ".join(f"{name} {value}" for name, value in conditions.items())
        console.result().print(f"{METRICS[key].label}: {facts}", soft_wrap=True, markup=False)


def _write_csv(path: Path, rows: list[tuple[str, Architecture, dict[str, Reading]]]) -> None:
    keys = list(dict.fromkeys(key for _, _, readings in rows for key in readings))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "notation", "id", *(column for key in keys for column in (key, f"{key}_spread"))])
    for ref, arch, readings in rows:
        cells: list[object] = []
        for key in keys:
            reading = readings.get(key)
            cells += [None, None] if reading is None else [reading.value, reading.spread]
        writer.writerow([ref, str(arch), arch.id, *cells])
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise NasError(f"--output {path}: cannot be written: {error.strerror}") from None
