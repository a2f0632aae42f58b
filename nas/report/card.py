"""The model card of an exported network: what it is, what goes in and comes out, how it was trained, where measured.

Only what is known is said; what a reader would look for and nobody stated is "not stated".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.arch import Architecture
from nas.cost import cost
from nas.document import as_text
from nas.metric import METRICS
from nas.record import Record
from nas.report.table import Column, Table, markdown, text, to_markdown
from nas.report.tables import conditions_text, flat, reading_text, stage_table, unit

CARD = "<!-- model card of nas export -->"
_UNKNOWN = "not stated"
_LONGEST = 500  # characters of what a file says of itself


@dataclass(frozen=True, slots=True)
class Card:
    """What is known. `about`: what the weights' file says of itself; None where there are no trained weights.

    `files`: (name, what it is and how it was checked). `record`: of the study's trial that the network is.
    """

    name: str
    arch: Architecture
    files: Sequence[tuple[str, str]]
    about: Mapping[str, Any] | None = None
    record: Record | None = None
    licence: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def model_card(card: Card) -> str:
    """The card in Markdown."""
    arch, spent = card.arch, cost(card.arch)
    side = f"{arch.resolution} × {arch.resolution} px"
    parts = [
        f"{CARD}\n# {_plain(card.name)}",
        f"A convolutional network for images of {side} and {arch.classes:,} classes: {spent.params:,} params, "
        f"{spent.flops:,} multiply-adds and {spent.activations:,} activations for one image.",
        f"`{arch}`",
        to_markdown(stage_table(arch)).rstrip("\n"),
        "## Files",
        "\n".join(f"- `{name}`: {what}" for name, what in card.files),
        "## Input and output",
        "\n".join(f"- {line}" for line in _interface(card)),
        "## Training",
        "\n".join(f"- {line}" for line in _training(card)),
        *_measured(card),
        "## Licence",
        f"- The source that defines the network: Apache-2.0, as nas is.\n- The weights: {_licence(card)}.",
    ]
    if card.versions:
        parts.append(f"Made with {', '.join(f'{name} {number}' for name, number in card.versions.items())}.")
    return "\n\n".join(parts) + "\n"


def _licence(card: Card) -> str:
    return _plain(card.licence) if card.licence else _UNKNOWN


def _interface(card: Card) -> Iterator[str]:
    about, side = card.about or {}, card.arch.resolution
    order = "red, green, blue" if about.get("arch") else f"order of the channels {_UNKNOWN}"  # nas reads RGB
    yield f"In: float32 (N, 3, {side}, {side}), channels first; {order}."
    mean, deviation = (_numbers(about.get(key)) for key in ("mean", "deviation"))
    if mean and deviation:
        yield f"Normalised by channel: (byte − mean) / deviation; mean {_list(mean)}; deviation {_list(deviation)}."
        ones = [_list([number / 255 for number in numbers], 5) for numbers in (mean, deviation)]
        yield f"The same for values from 0 to 1: mean {ones[0]}, deviation {ones[1]}."
    else:
        yield f"Normalisation: {_UNKNOWN}."
    yield f"Out: logits (N, {card.arch.classes}), one a class; no softmax."
    yield f"Batch norm epsilon {card.arch.norm_eps:g}."


def _training(card: Card) -> Iterator[str]:
    about = card.about
    if about is None:
        yield "None: no trained weights go with this network. Weights in its files, if any, are drawn at random."
        return
    yield f"Data: {_said(about, 'data')}."
    top1, held = about.get("top1_pct"), about.get("held_out_images")
    if _is_number(top1):
        images = f" of {held:,} held-out images" if isinstance(held, int) and not isinstance(held, bool) else ""
        where = f", measured on {_where(about)}" if _where(about) else ""
        yield f"Top-1: {top1:.2f} %{images}{where}."
    else:
        yield f"Top-1: {_UNKNOWN}."
    yield f"Recipe: {_said(about, 'recipe')}."
    yield f"Seed: {_said(about, 'seed')}."
    for key, label in (("from", "Trained from"), ("weights", "First weights"), ("teacher", "Teacher"),
                       ("precision", "Precision"), ("trained", "Ended")):  # fmt: skip
        if about.get(key) not in (None, ""):
            yield f"{label}: {_said(about, key)}."


def _where(about: Mapping[str, Any]) -> str:
    """`NVIDIA H200, torch 2.10`: the device and the version that accuracy was measured with."""
    said = about.get("environment")
    if not isinstance(said, Mapping):
        return ""
    device = said.get("gpu") or said.get("cpu") or said.get("device")
    found = [str(device)] if device else []
    return _plain(", ".join([*found, *([f"torch {said['torch']}"] if said.get("torch") else [])]))


def _measured(card: Card) -> Iterator[str]:
    """The readings of the study's trial, with the conditions of each; nothing where it is of no study."""
    record = card.record
    if record is None:
        return
    yield "## Measured"
    yield f"In the study {_plain(record.study)}, trial {record.trial}" + (
        f" ({_plain(record.started)}, seed {record.seed})." if record.started else f" (seed {record.seed})."
    )
    columns = (Column("metric", "metric"), Column("value", "value", "number"), Column("under", "measured under"))
    rows = []
    for key, reading in record.readings.items():
        if (metric := METRICS.get(key)) is not None:
            value = reading_text(metric, reading.value, reading.spread) + unit(metric)
            rows.append((metric.label, value, as_text(conditions_text([record], key))))
    if rows:
        yield to_markdown(Table("measured", "", columns, tuple(tuple(map(text, row)) for row in rows))).rstrip("\n")
        if "top1_pct" in record.readings:
            yield "That top-1 is of the study's short training, and not of the weights that go with this card."
    yield f"On {_plain('; '.join(f'{name} {value}' for name, value in flat(record.environment)) or _UNKNOWN)}."


def _said(about: Mapping[str, Any], key: str) -> str:
    value = about.get(key)
    if isinstance(value, Mapping):
        value = "; ".join(f"{name} {said}" for name, said in flat(value))
    return _UNKNOWN if value in (None, "") else _plain(str(value))


def _plain(words: str) -> str:
    """What a file or a person said, as text that renders as itself."""
    cut = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …"
    return markdown(as_text(cut))


def _numbers(value: object) -> list[float]:
    """Three numbers, one a channel; none where `value` is something else."""
    found = isinstance(value, list) and len(value) == 3 and all(map(_is_number, value))
    return [float(number) for number in value] if found and isinstance(value, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(numbers: Sequence[float], digits: int = 2) -> str:
    return ", ".join(f"{number:.{digits}f}" for number in numbers)
