"""A measured grid as a space: a list of networks, each a triple (α, β, γ) over a base. Loads no torch, no optuna."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nas.arch import Architecture, parse
from nas.cells import Value
from nas.cost import cost
from nas.document import DocumentError, digest
from nas.grid import BASE, DIMENSIONS, PAPER, Grid, Triple
from nas.measured_grid import BASE_MARK, PAPER_MARK
from nas.scaling import scale
from nas.space import DESCRIPTION, SpaceError
from nas.space_file import parse_space
from nas.study.space import Space
from nas.study.training_space import TrainingSpace, parse_training

MARKS = {BASE_MARK: BASE, PAPER_MARK: PAPER}  # always measured, and named in every table
_DIGITS = 9  # to which a factor must agree


@dataclass(frozen=True, slots=True)
class Values:
    """The values that one factor of a grid takes, in order. Optuna sees a number between the least and the largest."""

    values: tuple[float, ...]

    def suggest(self, trial: Any, name: str) -> float:
        return float(trial.suggest_float(name, self.values[0], self.values[-1]))

    def __str__(self) -> str:
        return f"{self.values[0]:g}…{self.values[-1]:g}"


@dataclass(frozen=True)
class GridSpace:
    """Networks made of `base` by triples, each network once; `marked`: names of triples that stand in every table.

    Not every combination of its cells is a member.
    """

    name: str
    base: Architecture
    triples: tuple[Triple, ...]
    marked: Mapping[str, Triple]
    pixels: int = 8
    source: str = ""
    published: tuple[str, ...] = ()

    @classmethod
    def of(cls, grid: Grid, name: str) -> GridSpace:
        """The members of a grid, the base and the paper's triple; a network that a marked triple builds has that."""
        archs = {member.arch.id: (member.alpha, member.beta, member.gamma) for member in grid.members}
        for triple in MARKS.values():
            archs[_build(grid.base, triple, grid.pixels).id] = triple
        source = f"α·β²·γ² ≈ {grid.target:g} ± {grid.tolerance:g} ({grid.constraint}), step {grid.step:g}"
        marked = {mark: archs[_build(grid.base, triple, grid.pixels).id] for mark, triple in MARKS.items()}
        return cls(name, grid.base, tuple(sorted(archs.values())), marked, grid.pixels, source)

    @cached_property
    def cells(self) -> dict[str, Values]:
        """The three factors and their values."""
        columns = zip(*self.triples, strict=True)
        return {name: Values(tuple(sorted(set(column)))) for name, column in zip(DIMENSIONS, columns, strict=True)}

    @property
    def size(self) -> int:
        """Number of networks."""
        return len(self.triples)

    @property
    def total_stride(self) -> int:
        """The total stride of every member: no image may be smaller."""
        return self.base.total_stride

    @cached_property
    def smallest_side(self) -> int:
        """Side in pixels of the smallest images of a member."""
        return min(_build(self.base, triple, self.pixels).resolution for triple in self.triples)

    @cached_property
    def listed(self) -> tuple[dict[str, Value], ...]:
        """The settings of all its networks: each of them is measured."""
        return tuple(map(self.settings, self.triples))

    @property
    def hash(self) -> str:
        """Changes with the base or any triple, not with names."""
        return digest({key: value for key, value in self.to_document().items() if key not in DESCRIPTION})

    @cached_property
    def members(self) -> dict[str, Triple]:
        """{id of the network: its triple}, in the order of the triples."""
        return {_build(self.base, triple, self.pixels).id: triple for triple in self.triples}

    def suggest(self, trial: Any) -> Architecture:
        """The network of an Optuna trial. Raises: SpaceError for one that was not taken from the list."""
        return self.decode({name: cell.suggest(trial, name) for name, cell in self.cells.items()})

    def decode(self, settings: Mapping[str, Value]) -> Architecture:
        """The network of {alpha, beta, gamma}. Raises: SpaceError for a triple that is none of the grid."""
        try:
            asked = tuple(round(float(settings[name]), _DIGITS) for name in DIMENSIONS)
        except KeyError as error:
            raise SpaceError(f"{self.name}: no setting for {error}") from None
        for triple in self.triples:
            if tuple(round(value, _DIGITS) for value in triple) == asked:
                return _build(self.base, triple, self.pixels)
        raise SpaceError(f"{self.name}: {asked} is none of its {self.size} triples")

    def encode(self, arch: Architecture) -> dict[str, Value]:
        """{alpha, beta, gamma} of a member. Raises: SpaceError for any other network."""
        if arch.id not in self.members:
            raise SpaceError(f"not in {self.name}: none of its {self.size} triples builds {arch}")
        return self.settings(self.members[arch.id])

    def settings(self, triple: Triple) -> dict[str, Value]:
        """A triple as Optuna stores it."""
        return dict(zip(DIMENSIONS, triple, strict=True))

    def __contains__(self, arch: Architecture) -> bool:
        return arch.id in self.members

    def named(self, name: str) -> Architecture | None:
        """The network of a marked triple; None for another name."""
        return _build(self.base, self.marked[name], self.pixels) if name in self.marked else None

    def rank_score(self, arch: Architecture) -> None:
        """None: the score ranks networks of one resolution."""

    def extreme(self, key: Literal["params", "flops", "activations"], largest: bool = False) -> Architecture:
        """The member with the least (or most) of a cost."""
        return (max if largest else min)(self.samples(self.size), key=lambda arch: getattr(cost(arch), key))

    def samples(self, count: int, seed: int = 0) -> Iterator[Architecture]:  # noqa: ARG002  (all of a short list)
        """The members in the order of their triples, at most `count` of them."""
        return (_build(self.base, triple, self.pixels) for triple in self.triples[:count])

    def to_document(self) -> dict[str, Any]:
        """What `parse_grid_space` reads back."""
        return {
            "name": self.name,
            "source": self.source,
            "published": list(self.published),
            "base": str(self.base),
            "norm_eps": self.base.norm_eps,
            "pixels": self.pixels,
            "marked": {mark: list(triple) for mark, triple in self.marked.items()},
            "triples": [list(triple) for triple in self.triples],
        }


def parse_any_space(document: Mapping[str, Any], source: str) -> Space:
    """The space that a study stored: a grid's, or a table with open cells, and the open cells of its training.

    Raises: DocumentError.
    """
    if "training" in document:
        networks = {key: value for key, value in document.items() if key != "training"}
        return TrainingSpace(parse_any_space(networks, source), parse_training(document["training"], source))
    return parse_grid_space(document, source) if "triples" in document else parse_space(document, source)


def parse_grid_space(document: Mapping[str, Any], source: str) -> GridSpace:
    """The grid of `GridSpace.to_document`. Raises: DocumentError for anything else."""
    try:
        base = dataclasses.replace(parse(document["base"]), norm_eps=document["norm_eps"])
        return GridSpace(
            document["name"],
            base,
            tuple(map(_triple, document["triples"])),
            {mark: _triple(triple) for mark, triple in document["marked"].items()},
            document["pixels"],
            document["source"],
            tuple(document["published"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"{source}: its grid does not read: {error}") from None


def _triple(values: Sequence[float]) -> Triple:
    alpha, beta, gamma = map(float, values)
    return alpha, beta, gamma


def _build(base: Architecture, triple: Triple, pixels: int) -> Architecture:
    alpha, beta, gamma = triple
    return scale(base, depth=alpha, width=beta, resolution=gamma, pixels=pixels)
