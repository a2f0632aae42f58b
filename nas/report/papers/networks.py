"""What a network of a paper costs, regenerated: closed form where nas ships it, counted in the zoo where not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from nas.arch import Architecture
from nas.cost import Cost, cost
from nas.metric import si
from nas.report.papers.comparison import Check
from nas.report.papers.facts import exact
from nas.report.papers.zoo import HOW_COUNTED, Device, Zoo
from nas.report.table import Cell, Column, text
from nas.space import load_architecture


@dataclass(frozen=True, slots=True)
class Network:
    """A network by what the paper calls it. `shipped`: a baseline of nas; `foreign`: `torchvision:NAME`, `timm:NAME`;
    `why`: the reason where there is neither."""

    shipped: str = ""
    foreign: str = ""
    why: str = ""


@lru_cache
def closed(name: str) -> Architecture:
    """The shipped network called `name`."""
    return load_architecture(name)


@lru_cache(maxsize=4096)
def closed_cost(arch: Architecture) -> Cost:
    """Its cost in closed form."""
    return cost(arch)


def count(name: str, key: str, zoo: Zoo) -> float | None:
    """`params` or `flops` of a shipped name (closed form) or a foreign reference (counted); None for neither."""
    if not name or ":" in name:
        return zoo.count(name, key) if name else None
    return float(getattr(closed_cost(closed(name)), key))


def regenerate(network: Network, key: str, printed: str, unit: float, zoo: Zoo, reason: str = "") -> Check:
    """A printed count (`params`, `flops`) beside ours in the same unit; `reason` where they differ."""
    value = count(network.shipped or network.foreign, key, zoo)
    if value is None:
        return Check(printed, None, f"{network.foreign}: {HOW_COUNTED}" if network.foreign else network.why)
    return Check(printed, value / unit, reason)


def published(printed: str) -> Cell:
    """A number that is the paper's own and is not judged; its digits are kept in CSV too."""
    return Cell(printed, str(exact(printed))) if printed else text(None)


def counted(value: int) -> Cell:
    """A count with an SI letter; whole in CSV."""
    return Cell(si(value), value)


def accuracy_columns(records: Zoo) -> tuple[Column, ...]:
    """One column for every file of the user's own records."""
    return tuple(
        Column(f"top1_pct_{device.name}", f"top-1 %, measured in {device.name}", "number", noisy=True)
        for device in records.devices
    )


def accuracies(network: Network, records: Zoo) -> tuple[Cell, ...]:
    """The held-out accuracy that each file of the user's own records has of `network`; '–' where it has none."""
    notation = [str(closed(network.shipped))] if network.shipped else []
    return own_accuracies((network.shipped, network.foreign, *notation), records)


def own_accuracies(names: tuple[str, ...], records: Zoo) -> tuple[Cell, ...]:
    """The same of the network that goes by any of these names."""
    return tuple(_accuracy(names, device) for device in records.devices)


def _accuracy(names: tuple[str, ...], device: Device) -> Cell:
    record = next((found for name in names if name and (found := device.find(name, "top1_pct"))), None)
    if record is None:
        return text(None)
    reading = record.readings["top1_pct"]
    shown = f"{reading.value:.1f}" + (f" ± {reading.spread:.1f}" if reading.spread else "")
    return Cell(shown, reading.value, reading.spread)
