"""Held-out top-1 accuracy after the recipe's short training, and how long that took."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from nas import nets
from nas.arch import Architecture
from nas.data import Data, load_data
from nas.foreign import LIBRARIES, Foreign
from nas.meters.conditions import device_conditions
from nas.meters.errors import UnmeasurableError
from nas.record import Reading
from nas.training import memory_format, precision, proxy, proxy_resolution, train
from nas.training_recipe import Training


def accuracy(arch: Architecture | Foreign, training: Training, *, device: str, seed: int) -> dict[str, Reading]:
    """Two readings of one training of `arch`, shrunk and trained as the recipe says.

    `top1_pct`: top-1 accuracy in percent on held-out images, and its curve. `train_seconds`: seconds of the steps with
    their data, evaluation left out. One training says nothing of its own noise: the spread is left open, and repeats
    with other seeds fill it.

    Raises: UnmeasurableError for a foreign network that the recipe would have to shrink.
    """
    where, source = torch.device(device), _source(training.data, device)
    data = source(proxy_resolution(arch, training))
    if isinstance(arch, Foreign):
        _check_width(arch, training)
        small: Architecture | Foreign = _foreign_proxy(arch, data)
        result = train(_built(small, seed), source, training, seed=seed, device=device, resolution=data.resolution)
    else:
        small = shrunk = proxy(arch, training, data.classes)
        result = train(shrunk, source, training, seed=seed, device=device)
    conditions = {
        "data": data.name,
        "held_out_images": len(data.held),
        "train_images": len(data.train),
        "skipped_images": data.skipped,
        **{key: value for key, value in training.said().items() if key != "data"},
        **device_conditions(where),
        # as it ran, where the recipe says auto, none or a scale
        "resolution": small.resolution,
        "batch": result.batch,
        "precision": precision(training, where),
        "memory_format": memory_format(training),
        "threads": training.threads or torch.get_num_threads(),
        "seed": seed,
    }
    if isinstance(arch, Foreign):  # it starts as its library makes it
        conditions |= {"dropout": "its own", "drop_path": "its own", "zero_init": False}
    detail = {
        "trained": str(small),
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "curve": [dataclasses.asdict(epoch) for epoch in result.curve],
    }
    return {
        "top1_pct": Reading(result.top1_pct, conditions=conditions, detail=detail),
        "train_seconds": Reading(round(result.training_s, 3), conditions=conditions, detail={"trained": str(small)}),
    }


def top1_pct(arch: Architecture | Foreign, training: Training, *, device: str, seed: int) -> Reading:
    """The accuracy alone, see `accuracy`."""
    return accuracy(arch, training, device=device, seed=seed)["top1_pct"]


def _check_width(arch: Foreign, training: Training) -> None:
    if training.width != 1:
        raise UnmeasurableError(
            f"{arch} cannot be trained at width {training.width:g}: only a network in nas' notation can be narrowed",
            "set training.width: 1.0",
        )


def _foreign_proxy(arch: Foreign, data: Data) -> Foreign:
    if arch.source not in LIBRARIES and arch.classes != data.classes:
        raise UnmeasurableError(f"{arch} tells {arch.classes} classes apart; {data.name} has {data.classes}")
    return dataclasses.replace(arch, resolution=data.resolution, classes=data.classes)


def _built(arch: Architecture | Foreign, seed: int) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return nets.build(arch)


def _source(spec: str, device: str) -> Callable[[int], Data]:
    return lambda resolution: _data(spec, resolution, device)


@lru_cache(maxsize=4)
def _data(spec: str, resolution: int, device: str) -> Data:
    """A worker trains many networks on one data set, at one resolution or a few: keep the latest."""
    return load_data(spec, resolution=resolution, device=device)
