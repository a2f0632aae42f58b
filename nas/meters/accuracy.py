"""Held-out top-1 accuracy after the recipe's short training, and how long that took."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache

import torch

from nas.arch import Architecture
from nas.data import Data, load_data
from nas.foreign import Foreign
from nas.meters.conditions import device_conditions
from nas.meters.errors import UnmeasurableError
from nas.progressive import largest_side
from nas.record import Reading
from nas.training import memory_format, precision, proxy, proxy_resolution, train
from nas.training.proxy import FOREIGN_KEEPS, ProxyError, built, foreign_proxy
from nas.training_recipe import Training


def accuracy(arch: Architecture | Foreign, training: Training, *, device: str, seed: int) -> dict[str, Reading]:
    """Two readings of one training of `arch`, shrunk and trained as the recipe says.

    `top1_pct`: top-1 accuracy in percent on held-out images, and its curve. `train_seconds`: seconds of the steps with
    their data, evaluation left out. One training says nothing of its own noise: the spread is left open, and repeats
    with other seeds fill it.

    Raises: UnmeasurableError for a foreign network that the recipe would have to shrink.
    """
    where, pixels = torch.device(device), proxy_resolution(arch, training)
    source = _source(training.data, device, largest_side(training, pixels))
    data = source(pixels)
    if isinstance(arch, Foreign):
        small: Architecture | Foreign = _foreign(arch, training, data)
        result = train(built(small, seed), source, training, seed=seed, device=device, resolution=data.resolution)
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
    if isinstance(arch, Foreign):
        conditions |= FOREIGN_KEEPS
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


def _foreign(arch: Foreign, training: Training, data: Data) -> Foreign:
    try:
        return foreign_proxy(arch, training, data)
    except ProxyError as error:
        raise UnmeasurableError(str(error), error.hint) from None


def _source(spec: str, device: str, largest: int) -> Callable[[int], Data]:
    return lambda resolution: _data(spec, resolution, device, largest)


@lru_cache(maxsize=4)
def _data(spec: str, resolution: int, device: str, largest: int) -> Data:
    """A worker trains many networks on one data set, at one resolution or a few: keep the latest."""
    return load_data(spec, resolution=resolution, device=device, largest=largest)
