"""Published facts: the shipped files of reports/published/, every value kept as it was printed."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from nas.errors import NasError, nearest
from nas.resources import is_file, shipped

Fact = Mapping[str, str]  # column → the text as printed: its digits are its precision


class FactError(NasError):
    """A file of published facts that is missing or does not read."""


def facts(name: str) -> tuple[Fact, ...]:
    """The rows of `reports/published/<name>.csv`, for example `efficientnet/table2`; every row names its `source`.

    Raises: FactError for an unknown file, a row without a source, or a row of another length.
    """
    rows = csv.DictReader(_text(name).splitlines())
    found = []
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise FactError(f"reports/published/{name}.csv:{number}: expected {len(rows.fieldnames or ())} values")
        if not row.get("source"):
            raise FactError(f"reports/published/{name}.csv:{number}: the row names no source")
        found.append(row)
    return tuple(found)


def digest(name: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the file."""
    return hashlib.sha256(_text(name).encode()).hexdigest()[:12]


def number(printed: str) -> float:
    """The number that was printed: `1,930`, `5.7x`, `79.1 %`. Raises: FactError where there is none."""
    try:
        return float(exact(printed))
    except InvalidOperation:
        raise FactError(f"'{printed}' is not a number") from None


def exact(printed: str) -> Decimal:
    """The printed number with its digits. Raises: decimal.InvalidOperation where there is none."""
    return Decimal(printed.replace(",", "").strip().strip("~×x%BMK").strip())


def _text(name: str) -> str:
    path = shipped("reports/published") / f"{name}.csv"
    if not is_file(path):
        folder = shipped("reports/published")
        known = [str(file.relative_to(folder).with_suffix("")) for file in folder.glob("*/*.csv")]
        raise FactError(f"reports/published/{name}.csv: no such file of published facts", nearest(name, known))
    return path.read_text(encoding="utf-8")
