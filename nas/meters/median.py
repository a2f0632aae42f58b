"""Time steps until their median is known: warm up until settled, count until the confidence interval is narrow.

The 95 % of the interval are nominal. They hold for a number of independent steps fixed beforehand; to look after every
few steps and stop once the interval is narrow takes a little away: of simulated readings, 91 to 96 % held the true
median. Steps under a drift of the machine are not independent either.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, sqrt

from nas.meters.clock import Clock, Step

WINDOW = 3  # steps in each of the two windows that must agree
AGREEMENT = 0.05  # relative difference of their medians
FEWEST = 6  # samples for which a distribution-free 95 % interval of a median exists
SETTLED = f"medians of the last two windows of {WINDOW} steps agree within {AGREEMENT:.0%}; at most a third of the cap"


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of a step: median, and the ends of its nominal 95 % interval. `stopped_by`: `tolerance` or `time_cap`."""

    median: float
    low: float
    high: float
    samples: int
    warm_up: int  # steps run before counting, the first included
    settled: bool
    stopped_by: str

    @property
    def relative(self) -> float:
        """Half-width of the interval, relative to the median."""
        return (self.high - self.low) / 2 / self.median


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median between two order statistics, from the binomial distribution alone.

    Fewer than six samples allow none: then the whole range, widened to twice its width, stands in for it.
    """
    ordered = sorted(samples)
    rank = _rank(len(ordered))
    if rank:
        return ordered[rank - 1], ordered[-rank]
    middle, reach = statistics.median(ordered), ordered[-1] - ordered[0]
    return max(ordered[0] / 2, middle - reach), middle + reach


@lru_cache(maxsize=4096)
def _rank(count: int) -> int:
    """Largest r with P(Binomial(count, ½) < r) ≤ 2.5 %: the r-th smallest and r-th largest hold the median."""
    if count > 100:  # the normal approximation: within one rank of exact, and free at 10,000 samples
        return int((count + 1 - 1.959964 * sqrt(count)) / 2)
    tail, rank = 0, 0
    while rank < count:
        tail += comb(count, rank)
        if tail * 40 > 2**count:
            break
        rank += 1
    return rank


def time_steps(step: Step, clock: Clock, *, tolerance: float, cap: float, least: float = 0.0) -> Timed:
    """The median time of `step`, warmed up and repeated until its interval is within `tolerance` or `cap` seconds end.

    The very first step (which compiles, allocates and chooses algorithms) counts neither as warm-up time nor against
    the cap. `least`: seconds the warm-up lasts at least (a GPU raises its clocks meanwhile).
    """
    clock.time(step, 1)
    start = clock.now()
    warm, settled = _warm_up(step, clock, least, cap / 3)
    samples: list[float] = []
    chunk = _chunk(warm)
    while True:
        samples += clock.time(step, chunk)
        low, high = median_interval(samples)
        median = statistics.median(samples)
        narrow = len(samples) >= FEWEST and (high - low) / 2 <= tolerance * median
        if narrow or (clock.now() - start >= cap and len(samples) >= WINDOW):
            stopped = "tolerance" if narrow else "time_cap"
            return Timed(median, low, high, len(samples), len(warm) + 1, settled, stopped)


def _warm_up(step: Step, clock: Clock, least: float, most: float) -> tuple[list[float], bool]:
    """(seconds of the steps run, whether they settled before `most` seconds had passed)."""
    start = clock.now()
    warm: list[float] = []
    while True:
        warm += clock.time(step, _chunk(warm))
        spent = clock.now() - start
        if len(warm) >= 2 * WINDOW and spent >= min(least, most):
            now, before = statistics.median(warm[-WINDOW:]), statistics.median(warm[-2 * WINDOW : -WINDOW])
            if abs(now - before) <= AGREEMENT * before:
                return warm, True
        if spent >= most:
            return warm, False


def _chunk(seen: Sequence[float]) -> int:
    """Steps to run before looking again: about 50 ms of them, so that looking costs nothing."""
    if not seen:
        return 1
    return max(1, min(1000, int(0.05 / max(statistics.median(seen[-WINDOW:]), 1e-6))))
