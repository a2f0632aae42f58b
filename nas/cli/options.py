"""Options that several commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
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
EngineName = Annotated[
    str, typer.Option("--engine", envvar="NAS_ENGINE", metavar="local|ray|slurm", help="What runs the workers.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(envvar="NAS_RAY_ADDRESS", metavar="auto|HOST:PORT", help="The Ray cluster; else one of its own."),
]
RayOpen = Annotated[bool, typer.Option("--ray-open", help="Join a Ray cluster that asks for no token.")]
SlurmParameter = Annotated[
    list[str] | None, typer.Option("--slurm", metavar="KEY=VALUE", help="Of Slurm's jobs: partition=gpu. Repeat.")
]
LogJson = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write what happens as JSON lines, one an event; - for stdout.")
]
MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65_535, help="Serve Prometheus metrics on 127.0.0.1 at this port.")
]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Run module:callable that a recipe names.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


_GPUS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")  # a driver's: NVIDIA, Jetson, WSL, AMD


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether the option stands on the command line itself, and not only in the environment or a settings file."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def pick_device(name: str, *, here: bool = True) -> str:
    """`auto` resolved to what is there. Unless it is used `here`, cpu and cuda are taken as they are.

    Raises: NasError for a device this machine has not.
    """
    if name == "cpu" or (not here and name == "cuda"):
        return name  # and torch, seconds of imports, need not be asked
    if name == "auto" and sys.platform == "linux" and not any(map(os.path.exists, _GPUS)):
        return "cpu"

    import torch

    from nas.meters import resolve_device

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(resolve_device(name))
