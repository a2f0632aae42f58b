"""The laws of a measured family as people look at them: a table, and a sentence on what was fitted."""

from __future__ import annotations

from collections.abc import Sequence

from nas.fit import LEAST, Family
from nas.metric import METRICS
from nas.report.table import Cell, Column, Table, text

_WHAT = {"time": "train time", "error": "top-1 error"}


def laws_table(families: Sequence[Family]) -> Table:
    """The power laws of measured families, one a row."""
    columns = (
        Column("response", "of"), Column("over", "over"), Column("exponent", "exponent", "number"),
        Column("interval", "95 % interval"), Column("r2", "R²", "number"), Column("networks", "networks", "number"),
    )  # fmt: skip
    words = {"time": f"{_WHAT['time']} per image", "error": f"{_WHAT['error']} (100 − top-1)"}
    rows = tuple(
        (
            text(words[family.response]), text(METRICS[key].label), Cell(f"{law.exponent:+.3f}", law.exponent),
            Cell(f"{law.low:+.3f} to {law.high:+.3f}", f"{law.low} {law.high}"), _share(law.r2),
            text(law.points),
        )
        for family in families
        for key, law in family.laws.items()
    )  # fmt: skip
    return Table("laws", "Power laws by least squares in log-log; intervals of Student's t", columns, rows)


def family_words(family: Family) -> str:
    """How many networks were fitted, under what setting, how many were left out, and whether they are too few."""
    setting = ", ".join(f"{key} {value}" for key, value in family.setting.items() if value != "None")
    count = len(family.values)
    left = f"; {family.left_out} measured under another setting left out" if family.left_out else ""
    few = f" Too few networks: no fit below {LEAST}." if count < LEAST else ""
    return (
        f"{_WHAT[family.response]}: {count} network{'s' if count != 1 else ''} ({setting}){left}. The cost is that of "
        f"each network as it was run.{few}"
    )


def _share(r2: float | None) -> Cell:
    return Cell("–") if r2 is None else Cell(f"{r2:.3f}", r2)
