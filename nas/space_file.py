"""Spaces and architectures in files: YAML in, YAML out, and what ships under a name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nas.arch import Activation, Architecture, ArchitectureError, Op, parse, plain
from nas.cells import ByOp, Cell, Choice, Open, Value, parse_cell
from nas.document import DocumentError, as_text, describe, number_hint, read_yaml
from nas.errors import nearest
from nas.resources import find, is_file, names
from nas.space import DEFAULTS, DESCRIPTION, SCALARS, STAGE, SearchSpace, SpaceError

_MOST_STAGES = 60
_MOST_OPTIONS = 20_000  # of all open cells together
_LARGEST = 1e100  # networks


def parse_space(document: Mapping[str, Any], source: str) -> SearchSpace:
    """The space of a YAML mapping. Raises: DocumentError `source: path: expected …; got …`."""
    known = {*SCALARS, "stages", "norm_eps", *DESCRIPTION}
    for key in document:
        if key not in known:
            raise DocumentError(f"{source}: {key}: unknown key", nearest(str(key), known))
    scalars = _parse_row(document, SCALARS, f"{source}: ")
    rows = document.get("stages")
    if not isinstance(rows, list) or not rows:
        raise DocumentError(f"{source}: stages: expected a list of stages; got {describe(rows)}")
    if len(rows) > _MOST_STAGES:
        raise DocumentError(f"{source}: stages: expected at most {_MOST_STAGES}; got {len(rows):,}")
    stages = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DocumentError(f"{source}: stages[{number}]: expected keys and values; got {describe(row)}")
        for key in row:
            if key not in STAGE:
                raise DocumentError(f"{source}: stages[{number}].{key}: unknown key", nearest(str(key), STAGE))
        stages.append(_parse_row(row, STAGE, f"{source}: stages[{number}]."))
    eps = document.get("norm_eps", 1e-3)
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise DocumentError(
            f"{source}: norm_eps: expected a number between 0 and 1; got {describe(eps)}", number_hint(eps)
        )
    name, origin = (str(document.get(key, "")) for key in ("name", "source"))
    published = document.get("published", [])
    if not isinstance(published, list) or not all(isinstance(item, str) for item in published):
        raise DocumentError(f"{source}: published: expected a list of names; got {describe(published)}")
    space = SearchSpace(name or Path(source).stem, scalars, tuple(stages), eps, origin, tuple(published))
    _check_size(space, source)
    _check_members(space, source)
    return space


def _parse_row(row: Mapping[str, Any], kinds: Mapping[str, type], where: str) -> dict[str, Cell]:
    cells = {}
    for key, kind in kinds.items():
        if key not in row and key not in DEFAULTS:
            raise DocumentError(f"{where}{key}: expected a value; the key is missing")
        cell = parse_cell(row.get(key, DEFAULTS.get(key)), kind, where + key)
        if isinstance(cell, ByOp) and (key == "op" or kinds is SCALARS):
            raise DocumentError(f"{where}{key}: a value by block type belongs in a stage, and not under op")
        for words, allowed in (("op", Op), ("activation", Activation)):
            if key == words and not isinstance(cell, ByOp):
                _check_words(cell, [str(member.value) for member in allowed], where + key)
        cells[key] = cell
    _check_by_op(cells, where)
    return cells


def _check_by_op(cells: Mapping[str, Cell], where: str) -> None:
    """A value by block type must name every block type that the row's op may be."""
    for key, cell in cells.items():
        if isinstance(cell, ByOp) and not isinstance(ops := cells["op"], ByOp):
            for op in ops.values:
                if op not in dict(cell.by_op):
                    raise DocumentError(f"{where}{key}.{op}: expected a value; the key is missing")


def _check_words(cell: Open, allowed: list[str], where: str) -> None:
    for value in cell.values:
        if value not in allowed:
            raise DocumentError(f"{where}: expected {' or '.join(allowed)}; got {describe(value)}")


def _check_size(space: SearchSpace, source: str) -> None:
    """Every option is tried before a search begins, and the size is printed: both must end."""
    options = sum(len(cell.values) for cell in space.cells.values())
    if options > _MOST_OPTIONS:
        raise DocumentError(f"{source}: {options:,} options in all cells; expected at most {_MOST_OPTIONS:,}")
    if space.size > _LARGEST:
        raise DocumentError(f"{source}: more than {_LARGEST:.0e} networks; expected fewer open cells")


def _check_members(space: SearchSpace, source: str) -> None:
    """Every option of every cell must make a network, also at the lowest resolution and the largest stride."""
    for number, row in enumerate(space.stages):
        layers, stride = row["layers"], row["stride"]
        if (
            not isinstance(layers, ByOp)
            and 0 in layers.values
            and (isinstance(stride, ByOp) or set(stride.values) != {1})
        ):
            raise DocumentError(
                f"{source}: stages[{number}].layers: only a stage of stride 1 can have 0 layers",
                "let layers begin at 1",
            )
    if all(0 in row["layers"].values for row in space.stages if not isinstance(row["layers"], ByOp)):
        raise DocumentError(f"{source}: stages: every stage may have 0 layers; expected one that always stands")
    # A cell is judged on its own, the others at their most demanding: lowest resolution, largest strides.
    demanding = {name: _most_demanding(name, cell) for name, cell in space.cells.items()}
    try:
        space.decode(demanding)
        for name, cell in space.cells.items():
            for value in (cell.values[0], cell.values[-1]) if not isinstance(cell, Choice) else cell.values:
                if not (name.endswith(".layers") and value == 0):
                    space.decode({**demanding, name: value})
    except ArchitectureError as error:
        raise DocumentError(f"{source}: {error}", error.hint) from None


def _most_demanding(name: str, cell: Open) -> Value:
    if name.endswith((".stride", ".layers")):
        return max(cell.values)
    return min(cell.values) if name == "resolution" else cell.values[0]


def load_space(reference: str) -> SearchSpace:
    """The search space in a file, or the shipped one of that name; a shipped network is the space of itself alone.

    Raises: NasError in one line.
    """
    network = reference in baselines()
    path = find(reference, "search_spaces/baselines" if network else "search_spaces", "space")
    about = {"name": path.stem, "published": [path.stem] if network else []}
    return parse_space({**about, **read_yaml(path)}, path.name if path.is_absolute() else str(path))


def load_architecture(reference: str) -> Architecture:
    """The architecture in a file, the shipped one of that name, or the one that the one-line notation describes.

    Raises: NasError in one line, also for a file with open cells (that is a search space).
    """
    if len(reference.split()) > 1 and not (reference.endswith((".yaml", ".yml")) or is_file(Path(reference))):
        return parse(reference)
    path = find(reference, "search_spaces/baselines", "architecture")
    space = parse_space({"name": path.stem, **read_yaml(path)}, path.name if path.is_absolute() else str(path))
    if space.cells:
        raise SpaceError(
            f"{reference}: a search space with {len(space.cells)} open cells ({next(iter(space.cells))}, …); "
            "expected a network with every cell closed",
            f"close the cells, or look at it with: nas spaces {reference}",
        )
    return space.decode({})


def baselines() -> list[str]:
    """Names of the shipped architectures."""
    return names("search_spaces/baselines")


def dump_architecture(arch: Architecture, name: str = "", source: str = "") -> str:
    """YAML of `arch` as a closed table; `load_architecture` reads it back."""
    name, source = as_text(name), as_text(source)
    lines = [f"# {line}" for line in source.splitlines()]
    lines += [yaml.safe_dump({"name": name}, allow_unicode=True, width=math.inf).rstrip("\n")] if name else []
    lines += [f"resolution: {arch.resolution}", f"stem: {arch.stem}"]
    lines += [
        f"{key}: {getattr(arch, key)}" for key in ("stem_kernel", "stem_pool") if getattr(arch, key) != DEFAULTS[key]
    ]
    lines.append("stages:")
    for stage in arch.stages:
        row = f"op: {stage.op.value}, kernel: {stage.kernel}, stride: {stage.stride}, channels: {stage.channels}"
        groups = f", groups: {stage.groups}" if stage.groups > 1 else ""
        ratios = f"expand: {_number(stage.expand)}, se: {_number(stage.se)}"
        lines.append(f"  - {{{row}, layers: {stage.layers}, {ratios}{groups}}}")
    lines.append(f"head: {arch.head}")
    if arch.classes != 1000:
        lines.append(f"classes: {arch.classes}")
    if arch.activation is not Activation.SILU:
        lines.append(f"activation: {arch.activation.value}")
    if arch.norm_eps != 1e-3:
        lines.append(f"norm_eps: {_number(arch.norm_eps)}")
    return "\n".join(lines) + "\n"


def network_text(arch: Architecture, name: str, reference: str) -> str:
    """The file of a network that a user called `reference`: that and its notation as comments, and the table."""
    return dump_architecture(arch, name, f"{reference}\n{arch}")


def _number(value: float) -> str:
    """A number as YAML 1.1 reads one: 1.0e-05, with a dot."""
    text = plain(value)
    mantissa, e, exponent = text.partition("e")
    return text if "." in mantissa or not e else f"{mantissa}.0e{exponent}"
