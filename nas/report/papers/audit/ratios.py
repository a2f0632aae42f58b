"""Table 2 of EfficientNet (arXiv:1905.11946): its ratio columns from its own numbers and from counted networks."""

from __future__ import annotations

from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.facts import Fact
from nas.report.papers.networks import count
from nas.report.papers.peers import network
from nas.report.papers.verdict import Verdict, judge, quotient
from nas.report.papers.zoo import Zoo, shipped_counts

_COLUMNS = (("params", "params_m", "params_ratio"), ("flops", "flops_b", "flops_ratio"))


def ratios(published: Published) -> Finding:
    """Six printed ratios follow neither from the numbers beside them nor from exact counts."""
    rows, zoo = some(published("efficientnet/table2"), version="v5"), shipped_counts()
    steps, checked, wrong, outside = [], 0, 0, []
    exact: list[Verdict] = []
    for key, column, ratio in _COLUMNS:
        for row in rows:
            ours = one(rows, model=row["group"])
            if row["model"] == row["group"] or not row[column] or not row[ratio]:
                continue
            checked += 1
            value = float(row[column]) / float(ours[column])
            if rounds_to(value, row[ratio]):
                continue
            wrong += 1
            low, high = quotient(row[column], ours[column])
            inside = low <= float(row[ratio]) <= high
            outside += [] if inside else [row["model"]]
            steps.append(
                f"{row['model']} / {ours['model'].removeprefix('EfficientNet-')} ({key}): "
                f"{row[column]} / {ours[column]} = {value:.3f}, printed {row[ratio]}; "
                f"what rounds to the two gives {low:.3f} to {high:.3f}"
                + ("; " if inside else f", which excludes it: it means {_times(ours[column], row[ratio])}; ")
                + _counted(row, ours, key, row[ratio], zoo, exact)
            )
    return Finding(
        name="table-2-ratios",
        title="Six of Table 2's ratios round neither from its numbers nor from the networks",
        claim="Table 2 prints how many times larger and dearer each ConvNet is than the EfficientNet of its group.",
        steps=(*steps, f"{checked} ratios recomputed: {wrong} do not round to the printed one."),
        conclusion=(
            "Six ratios are not what the two numbers beside them give. Where the networks can be counted, five of the "
            "six, the exact counts do not round to them either; cut off, Inception-v3's would. PNASNet's cannot come "
            "from its row, whatever was rounded."
        ),
        holds=wrong == 6
        and outside == ["PNASNet"]
        and len(exact) == 5
        and Verdict.REPRODUCED not in exact
        and exact.count(Verdict.ROUNDED) == 1,
        sources=sources(rows),
    )


def _counted(row: Fact, ours: Fact, key: str, printed: str, zoo: Zoo, verdicts: list[Verdict]) -> str:
    """The ratio of exact counts in words; its verdict goes to `verdicts` where both networks are counted."""
    found = [network(each["model"]) for each in (row, ours)]
    above, below = (count(each.shipped or each.foreign, key, zoo) for each in found)
    if not above or not below:
        return f"not counted: {found[0].why or 'no counts ship'}."
    verdicts.append(judge(printed, above / below).verdict)
    cut = ", which cut off would be it" if verdicts[-1] is Verdict.ROUNDED else ""
    return f"exact counts give {above:,.0f} / {below:,.0f} = {above / below:.3f}{cut}."


def _times(below: str, ratio: str) -> str:
    """The number that this ratio of `below` would be."""
    return f"{float(below)} · {ratio} = {float(below) * float(ratio):.1f}"
