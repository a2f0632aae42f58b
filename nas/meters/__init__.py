"""Meters: one metric each, measured by running the network. `METERS` lists them by metric key."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from torch import nn

from nas import nets
from nas.arch import Architecture
from nas.errors import NasError, nearest
from nas.meters.bench import Bench, as_found, resolve_device
from nas.meters.errors import FlopsMismatchError, UnmeasurableError
from nas.meters.flops import flops
from nas.meters.latency import latency_ms
from nas.meters.memory import peak_memory_mib
from nas.meters.throughput import infer_images_per_s, train_images_per_s
from nas.recipe import Timing
from nas.record import Reading

_log = logging.getLogger(__name__)


class Meter(Protocol):
    """Takes one reading of a network and leaves network and process as found.

    Raises: UnmeasurableError when the device cannot take it.
    """

    def __call__(self, net: nn.Module, bench: Bench) -> Reading: ...


METERS: dict[str, Meter] = {
    "flops": flops,
    "latency_ms": latency_ms,
    "infer_images_per_s": infer_images_per_s,
    "train_images_per_s": train_images_per_s,
    "peak_memory_mib": peak_memory_mib,
}


def measure(
    arch: Architecture, what: Sequence[str], timing: Timing, *, device: str, seed: int = 0
) -> dict[str, Reading]:
    """A reading for every metric of `what` that this device can take, in that order; the others are absent.

    Raises: NasError for an unknown metric or device; FlopsMismatchError when fvcore and `nas.cost` disagree.
    """
    for key in what:
        if key not in METERS:
            raise NasError(f"no meter measures '{key}'", nearest(key, METERS))
    bench = Bench(arch, timing, resolve_device(device), seed)
    with as_found(bench):
        net = nets.build(arch)
    readings = {}
    for key in what:
        try:
            readings[key] = METERS[key](net, bench)
        except UnmeasurableError as error:
            _log.warning("%s of network %s was not measured: %s", key, arch.id, error)
    return readings


__all__ = [
    "METERS",
    "Bench",
    "FlopsMismatchError",
    "Meter",
    "UnmeasurableError",
    "as_found",
    "measure",
    "resolve_device",
]
