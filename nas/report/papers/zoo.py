"""Measured and counted networks by name; what a reading belongs to, in words."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nas.record import Reading, Record, read_records
from nas.resources import shipped

COUNTS = "counts"
HOW_COUNTED = "not counted here (nas measure --zoo --what params,flops,activations counts it)"
HOW_MEASURED = "not measured here (nas measure --zoo measures it)"


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
    """The zoo under `folder`: counts/records.jsonl, and <device>/records.jsonl for every device.

    Counts hold on every device: those that ship follow the folder's own. An absent folder has no devices. Raises:
    RecordError for a file that does not read.
    """
    base = shipped_counts()
    counts, devices, files = base.counts.records, [], dict(base.files)
    for path in sorted(folder.glob("*/records.jsonl")):
        name, digest = f"{path.parent.name}/{path.name}", _digest(path)
        if path.parent.name != COUNTS:
            devices.append(Device(path.parent.name, tuple(read_records(path))))
        elif digest not in files.values():
            counts = (*read_records(path), *counts)
            files = {f"shipped {one}" if one == name else one: known for one, known in files.items()}
        files[name] = digest
    return Zoo(Device(COUNTS, counts), tuple(devices), files)


def shipped_counts() -> Zoo:
    """The exact counts that ship with nas, and no device."""
    paths = sorted((shipped("studies") / "zoo" / COUNTS).glob("records.jsonl"))
    records = tuple(record for path in paths for record in read_records(path))
    return Zoo(Device(COUNTS, records), files={f"{COUNTS}/{path.name}": _digest(path) for path in paths})


def load_own(paths: Iterable[Path]) -> Zoo:
    """The user's own records, one device per file, named by the file; by its folder where the file is records.jsonl,
    and numbered where two would be called the same. Raises: RecordError for a file that does not read."""
    devices, files = [], {}
    taken: Counter[str] = Counter()
    for path in paths:
        folders = [part for part in path.resolve().parent.parts if part not in ("/", "data")]
        name = folders[-1] if path.stem == "records" and folders else path.stem
        taken[name] += 1
        name += f"-{taken[name]}" if taken[name] > 1 else ""
        devices.append(Device(name, tuple(read_records(path))))
        files[name] = _digest(path)
    return Zoo(devices=tuple(devices), files=files)


def conditions(reading: Reading) -> str:
    """What a timing belongs to, in words: batch 8, 112 px, fp32."""
    said = reading.conditions
    parts = [
        f"batch {said['batch']}" if "batch" in said else "",
        f"{said['resolution']} px" if "resolution" in said else "",
        str(said.get("precision", "")),
    ]
    return ", ".join(part for part in parts if part)


def training(reading: Reading) -> str:
    """What an accuracy of one's own was trained on, in words: proxy: fractals, 32 px, width × 0.25, 3 epochs."""
    said = reading.conditions
    parts = [
        str(said.get("data", "")),
        f"{said['resolution']} px" if "resolution" in said else "",
        f"width × {said['width']:g}" if said.get("width", 1) != 1 else "",
        f"{said['epochs']} epochs" if "epochs" in said else "",
    ]
    known = ", ".join(part for part in parts if part)
    if not known:
        return "its data are not stated"
    shrunk = said.get("width", 1) != 1 or not str(said.get("data", "")).startswith(("folder", "imagenet"))
    return f"proxy: {known}" if shrunk else f"own training: {known}"


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
