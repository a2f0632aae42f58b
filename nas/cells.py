"""A cell of an architecture table: closed (one value), a choice of values, a range, or a value that follows the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nas.block import Op
from nas.document import DocumentError, describe, number_hint

Value = int | float | str
_MOST_OPTIONS = 10_000


class Trial(Protocol):
    """What a space needs of an Optuna trial."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`, in no order; a single value is a closed cell."""

    values: tuple[Value, ...]

    def suggest(self, trial: Trial, name: str) -> Value:
        value: Value = trial.suggest_categorical(name, self.values)
        return value

    def to_document(self) -> Any:
        return self.values[0] if len(self.values) == 1 else list(self.values)

    def __str__(self) -> str:
        return " | ".join(f"{value}" for value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """The whole numbers `low`, `low + step`, … `high`, in order."""

    low: int
    high: int
    step: int

    @property
    def values(self) -> Sequence[Value]:
        return range(self.low, self.high + 1, self.step)

    def suggest(self, trial: Trial, name: str) -> Value:
        return trial.suggest_int(name, self.low, self.high, step=self.step)

    def to_document(self) -> Any:
        return {"from": self.low, "to": self.high, "by": self.step}

    def __str__(self) -> str:
        return f"{self.low}…{self.high}" + (f" by {self.step}" if self.step != 1 else "")


@dataclass(frozen=True, slots=True)
class ByOp:
    """A closed value for each block type: V2's stages have SE where they are MBConv and none where they are fused."""

    by_op: tuple[tuple[Op, Value], ...]

    def value(self, op: Op) -> Value:
        return dict(self.by_op)[op]

    def to_document(self) -> Any:
        return {op.value: value for op, value in self.by_op}

    def __str__(self) -> str:
        return ", ".join(f"{op.label} {value}" for op, value in self.by_op)


Open = Choice | Range
Cell = Open | ByOp


def parse_cell(raw: Any, kind: type, where: str) -> Cell:
    """The cell written as `raw`; `kind` is int, float or str. Raises: DocumentError `where: expected …; got …`."""
    if isinstance(raw, list):
        if not raw:
            raise DocumentError(f"{where}: expected at least one choice; got an empty list")
        values = tuple(_value(item, kind, f"{where}[{number}]") for number, item in enumerate(raw))
        if len(set(values)) < len(values):
            raise DocumentError(f"{where}: a choice stands twice in {raw}")
        return Choice(values)
    if isinstance(raw, dict):
        return _parse_range(raw, kind, where) if "from" in raw or "to" in raw else _parse_by_op(raw, kind, where)
    return Choice((_value(raw, kind, where),))


def _value(raw: Any, kind: type, where: str) -> Value:
    expected = {int: "a whole number", float: "a number", str: "a word"}[kind]
    accepted = (int, float) if kind is float else kind
    if not isinstance(raw, accepted) or isinstance(raw, bool):
        raise DocumentError(f"{where}: expected {expected}; got {describe(raw)}", number_hint(raw))
    value: Any = raw
    return value  # type: ignore[no-any-return]


def _parse_range(raw: Mapping[str, Any], kind: type, where: str) -> Range:
    if kind is not int:
        raise DocumentError(f"{where}: a range needs whole numbers; write the choices out: [1, 1.5, 2]")
    for key in raw:
        if key not in ("from", "to", "by"):
            raise DocumentError(f"{where}.{key}: unknown key", "a range is {from: 1, to: 8, by: 1}")
    for key in ("from", "to"):
        if key not in raw:
            raise DocumentError(f"{where}.{key}: expected a value; the key is missing")
    low, high, step = (_value(raw.get(key, 1), int, f"{where}.{key}") for key in ("from", "to", "by"))
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert isinstance(step, int)
    if step < 1:
        raise DocumentError(f"{where}.by: expected a step of at least 1; got {step}")
    if high < low:
        raise DocumentError(f"{where}: expected from ≤ to; got from {low} to {high}")
    if (high - low) % step:
        below = high - (high - low) % step
        raise DocumentError(
            f"{where}: steps of {step} from {low} do not reach {high}", f"write to: {below} or to: {below + step}"
        )
    if (high - low) // step >= _MOST_OPTIONS:
        raise DocumentError(f"{where}: more than {_MOST_OPTIONS:,} values; expected fewer", "take a larger step")
    return Range(low, high, step)


def _parse_by_op(raw: Mapping[str, Any], kind: type, where: str) -> ByOp:
    names = {op.value for op in Op}
    if not raw:
        raise DocumentError(f"{where}: expected a value by block type; got an empty one", "write {mbconv: 0.25, …}")
    for key in raw:
        if key not in names:
            raise DocumentError(
                f"{where}.{key}: unknown key", "a range is {from: 1, to: 8}; a value by block type {mbconv: 0.25, …}"
            )
    return ByOp(tuple((op, _value(raw[op.value], kind, f"{where}.{op.value}")) for op in Op if op.value in raw))
