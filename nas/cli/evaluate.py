"""`nas evaluate`: what trained weights are worth on held-out images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, NOTATION, Device, Json, Storage, pick_device
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.training.evaluation import Evaluation


def evaluate(  # noqa: PLR0913, PLR0917
    ref: Annotated[
        str, typer.Argument(help=f"A training's folder, a weights file that says its network; or {NOTATION}.")
    ],
    data: Annotated[str, typer.Option(envvar="NAS_DATA", help="fractals, digits, folder:PATH, cifar10:ROOT, …")],
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The network's weights; left out where REF has them.")
    ] = None,
    resolution: Annotated[int | None, typer.Option(min=8, max=2048, help="Pixels; else those of the weights.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 256,
    device: Device = "auto",
    storage: Storage = DEFAULT_STORAGE,
    json_output: Json = False,
) -> None:
    """Evaluate trained weights on the held-out images of a data set: accuracy, confusion, calibration.

    Examples:

      nas evaluate runs/mine/weights.safetensors --data fractals

      nas evaluate first:2 --weights runs/mine/weights.safetensors --data fractals --resolution 40
    """
    import torch

    from nas.cli.training_job import read_network
    from nas.data import load_data
    from nas.resources import is_folder
    from nas.training.evaluation import evaluate as measured
    from nas.training.weights import SUFFIX, weights_of

    chosen = torch.device(pick_device(device))
    file = weights or weights_of(ref) or Path(ref)
    if weights is None and file.suffix != SUFFIX and not is_folder(file):
        raise NasError(f"{ref}: no folder of a training, and a network has no weights of its own", "add --weights FILE")
    ready = read_network(ref if weights else "", file, storage)
    pixels = resolution or ready.arch.resolution
    found = load_data(data, resolution=pixels, device=chosen)
    if found.classes != ready.arch.classes:
        raise NasError(
            f"{weights or ref} tells {ready.arch.classes} classes apart; {found.name} has {found.classes}",
            "give the data that it was trained on, or train it on these: nas train REF --data … --weights …",
        )
    if ready.statistics:
        found = found.normalised(*ready.statistics)
    bf16 = ready.precision == "bf16" and chosen.type == "cuda"  # as when it was trained
    result = measured(ready.net.to(chosen), found.held, found.names, device=chosen, batch=batch, bf16=bf16)
    if found.held.skipped:
        console.say(f"note   {found.held.skipped:,} held-out files of {data} could not be read, and are not counted")
    if json_output:
        how = {"precision": "bf16" if bf16 else "fp32", "skipped_images": found.held.skipped}
        console.show_json({"arch": str(ready.arch), "data": data, "resolution": pixels, **how, **asdict(result)})
        return
    _print(result, data, pixels)


def _print(result: Evaluation, data: str, pixels: int) -> None:
    from nas.report.table import Column, Table, text

    five = "" if result.top5_pct is None else f"   top-5 {result.top5_pct:.2f} %"
    console.result().print(
        f"top-1 {result.top1_pct:.2f} %{five}   of {result.images:,} held-out images of {data} at {pixels} px, "
        f"{result.classes} classes\n"
        f"calibration error {result.calibration_error_pct:.2f} %   confidence {result.mean_confidence_pct:.2f} %   "
        f"cross-entropy {result.loss:.3f}",
        soft_wrap=True,
    )
    if not result.worst:
        return
    columns = (
        Column("class", "worst classes"), Column("images", "images", "number"),
        Column("recall", "recognised", "number"), Column("taken", "taken most for"),
        Column("share", "of them", "number"),
    )  # fmt: skip
    rows = [
        (one.name, one.images, f"{one.recall_pct:.1f} %", one.taken_for, f"{one.taken_pct:.1f} %")
        for one in result.worst
    ]
    table = Table("worst", "", columns, tuple(tuple(map(text, row)) for row in rows))
    console.show(console.as_rich(table))
