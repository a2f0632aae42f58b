"""`nas scale`: a family made by a rule, beside the published one; or the laws of a measured family."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, NOTATION, Json, Storage
from nas.errors import NasError, nearest

if TYPE_CHECKING:
    from nas.fit import Advice, Family
    from nas.record import Record
    from nas.report.scaled import Scaled

_MOST_PHIS = 100
_NOTHING_USABLE = 4


def scale(  # noqa: PLR0913, PLR0917
    base: Annotated[str, typer.Option(help=f"The network to scale: {NOTATION}.")] = "",
    phi: Annotated[str, typer.Option(help="LOW:HIGH in whole steps, LOW:HIGH:STEP, or a list: 0,0.5,1.")] = "0:7",
    alpha: Annotated[float, typer.Option(help="Depth of one step of φ.")] = 1.2,
    beta: Annotated[float, typer.Option(help="Width of one step of φ.")] = 1.1,
    gamma: Annotated[float, typer.Option(help="Resolution of one step of φ.")] = 1.15,
    rule: Annotated[str, typer.Option(help="How to scale: see below.")] = "compound",
    fit: Annotated[
        list[Path] | None, typer.Option(metavar="RECORDS", help="A measured family's records.jsonl; repeat for more.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for YAML files, tables and the page.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json_output: Json = False,
) -> None:
    """Scale a network by a rule and print the family beside the published one; or fit a measured family.

    Rules: compound, compound-v2, depth, width, resolution, fast (mostly width), staged (EfficientNetV2),
    mobilenetv1, mobilenetv2. Before rounding, those up to fast spend (α·β²·γ²)^φ times the FLOPs; staged promises no
    ratio (at most 480 px, more layers late), and the multipliers spend (β·γ)^(2φ).

    Examples:

      nas scale --base efficientnet-b0 --phi 0:7

      nas scale --base efficientnet-b0 --phi -2:0 --rule fast -o family

      nas scale --fit studies/efficientnetv2-cpu/records.jsonl
    """
    if not base and not fit:
        raise NasError("nothing to scale and nothing to fit", "give --base REF, or --fit RECORDS")
    family = _family(base, storage, phi, (alpha, beta, gamma), rule) if base else None
    measured, advice = _fit(fit) if fit else ([], None)
    written = []
    if family is not None and output is not None:
        from nas.report.scaled import write_family

        written = write_family(family, output)
    if json_output:
        console.show_json(_document(family, measured, advice, written))
    else:
        if family is not None:
            _print_family(family)
        if advice is not None:
            _print_fit(measured, advice)
        if written and output is not None:
            console.say(f"wrote {len(written)} networks, tables and figures into {output}")
            console.say(f"report {output / 'report.html'}")
    if family is None and not any(one.laws for one in measured):
        raise typer.Exit(_NOTHING_USABLE)


def parse_phis(text: str) -> list[float]:
    """The values of φ: `0:7`, `0:2:0.5`, `-2:0`, `0,0.5,1`. Raises: NasError for no number, or values out of order."""
    from decimal import Decimal, InvalidOperation
    from math import isfinite

    try:
        ends = [Decimal(part.strip()) for part in text.split(":" if ":" in text else ",")]
    except InvalidOperation:
        ends = []
    if not ends or not all(end.is_finite() and isfinite(float(end)) for end in ends) or (":" in text and len(ends) > 3):
        raise NasError(f"φ: '{text}' does not parse", "write a range (0:7, 0:2:0.5, -2:0) or a list (0,0.5,1)")
    values = ends
    if ":" in text:
        step = ends[2] if len(ends) == 3 else Decimal(1)
        if float(step) <= 0:
            raise NasError(f"φ: the step of '{text}' must be above 0", "write LOW:HIGH:STEP")
        count = int((ends[1] - ends[0]) / step) + 1 if ends[1] >= ends[0] else 0
        values = [ends[0] + number * step for number in range(min(count, _MOST_PHIS + 1))]
    if not values or any(later <= before for before, later in pairwise(values)):
        raise NasError(f"φ: '{text}' is out of order; expected rising values", "write the lowest first: 0:7 or -2:0")
    if len(values) > _MOST_PHIS:
        raise NasError(f"φ: '{text}' makes more than {_MOST_PHIS} networks", "use a larger step or a shorter range")
    return [float(value) for value in values]


def _family(base: str, storage: str, phi: str, factors: tuple[float, float, float], rule: str) -> Scaled:
    from nas.cli.grid import scalable_base
    from nas.report.scaled import cautions, scaled
    from nas.scaling import RULES, Factors

    if rule not in RULES:
        raise NasError(f"unknown rule '{rule}'", nearest(rule, RULES))
    made = scaled(base, scalable_base(base, storage), RULES[rule], Factors(*factors), parse_phis(phi))
    for sentence in cautions(made.factors):
        console.say(sentence)
    return made


def _fit(paths: list[Path]) -> tuple[list[Family], Advice]:
    from nas.fit import advise, family, read_measured

    files = [path / "records.jsonl" if path.is_dir() else path for path in paths]
    records: list[Record] = [record for file in files for record in read_measured(file)]
    time, error = family(records, "time"), family(records, "error")
    if not time.values and not error.values:
        names = ", ".join(map(str, paths))
        raise NasError(
            f"{names}: no network has a train time or an accuracy", "measure some: nas measure --zoo, or nas search"
        )
    return [time, error], advise(time, error)


def _print_family(family: Scaled) -> None:
    from nas.report.scaled import tables_of
    from nas.report.table import narrow

    for table in tables_of(family):
        console.show(console.as_rich(narrow(table), table.caption))


def _print_fit(measured: list[Family], advice: Advice) -> None:
    from nas.report.laws import family_words, laws_table

    table = laws_table(measured)
    if table.rows:
        console.show(console.as_rich(table, table.caption))
    for sentence in (*map(family_words, filter(lambda family: family.values, measured)), *advice.reasons):
        console.result().print(sentence, soft_wrap=True)
    fitted = any(one.laws for one in measured if one.response == "time")
    rule = advice.rule or ("not told apart" if fitted else "none, for want of a fit of train times")
    console.result().print(f"rule for this device: {rule}", soft_wrap=True)


def _document(
    family: Scaled | None, measured: list[Family], advice: Advice | None, written: list[Path]
) -> dict[str, Any]:
    from dataclasses import asdict

    from nas.report.scaled import document

    result: dict[str, Any] = {}
    if family is not None:
        result |= {"family": document(family), "files": [str(path) for path in written]}
    if advice is not None:
        laws = {one.response: {key: asdict(law) for key, law in one.laws.items()} for one in measured}
        result["fit"] = {"laws": laws, "rule": advice.rule, "reasons": advice.reasons}
    return result
