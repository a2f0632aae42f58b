"""Times as ratios within one device: the ratio of two published times beside the ratio that was measured here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import number
from nas.report.papers.networks import published
from nas.report.papers.verdict import quotient
from nas.report.papers.zoo import HOW_MEASURED, Device, Zoo, conditions
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
        """The printed ratio, or that of the two published numbers to four digits."""
        above, below = self._quotient
        return self.printed or f"{number(above) / number(below):#.4g}"

    @property
    def between(self) -> tuple[float, float] | None:
        """What a ratio that no paper prints can be by the digits of its two numbers; None for a printed one."""
        return None if self.printed else quotient(*self._quotient)

    @property
    def _quotient(self) -> tuple[str, str]:
        slow, fast = self.values
        return (slow, fast) if self.kind == "time" else (fast, slow)

    def measured(self, device: Device) -> tuple[float, float] | None:
        """(the same ratio on this device, its spread); None where one of the networks was not timed. First order:
        relative spreads add in quadrature."""
        slow, fast = time(self.slow, self.key, device), time(self.fast, self.key, device)
        if slow is None or fast is None:
            return None
        value = slow[0] / fast[0]
        return value, value * math.hypot(slow[1] / slow[0], fast[1] / fast[0])


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


def compare(name: str, title: str, pairs: tuple[Pair, ...], zoo: Zoo, note: str = "") -> Comparison:
    """One row per pair and device; without a device, one per pair that says how to measure."""
    lines = tuple(
        _line(pair, device, f"{name}, pair {place}")
        for place, pair in enumerate(pairs)
        for device in (zoo.devices or (None,))
    )
    columns = (
        Column("pair", "speed of ÷ speed of"),
        Column("published_on", "published on"),
        Column("first_published", "first, published", "number"),
        Column("second_published", "second, published", "number"),
        Column("measured_on", "measured on"),
        Column("conditions", "at (first; second)"),
    )
    printed = all(pair.printed for pair in pairs)
    speedup = Quantity("speedup", "speed-up", "published" if printed else "ratio of the published")
    return Comparison(name, title, columns, (speedup,), lines, note)


def _line(pair: Pair, device: Device | None, once: str) -> Line:
    cells = (
        text(pair.label),
        text(pair.device),
        *map(published, reversed(pair.values)),
        text(None if device is None else device.name),
        text(None if device is None else _conditions(pair, device)),
    )
    return Line(cells, (_check(pair, device, once),), pair.source)


def _check(pair: Pair, device: Device | None, once: str) -> Check:
    value, spread, reason = None, None, pair.why or HOW_MEASURED
    if device is not None and not pair.why:
        reason = f"not every network of it was measured on {device.name}: nas measure --zoo --set full measures all"
        if (found := pair.measured(device)) is not None:
            value, spread = found
            reason = f"published on {pair.device}; measured on {device.name} at {_conditions(pair, device)}"
    return Check(pair.ratio, value, reason, "measured", spread, pair.between, once)


def _conditions(pair: Pair, device: Device) -> str:
    """Batch, size and precision of the two networks' readings, the first network's first; once where they agree."""
    said = []
    for networks in (pair.fast, pair.slow):
        found = [record.readings[pair.key] for name in networks if (record := device.find(name, pair.key))]
        said.append(" / ".join(dict.fromkeys(map(conditions, found))) or "–")
    return "; ".join(dict.fromkeys(said)) if said != ["–", "–"] else ""
