"""Held-out top-1 accuracy after the recipe's short training."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch

from nas.arch import Architecture
from nas.data import Data, load_data
from nas.meters.conditions import device_conditions
from nas.recipe import Training
from nas.record import Reading
from nas.training import memory_format, precision, proxy, proxy_resolution, train


def top1_pct(arch: Architecture, training: Training, *, device: str, seed: int) -> Reading:
    """Top-1 accuracy in percent on held-out images of `arch`, shrunk and trained as the recipe says, and its curve.

    One training says nothing of its own noise: the spread is left open, and repeats with other seeds fill it.
    """
    where = torch.device(device)
    data = _data(training.data, proxy_resolution(arch, training), device)
    small = proxy(arch, training, data.classes)
    result = train(small, data, training, seed=seed, device=device)
    conditions = {
        "data": data.name,
        "held_out_images": len(data.held),
        "train_images": len(data.train),
        "skipped_images": data.skipped,
        **training.model_dump(mode="json", exclude={"data"}),
        **device_conditions(where),
        # as it ran, where the recipe says auto, none or a scale
        "resolution": small.resolution,
        "batch": result.batch,
        "precision": precision(training, where),
        "memory_format": memory_format(training),
        "threads": training.threads or torch.get_num_threads(),
        "seed": seed,
    }
    detail = {
        "trained": str(small),
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "curve": [dataclasses.asdict(epoch) for epoch in result.curve],
    }
    return Reading(result.top1_pct, conditions=conditions, detail=detail)


@lru_cache(maxsize=4)
def _data(spec: str, resolution: int, device: str) -> Data:
    """A worker trains many networks on one data set, at one resolution or a few: keep the latest."""
    return load_data(spec, resolution=resolution, device=device)
