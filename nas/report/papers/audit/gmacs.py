"""Findings on multiply-adds as others count them: two papers' EfficientNets, and what timm adds."""

from __future__ import annotations

import dataclasses

from nas.arch import Stage
from nas.report.papers.audit.finding import Finding, Published, percent, rounds_to, some, sources
from nas.report.papers.audit.wide import norm_elements
from nas.report.papers.facts import Fact
from nas.report.papers.networks import billions
from nas.report.papers.verdict import Verdict, judge
from nas.scaling import scale
from nas.space_file import load_architecture


def timm(published: Published) -> Finding:
    """timm's gmacs are convolutions and linears plus two operations for each batch-normalised element."""
    rows = published("timm/benchmark")
    steps, wide, narrow = [], 0, 0
    for row in rows:
        arch = load_architecture(row["baseline"])
        plain, elements = billions(arch), norm_elements(arch) / 1e9
        assert arch.resolution == int(row["px"])
        wide += rounds_to(plain + 2 * elements, row["gmacs"])
        narrow += rounds_to(plain, row["gmacs"])
        steps.append(
            f"{row['baseline']}: {plain:.4f} + 2 · {elements:.4f} = {plain + 2 * elements:.4f} B; timm {row['gmacs']}."
        )
    return Finding(
        name="timm-gmacs",
        title="timm's gmacs hold two operations for each batch-normalised element",
        claim="timm prints gmacs slightly above the multiply-adds of convolutions and linears.",
        steps=(
            *steps,
            f"{wide} of {len(rows)} round to timm's digits with the normalised elements, {narrow} without.",
        ),
        conclusion=(
            "The difference is batch normalisation, counted as two operations an element, which inference folds into "
            "the convolution. Counts of different tools differ by up to 3 % for this reason alone."
        ),
        holds=wide >= len(rows) - 1 and narrow < len(rows) / 2,
        sources=sources(rows),
    )


def printed_flops(published: Published) -> Finding:
    """Multiply-adds of B0 to B7 as two papers print and plot them, against the count."""
    first = some(published("efficientnet/table2"), version="v5")
    plotted = some(published("efficientnet/figure5"), version="v5")
    second = some(published("efficientnetv2/table7"), version="v3")
    drawn = some(published("efficientnetv2/figure5b"), series="EffNet")
    steps, below, cut, over, above = [], [], [], [], []
    for place in range(8):
        name = f"EfficientNet-B{place}"
        counted = billions(load_architecture(name.lower()))
        said = {
            "Table 2": _flops(first, name),
            "Figure 5": _flops(plotted, name),
            "V2's Table 7": _flops(second, name),
            "V2's Figure 5(b)": _flops(drawn, f"B{place}"),
        }
        shown = [f"{where} {text} ({percent(float(text) / counted - 1)})" for where, text in said.items() if text]
        verdict = judge(said["Table 2"], counted).verdict
        below += [place] if verdict is Verdict.DIFFERS and float(said["Table 2"]) < counted else []
        over += [place] if verdict is Verdict.DIFFERS and float(said["Table 2"]) > counted else []
        cut += [place] if verdict is Verdict.ROUNDED else []
        plot = said["V2's Figure 5(b)"]
        above += [place] if plot and float(plot) > counted and not rounds_to(counted, plot) else []
        steps.append(f"B{place}: counted {counted:.3f} B; " + ", ".join(shown) + ".")
    loose = billions(dataclasses.replace(load_architecture("efficientnet-b3"), stages=_without_floor()))
    steps.append(f"B3 with a first stage of 16 channels, which V1's rule forbids, would be {loose:.3f} B.")
    return Finding(
        name="printed-flops",
        title="Two papers print four sets of multiply-adds for B0 to B7",
        claim="Table 2 and Figure 5 of the first paper, Table 7 and Figure 5(b) of the second print the same networks.",
        steps=tuple(steps),
        conclusion=(
            "In Table 2, B4 and B5 lie below the count of the released networks and B1 above it, by more than rounding "
            "or cutting off makes; B7's 37 B is 37.75 B cut off, and the rest round to the printed digits. The second "
            "paper plots B3 to B7 above the count. Neither paper says what it counts."
        ),
        holds=(below, over, cut, above) == ([4, 5], [1], [7], [3, 4, 5, 6, 7]),
        sources=sources(first[:1], plotted[:1], second[:1], drawn[:1]),
    )


def _flops(rows: tuple[Fact, ...], model: str) -> str:
    """The billions printed for this network; empty where it is not in the table."""
    return next((row["flops_b"] for row in rows if row["model"] == model), "")


def _without_floor() -> tuple[Stage, ...]:
    """The stages of V1-B3 with channels rounded as V2's code does."""
    return scale(load_architecture("efficientnet-b0"), width=1.2, depth=1.4, floor=None).stages
