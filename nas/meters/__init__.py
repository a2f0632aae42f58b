"""Meters: one metric each, measured by running the network. `METERS` lists them by metric key."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import nn

from nas import nets
from nas.arch import Architecture
from nas.errors import NasError, nearest, raised
from nas.foreign import LIBRARIES, Foreign, ForeignError
from nas.meters.bench import Bench, as_found, resolve_device
from nas.meters.counts import activations, image_flops, params
from nas.meters.errors import FlopsMismatchError, UnmeasurableError
from nas.meters.flops import flops
from nas.meters.latency import latency_ms
from nas.meters.memory import peak_memory_mib
from nas.meters.throughput import infer_images_per_s, train_images_per_s
from nas.metric import COMPUTED
from nas.recipe import Timing
from nas.record import Reading

_log = logging.getLogger(__name__)
_SINGLE_VALUE = "Expected more than 1 value per channel"  # what torch says of batch norm in training


class Meter(Protocol):
    """Takes one reading of a network and leaves network and process as found.

    Raises: UnmeasurableError when the device cannot take it.
    """

    def __call__(self, net: nn.Module, bench: Bench) -> Reading: ...


METERS: dict[str, Meter] = {
    "params": params,
    "flops": flops,
    "activations": activations,
    "latency_ms": latency_ms,
    "infer_images_per_s": infer_images_per_s,
    "train_images_per_s": train_images_per_s,
    "peak_memory_mib": peak_memory_mib,
}


def measure(
    arch: Architecture | Foreign, what: Sequence[str], timing: Timing, *, device: str, seed: int = 0
) -> dict[str, Reading]:
    """A reading for every metric of `what` that this device can take, in that order; the others are absent.

    Counts are of the network at its own resolution, whatever the timing's.

    Raises: NasError for an unknown metric or device, or a foreign network that cannot be built or run;
    FlopsMismatchError when fvcore and `nas.cost` disagree.
    """
    for key in what:
        if key not in METERS:
            raise NasError(f"no meter measures '{key}'", nearest(key, METERS))
    bench = Bench(arch, timing, resolve_device(device), seed)
    net = _built(bench)
    at_scale = (net, bench) if set(what) <= set(COMPUTED) else _at_scale(net, bench)
    readings = {}
    for key in what:
        try:
            with _blamed(bench, key):
                readings[key] = METERS[key](*((net, bench) if key in COMPUTED else at_scale))
        except UnmeasurableError as error:
            named = arch.id if isinstance(arch, Architecture) else arch
            _log.warning("%s of network %s was not measured: %s", key, named, error)
    return readings


def _built(bench: Bench) -> nn.Module:
    with as_found(bench):
        return nets.build(bench.arch)


def _at_scale(net: nn.Module, bench: Bench) -> tuple[nn.Module, Bench]:
    """`net` and `bench` for what is timed: a library's network built anew for the size of its images, which a vision
    transformer's weights depend on; and a foreign network's cost, where the automatic batch follows from it."""
    arch = bench.arch
    if not isinstance(arch, Foreign):
        return net, bench
    if arch.source in LIBRARIES and bench.resolution != arch.resolution:
        net = _built(dataclasses.replace(bench, arch=dataclasses.replace(arch, resolution=bench.resolution)))
    if bench.timing.batch == "auto" and not bench.on_gpu:
        with _blamed(bench, "cost"):
            bench = dataclasses.replace(bench, image_flops=image_flops(net, bench.resolution))
    return net, bench


@contextlib.contextmanager
def _blamed(bench: Bench, key: str) -> Iterator[None]:
    """What a foreign network raises while it runs is said of it, in one line. Raises: ForeignError; UnmeasurableError
    where batch norm saw a single value a channel, which another batch may mend."""
    try:
        yield
    except (NasError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if not isinstance(bench.arch, Foreign):
            raise
        if _SINGLE_VALUE in str(error):
            raise UnmeasurableError("batch norm saw one value a channel", "use a batch of at least 2") from error
        pixels = bench.arch.resolution if key in COMPUTED else bench.resolution
        raise ForeignError(
            f"{bench.arch}: measuring its {key} at {pixels} px raised {raised(error)}",
            "it may need other images: @PIXELS after the name, --resolution-scale",
        ) from error


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
