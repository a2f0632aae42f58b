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
    """The pairs with a group of columns per device; without a device, one group that says how to measure."""
    devices: tuple[Device | None, ...] = zoo.devices or (None,)
    lines = tuple(
        Line(
            (text(pair.label), text(pair.device), *map(published, pair.values)),
            tuple(_check(pair, device) for device in devices),
            pair.source,
        )
        for pair in pairs
    )
    columns = (
        Column("pair", "faster ÷ slower"),
        Column("published_on", "published on"),
        Column("slow_published", "slower, published", "number"),
        Column("fast_published", "faster, published", "number"),
    )
    said = " ".join(filter(None, (note, *(_conditions(pairs, device) for device in zoo.devices))))
    return Comparison(name, title, columns, tuple(map(_quantity, devices)), lines, said)


def _quantity(device: Device | None) -> Quantity:
    if device is None:
        return Quantity("speedup", "speed-up")
    return Quantity(f"speedup_{device.name.replace('-', '_').replace(' ', '_')}", f"speed-up, {device.name}")


def _check(pair: Pair, device: Device | None) -> Check:
    if pair.why or device is None:
        return Check(pair.ratio, None, pair.why or HOW_MEASURED, "measured")
    ratio = pair.measured(device)
    if ratio is None:
        return Check(pair.ratio, None, f"not measured on {device.name}: run `nas measure --zoo` there", "measured")
    reason = f"another device: measured on {device.name}, published on {pair.device}"
    return Check(pair.ratio, ratio.value, reason, "measured", ratio.spread)


def _conditions(pairs: tuple[Pair, ...], device: Device) -> str:
    """Batch, size and precision of every network that was timed for these pairs."""
    said: dict[str, str] = {}
    for pair in pairs:
        for network in (*pair.fast, *pair.slow):
            record = device.find(network, pair.key)
            if record is not None:
                said.setdefault(network, conditions(record.readings[pair.key]))
    return f"{device.name}: " + "; ".join(f"{name} {words}" for name, words in said.items()) + "." if said else ""
