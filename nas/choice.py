"""Which triple (α, β, γ) of a measured grid is best at equal FLOPs and at equal step time, and how sure that is.

How the answer is found, for a cost (FLOPs, or seconds of a training step):

1. Candidates are the networks whose cost lies within ± `band` of a target: `target` × the base's FLOPs, or the step
   time of the paper's triple.
2. Within the band costs still differ, so accuracies are moved along a line to the target. Its slope, points a doubling
   of the cost, is fitted by least squares over all networks measured (mean accuracy on log2 cost).
3. The candidate with the highest moved accuracy is chosen.
4. 10,000 redraws repeat this: the seed deviation, pooled over networks, from its χ² distribution; every mean accuracy
   from a normal distribution of that deviation over √seeds (so each is t distributed); every step time from a
   log-normal one of its own noise; the slope from a resample of the networks (the base always in it); then band, line
   and choice anew.

The share of redraws that a triple wins is not the probability that it is best: the luckiest of many readings stands too
high. Whether a triple is told apart is judged by subset selection (Gupta 1965, "On some multiple decision rules"): the
candidates that cannot be excluded from being the best, all comparisons together at 95 %. The answer is decided when
that set has one member, and the same triple leads without the line.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nas.grid import DIMENSIONS
from nas.measured_grid import BASE_MARK, PAPER_MARK, ChoiceError, Measured, Noise, at_one_batch, seed_noise
from nas.redraws import CONFIDENCE, Rows, half_width, mean_errors, slopes, subset
from nas.spending import Gain, Spending, drift, gains, spending

DRAWS = 10_000
Question = Literal["flops", "step"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network compared at one cost. `moved`: its accuracy at the target, in percent; `wins`: the share of redraws in
    which it was chosen; `behind`: points below the best, ± `behind_error`, half a 95 % interval; `contender`: a member
    of the set that holds the best with 95 % confidence; `inside`: the share of redraws in which its cost is in the
    band."""

    measured: Measured
    cost: float
    moved: float
    wins: float
    behind: float
    behind_error: float
    contender: bool
    inside: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The choice at one cost: FLOPs, or seconds of a step. `candidates`: those in the band, the best first. `slope`: in
    points a doubling, and half its 95 % interval. `interval`: 95 % of the α, β, γ that build redraws' winners.
    `unmoved`: who leads with accuracies as measured. `elsewhere`: share of redraws won by networks outside the band as
    measured."""

    question: Question
    target: float
    target_is: str
    band: float
    slope: float
    slope_error: float
    candidates: tuple[Candidate, ...]
    interval: dict[str, tuple[float, float]]
    unmoved: Measured
    elsewhere: float

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def contenders(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if candidate.contender)

    @property
    def decided(self) -> bool:
        """One candidate is told apart from all others, and the order does not rest on the line alone."""
        return self.compared and len(self.contenders) == 1 and self.unmoved is self.best.measured

    @property
    def compared(self) -> bool:
        """Whether there is more than one candidate."""
        return len(self.candidates) > 1

    @property
    def paper(self) -> Candidate | None:
        """The paper's triple where it is in the band."""
        return next((one for one in self.candidates if one.measured.mark == PAPER_MARK), None)


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is said of a measured grid. `drift`: relative change of the step time from the first network to the last
    that FLOPs and activations leave unexplained, ± half a 95 % interval; `other_batch`: networks timed at another batch
    than most, whose time counts nowhere; `unanswered`: why an answer is missing."""

    networks: tuple[Measured, ...]
    noise: Noise
    answers: tuple[Answer, ...]
    gains: tuple[Gain, ...]
    drift: tuple[float, float] | None
    spending: tuple[Spending, ...]
    other_batch: tuple[Measured, ...]
    unanswered: Mapping[Question, str]

    @property
    def base(self) -> Measured:
        return next(one for one in self.networks if one.mark == BASE_MARK)

    @property
    def paper(self) -> Measured | None:
        return next((one for one in self.networks if one.mark == PAPER_MARK), None)


def choose(networks: Sequence[Measured], *, target: float = 2.0, band: float = 0.1, seed: int = 0) -> Choice:
    """The best triple at `target` × the base's FLOPs and at the step time of the paper's triple.

    Raises: ChoiceError without the base, or where no network was trained with two seeds: then its noise is unknown.
    """
    networks, other_batch = at_one_batch(networks)
    base = next((one for one in networks if one.mark == BASE_MARK), None)
    if base is None:
        raise ChoiceError("the base of the grid is not measured yet", "go on with the study")
    noise = seed_noise(networks)
    answers: list[Answer] = []
    unanswered: dict[Question, str] = {}
    for question in get_args(Question):
        try:
            asked = _flops(networks, base, target) if question == "flops" else _step(networks)
            answers.append(_answer(asked, noise, band, seed))
        except ChoiceError as error:
            unanswered[question] = "; ".join(filter(None, (str(error), error.hint)))
    return Choice(
        tuple(networks),
        noise,
        tuple(answers),
        tuple(gains(networks, base, noise)),
        drift(networks),
        spending(networks),
        other_batch,
        unanswered,
    )


def empty_band(off: Iterable[float], band: float, target: str) -> tuple[str, str]:
    """(what is wrong, what to do) where all networks lie further `off` a target than the band is wide."""
    nearest = min(off)
    enough = math.ceil(100 * nearest) / 100
    return (
        f"no network within {100 * band:g} % of {target}: the nearest is {100 * nearest:.3g} % off",
        f"widen the band: --band {enough:g}" if enough < 1 else "name another --target, or a wider --tolerance",
    )


def _resamples(networks: Sequence[Measured], generator: np.random.Generator) -> Rows:
    """(draws, networks) how often each stands in a resample; the base, the other end of the line, always once."""
    weights = np.ones((DRAWS, len(networks)))
    drawn = [place for place, one in enumerate(networks) if one.mark != BASE_MARK]
    weights[:, drawn] = generator.multinomial(len(drawn), [1 / len(drawn)] * len(drawn), DRAWS)
    return weights


@dataclass(frozen=True, slots=True)
class _Target:
    """A cost to compare at; `anchor`: the place of the network whose own cost it is, redrawn with it."""

    question: Question
    networks: Sequence[Measured]
    costs: Rows
    goal: float
    words: str
    anchor: int | None = None


def _flops(networks: Sequence[Measured], base: Measured, times: float) -> _Target:
    costs = np.array([one.flops for one in networks])
    return _Target("flops", networks, costs, times * base.flops, f"{times:g} × the base's FLOPs")


def _step(networks: Sequence[Measured]) -> _Target:
    timed = [one for one in networks if one.timed]
    if len(timed) < 3:
        raise ChoiceError("fewer than three networks were timed at one batch")
    times = np.array([one.timed.step_s for one in timed if one.timed])
    paper = next((place for place, one in enumerate(timed) if one.mark == PAPER_MARK), None)
    if paper is not None:
        return _Target("step", timed, times, float(times[paper]), "the step time of the paper's triple", paper)
    middle = statistics.median(one.timed.step_s for one in timed if one.timed and one.mark != BASE_MARK)
    return _Target("step", timed, times, middle, "the median step time")


def _answer(target: _Target, noise: Noise, band: float, seed: int) -> Answer:
    networks, costs, goal = target.networks, target.costs, target.goal
    means = np.array([one.accuracy for one in networks])
    off = np.abs(costs / goal - 1)
    inside = off <= band
    if not inside.any():
        raise ChoiceError(*empty_band(off, band, target.words))
    slope = slopes(means[None], np.log2(costs)[None], np.ones((1, len(networks))))[0]
    moved = means - slope * np.log2(costs / goal)

    generator = np.random.default_rng(seed)
    seeds = [len(one.accuracies) for one in networks]
    means_drawn = means + mean_errors(seeds, noise.deviation, noise.freedom, generator, DRAWS)
    jitter = np.array([one.timed.noise if target.question == "step" and one.timed else 0.0 for one in networks])
    costs_drawn = costs * np.exp(jitter * generator.standard_normal(means_drawn.shape))
    lines = slopes(means_drawn, np.log2(costs_drawn), _resamples(networks, generator))
    goals = np.full((DRAWS, 1), goal) if target.anchor is None else costs_drawn[:, [target.anchor]]
    moved_drawn = means_drawn - lines[:, None] * np.log2(costs_drawn / goals)
    eligible = np.abs(costs_drawn / goals - 1) <= band
    some = eligible.any(axis=1)
    winners = np.where(eligible, moved_drawn, -np.inf).argmax(axis=1)[some]

    places = sorted(map(int, np.flatnonzero(inside)), key=lambda place: -moved[place])
    best = places[0]
    errors = moved_drawn - moved
    kept = subset(moved[places], errors[:, places])
    won = Counter(winners.tolist())
    candidates = tuple(
        Candidate(
            networks[place],
            float(costs[place]),
            float(moved[place]),
            won[place] / len(winners),
            float(moved[best] - moved[place]),
            half_width(errors[:, best] - errors[:, place]),
            bool(member),
            float(eligible[:, place].mean()),
        )
        for place, member in zip(places, kept, strict=True)
    )
    spans = np.array([one.built_by for one in networks])[winners]  # draws × dimensions × (least, largest)
    tail = (1 - CONFIDENCE) / 2
    least, largest = (
        np.quantile(spans[:, :, end], share, axis=0, method="inverted_cdf") for end, share in ((0, tail), (1, 1 - tail))
    )
    return Answer(
        target.question,
        goal,
        target.words,
        band,
        float(slope),
        half_width(lines),
        candidates,
        {name: (float(low), float(high)) for name, low, high in zip(DIMENSIONS, least, largest, strict=True)},
        networks[max(places, key=lambda place: means[place])],
        1 - sum(candidate.wins for candidate in candidates),
    )
