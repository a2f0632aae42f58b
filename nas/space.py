"""A search space is an architecture's table with some cells open. With every cell closed it is an architecture."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nas.arch import Activation, Architecture, Op, Stage
from nas.cells import ByOp, Cell, Open, Trial, Value
from nas.cost import cost
from nas.document import digest
from nas.errors import NasError, nearest

SCALARS: dict[str, type] = {
    "resolution": int, "stem": int, "stem_kernel": int, "stem_pool": int, "head": int, "classes": int,
    "activation": str,
}  # fmt: skip
STAGE: dict[str, type] = {
    "op": str, "kernel": int, "stride": int, "channels": int, "layers": int, "expand": float, "se": float,
    "groups": int,
}  # fmt: skip
DESCRIPTION = ("name", "source", "published")
DEFAULTS: dict[str, Value] = {
    "classes": 1000, "activation": "silu", "expand": 1, "se": 0, "groups": 1, "stem_kernel": 3, "stem_pool": 1,
}  # fmt: skip
_UNWRITTEN = ("groups", "stem_kernel", "stem_pool")  # where they are what they were before they existed
_REFERENCE_SAMPLE = 1000


class SpaceError(NasError):
    """A network that is no member of a space, or settings that are none of it."""


@dataclass(frozen=True)
class SearchSpace:
    """Open cells by name (`stage3.kernel`, `resolution`), and the table they stand in.

    A stage whose `layers` may be 0 can be absent; it must have stride 1. `published`: names of the networks that the
    space was made around, the first of them its yardstick.
    """

    name: str
    scalars: Mapping[str, Cell]
    stages: tuple[Mapping[str, Cell], ...]
    norm_eps: float = 1e-3
    source: str = ""
    published: tuple[str, ...] = ()

    @cached_property
    def cells(self) -> dict[str, Open]:
        """The open cells in the order in which they are suggested."""
        return {name: cell for name, cell in self._cells() if not isinstance(cell, ByOp) and len(cell.values) > 1}

    @property
    def size(self) -> int:
        """Number of settings: the product of the options of the open cells."""
        return math.prod(len(cell.values) for cell in self.cells.values())

    @property
    def total_stride(self) -> int:
        """The largest total stride of a member: no image may be smaller."""
        cells = [*(row["stride"] for row in self.stages), self.scalars["stem_pool"]]
        return 2 * math.prod(
            max(int(value) for value in (dict(cell.by_op).values() if isinstance(cell, ByOp) else cell.values))
            for cell in cells
        )

    @property
    def listed(self) -> tuple[Mapping[str, Value], ...]:
        """Empty: networks are suggested, one after the other."""
        return ()

    @property
    def smallest_side(self) -> int | None:
        """Side in pixels of the smallest images, where resolution is open."""
        cell = self.cells.get("resolution")
        return None if cell is None else min(map(int, cell.values))

    @property
    def hash(self) -> str:
        """Changes with any cell, not with names, comments or order of keys."""
        return digest({key: value for key, value in self.to_document().items() if key not in DESCRIPTION})

    def suggest(self, trial: Trial) -> Architecture:
        """The architecture that an Optuna trial chooses."""
        return self.decode({name: cell.suggest(trial, name) for name, cell in self.cells.items()})

    def sample(self, seed: int = 0) -> Architecture:
        """One architecture drawn evenly over the settings; the same seed gives the same one."""
        return self._draw(random.Random(seed))

    def samples(self, count: int, seed: int = 0) -> Iterator[Architecture]:
        """`count` independent draws."""
        generator = random.Random(seed)
        return (self._draw(generator) for _ in range(count))

    def decode(self, settings: Mapping[str, Value]) -> Architecture:
        """The architecture of these settings. Raises: SpaceError for a missing, unknown or impossible setting."""
        for name in settings:
            if name not in self.cells:
                raise SpaceError(f"{self.name}: no open cell '{name}'", nearest(name, self.cells))

        def read(name: str, cell: Open) -> Value:
            if len(cell.values) == 1:
                return cell.values[0]
            if name not in settings:
                raise SpaceError(f"{self.name}: no setting for the open cell '{name}'")
            if settings[name] not in cell.values:
                raise SpaceError(f"{self.name}: {name}: expected {cell}; got {settings[name]!r}")
            return settings[name]

        stages = []
        for number, row in enumerate(self.stages, 1):
            values: dict[str, Any] = {
                key: read(f"stage{number}.{key}", cell) for key, cell in row.items() if not isinstance(cell, ByOp)
            }
            op = Op(values.pop("op"))
            values |= {key: cell.value(op) for key, cell in row.items() if isinstance(cell, ByOp)}
            if values["layers"]:
                stages.append(Stage(op, **values))
        scalars: dict[str, Any] = {
            key: read(key, cell) for key, cell in self.scalars.items() if not isinstance(cell, ByOp)
        }
        activation = Activation(scalars.pop("activation"))
        return Architecture(stages=tuple(stages), activation=activation, norm_eps=self.norm_eps, **scalars)

    def encode(self, arch: Architecture) -> dict[str, Value]:
        """Settings that decode to `arch`. Raises: SpaceError naming the first cell that cannot hold it."""
        settings: dict[str, Value] = {}
        for key, cell in self.scalars.items():
            self._assign(settings, key, cell, getattr(arch, key), None)
        settings |= self._encode_stages(arch.stages, 0)
        return {name: settings[name] for name in self.cells}

    def __contains__(self, arch: Architecture) -> bool:
        try:
            self.encode(arch)
        except SpaceError:
            return False
        return True

    def named(self, name: str) -> Architecture | None:
        """`smallest` and `largest`: the members with least and most FLOPs; None for another name."""
        return self.extreme("flops", name == "largest") if name in ("smallest", "largest") else None

    def extreme(self, key: Literal["params", "flops", "activations"], largest: bool = False) -> Architecture:
        """The member with the least (or most) of a cost: every cell turned in turn until none improves it."""
        sign = -1 if largest else 1
        settings = {name: cell.values[-1 if largest else 0] for name, cell in self.cells.items()}

        def score(candidate: Mapping[str, Value]) -> tuple[int, int]:
            spent = cost(self.decode(candidate))
            return sign * getattr(spent, key), sign * (spent.flops + spent.params + spent.activations)

        best = score(settings)
        improved = True
        while improved:
            improved = False
            for name, cell in self.cells.items():
                for value in cell.values:
                    candidate = {**settings, name: value}
                    if (reached := score(candidate)) < best:
                        best, settings, improved = reached, candidate, True
        return self.decode(settings)

    def rank_score(self, arch: Architecture) -> float:
        """Mean of the ranks, from 0 to 1, of params and of Σ expand·layers among a fixed sample of the space.

        Free: no training, no data. It ranks MBConv networks of one resolution well (Spearman .92 on 5,138 networks
        trained on ImageNet), but it is a score and not an accuracy.
        """
        params, expansions = self._reference
        return (_rank(params, cost(arch).params) + _rank(expansions, _expansion(arch))) / 2

    def to_document(self) -> dict[str, Any]:
        """What `parse_space` reads back."""
        scalars = _written(self.scalars)
        stages = [_written(row) for row in self.stages]
        about = {"name": self.name, "source": self.source, "published": list(self.published)}
        return {**about, **scalars, "norm_eps": self.norm_eps, "stages": stages}

    @cached_property
    def _reference(self) -> tuple[list[float], list[float]]:
        sample = list(self.samples(_REFERENCE_SAMPLE, seed=0))
        return sorted(float(cost(arch).params) for arch in sample), sorted(map(_expansion, sample))

    def _cells(self) -> Iterator[tuple[str, Cell]]:
        yield from self.scalars.items()
        for number, row in enumerate(self.stages, 1):
            for key, cell in row.items():
                yield f"stage{number}.{key}", cell

    def _draw(self, generator: random.Random) -> Architecture:
        return self.decode({name: generator.choice(cell.values) for name, cell in self.cells.items()})

    def _assign(self, settings: dict[str, Value], name: str, cell: Cell, value: Value, op: Op | None) -> None:
        if isinstance(cell, ByOp):
            if op is not None and cell.value(op) != value:
                raise SpaceError(f"not in {self.name}: {name} is {value}; the space has {cell}")
        elif value not in cell.values:
            raise SpaceError(f"not in {self.name}: {name} is {value}; the space has {cell}")
        else:
            settings[name] = next(option for option in cell.values if option == value)

    def _encode_stages(self, stages: tuple[Stage, ...], row: int) -> dict[str, Value]:
        """Lay `stages` over the rows from `row` on; a row that may have 0 layers may stay empty."""
        if row == len(self.stages):
            if stages:
                raise SpaceError(f"not in {self.name}: {len(stages)} stages more than the space has")
            return {}
        fault = None
        if stages:
            try:
                return self._encode_stage(stages[0], row) | self._encode_stages(stages[1:], row + 1)
            except SpaceError as error:
                fault = error
        layers = self.stages[row]["layers"]
        if isinstance(layers, ByOp) or 0 not in layers.values:
            raise fault or SpaceError(f"not in {self.name}: it has no stage {row + 1}")
        absent = {f"stage{row + 1}.{key}": cell.values[0] for key, cell in self._open(row)}
        absent[f"stage{row + 1}.layers"] = 0
        try:
            return absent | self._encode_stages(stages, row + 1)
        except SpaceError as error:
            raise fault or error from None

    def _encode_stage(self, stage: Stage, row: int) -> dict[str, Value]:
        settings: dict[str, Value] = {}
        for key, cell in self.stages[row].items():
            value = stage.op.value if key == "op" else getattr(stage, key)
            self._assign(settings, f"stage{row + 1}.{key}", cell, value, stage.op)
        return settings

    def _open(self, row: int) -> Iterator[tuple[str, Open]]:
        for key, cell in self.stages[row].items():
            if not isinstance(cell, ByOp):
                yield key, cell


def _written(row: Mapping[str, Cell]) -> dict[str, Any]:
    documents = {key: cell.to_document() for key, cell in row.items()}
    return {key: value for key, value in documents.items() if key not in _UNWRITTEN or value != DEFAULTS[key]}


def _rank(reference: Sequence[float], value: float) -> float:
    """Share of the sorted reference below `value`, ties counted half."""
    return (bisect_left(reference, value) + bisect_right(reference, value)) / 2 / len(reference)


def _expansion(arch: Architecture) -> float:
    return sum(stage.expand * stage.layers for stage in arch.stages)
