"""`nas measure`: take readings of networks, without a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, FOREIGN, NOTATION, Device, Json, Storage, pick_device
from nas.errors import NasError, nearest

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.cli.readings import Row
    from nas.foreign import Foreign
    from nas.recipe import Timing
    from nas.record import Reading

WHAT = {
    "params": "params",
    "flops": "flops",
    "activations": "activations",
    "train": "train_images_per_s",
    "infer": "infer_images_per_s",
    "latency": "latency_ms",
    "memory": "peak_memory_mib",
}
DEFAULT_WHAT = "params,flops,train,infer"
DEFAULT_TIME_CAP = 20.0
DEFAULT_TOLERANCE = 0.02


def measure(  # noqa: PLR0913, PLR0917
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="REF…", help=f"Networks: {NOTATION}; {FOREIGN}.", show_default=False)
    ] = None,
    what: Annotated[
        str | None, typer.Option(help=f"Comma-separated: {', '.join(WHAT)}.", show_default=DEFAULT_WHAT)
    ] = None,
    batch: Annotated[
        str, typer.Option(help="Images a step, or auto: on GPU the largest power of two that fits, on CPU by FLOPs.")
    ] = "auto",
    resolution_scale: Annotated[float, typer.Option(help="Of each network's own resolution.")] = 1.0,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    memory_format: Annotated[str, typer.Option(help="auto, contiguous or channels_last.")] = "auto",
    compile_model: Annotated[bool, typer.Option("--compile/--no-compile", help="torch.compile.")] = False,
    tolerance: Annotated[float, typer.Option(help="Stop at this relative 95 % half-width.")] = DEFAULT_TOLERANCE,
    time_cap: Annotated[
        float | None,
        typer.Option(help="Seconds a reading may take.", show_default=f"{DEFAULT_TIME_CAP:g}, or the set's"),
    ] = None,
    zoo: Annotated[bool, typer.Option("--zoo", help="Measure the zoo, or those of it that REF… name.")] = False,
    zoo_set: Annotated[
        str, typer.Option("--set", help="Of the zoo: full or reduced.", show_default="full on GPU, reduced on CPU")
    ] = "",
    time_cap_total: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Of the zoo: start no network after 9m, 1h, …", show_default="9m on GPU, none on CPU"
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="Of the zoo: where DEVICE/records.jsonl is, or comes.")] = Path(
        "studies/zoo"
    ),
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    storage: Storage = DEFAULT_STORAGE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write FILE.csv, or add records to FILE.jsonl."),
    ] = None,
    json_output: Json = False,
) -> None:
    """Measure networks on this machine: cost, train and inference throughput, latency, memory.

    Examples:

      nas measure efficientnet-b0 efficientnetv2-b0 --batch 16 -o ours.csv

      nas measure torchvision:densenet169 timm:resnest101e@224 mymodule:make_net -o theirs.jsonl

      nas measure --zoo

      nas measure --zoo --what params,flops,activations
    """
    from nas.document import validate
    from nas.recipe import Timing

    if zoo:
        from nas.cli.zoo import measure_zoo

        if output is not None:
            raise NasError("--output: the zoo has its own place", "give --out DIR")
        given = {
            "--batch": batch != "auto",
            "--resolution-scale": resolution_scale != 1,
            "--precision": precision != "auto",
            "--memory-format": memory_format != "auto",
            "--compile": compile_model,
            "--tolerance": tolerance != DEFAULT_TOLERANCE,
            "--seed": seed != 0,
        }
        for option in (option for option, changed in given.items() if changed):
            raise NasError(
                f"{option}: the zoo's sets say how it is measured", "leave it out, or name networks without --zoo"
            )
        measure_zoo(refs or [], what or "", zoo_set, time_cap, time_cap_total, out, device, json_output)
        return
    if not refs:
        raise NasError("measure what?", "give networks, such as efficientnet-b0 or torchvision:densenet169, or --zoo")
    if zoo_set or time_cap_total:
        raise NasError(f"{'--set' if zoo_set else '--time-cap-total'}: only the zoo has it", "add --zoo")
    from nas.cli.readings import records_in, show_readings, write_output
    from nas.cli.refs import resolve_network

    asked = keys_of(DEFAULT_WHAT if what is None else what)
    timing = validate(
        Timing,
        {
            "batch": int(batch) if batch.isdecimal() else batch,
            "resolution_scale": resolution_scale,
            "precision": precision,
            "memory_format": memory_format,
            "compile": compile_model,
            "tolerance": tolerance,
            "time_cap": DEFAULT_TIME_CAP if time_cap is None else time_cap,
        },
        "measure",
    )
    networks = [(ref, resolve_network(ref, storage)) for ref in refs]
    earlier = [] if output is None else records_in(output)
    if earlier:
        console.say(f"{output} has {len(earlier)} records: they stay, but for those measured again")
    chosen = pick_device(device)
    rows: list[Row] = []

    def keep(row: Row) -> None:
        rows.append(row)
        if output is not None:
            write_output(output, rows, earlier, (chosen, seed))

    try:
        failed = _measure_each(networks, lambda arch: _readings(arch, asked, timing, chosen, seed), keep)
    finally:  # what was measured is kept and shown, whatever happens to the next
        if rows:
            show_readings(rows, asked, as_json=json_output)
    if failed is not None:
        raise failed
    lacking = [row.ref for row in rows if not row.readings]
    for ref in lacking:
        console.say(f"{ref}: nothing asked for could be measured here; the line above says why")
    if len(lacking) == len(rows):
        raise typer.Exit(4)


def _measure_each(
    networks: Sequence[tuple[str, Architecture | Foreign]],
    take: Callable[[Architecture | Foreign], dict[str, Reading]],
    keep: Callable[[Row], None],
) -> NasError | None:
    """Take and keep the readings of every network; the first error, once the others were measured all the same."""
    from nas.cli.readings import Row

    failed = None
    for ref, arch in networks:
        console.say(f"measuring {ref}")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            readings = take(arch)
        except NasError as error:
            console.say(f"{ref} was not measured: {error}")
            failed = failed or error
            continue
        keep(Row(ref, arch, readings, started))
    return failed


def keys_of(what: str) -> list[str]:
    """The metrics that a comma-separated list names, each once. Raises: NasError for an unknown word."""
    words = [word.strip() for word in what.split(",") if word.strip()]
    for word in words:
        if word not in WHAT:
            raise NasError(f"--what {word}: not something to measure", nearest(word, WHAT))
    if not words:
        raise NasError("--what: nothing to measure", f"known: {', '.join(WHAT)}")
    return [WHAT[word] for word in dict.fromkeys(words)]


def _readings(
    arch: Architecture | Foreign, asked: list[str], timing: Timing, device: str, seed: int
) -> dict[str, Reading]:
    from nas.arch import Architecture
    from nas.cost import cost
    from nas.meters import measure
    from nas.record import Reading

    closed: dict[str, Reading] = {}
    if isinstance(arch, Architecture):  # FLOPs are traced all the same, and held against the closed form
        spent = cost(arch)
        closed = {key: Reading(getattr(spent, key)) for key in asked if key in ("params", "activations")}
    measured = measure(arch, [key for key in asked if key not in closed], timing, device=device, seed=seed)
    return {key: reading for key in asked if (reading := {**closed, **measured}.get(key)) is not None}
