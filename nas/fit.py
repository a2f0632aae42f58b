"""Power laws through a measured family: how error and time grow with cost, how sure that is, and which rule follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from nas.as_run import cost_as_run
from nas.errors import NasError
from nas.metric import COMPUTED
from nas.record import Reading, Record, read_records
from nas.redraws import Rows, least_squares

Response = Literal["time", "error"]
LEAST = 5  # networks, below which no exponent is given
_READING = {"time": "train_images_per_s", "error": "top1_pct"}
_RANGE = {"train_images_per_s": (0.0, inf), "top1_pct": (0.0, 100.0)}
_SETTING = {  # readings are compared within one device, or one recipe and data; resolutions are part of the cost
    "time": ("device", "precision", "memory_format", "compile", "optimizer", "batch", "threads"),
    "error": (
        "data", "epochs", "train_images", "augment", "optimizer", "learning_rate", "warmup", "weight_decay",
        "label_smoothing", "batch", "precision", "width", "resolution_scale",
    ),
}  # fmt: skip


class FitError(NasError):
    """Points through which no power law goes."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """y ≈ `coefficient`·x^`exponent`. (`low`, `high`): its 95 % interval by Student's t; `r2`: of the logs, None where
    every y is the same: there is nothing to explain."""

    exponent: float
    low: float
    high: float
    coefficient: float
    r2: float | None
    points: int


@dataclass(frozen=True, slots=True)
class Family:
    """Measured networks under one setting: `archs`, what each costs as it was run, and `values`, one a network.

    "time" is milliseconds of a training step per image (step time / batch), "error" 100 − top-1 in %. A network that
    was run at two sizes stands in it twice. `left_out` counts what was measured under other settings alone.
    """

    response: Response
    archs: tuple[str, ...]
    costs: Mapping[str, tuple[float, ...]]
    values: tuple[float, ...]
    setting: Mapping[str, object]
    left_out: int

    @property
    def laws(self) -> dict[str, PowerLaw]:
        """The power law over params, FLOPs and activations; none for fewer than `LEAST` networks or one cost."""
        if len(self.values) < LEAST:
            return {}
        return {key: power_law(xs, self.values) for key, xs in self.costs.items() if len(set(xs)) > 1}


@dataclass(frozen=True, slots=True)
class Advice:
    """The rule for this device, None where the measurements do not tell, and why, in sentences."""

    rule: str | None
    reasons: tuple[str, ...]


def power_law(xs: Sequence[float], ys: Sequence[float]) -> PowerLaw:
    """The least-squares line in log-log.

    Raises: FitError for points that are no positive numbers, fewer than three, or all at one x.
    """
    if len(xs) != len(ys) or len(xs) < 3:
        raise FitError(f"power law: expected at least 3 points; got {len(xs)} and {len(ys)} values")
    both = np.array([xs, ys], dtype=float)
    if not (np.isfinite(both).all() and (both > 0).all()):
        raise FitError("power law: expected finite numbers above 0")
    x, y = np.log(both)
    line = least_squares(x[:, None], y)
    if line is None:
        raise FitError("power law: every point has the same cost")
    if not np.ptp(y):
        return PowerLaw(0.0, 0.0, 0.0, float(ys[0]), None, len(xs))
    (exponent,), (error,) = line
    left = y - y.mean() - exponent * (x - x.mean())
    r2 = 1 - float(left @ left) / float(np.square(y - y.mean()).sum())
    coefficient = float(np.exp(y.mean() - exponent * x.mean()))
    return PowerLaw(exponent, exponent - error, exponent + error, coefficient, r2, len(xs))


def read_measured(path: Path) -> list[Record]:
    """The records of `path`. Raises: FitError where an accuracy or a throughput is out of its range."""
    records = list(read_records(path))
    for record in records:
        for key, (low, high) in _RANGE.items():
            value = record.value(key)
            if value is not None and not low <= value <= high:
                ends = f"from {low:g} to {high:g}" if high < inf else f"of at least {low:g}"
                raise FitError(f"{path}: {record.arch}: {key}: expected a number {ends}; got {value:g}")
    return records


def family(records: Iterable[Record], response: Response) -> Family:
    """The networks of `records` that have the reading, each once a size, under the setting that most of them share.

    The cost is that of the network as it was run (at the timed resolution, or the proxy that was trained), in closed
    form; a foreign network's comes from its record, and counts only at the resolution it was recorded at.
    """
    groups: dict[tuple[tuple[str, str], ...], dict[tuple[str, tuple[float, ...]], list[float]]] = {}
    for record in records:
        reading = record.readings.get(_READING[response])
        spent = cost_as_run(record, reading) if reading else None
        value = _value(reading, response) if reading else 0.0
        if reading and spent and value > 0 and record.reused is None:
            setting = tuple((key, str(reading.conditions.get(key))) for key in _SETTING[response])
            run = record.arch, tuple(spent[key] for key in COMPUTED)
            groups.setdefault(setting, {}).setdefault(run, []).append(value)
    if not groups:
        return Family(response, (), {}, (), {}, 0)
    setting = max(groups, key=lambda key: (len(groups[key]), key))
    chosen = groups[setting]
    return Family(
        response,
        tuple(arch for arch, _ in chosen),
        {key: tuple(spent[place] for _, spent in chosen) for place, key in enumerate(COMPUTED)},
        tuple(median(values) for values in chosen.values()),
        dict(setting),
        len(set().union(*groups.values()) - chosen.keys()),
    )


def advise(time: Family, error: Family) -> Advice:
    """Which rule this device asks for: by accuracy at equal train time where both were measured, by time alone where
    not.

    Time: ln t = p·ln FLOPs + q·ln activations. Where activations weigh more (q > p), mostly width (`fast`, dWr) buys
    the most FLOPs a second (arXiv:2103.06877); where FLOPs do, nothing speaks for leaving the
    balanced rule. Accuracy: ln error = k·ln t + m·ln (FLOPs / activations). At equal time `fast` has more FLOPs an
    activation than `compound`: m < 0 is for it, m > 0 against it.
    """
    if len(time.values) < LEAST:
        have = f"{len(time.values)} network{' has' if len(time.values) == 1 else 's have'} a train time"
        return Advice(None, (f"{have}; an exponent needs at least {LEAST}.",))
    flops, activations, y = _logs(time.costs["flops"], time.costs["activations"], time.values)
    powers = least_squares(np.array([flops, activations]).T, y)
    weights = least_squares(np.array([activations + flops, activations - flops]).T, y)  # (p + q)/2 and (q − p)/2
    if not np.ptp(y):
        return Advice(None, ("Every network has the same train time: nothing can be said about what drives it.",))
    if powers is None or weights is None:
        return Advice(None, ("FLOPs and activations do not vary apart: nothing can be said about which drives time.",))
    p, q = powers[0]
    low, high = (2 * (weights[0][1] + sign * weights[1][1]) for sign in (-1, 1))
    rule, words = _verdict(low, high, _BY_TIME)
    reasons = (
        f"Over {len(y)} networks, train time goes as FLOPs^{p:.2f} · activations^{q:.2f}; the second exponent less the "
        f"first lies between {low:+.2f} and {high:+.2f} (95 %).",
        f"Among these networks the logarithms of FLOPs and activations correlate by "
        f"{float(np.corrcoef(flops, activations)[0, 1]):.2f}.",
        words,
    )
    return _with_accuracy(Advice(rule, reasons), time, error)


_BY_TIME = (
    ("compound", "FLOPs weigh more in the time: nothing speaks for leaving the balanced rule (compound)."),
    ("fast", "Activations weigh more in the time: mostly width (fast) makes the fewest of them for its FLOPs."),
    "By time the two are not told apart: measure networks of equal FLOPs and unlike activations, for example both "
    "rules at the same φ.",
)
_BY_ACCURACY = (
    ("fast", "At equal train time, more FLOPs an activation, as fast has them, mean a lower error."),
    ("compound", "At equal train time, fewer FLOPs an activation, as compound has them, mean a lower error."),
    "Accuracy at equal train time does not tell the rules apart: what is recommended goes by time alone.",
)


def _with_accuracy(by_time: Advice, time: Family, error: Family) -> Advice:
    """The advice by accuracy at equal time, where networks have both and it tells the rules apart."""
    runs = Counter(time.archs)  # a network timed at two sizes has no one time to stand beside its accuracy
    seconds = {arch: value for arch, value in zip(time.archs, time.values, strict=True) if runs[arch] == 1}
    places = [place for place, arch in enumerate(error.archs) if arch in seconds]
    if len(places) < LEAST:
        words = (
            f"Accuracy was not considered: {len(places)} of these networks have one, and at least {LEAST} are needed."
        )
        return Advice(by_time.rule, (*by_time.reasons, words))
    flops, activations, y, t = _logs(
        *([values[place] for place in places] for values in (error.costs["flops"], error.costs["activations"])),
        [error.values[place] for place in places],
        [seconds[error.archs[place]] for place in places],
    )
    plane = least_squares(np.array([t, flops - activations]).T, y)
    if plane is None or not np.ptp(y):
        what = "time and FLOPs an activation do not vary apart" if plane is None else "every network has the same"
        words = f"Accuracy was not considered: {what}."
        return Advice(by_time.rule, (*by_time.reasons, words))
    low, high = (plane[0][1] + sign * plane[1][1] for sign in (-1, 1))
    rule, words = _verdict(low, high, _BY_ACCURACY)
    ends = " to ".join(f"{100 * (2**end - 1):+.1f}" for end in (low, high))
    found = (
        f"At equal train time, twice the FLOPs an activation change the error by {ends} % of it (95 %, {len(y)} "
        "networks, costs as they were trained)."
    )
    return Advice(rule or by_time.rule, (*by_time.reasons, found, words))


def _verdict(low: float, high: float, choices: tuple[tuple[str, str], tuple[str, str], str]) -> tuple[str | None, str]:
    """(rule, why): the first choice where the interval lies below 0, the second above it, none where it holds 0."""
    below, above, neither = choices
    return below if high < 0 else above if low > 0 else (None, neither)


def _logs(*columns: Sequence[float]) -> list[Rows]:
    return [np.log(np.array(column, dtype=float)) for column in columns]


def _value(reading: Reading, response: Response) -> float:
    if response == "error":
        return 100 - reading.value
    return 1000 / reading.value if reading.value > 0 else 0.0
