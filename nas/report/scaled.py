"""A scaled family as people look at it: made by a rule, beside the published one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from nas.arch import Architecture
from nas.cost import Cost, cost
from nas.difference import differences
from nas.metric import si
from nas.report.papers.facts import facts, number
from nas.report.table import Cell, Column, Table, markdown, text, to_markdown
from nas.report.write import WRITERS, ReportError, write_document
from nas.scaling import Factors, Rule, implied_phi, staged
from nas.space_file import dump_architecture, load_architecture


@dataclass(frozen=True, slots=True)
class Published:
    """A published member of a family. Its coefficients are the authors'; depth and width against the base's."""

    name: str
    depth: float
    width: float
    arch: Architecture
    cost: Cost


@dataclass(frozen=True, slots=True)
class Made:
    """What a rule makes of a base at φ, and the published network of that number, where there is one."""

    phi: float
    arch: Architecture
    cost: Cost
    published: Published | None


@dataclass(frozen=True, slots=True)
class Scaled:
    """A family made by one rule. `base` is what it is called."""

    base: str
    rule: Rule
    factors: Factors
    origin: Architecture
    members: tuple[Made, ...]


def scaled(base: str, origin: Architecture, rule: Rule, factors: Factors, phis: Iterable[float]) -> Scaled:
    """The family of `origin` at every φ. Raises: ArchitectureError where φ makes no network."""
    known = published_family(base, origin)
    made = []
    for phi in phis:
        arch = rule.make(origin, phi, factors)
        beside = known[int(phi)] if phi == int(phi) and 0 <= phi < len(known) else None
        made.append(Made(phi, arch, cost(arch), beside))
    return Scaled(base, rule, factors, origin, tuple(made))


def published_family(base: str, origin: Architecture) -> tuple[Published, ...]:
    """B0, B1, … of EfficientNet and of EfficientNetV2 with the official coefficients; none for another base."""
    rows: list[tuple[str, float, float]] = []
    if base == "efficientnet-b0":
        rows = [
            (r["model"].lower(), number(r["depth"]), number(r["width"])) for r in facts("efficientnet/coefficients")
        ]
    elif base == "efficientnetv2-b0":
        rows = [
            (row["model"], number(row["depth"]), number(row["width"]))
            for row in facts("efficientnetv2/configs")
            if row["blocks"] == "v2_base" and row["stage"] == "stem"
        ]
    found = []
    for name, depth, width in sorted(rows):
        arch = load_architecture(name)
        found.append(Published(name, depth, width, arch, cost(arch)))
    return tuple(found) if found and found[0].arch == origin else ()


def implied_phis(member: Published, origin: Architecture, factors: Factors) -> dict[str, float | None]:
    """The φ at which the rule has each published coefficient; None where its factor is not above 1.

    "flops" is that of the network's counted FLOPs, over α·β²·γ². A family that followed the rule would have one φ.
    """
    ratios = {
        "depth": (member.depth, factors.alpha),
        "width": (member.width, factors.beta),
        "resolution": (member.arch.resolution / origin.resolution, factors.gamma),
        "flops": (member.cost.flops / cost(origin).flops, factors.product),
    }
    return {key: None if factor <= 1 else implied_phi(ratio, factor) for key, (ratio, factor) in ratios.items()}


def cautions(factors: Factors) -> tuple[str, ...]:
    """What is odd about the factors, in sentences: one of less than 1, or nothing that grows."""
    named = dict(zip("αβγ", asdict(factors).values(), strict=True))
    if set(named.values()) == {1}:
        return ("α, β and γ are all 1: every φ builds the base, and none is implied.",)
    return tuple(
        f"{letter} {factor:g} is below 1: it scales down as φ rises, and no published coefficient implies a φ under it."
        for letter, factor in named.items()
        if factor < 1
    )


def family_table(family: Scaled) -> Table:
    """What the rule makes at every φ | the published network of that number."""
    beside = any(member.published for member in family.members)
    columns = [
        Column("phi", "φ", "number"),
        Column("blocks", "blocks", "number"),
        Column("channels", "last width", "number"),
        *_columns(""),
        Column("flops_ratio", "FLOPs ×", "number"),
        Column("activations_ratio", "activations ×", "number"),
    ]
    if beside:
        columns += [Column("published", "published"), *_columns("published_")]
    columns.append(Column("arch", "network", "code"))
    caption = f"{family.base} by the rule {family.rule.name}: {family.rule.meaning}"
    return Table("family", caption, tuple(columns), tuple(_row(family, member, beside) for member in family.members))


def implied_table(family: Scaled) -> Table:
    """Every published member with its coefficients and the φ that each implies; no rows for a base without a family."""
    columns = (
        Column("model", "published"), Column("depth", "depth ×", "number"), Column("width", "width ×", "number"),
        Column("resolution", "px", "number"),
        *(Column(f"phi_{key}", f"φ of {word}", "number") for key, word in _PHI.items()),
    )  # fmt: skip
    factors = family.factors
    caption = (
        f"The φ that each published coefficient implies under ({factors.alpha:g}, {factors.beta:g}, {factors.gamma:g})"
    )
    if min(*asdict(factors).values(), factors.product) <= 1:
        caption += "; none (–) of a factor that is not above 1"
    rows = (
        (text(p.name), _plain(p.depth), _plain(p.width), _plain(p.arch.resolution), *_phis(family, p))
        for p in published_family(family.base, family.origin)
    )
    return Table("implied", caption, columns, tuple(rows))


def tables_of(family: Scaled) -> list[Table]:
    """The family, the φ that published coefficients imply, what the staged rule leaves over: those that have rows."""
    return [table for table in (family_table(family), implied_table(family), remainder_table(family)) if table.rows]


def write_family(family: Scaled, out: Path) -> list[Path]:
    """Write every member as YAML, tables, figures with their points, README.md and report.html into `out`; return the
    paths of the members.

    Raises: ReportError where `out` cannot be written.
    """
    tables = tables_of(family)
    documents = {
        f"architectures/{name}.yaml": dump_architecture(
            member.arch, name, f"{family.base} at φ = {member.phi:g} by the rule {family.rule.name} of nas scale"
        )
        for member in family.members
        for name in [member_name(family, member)]
    }
    written = [out / name for name in documents]
    documents |= {f"tables/{table.name}.{kind}": write(table) for table in tables for kind, write in WRITERS.items()}
    documents |= _drawn(family, tables)
    try:
        for name, content in documents.items():
            write_document(out / name, content)
    except OSError as error:
        reason = f"{out}: the family cannot be written: {error.strerror or error}"
        raise ReportError(reason, "name another folder with -o") from None
    return written


def _drawn(family: Scaled, tables: list[Table]) -> dict[str, str]:
    """The figures, the page and README.md; plotly and matplotlib are loaded only here."""
    from nas.report.papers.figure import to_csv
    from nas.report.papers.static import to_svg
    from nas.report.scaled_figures import figures_of
    from nas.report.scaled_page import render

    figures = figures_of(family)
    shown = [f"{table.caption}.\n\n{to_markdown(table).rstrip()}" for table in tables]
    shown += [f"![{markdown(one.title)}](figures/{one.name}.svg)\n\n{markdown(one.caption)}" for one in figures]
    return {
        "report.html": render(family, tables, figures),
        "README.md": "\n\n".join([f"# {markdown(family.base)}, scaled", *shown]) + "\n",
        **{f"figures/{one.name}.svg": to_svg(one) for one in figures},
        **{f"data/{one.name}.csv": to_csv(one) for one in figures},
    }


def member_name(family: Scaled, member: Made) -> str:
    """`efficientnet-b0-compound-phi1`; φ below zero reads `phi-1`."""
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in family.base)
    return f"{stem[:60].strip('-.') or 'network'}-{family.rule.name}-phi{member.phi:g}"


def document(family: Scaled) -> dict[str, object]:
    """The family as JSON."""
    remainder = remainder_table(family)
    return {
        "base": family.base, "rule": family.rule.name, "factors": asdict(family.factors),
        "members": [
            {"phi": m.phi, "arch": str(m.arch), "id": m.arch.id, "resolution": m.arch.resolution, **asdict(m.cost)}
            for m in family.members
        ],
        "published": [
            {"name": p.name, "depth": p.depth, "width": p.width, "resolution": p.arch.resolution, **asdict(p.cost),
             "implied_phi": implied_phis(p, family.origin, family.factors)}
            for p in published_family(family.base, family.origin)
        ],
        "remainder": [
            {column.key: cell.raw for column, cell in zip(remainder.columns, row, strict=True)}
            for row in remainder.rows
        ],
    }  # fmt: skip


_PHI = {"depth": "depth", "width": "width", "resolution": "px", "flops": "FLOPs"}


def _columns(key: str) -> list[Column]:
    words = (("resolution", "px"), ("params", "params"), ("flops", "FLOPs"))
    return [Column(f"{key}{name}", word, "number") for name, word in words]


def _row(family: Scaled, member: Made, beside: bool) -> tuple[Cell, ...]:
    origin = cost(family.origin)
    cells = [
        _plain(member.phi), text(member.arch.depth), text(member.arch.stages[-1].channels),
        *_counts(member.arch, member.cost),
        Cell(f"{member.cost.flops / origin.flops:.2f}", member.cost.flops / origin.flops),
        Cell(f"{member.cost.activations / origin.activations:.2f}", member.cost.activations / origin.activations),
    ]  # fmt: skip
    if beside and member.published:
        cells += [text(member.published.name), *_counts(member.published.arch, member.published.cost)]
    elif beside:
        cells += [text(None)] * 4
    return (*cells, text(str(member.arch)))


def _phis(family: Scaled, member: Published) -> list[Cell]:
    implied = implied_phis(member, family.origin, family.factors)
    return [Cell("–") if implied[key] is None else Cell(f"{implied[key]:.2f}", implied[key]) for key in _PHI]


def _counts(arch: Architecture, spent: Cost) -> list[Cell]:
    return [_plain(arch.resolution), Cell(si(spent.params), spent.params), Cell(si(spent.flops), spent.flops)]


def _plain(value: float) -> Cell:
    return Cell(f"{value:g}", value)


def remainder_table(family: Scaled) -> Table:
    """What of V2-S, -M and -L does not follow from the base × B4's, B5's, B7's coefficients; rows for `staged` only.

    Late layers and the seventh stage come with M and L, as `nas.scaling.staged` has them.
    """
    columns = (
        Column("model", "published"),
        Column("cell", "cell"),
        Column("made", "made"),
        Column("released", "released"),
    )
    caption = "EfficientNetV2-S, -M, -L: what the staged rule at B4's, B5's, B7's coefficients does not make"
    rows: list[tuple[Cell, ...]] = []
    if family.rule.name == "staged" and family.origin == load_architecture("efficientnetv2-b0"):
        for model, like, late in (("s", 4, False), ("m", 5, True), ("l", 7, True)):
            made = staged_like(family.origin, like, late=late)
            found = differences(made, load_architecture(f"efficientnetv2-{model}"))
            rows += [
                (text(f"efficientnetv2-{model}"), text(cell), text(ours), text(theirs))
                for cell, ours, theirs in found or [("nothing: the same network", "", "")]
            ]
    return Table("remainder", caption, columns, tuple(rows))


def staged_like(origin: Architecture, number_of: int, *, late: bool) -> Architecture:
    """`origin` by the staged rule at the official coefficients of EfficientNet-B`number_of`."""
    row = next(row for row in facts("efficientnet/coefficients") if row["model"] == f"EfficientNet-B{number_of}")
    return staged(
        origin,
        depth=number(row["depth"]),
        width=number(row["width"]),
        resolution=number(row["resolution"]) / 224,
        late=late,
    )
