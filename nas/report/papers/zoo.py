"""Measured and counted networks by name, and the ratios between them, each within one device."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nas.record import Reading, Record, read_records

COUNTS = "counts"
HOW_COUNTED = "not counted here (nas measure --zoo --what params,flops,activations counts it)"
HOW_MEASURED = "not measured here (nas measure --zoo measures it)"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times `above` is `below`, and the noise of that number from the two readings' spreads."""

    value: float
    spread: float
    conditions: str


@dataclass(frozen=True, slots=True)
class Device:
    """Readings taken on one device, by network."""

    name: str
    records: tuple[Record, ...]

    def find(self, network: str, key: str = "") -> Record | None:
        """The complete record called `network` (baseline, notation, foreign reference); with `key`, one that has this
        reading."""
        for record in self.records:
            named = network in (record.baseline, record.arch, record.arch.partition("@")[0])
            if named and record.state == "complete" and (not key or key in record.readings):
                return record
        return None

    def ratio(self, key: str, above: str, below: str) -> Ratio | None:
        """Reading `key` of `above` divided by that of `below`; None where one was not taken. First order: relative
        spreads add in quadrature."""
        one, other = self.find(above, key), self.find(below, key)
        if one is None or other is None:
            return None
        top, bottom = one.readings[key], other.readings[key]
        if not (top.value and bottom.value):
            return None
        value = top.value / bottom.value
        noise = math.hypot((top.spread or 0) / top.value, (bottom.spread or 0) / bottom.value)
        return Ratio(value, value * noise, conditions(top))


@dataclass(frozen=True, slots=True)
class Zoo:
    """`counts`: params, FLOPs and activations of networks that nas has no notation for. `files`: path → digest of
    what was read."""

    counts: Device = field(default_factory=lambda: Device(COUNTS, ()))
    devices: tuple[Device, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def count(self, network: str, key: str) -> float | None:
        """The exact count `key` of `network`; None where nobody counted it."""
        record = self.counts.find(network, key)
        return None if record is None else record.value(key)


def load_zoo(folder: Path) -> Zoo:
    """The zoo under `folder`: counts/records.jsonl, and <device>/records.jsonl for every device. An absent folder is an
    empty zoo. Raises: RecordError for a file that does not read."""
    counts, devices, files = Device(COUNTS, ()), [], {}
    for path in sorted(folder.glob("*/records.jsonl")):
        device = Device(path.parent.name, tuple(read_records(path)))
        files[f"{path.parent.name}/{path.name}"] = _digest(path)
        if device.name == COUNTS:
            counts = device
        else:
            devices.append(device)
    return Zoo(counts, tuple(devices), files)


def load_own(paths: Iterable[Path]) -> Zoo:
    """The user's own records, one device per file. Raises: RecordError for a file that does not read."""
    found = [(path, Device(path.stem, tuple(read_records(path)))) for path in paths]
    return Zoo(devices=tuple(device for _, device in found), files={path.name: _digest(path) for path, _ in found})


def conditions(reading: Reading) -> str:
    """What a timing belongs to, in words: batch 8, 112 px, fp32."""
    said = reading.conditions
    parts = [
        f"batch {said['batch']}" if "batch" in said else "",
        f"{said['resolution']} px" if "resolution" in said else "",
        str(said.get("precision", "")),
    ]
    return ", ".join(part for part in parts if part)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def missing(zoo: Zoo) -> tuple[str, ...]:
    """What the zoo lacks and the commands that measure it, a sentence each."""
    found = []
    if not zoo.counts.records:
        how = "nas measure --zoo --what params,flops,activations"
        found.append(f"Networks that nas has no notation for are not counted here: run {how}.")
    if not zoo.devices:
        found.append("Times and throughputs are not measured here: run nas measure --zoo.")
    return tuple(found)
