"""The answer of a measured grid as people read it, in sentences, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nas.arch import parse
from nas.choice import DRAWS, Answer, Candidate, Choice
from nas.grid import DIMENSIONS
from nas.measured_grid import Measured
from nas.metric import si
from nas.redraws import Ratio
from nas.report.words import plural
from nas.spending import DIMENSION_NAMES, Gain

QUESTIONS = {"flops": "Equal FLOPs", "step": "Equal step time"}
SYMBOLS = ("α", "β", "γ")
_UNSTABLE = 2.0  # repeats of one network this many times apart are said


def sentences(choice: Choice) -> list[str]:
    """What was trained, the answers and how sure they are; gains of one dimension; drift. Plain text."""
    return [
        _noise(choice),
        *_proxies(choice),
        *_other_batch(choice),
        *_unstable(choice),
        *(sentence for answer in choice.answers for sentence in _answer(choice, answer)),
        *(f"{QUESTIONS[question]}: no answer: {reason}." for question, reason in choice.unanswered.items()),
        *map(_gain, choice.gains),
        *_spending(choice),
        *_drift(choice),
    ]


def verdict(answer: Answer) -> str:
    """`decided: (1.2, 1.1, 1.15)` and what else builds that network, or `not decided: 7 of 21 cannot be excluded`."""
    if answer.decided:
        same = same_network(answer.best.measured)
        return f"decided: {answer.best.measured.name}" + (f", the network of {same}" if same else "")
    kept = len(answer.contenders)
    if not answer.compared:
        return "not decided: one candidate, nothing to compare it with"
    if kept == 1:
        return f"not decided: {answer.best.measured.name} leads, but only with accuracies moved to the target"
    return f"not decided: {kept} of {len(answer.candidates)} candidates cannot be excluded"


def document(choice: Choice) -> dict[str, Any]:
    """The answers as JSON values."""
    return {
        "networks": len(choice.networks),
        "seed_deviation_points": choice.noise.deviation,
        "answers": [
            {
                "question": answer.question,
                "target": answer.target,
                "band": answer.band,
                "decided": answer.decided,
                "points_a_doubling": [answer.slope, answer.slope_error],
                "interval": {name: list(ends) for name, ends in answer.interval.items()},
                "won_outside_the_band": answer.elsewhere,
                "candidates": [
                    {
                        "triple": list(one.measured.triple),
                        "built_by": dict(zip(DIMENSIONS, map(list, one.measured.built_by), strict=True)),
                        "mark": one.measured.mark,
                        "top1_pct": one.measured.accuracy,
                        "top1_moved_pct": one.moved,
                        "behind_points": [one.behind, one.behind_error],
                        "inside_the_band": one.inside,
                        "wins": one.wins if answer.compared else None,
                        "may_be_best": one.contender if answer.compared else None,
                    }
                    for one in answer.candidates
                ],
            }
            for answer in choice.answers
        ],
        "points_a_doubling_by": {one.dimension: [one.points, one.error] for one in choice.spending},
        "unanswered": dict(choice.unanswered),
        "sentences": sentences(choice),
    }


def _noise(choice: Choice) -> str:
    seeds = sorted({len(one.accuracies) for one in choice.networks})
    often = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    return (
        f"{len(choice.networks)} networks were trained with {often} seeds each; the seeds of one network deviate by "
        f"{choice.noise.deviation:.2f} points (standard deviation, {choice.noise.freedom} degrees of freedom)."
    )


def _proxies(choice: Choice) -> Iterable[str]:
    """What was trained or timed in the networks' stead."""
    archs = [parse(one.arch) for one in choice.networks]
    own = [arch.resolution for arch in archs]
    shown = [parse(one.trained).resolution for one in choice.networks]
    width = choice.networks[0].width
    if width != 1 or shown != own:
        yield (
            f"Trained were proxies, of {width:g} × the channels at {_sizes(shown)} in place of {_sizes(own)}: FLOPs "
            "and accuracies are those of the proxies, and which of the networks themselves is best was not asked."
        )
    timed = [
        (parse(one.timed.arch).resolution, arch.resolution)
        for one, arch in zip(choice.networks, archs, strict=True)
        if one.timed
    ]
    at, whole = [pair[0] for pair in timed], [pair[1] for pair in timed]
    if at != whole:
        yield f"Steps were timed of the networks at their own width, at {_sizes(at)} in place of {_sizes(whole)}."


def _sizes(sides: Sequence[int]) -> str:
    return f"{min(sides)} px" if min(sides) == max(sides) else f"{min(sides)} to {max(sides)} px"


def _other_batch(choice: Choice) -> Iterable[str]:
    if choice.other_batch:
        batch = next(one.timed.batch for one in choice.networks if one.timed)
        names = ", ".join(f"{one.name} at {one.timed.batch}" for one in choice.other_batch if one.timed)
        yield f"Step times are those at batch {batch}; timed at another, and left out of them: {names}."


def _unstable(choice: Choice) -> Iterable[str]:
    """That repeats of one network were timed far apart: then its step time tells little."""
    apart = [one for one in choice.networks if one.timed and one.timed.apart > _UNSTABLE]
    if apart:
        worst = max(apart, key=lambda one: one.timed.apart if one.timed else 0)
        assert worst.timed
        rates = ", ".join(f"{rate:.4g}" for rate in worst.timed.rates)
        yield (
            f"Timings unstable: of {len(apart)} of {plural(len(choice.networks), 'network')} the repeats lie more than "
            f"{_UNSTABLE:g} × apart, of {worst.name} {worst.timed.apart:.1f} × ({rates} images/s): what is said of "
            "step times is worth little."
        )


def _answer(choice: Choice, answer: Answer) -> Iterable[str]:
    best, count = answer.best, len(answer.candidates)
    band = f"{target_words(answer)} ± {percent(answer.band)}"
    found = f"{QUESTIONS[answer.question]} ({band}, {plural(count, 'candidate')}): {verdict(answer)}. "
    reading = f"{best.moved:.2f} % at the target ({best.measured.accuracy:.2f} % as measured)"
    if not answer.compared:
        yield f"{found}{best.measured.name} has {reading}."
        yield from _paper(choice, answer)
        return
    often = f", and is inside the band in {percent(best.inside)} of them" if best.inside < 0.995 else ""
    yield (
        f"{found}{best.measured.name} leads with {reading} and wins {percent(best.wins)} of {DRAWS:,} redraws{often}; "
        f"{_ahead(answer.candidates[1])}."
    )
    spans = ", ".join(
        f"{symbol} {_span(*answer.interval[name])}" for symbol, name in zip(SYMBOLS, DIMENSIONS, strict=True)
    )
    yield f"Over the redraws the winner is built by {spans} (95 % of them)."
    if answer.elsewhere >= 0.005:
        yield f"Networks outside the band as measured win {percent(answer.elsewhere)} of the redraws."
    yield from _paper(choice, answer)
    same = answer.unmoved is best.measured
    yield (
        f"Accuracies were moved to the target along {answer.slope:+.2f} ± {answer.slope_error:.2f} points a doubling; "
        f"as measured {answer.unmoved.name} leads{', too' if same else ''}."
    )


def _ahead(second: Candidate) -> str:
    return f"the next, {second.measured.name}, is {second.behind:.2f} ± {second.behind_error:.2f} points below"


def _paper(choice: Choice, answer: Answer) -> Iterable[str]:
    """Where the paper's triple stands; nothing where it stands alone."""
    paper, one = choice.paper, answer.paper
    if paper is None:
        yield "The paper's triple is not measured yet."
    elif one is None and answer.question == "step":
        yield f"The paper's {paper.name} was not timed at the batch of the others, and is not compared."
    elif one is None:
        times = paper.flops / choice.base.flops
        yield f"The paper's {paper.name} costs {times:.2f} × the base's FLOPs: outside the band, and not compared."
    elif one is not answer.best:
        place = answer.candidates.index(one) + 1
        told = "it cannot be excluded from being the best" if one.contender else "it is excluded from being the best"
        yield (
            f"The paper's {paper.name} stands {place} of {len(answer.candidates)}, {one.behind:.2f} ± "
            f"{one.behind_error:.2f} points below the leader: {told} (95 %, all comparisons together)."
        )
    elif answer.compared:
        yield f"The paper's {paper.name} is the leader."


def step_words(ratio: Ratio, digits: int = 2) -> str:
    """`1.42 ± 0.51 × the step time`, and that it is not told apart from 1 where it is not."""
    untold = "" if ratio.told else " (not told apart from 1)"
    return f"{ratio.value:.{digits}f} ± {ratio.error:.{digits}f} × the step time{untold}"


def _gain(gain: Gain) -> str:
    time = f" and {step_words(gain.step)}" if gain.step else ""
    return (
        f"{DIMENSION_NAMES[gain.place].capitalize()} alone, {SYMBOLS[gain.place]} "
        f"{_span(*gain.measured.built_by[gain.place])}, built {gain.built:.2f} ×: {gain.points:+.2f} ± "
        f"{gain.error:.2f} points over the base, for {gain.flops:.2f} × its FLOPs{time}."
    )


def _spending(choice: Choice) -> Iterable[str]:
    parts = [
        f"by {one.dimension} {one.points:+.2f} ± {one.error:.2f} points"
        + (f" for {step_words(one.step)}" if one.step else "")
        for one in choice.spending
    ]
    if parts:
        yield f"Fitted to all networks, twice the FLOPs gain {', '.join(parts)} (least squares, a line in each)."


def _drift(choice: Choice) -> Iterable[str]:
    if choice.drift is not None:
        drift, error = (100 * value for value in choice.drift)
        yield (
            f"From the first network to the last the step time changed by {drift:+.1f} ± {error:.1f} % beyond what "
            "FLOPs and activations explain; the order was drawn, so it follows no factor."
        )


def target_words(answer: Answer) -> str:
    """`2 × the base's FLOPs, 12.4 M`."""
    value = si(answer.target) if answer.question == "flops" else f"{1e3 * answer.target:.1f} ms"
    return f"{answer.target_is}, {value}"


def same_network(one: Measured) -> str:
    """`α 1.2, β 1.1, γ 1.1 to 1.2`: all that builds this network; nothing where only its own triple does."""
    if all(low == high for low, high in one.built_by):
        return ""
    return ", ".join(f"{symbol} {_span(*ends)}" for symbol, ends in zip(SYMBOLS, one.built_by, strict=True))


def percent(share: float) -> str:
    """`76 %` of 0.76."""
    return f"{100 * share:.0f} %"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
