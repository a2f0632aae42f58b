"""Times as ratios within one device: the ratio that a paper prints beside the ratio that was measured here."""

from __future__ import annotations

from dataclasses import dataclass

from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.zoo import HOW_MEASURED, Device, Ratio, Zoo, conditions
from nas.report.table import Cell, Column, text


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks of the zoo, and how many times as fast `fast` is as `slow`, as printed on `device`.

    `key`: the reading, of throughput or latency. `printed` is empty where the paper prints no ratio: then `values`, its
    two numbers in the order (slow, fast), give one of two digits. `why`: what keeps it from being measured at all.
    """

    label: str
    slow: str
    fast: str
    key: str
    values: tuple[str, str]
    device: str
    source: str
    printed: str = ""
    why: str = ""

    @property
    def published(self) -> str:
        """The printed ratio, or that of the two printed numbers to two digits."""
        if self.printed:
            return self.printed
        slow, fast = (float(value) for value in self.values)
        return two_digits(slow / fast if self.key == "latency_ms" else fast / slow)

    def measured(self, device: Device) -> Ratio | None:
        """The same ratio on this device."""
        if self.key == "latency_ms":
            return device.ratio(self.key, self.slow, self.fast)
        return device.ratio(self.key, self.fast, self.slow)


def two_digits(value: float) -> str:
    """A ratio as the papers print one: 2.5, 0.97, 11."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def compare(name: str, title: str, pairs: tuple[Pair, ...], zoo: Zoo, note: str = "") -> Comparison:
    """The pairs with a group of columns per device; without a device, one group that says how to measure."""
    devices = zoo.devices or (None,)
    quantities = tuple(
        Quantity(f"speedup_{device.name.replace('-', '_')}", f"speed-up, {device.name}")
        if device
        else Quantity("speedup", "speed-up")
        for device in devices
    )
    lines = tuple(
        Line(
            (text(pair.label), text(pair.device), *map(_printed, pair.values)),
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
    said = " ".join((note, *(_conditions(pairs, device) for device in zoo.devices))).strip()
    return Comparison(name, title, columns, quantities, lines, said)


def _check(pair: Pair, device: Device | None) -> Check:
    if pair.why or device is None:
        return Check(pair.published, None, pair.why or HOW_MEASURED, "measured")
    ratio = pair.measured(device)
    if ratio is None:
        return Check(pair.published, None, f"not measured on {device.name}", "measured")
    reason = f"measured on {device.name} ({ratio.conditions}), published on {pair.device}"
    return Check(pair.published, ratio.value, reason, "measured", ratio.spread)


def _conditions(pairs: tuple[Pair, ...], device: Device) -> str:
    """Batch, size and precision of every network that was timed for these pairs."""
    said: dict[str, str] = {}
    for pair in pairs:
        for network in (pair.fast, pair.slow):
            record = device.find(network, pair.key)
            if record is not None:
                said.setdefault(network, conditions(record.readings[pair.key]))
    if not said:
        return ""
    return f"{device.name}: " + "; ".join(f"{network} {words}" for network, words in said.items()) + "."


def _printed(value: str) -> Cell:
    return Cell(value, value) if value else text(None)
