"""Findings on EfficientNet (arXiv:1905.11946): its tables against each other and against counted networks."""

from __future__ import annotations

from nas.arch import Architecture
from nas.cost import by_stage
from nas.grid import PAPER
from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.networks import billions
from nas.scaling import implied_phi as phi_of
from nas.scaling import scale
from nas.space_file import load_architecture

_NAMES = tuple(f"B{place}" for place in range(8))


def constants(published: Published) -> Finding:
    """α·β²·γ² of the paper's (1.2, 1.1, 1.15), nominal and built."""
    method = published("efficientnet/method")
    rows = [one(method, item=f"{name} base)") for name in ("alpha (depth", "beta (width", "gamma (resolution")]
    alpha, beta, gamma = (float(row["value"]) for row in rows)
    nominal = alpha * beta**2 * gamma**2
    b0 = load_architecture("efficientnet-b0")
    exact = scale(b0, depth=alpha, width=beta, resolution=gamma)
    even = scale(b0, depth=alpha, width=beta, resolution=gamma, pixels=b0.total_stride // 2)
    built = {arch.resolution: billions(arch) / billions(b0) for arch in (even, exact)}
    steps = (
        f"{alpha} · {beta}² · {gamma}² = {alpha} · {beta**2:.4g} · {gamma**2:.6g} = {nominal:.4f}.",
        f"Pixels: {b0.resolution} · {gamma} = {b0.resolution * gamma:.1f}, that is {exact.resolution}, or "
        f"{even.resolution} to a multiple of {b0.total_stride // 2}.",
        *(
            f"At {arch.resolution} px the maps of B0 so scaled are {_maps(arch)} px wide and the network costs "
            f"{billions(arch):.4f} B, {built[arch.resolution]:.3f} times B0's {billions(b0):.4f} B."
            for arch in (even, exact)
        ),
    )
    return Finding(
        name="constants",
        title="1.2 · 1.1² · 1.15² is not 2, and what it builds costs more than twice B0",
        claim="α · β² · γ² ≈ 2, so that φ = 1 doubles the multiply-adds (equation 3).",
        steps=steps,
        conclusion=(
            "The nominal product is 1.92. Layers round up, channels to 8 and odd maps up, so that the built network "
            "costs 2.2 times B0 at 256 px and 2.6 times at 258 px."
        ),
        holds=rounds_to(nominal, "1.92")
        and list(built) == [256, 258]
        and rounds_to(built[256], "2.2")
        and rounds_to(built[258], "2.6"),
        sources=sources(rows),
    )


def implied_phi(published: Published) -> Finding:
    """No φ gives the published coefficients of B1 to B7."""
    coefficients = published("efficientnet/coefficients")
    rows = [one(coefficients, model=f"EfficientNet-{name}") for name in _NAMES]
    base = float(rows[0]["resolution"])
    steps, spread = [], []
    for name, row in zip(_NAMES[1:], rows[1:], strict=True):
        depth, width, pixels = float(row["depth"]), float(row["width"]), float(row["resolution"])
        each = tuple(map(phi_of, (depth, width, pixels / base), PAPER))
        spread.append(max(each) - min(each))
        steps.append(
            f"{name}: ln {depth} / ln 1.2 = {each[0]:.2f} from depth, ln {width} / ln 1.1 = {each[1]:.2f} from width, "
            f"ln ({pixels:.0f}/{base:.0f}) / ln 1.15 = {each[2]:.2f} from resolution."
        )
    return Finding(
        name="implied-phi",
        title="No single φ gives B1 to B7",
        claim="B1 to B7 are B0 scaled with α = 1.2, β = 1.1, γ = 1.15 and different φ (section 4, step 2).",
        steps=tuple(steps),
        conclusion=(
            "The three coefficients of a network imply three different φ, up to one apart at B7; depth falls behind "
            "from B4 on. The family was not built by the rule alone."
        ),
        holds=sum(away > 0.1 for away in spread) >= 5 and rounds_to(spread[-1], "1"),
        sources=sources(rows, some(published("efficientnet/method"), item="scaling rule")),
    )


def latency(published: Published) -> Finding:
    """Table 4's speed-ups, and which version's accuracies it prints."""
    rows, table = published("efficientnet/table4"), published("efficientnet/table2")
    steps, holds, old = [], True, 0
    for pair in dict.fromkeys(row["pair"] for row in rows):
        slow, fast = some(rows, pair=pair)
        value = float(slow["latency_s"]) / float(fast["latency_s"])
        holds = holds and rounds_to(value, fast["speedup"])
        steps.append(f"{slow['latency_s']} s / {fast['latency_s']} s = {value:.2f}, printed {fast['speedup']}x.")
        then, now = (one(table, version=version, model=fast["model"])["top1_pct"] for version in ("icml", "v5"))
        old += fast["top1_pct"] == then != now
        steps.append(f"{fast['model']}: Table 4 prints {fast['top1_pct']} %, Table 2 {then} % (ICML), {now} % (v5).")
    return Finding(
        name="table-4",
        title="Table 4's speed-ups hold; its accuracies are the older version's",
        claim="Table 4 of v5 prints latency and accuracy of the networks of Table 2.",
        steps=tuple(steps),
        conclusion="Both speed-ups follow from the printed seconds. Both accuracies are those of the ICML version.",
        holds=holds and old == len({row["pair"] for row in rows}),
        sources=sources(rows, table[:1]),
    )


def sizes(published: Published) -> Finding:
    """The input sizes of Table 1 against the maps of the network that it describes."""
    rows = published("efficientnet/table1")
    b0 = load_architecture("efficientnet-b0")
    maps = [row.size for row in by_stage(b0)]
    wrong = {
        version: [
            (row["stage"], row[column], size)
            for row, size in zip(rows, maps, strict=True)
            if int(row[column].split("x")[0]) != size
        ]
        for version, column in (("v5", "resolution"), ("icml", "resolution_icml"))
    }
    steps = (
        "Maps that enter the rows of Table 1, counted: " + ", ".join(map(str, maps)) + " px.",
        *(
            f"{version}: "
            + (", ".join(f"row {stage} prints {said}, counted {size}" for stage, said, size in found) or "all agree")
            + "."
            for version, found in wrong.items()
        ),
    )
    return Finding(
        name="table-1-sizes",
        title="Table 1 of the ICML version prints one map twice as wide as it is",
        claim="Table 1 prints the resolution that enters each stage of B0.",
        steps=steps,
        conclusion="One row of the ICML version is a misprint, which v5 corrects.",
        holds=len(wrong["icml"]) == 1 and not wrong["v5"],
        sources=sources(rows),
    )


def dropout(published: Published) -> Finding:
    """The dropout of B0 to B7 in code against the text's straight line."""
    rows = [one(published("efficientnet/coefficients"), model=f"EfficientNet-{name}") for name in _NAMES]
    said = [float(row["dropout"]) for row in rows]
    even = [said[0] + (said[-1] - said[0]) * place / 7 for place in range(8)]
    return Finding(
        name="dropout",
        title="Dropout rises along a line, rounded to one decimal",
        claim="The text raises dropout linearly from 0.2 for B0 to 0.5 for B7 (section 5.2).",
        steps=(
            "A line, 0.2 + 0.3 · i / 7: " + ", ".join(f"{value:.3f}" for value in even) + ".",
            "The code: " + ", ".join(row["dropout"] for row in rows) + ".",
        ),
        conclusion="The steps of the code are the line of the text rounded to one decimal; the two agree.",
        holds=all(rounds_to(value, row["dropout"]) for value, row in zip(even, rows, strict=True)),
        sources=sources(rows),
    )


def _maps(arch: Architecture) -> str:
    """Sides of the maps that enter the stages, each once."""
    return ", ".join(map(str, dict.fromkeys(row.size for row in by_stage(arch))))
