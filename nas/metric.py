"""One table of every metric: its key, label, unit, goal and format. A number without an entry here is not shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nas.errors import NasError, nearest

Goal = Literal["minimize", "maximize"]
Kind = Literal["computed", "measured", "score"]


class MetricError(NasError):
    """An unknown metric, or an objective or limit that does not parse."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number means. `kind`: computed in closed form, measured by running, or a score that is neither."""

    key: str
    label: str
    unit: str
    goal: Goal
    kind: Kind
    style: Literal["count", "percent", "rate", "plain"]
    meaning: str

    @property
    def sign(self) -> int:
        """+1 where more is worse (minimize), -1 where more is better."""
        return 1 if self.goal == "minimize" else -1

    def format(self, value: float | None) -> str:
        """The value as people read it: 4.39 G, 81.2 %, 1,930; '–' where nothing was measured."""
        if value is None or math.isnan(value):
            return "–"
        if self.style == "count":
            return si(value)
        if self.style == "percent":
            return f"{value:.1f} %"
        if self.style == "rate":
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("params", "params", "", "minimize", "computed", "count",
               "learnable scalars; batch-norm running statistics are not parameters"),
        Metric("flops", "FLOPs", "multiply-adds", "minimize", "computed", "count",
               "multiply-adds of convolutions and linears for one image, a fused multiply-add counted once"),
        Metric("activations", "activations", "elements", "minimize", "computed", "count",
               "output elements of convolutions and linears, one image"),
        Metric("top1_pct", "top-1", "%", "maximize", "measured", "percent",
               "held-out accuracy of the stated training recipe and data"),
        Metric("train_seconds", "train time", "s", "minimize", "measured", "plain",
               "seconds of the accuracy's training: steps with their data, evaluation left out"),
        Metric("train_images_per_s", "train img/s", "images/s", "maximize", "measured", "rate",
               "full training steps: forward, loss, backward, optimizer; data already on the device"),
        Metric("infer_images_per_s", "infer img/s", "images/s", "maximize", "measured", "rate",
               "forward only, at the stated batch"),
        Metric("latency_ms", "latency", "ms", "minimize", "measured", "plain",
               "forward only, batch 1"),
        Metric("peak_memory_mib", "peak memory", "MiB", "minimize", "measured", "rate",
               "highest memory of one training step at the stated batch"),
        Metric("rank_score", "rank score", "", "maximize", "score", "plain",
               "free and training-free: mean of the ranks of params and of Σ expand·layers in a reference sample "
               "of the space, 0 to 1; a score, not an accuracy"),
    )
}  # fmt: skip

COMPUTED = tuple(key for key, metric in METRICS.items() if metric.kind == "computed")  # in closed form, for free


def metric(key: str) -> Metric:
    """The metric called `key`; aliases such as `top1` and `train_throughput` are not guessed, only suggested."""
    try:
        return METRICS[key]
    except KeyError:
        raise MetricError(f"unknown metric '{key}'", nearest(key, METRICS)) from None


_SI = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def si(value: float) -> str:
    """Three significant digits with an SI letter: 21.5 M, 8.37 G."""
    for letter, scale in _SI:
        if abs(value) >= 0.9995 * scale:
            return f"{value / scale:.3g} {letter}" if abs(value) < 999.5 * scale else f"{value / scale:,.0f} {letter}"
    return f"{value:.4g}"


_SIZE = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKMGTB]?)\s*")
_LETTER = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


def parse_number(text: str) -> float:
    """A size as people write it: `30M`, `2.5G`, `4e9`, `4.4B`."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise MetricError(f"'{text}' is not a number", "write 4000000000, 4e9, 4G or 400M")
    return float(match[1]) * _LETTER[match[2]]


def _exact(value: float, digits: int) -> str:
    """A text that reads back to exactly this number, of at most so many digits where they suffice: 4e+08, -0.07."""
    text = f"{value:.{digits}g}"
    return text if float(text) == value else repr(value)


@dataclass(frozen=True, slots=True)
class Objective:
    """One thing to optimize: a metric, or the papers' scalar reward, a product of powers of metrics.

    `top1_pct*(flops/400M)^-0.07` is ACC·(FLOPs/T)^w of EfficientNet (arXiv:1905.11946, §4);
    `top1_pct*(train_images_per_s/1)^0.07*(params/1M)^-0.05` is A·S^w·P^v of EfficientNetV2
    (arXiv:2104.00298, §3.3; step time S is one over images per second).
    """

    factors: tuple[tuple[str, float, float], ...]  # (metric key, reference, exponent)

    @property
    def key(self) -> str:
        """The objective as it is written; equal objectives have one key."""
        if self.is_metric:
            return self.factors[0][0]
        return "*".join(
            name if (reference, exponent) == (1.0, 1.0) else f"({name}/{_exact(reference, 6)})^{_exact(exponent, 6)}"
            for name, reference, exponent in self.factors
        )

    @property
    def is_metric(self) -> bool:
        return len(self.factors) == 1 and self.factors[0][1:] == (1.0, 1.0)

    @property
    def goal(self) -> Goal:
        return METRICS[self.factors[0][0]].goal if self.is_metric else "maximize"

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.factors)

    def value(self, readings: Mapping[str, float | None]) -> float | None:
        """The objective of these readings; None where one of them is missing."""
        product = 1.0
        for name, reference, exponent in self.factors:
            reading = readings.get(name)
            if reading is None:
                return None
            ratio = reading / reference
            if ratio <= 0 and exponent < 0:
                return None
            product *= ratio**exponent
        return product

    def __str__(self) -> str:
        return self.key


_FACTOR = re.compile(r"\(?\s*(\w+)\s*(?:/\s*([^)^*\s]+))?\s*\)?\s*(?:\^\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?))?")


def parse_objective(text: str) -> Objective:
    """`flops`, or a product of powers such as `top1_pct*(flops/4e9)^-0.07`."""
    factors = []
    for part in text.split("*"):
        match = _FACTOR.fullmatch(part.strip())
        if not match:
            raise MetricError(
                f"objective '{text}': cannot read '{part.strip()}'",
                "write a metric, or a product such as top1_pct*(flops/400M)^-0.07",
            )
        name, reference, exponent = match.groups()
        scale = parse_number(reference) if reference else 1.0
        if scale <= 0:
            raise MetricError(f"objective '{text}': the reference of {name} must be above 0; got {reference}")
        try:
            power = float(exponent) if exponent else 1.0
        except ValueError:
            raise MetricError(f"objective '{text}': '{exponent}' is not an exponent") from None
        factors.append((metric(name).key, scale, power))
    return Objective(tuple(factors))


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a metric: `flops<=4G`. `excess` is how far a value lies outside, relative to the bound."""

    key: str
    relation: Literal["<=", ">="]
    bound: float

    def excess(self, value: float) -> float:
        """At most 0 when the limit is met; 0.5 means half as much again as allowed."""
        scale = abs(self.bound) or 1.0
        return (value - self.bound) / scale if self.relation == "<=" else (self.bound - value) / scale

    def __str__(self) -> str:
        return f"{self.key}{self.relation}{_exact(self.bound, 12)}"


def parse_limit(text: str) -> Limit:
    """`flops<=4e9`, `params<=30M`, `train_images_per_s>=1000`."""
    match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|≤|≥)\s*(\S.*?)\s*", text)
    if not match:
        raise MetricError(f"limit '{text}' does not parse", "write METRIC<=NUMBER, for example flops<=4e9")
    name, relation, bound = match.groups()
    number = parse_number(bound)
    if not math.isfinite(number):
        raise MetricError(f"limit '{text}': the bound must be finite")
    return Limit(metric(name).key, "<=" if relation in ("<=", "≤") else ">=", number)
