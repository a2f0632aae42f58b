"""Times as ratios within one device: the ratio that a paper prints beside the ratio that was measured here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import number
from nas.report.papers.networks import published
from nas.report.papers.zoo import HOW_MEASURED, Device, Ratio, Zoo, conditions
from nas.report.table import Column, text

Key = Literal["train_images_per_s", "infer_images_per_s", "latency_ms"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks and how many times as fast `fast` is as `slow`, as published on `device`.

    Each is a name of the zoo, or several whose times are averaged (the sizes of progressive learning). `key`: the
    reading. `values`: the two published numbers, in the order (slow, fast), and whether they are times or rates;
    `printed`: the ratio, where the paper prints one. `why`: what keeps it from being measured at all.
    """

    label: str
    slow: tuple[str, ...]
    fast: tuple[str, ...]
    key: Key
    values: tuple[str, str]
    kind: Literal["time", "rate"]
    device: str
    source: str
    printed: str = ""
    why: str = ""

    @property
    def ratio(self) -> str:
        """The printed ratio, or that of the two published numbers to two digits."""
        if self.printed:
            return self.printed
        slow, fast = (number(value) for value in self.values)
        return two_digits(slow / fast if self.kind == "time" else fast / slow)

    def measured(self, device: Device) -> Ratio | None:
        """The same ratio on this device; None where one of the networks was not timed."""
        slow, fast = time(self.slow, self.key, device), time(self.fast, self.key, device)
        if slow is None or fast is None:
            return None
        value = slow[0] / fast[0]
        return Ratio(value, value * math.hypot(slow[1] / slow[0], fast[1] / fast[0]), "")


def time(networks: tuple[str, ...], key: str, device: Device) -> tuple[float, float] | None:
    """(time for one image, its spread) of the networks' mean, in the reading's unit or the inverse of its rate."""
    times, spreads = [], []
    for network in networks:
        record = device.find(network, key)
        if record is None or not record.readings[key].value:
            return None
        reading = record.readings[key]
        each = reading.value if key == "latency_ms" else 1 / reading.value
        times.append(each)
        spreads.append(each * (reading.spread or 0) / reading.value)
    return sum(times) / len(times), math.hypot(*spreads) / len(times)


def two_digits(value: float) -> str:
    """A ratio as the papers print one: 0.97, 2.5, 11."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def compare(name: str, title: str, pairs: tuple[Pair, ...], zoo: Zoo, note: str = "") -> Comparison:
    """One row per pair and device; without a device, one per pair that says how to measure."""
    lines = tuple(_line(pair, device) for pair in pairs for device in (zoo.devices or (None,)))
    columns = (
        Column("pair", "speed of ÷ speed of"),
        Column("published_on", "published on"),
        Column("first_published", "first, published", "number"),
        Column("second_published", "second, published", "number"),
        Column("measured_on", "measured on"),
        Column("conditions", "at (first; second)"),
    )
    return Comparison(name, title, columns, (Quantity("speedup", "speed-up"),), lines, note)


def _line(pair: Pair, device: Device | None) -> Line:
    cells = (
        text(pair.label),
        text(pair.device),
        *map(published, reversed(pair.values)),
        text(None if device is None else device.name),
        text(None if device is None else _conditions(pair, device)),
    )
    return Line(cells, (_check(pair, device),), pair.source)


def _check(pair: Pair, device: Device | None) -> Check:
    if pair.why or device is None:
        return Check(pair.ratio, None, pair.why or HOW_MEASURED, "measured")
    ratio = pair.measured(device)
    if ratio is None:
        reason = f"not every network of it was measured on {device.name}: nas measure --zoo --set full measures all"
        return Check(pair.ratio, None, reason, "measured")
    reason = f"another device: measured on {device.name}, published on {pair.device}"
    return Check(pair.ratio, ratio.value, reason, "measured", ratio.spread)


def _conditions(pair: Pair, device: Device) -> str:
    """Batch, size and precision of the two networks' readings, the first network's first."""
    said = []
    for networks in (pair.fast, pair.slow):
        found = [record.readings[pair.key] for name in networks if (record := device.find(name, pair.key))]
        said.append(" / ".join(dict.fromkeys(map(conditions, found))) or "–")
    return "; ".join(said) if said != ["–", "–"] else ""
