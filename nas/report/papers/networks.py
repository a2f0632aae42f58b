"""What a network of a paper costs, regenerated: closed form where nas ships it, counted in the zoo where not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

from nas.arch import Architecture, Op
from nas.cost import Cost, cost
from nas.metric import si
from nas.report.papers.comparison import Check
from nas.report.papers.facts import exact
from nas.report.papers.zoo import HOW_COUNTED, Device, Zoo, training
from nas.report.table import Cell, Column, text
from nas.scaling import scale
from nas.space_file import load_architecture


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


def billions(arch: Architecture) -> float:
    """Multiply-adds of convolutions and linears for one image, in billions."""
    return closed_cost(arch).flops / 1e9


def millions(arch: Architecture) -> float:
    """Learnable scalars, in millions."""
    return closed_cost(arch).params / 1e6


def fused_b4(until: int, kernels: tuple[int, ...] = (3, 5, 5), se: bool = True) -> Architecture:
    """EfficientNet-B4 with Fused-MBConv in its first `until` stages, `kernels` in stages 3, 5 and 6 of those."""
    b4 = closed("efficientnet-b4")
    chosen = dict(zip((3, 5, 6), kernels, strict=True))
    return dataclasses.replace(
        b4,
        stages=tuple(
            dataclasses.replace(
                stage, op=Op.FUSED_MBCONV, kernel=chosen.get(number, stage.kernel), se=stage.se if se else 0.0
            )
            if number <= until
            else stage
            for number, stage in enumerate(b4.stages, 1)
        ),
    )


def unreleased() -> Architecture:
    """V2-B0 × (width 1.4, depth 1.8) at 380 px, by V2's rounding: the network of which V2-S's numbers were printed."""
    return dataclasses.replace(scale(closed("efficientnetv2-b0"), width=1.4, depth=1.8, floor=None), resolution=380)


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


def counted_on(network: Network, zoo: Zoo) -> str:
    """What a foreign network was counted on, as the reason of a difference; empty for another network."""
    record = zoo.counts.find(network.foreign) if network.foreign else None
    return f"counted on {record.arch}; the paper does not say where its number is from" if record else ""


def published(printed: str) -> Cell:
    """A number that is the paper's own and is not judged; its digits are kept in CSV too."""
    return Cell(printed, str(exact(printed))) if printed else text(None)


def counted(value: int) -> Cell:
    """A count with an SI letter; whole in CSV."""
    return Cell(si(value), value)


def accuracy_columns(records: Zoo) -> tuple[Column, ...]:
    """One column for every file of the user's own records; its head says what they were trained on, if all on one."""
    return tuple(
        Column(accuracy_key(device), f"top-1 %, own: {device.name}{_kind(device)}", "number", noisy=True)
        for device in records.devices
    )


def accuracy_key(device: Device) -> str:
    """The key of the column of one file of the user's own records."""
    return f"top1_pct_{device.name}"


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
    kind = "" if _kind(device) else f" ({training(reading)})"
    return Cell(f"{shown}{kind}", reading.value, reading.spread)


def _kind(device: Device) -> str:
    """What every accuracy of this file was trained on, in brackets; empty where they differ."""
    found = {training(record.readings["top1_pct"]) for record in device.records if "top1_pct" in record.readings}
    return f" ({found.pop()})" if len(found) == 1 else ""
