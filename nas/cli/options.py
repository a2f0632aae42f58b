"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_STORAGE = "sqlite:///nas.db"
NOTATION = "a shipped name, a YAML file, the one-line notation, or STUDY:TRIAL"
FOREIGN = "torchvision:NAME, timm:NAME or module:callable, with @PIXELS for another size"

Storage = Annotated[
    str, typer.Option(envvar="NAS_STORAGE", metavar="URL", help="Where studies live: any URL Optuna opens.")
]
Device = Annotated[
    str, typer.Option(envvar="NAS_DEVICE", metavar="auto|cpu|cuda|cuda:N", help="Where networks run; auto takes a GPU.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def pick_device(name: str) -> str:
    """`auto` resolved to what is there. Raises: NasError for a device this machine has not."""
    import torch

    from nas.meters import resolve_device

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(resolve_device(name))
