"""A scaled family in figures: what the rule makes beside what was published, over φ."""

from __future__ import annotations

import math
from collections.abc import Callable

from nas.cost import cost
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.published import published
from nas.report.scaled import Made, Published, Scaled, implied_phis, published_family

_PHI = Axis("φ; of a published network its number")
_PROMISED = ("compound", "compound-v2", "depth", "width", "resolution", "fast")  # rules that spend (α·β²·γ²)^φ
_MEANINGS = {"depth": "depth", "width": "width", "resolution": "resolution", "flops": "FLOPs"}
_Of = Callable[[Made | Published], float]


def figures_of(family: Scaled) -> list[Figure]:
    """FLOPs, params, resolution, depth and width over φ; then of a published family its accuracy and implied φ."""
    origin = family.origin
    base = f"of {family.base}" if " " not in family.base else "of the base"
    width = origin.stages[-1].channels
    over: list[tuple[str, str, str, bool, _Of]] = [
        ("flops", "FLOPs", "FLOPs (G)", True, lambda one: one.cost.flops / 1e9),
        ("params", "Params", "params (M)", True, lambda one: one.cost.params / 1e6),
        ("resolution", "Resolution", "resolution (px)", False, lambda one: one.arch.resolution),
        ("depth", "Depth", f"blocks / those {base}", False, lambda one: one.arch.depth / origin.depth),
        ("width", "Width", f"last width / that {base}", False, lambda one: one.arch.stages[-1].channels / width),
    ]
    known = published_family(family.base, origin)
    most = max(member.phi for member in family.members)
    shown = tuple(member for number, member in enumerate(known) if number <= most)
    found = [_over_phi(family, shown, name, title, Axis(label, log), of) for name, title, label, log, of in over]
    return found + [figure for figure in (_accuracy(known), _implied(family, known)) if figure is not None]


def _over_phi(family: Scaled, shown: tuple[Published, ...], name: str, title: str, y: Axis, of: _Of) -> Figure:
    phis = tuple(member.phi for member in family.members)
    made = tuple(of(member) for member in family.members)
    names = tuple(f"{family.rule.name}, φ = {phi:g}" for phi in phis)
    series = [Series(f"by the rule {family.rule.name}", "computed", phis, made, names, style=0)]
    if shown:
        heights = tuple(of(member) for member in shown)
        numbers, labels = tuple(map(float, range(len(shown)))), tuple(member.name for member in shown)
        series.append(Series("published", "published", numbers, heights, labels, style=1))
    caption = f"{family.rule.meaning[0].upper()}{family.rule.meaning[1:]}."
    if name == "flops" and family.rule.name in _PROMISED and len(phis) > 1:
        ends = phis[0], phis[-1]
        promised = tuple(cost(family.origin).flops / 1e9 * family.factors.ratio(phi) for phi in ends)
        series.append(Series("promised: (α·β²·γ²)^φ", "computed", ends, promised, ("", ""), style=4, marks=False))
        caption += " Rounding, and layers that round up, take what is made off the promise."
    return Figure(f"scale-{name}", f"{title} over φ", caption, _PHI, y, tuple(series))


def _accuracy(known: tuple[Published, ...]) -> Figure | None:
    """Published accuracy over the FLOPs of the network counted; None where none is printed."""
    printed = {entry["name"].lower(): entry for entry in published()}
    with_it = [(member, printed[member.name]) for member in known if member.name in printed]
    if not with_it:
        return None
    labels = tuple(entry["name"] for _, entry in with_it)
    sources = tuple(entry["source"] for _, entry in with_it)
    flops = tuple(member.cost.flops / 1e9 for member, _ in with_it)
    top1 = tuple(float(entry["top1_pct"]) for _, entry in with_it)
    series = Series("published", "published", flops, top1, labels, style=1, sources=sources)
    caption = "ImageNet top-1 as printed, over the FLOPs counted of the network. What the rule makes was trained by "
    caption += "nobody, so it has no accuracy here."
    return Figure("scale-accuracy", "Published accuracy over FLOPs", caption,
                  Axis("FLOPs (G), counted", log=True), Axis("ImageNet top-1 (%)"), (series,))  # fmt: skip


def _implied(family: Scaled, known: tuple[Published, ...]) -> Figure | None:
    """The φ that each published coefficient implies, against the number of the network."""
    found = [(number, implied_phis(member, family.origin, family.factors)) for number, member in enumerate(known)]
    series = []
    for style, (key, word) in enumerate(_MEANINGS.items()):
        points = [
            (float(number), phi, known[number].name) for number, phis in found for phi in [phis[key]] if phi is not None
        ]
        if points and all(map(math.isfinite, (phi for _, phi, _ in points))):
            x, y, labels = zip(*points, strict=True)
            series.append(Series(f"φ of {word}", "published", x, y, labels, style=style))
    if not series:
        return None
    last = float(len(known) - 1)
    series.append(
        Series("one φ for all: its number", "computed", (0.0, last), (0.0, last), ("", ""), style=4, marks=False)
    )
    a, b, c = family.factors.alpha, family.factors.beta, family.factors.gamma
    caption = f"ln coefficient / ln factor under ({a:g}, {b:g}, {c:g}). A family that followed the rule to the letter "
    caption += "would lie on the line in all of them."
    return Figure("scale-implied", "The φ that published coefficients imply", caption,
                  Axis("number of the published network"), Axis("implied φ"), tuple(series))  # fmt: skip
