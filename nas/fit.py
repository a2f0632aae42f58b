"""Power laws through a measured family: how error and time grow with cost, how sure that is, and which rule follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

import numpy as np

from nas.arch import ArchitectureError, parse
from nas.cost import cost
from nas.errors import NasError
from nas.metric import COMPUTED
from nas.record import Reading, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Response = Literal["time", "error"]
LEAST = 5  # networks, below which no exponent is given
_RESAMPLES = 2000
_READING = {"time": "train_images_per_s", "error": "top1_pct"}
_SETTING = {  # readings are compared within one device, or one recipe and data
    "time": ("device", "precision", "memory_format", "compile", "optimizer", "threads"),
    "error": ("data", "epochs", "train_images", "optimizer", "learning_rate", "batch", "width", "resolution_scale"),
}


class FitError(NasError):
    """Points through which no power law goes."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """y ≈ `coefficient`·x^`exponent`. (`low`, `high`): 95 % bootstrap interval of the exponent; `r2`: of the logs."""

    exponent: float
    low: float
    high: float
    coefficient: float
    r2: float
    points: int

    def at(self, x: float) -> float:
        """y at `x`."""
        return float(self.coefficient * x**self.exponent)


@dataclass(frozen=True, slots=True)
class Family:
    """Measured networks under one setting: what each costs as it was run, and `values`, one a network.

    "time" is milliseconds of a training step per image (step time / batch), "error" 100 − top-1 in %. `left_out` counts
    networks that were measured under another setting.
    """

    response: Response
    names: tuple[str, ...]
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


def power_law(xs: Sequence[float], ys: Sequence[float], seed: int = 0) -> PowerLaw:
    """The least-squares line in log-log, with a percentile bootstrap over the points. The same points, the same law.

    Raises: FitError for points that are no positive numbers, fewer than three, or all at one x.
    """
    if len(xs) != len(ys) or len(xs) < 3:
        raise FitError(f"power law: expected at least 3 points; got {len(xs)} and {len(ys)} values")
    both = np.array([xs, ys], dtype=float)
    if not (np.isfinite(both).all() and (both > 0).all()):
        raise FitError("power law: expected finite numbers above 0")
    x, y = np.log(both)
    if np.ptp(x) == 0:
        raise FitError("power law: every point has the same cost")
    exponent, r2 = (float(value) for value in _lines(x[None], y[None])[:, 0])
    slopes, _ = _lines(*_resampled(seed, x, y))
    low, high = (float(end) for end in np.nanquantile(slopes, (0.025, 0.975)))
    return PowerLaw(exponent, low, high, float(np.exp(y.mean() - exponent * x.mean())), r2, len(xs))


def family(records: Iterable[Record], response: Response) -> Family:
    """The networks of `records` that have the reading, each once, under the setting that most of them share.

    The cost is that of the network as it was run (at the timed resolution, or the proxy that was trained), in closed
    form; a foreign network's comes from its record, and counts only at the resolution it was recorded at.
    """
    groups: dict[tuple[tuple[str, str], ...], dict[str, list[tuple[dict[str, float], float]]]] = {}
    names: dict[str, str] = {}
    for record in records:
        reading = record.readings.get(_READING[response])
        spent = _cost_as_run(record, reading) if reading else None
        value = _value(reading, response) if reading else 0.0
        if reading and spent and value > 0 and record.reused is None:
            setting = tuple((key, str(reading.conditions.get(key))) for key in _SETTING[response])
            groups.setdefault(setting, {}).setdefault(record.arch, []).append((spent, value))
            names.setdefault(record.arch, record.baseline or record.id)
    if not groups:
        return Family(response, (), {}, (), {}, 0)
    setting = max(groups, key=lambda key: (len(groups[key]), key))
    chosen = groups[setting]
    return Family(
        response,
        tuple(names[arch] for arch in chosen),
        {key: tuple(runs[0][0][key] for runs in chosen.values()) for key in COMPUTED},
        tuple(median(value for _, value in runs) for runs in chosen.values()),
        dict(setting),
        len(names.keys() - chosen.keys()),
    )


def advise(time: Family) -> Advice:
    """Which rule this device asks for, by whether activations or FLOPs predict the time of a training step.

    Where activations do, width buys the most FLOPs a second (dWr, arXiv:2103.06877); where FLOPs do, networks of equal
    FLOPs cost the same time and the balanced rule is the one to take. The two are compared by R² on the same resamples.
    """
    if len(time.values) < LEAST:
        return Advice(None, (f"{len(time.values)} networks have a train time; an exponent needs at least {LEAST}.",))
    if any(len(set(time.costs[key])) < 2 for key in ("flops", "activations")):
        return Advice(None, ("Every network costs the same: nothing can be said about what cost does to time.",))
    laws = time.laws
    flops, activations, y = (np.log(np.array(v)) for v in (time.costs["flops"], time.costs["activations"], time.values))
    alike = float(np.corrcoef(flops, activations)[0, 1])
    by_flops, by_activations = (_lines(*_resampled(0, x, y))[1] for x in (flops, activations))
    low, high = (float(end) for end in np.nanquantile(by_activations - by_flops, (0.025, 0.975)))
    reasons = [
        f"Over {len(y)} networks, activations explain {laws['activations'].r2:.3f} of the variation of log time and "
        f"FLOPs {laws['flops'].r2:.3f}; the difference lies between {low:+.3f} and {high:+.3f} (95 %, bootstrap).",
        f"Among these networks the logarithms of FLOPs and activations correlate by {alike:.2f}.",
    ]
    if low > 0:
        words = "Activations predict time better: mostly width (fast) makes the fewest of them for its FLOPs."
        return Advice("fast", (*reasons, words))
    if high < 0:
        words = (
            "FLOPs predict time better: networks of equal FLOPs take equal time, so the balanced rule costs no more."
        )
        return Advice("compound", (*reasons, words))
    words = "The two are not told apart: these measurements recommend no rule. "
    words += "Measure networks of equal FLOPs and unlike activations, for example both rules at the same φ."
    return Advice(None, (*reasons, words))


def _lines(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(slopes, R²) of the least-squares lines through the rows of `x` and `y`; nan for a row with one x."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    xx, xy, yy = (x * x).sum(axis=1), (x * y).sum(axis=1), (y * y).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([xy / xx, np.where(yy > 0, xy * xy / (xx * yy), np.where(xx > 0, 1.0, np.nan))])


def _resampled(
    seed: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    drawn = np.random.default_rng(seed).integers(len(x), size=(_RESAMPLES, len(x)))
    return x[drawn], y[drawn]


def _value(reading: Reading, response: Response) -> float:
    if response == "error":
        return 100 - reading.value
    return 1000 / reading.value if reading.value > 0 else 0.0


def _cost_as_run(record: Record, reading: Reading) -> dict[str, float] | None:
    trained = reading.detail.get("trained")
    resolution = reading.conditions.get("resolution")
    try:
        arch = parse(trained if isinstance(trained, str) else record.arch)
        if trained is None and isinstance(resolution, int):
            arch = dataclasses.replace(arch, resolution=resolution)
    except ArchitectureError:
        found = {key: record.value(key) for key in COMPUTED}
        counted = record.readings["flops"].conditions.get("resolution") if "flops" in record.readings else None
        known = {key: value for key, value in found.items() if value}
        return known if len(known) == len(COMPUTED) and counted in (None, resolution) else None
    return {key: float(value) for key, value in dataclasses.asdict(cost(arch)).items()}
