"""A space whose members are networks, each with a training of its own: some of the recipe's training is open too."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nas.arch import Architecture
from nas.cells import Open, Value
from nas.document import DocumentError, describe, digest
from nas.errors import nearest
from nas.foreign import Foreign
from nas.recipe import Recipe
from nas.record import TRAINING
from nas.space import DESCRIPTION, SpaceError
from nas.study.space import Options, Space
from nas.training_recipe import Training, parse_training_cell

_STAGES = "progressive.stages"


@dataclass(frozen=True)
class Scheduled(Architecture):
    """A network with what was chosen for its training, by name (`progressive.stages`).

    The same network under another training is another member, with an `id` of its own; the notation is the network's.
    """

    training: tuple[tuple[str, Value], ...] = ()

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits of a hash of the notation and the training."""
        return hashlib.sha256(f"{self} {json.dumps(self.training)}".encode()).hexdigest()[:10]

    @property
    def network(self) -> Architecture:
        """The network alone."""
        return Architecture(**_fields(self))

    def __str__(self) -> str:
        """The one-line notation of the network."""
        return super().__str__()


@dataclass(frozen=True)
class TrainingSpace:
    """Every network of `networks` under every training that the open cells `training` allow.

    A network without a training is no member: it is measured beside the space, as the recipe trains without a schedule.
    """

    networks: Space
    training: Mapping[str, Open]

    @property
    def name(self) -> str:
        return self.networks.name

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the networks that the space was made around."""
        return self.networks.published

    @cached_property
    def cells(self) -> dict[str, Options]:
        """The open cells of the networks, then those of the training (`training.progressive.stages`)."""
        return {**self.networks.cells, **{TRAINING + name: cell for name, cell in self.training.items()}}

    @property
    def size(self) -> int:
        """Number of settings."""
        return self.networks.size * math.prod(len(cell.values) for cell in self.training.values())

    @property
    def listed(self) -> tuple[Mapping[str, Value], ...]:
        """Empty: members are suggested, one after the other."""
        return ()

    @property
    def hash(self) -> str:
        """Changes with any network or cell, not with names."""
        return digest({key: value for key, value in self.to_document().items() if key not in DESCRIPTION})

    @property
    def total_stride(self) -> int:
        """The largest total stride of a network."""
        return self.networks.total_stride

    @property
    def smallest_side(self) -> int | None:
        """Side in pixels of the smallest images at which networks end, where they differ in it."""
        return self.networks.smallest_side

    def suggest(self, trial: Any) -> Scheduled:
        """The network of an Optuna trial, and its training."""
        network = self.networks.suggest(trial)
        return _scheduled(network, {name: cell.suggest(trial, TRAINING + name) for name, cell in self.training.items()})

    def decode(self, settings: Mapping[str, Value]) -> Scheduled:
        """The member of these settings. Raises: SpaceError for a missing, unknown or impossible one."""
        of_network = {name: value for name, value in settings.items() if not name.startswith(TRAINING)}
        chosen = {name.removeprefix(TRAINING): settings[name] for name in settings if name not in of_network}
        for name in chosen:
            if name not in self.training:
                raise SpaceError(f"{self.name}: no open cell '{TRAINING}{name}'", nearest(name, self.training))
        for name, cell in self.training.items():
            if name not in chosen:
                raise SpaceError(f"{self.name}: no setting for the open cell '{TRAINING}{name}'")
            if chosen[name] not in cell.values:
                raise SpaceError(f"{self.name}: {TRAINING}{name}: expected {cell}; got {chosen[name]!r}")
        return _scheduled(self.networks.decode(of_network), {name: chosen[name] for name in self.training})

    def encode(self, arch: Architecture) -> dict[str, Value]:
        """Settings that decode to `arch`. Raises: SpaceError for a network without a training, or another's."""
        if not isinstance(arch, Scheduled):
            raise SpaceError(f"not in {self.name}: nothing is chosen of its training")
        chosen = dict(arch.training)
        found = self.networks.encode(arch.network)
        for name, cell in self.training.items():
            value = chosen.pop(name, cell.values[0])
            if value not in cell.values:
                raise SpaceError(f"not in {self.name}: {TRAINING}{name} is {value}; the space has {cell}")
            found[TRAINING + name] = value
        if chosen:
            raise SpaceError(f"not in {self.name}: {TRAINING}{next(iter(chosen))} is not open")
        return found

    def __contains__(self, arch: Architecture) -> bool:
        try:
            return self.decode(self.encode(arch)) == arch
        except SpaceError:
            return False

    def named(self, name: str) -> Architecture | None:
        """The network that the space has a name for, without a training."""
        return self.networks.named(name)

    def extreme(self, key: Literal["params", "flops", "activations"], largest: bool = False) -> Scheduled:
        """The network with the least (or most) of a cost, under the first training."""
        first = {name: cell.values[0] for name, cell in self.training.items()}
        return _scheduled(self.networks.extreme(key, largest), first)

    def samples(self, count: int, seed: int = 0) -> Iterator[Scheduled]:
        """At most `count` members: networks drawn, each with a training drawn evenly."""
        generator = random.Random(seed)
        for network in self.networks.samples(count, seed):
            yield _scheduled(
                network, {name: generator.choice(list(cell.values)) for name, cell in self.training.items()}
            )

    def rank_score(self, arch: Architecture) -> float | None:
        """The score of the network among the networks; None where there is only one."""
        return self.networks.rank_score(arch) if self.networks.cells else None

    def to_document(self) -> dict[str, Any]:
        """What `parse_any_space` reads back."""
        written = {name: cell.to_document() for name, cell in self.training.items()}
        return {**self.networks.to_document(), "training": written}


def with_training(networks: Space, recipe: Recipe) -> Space:
    """The space that the recipe searches: its networks, and their trainings where the recipe leaves some of it open."""
    return TrainingSpace(networks, dict(recipe.training_cells)) if recipe.training_cells else networks


def parse_training(written: Any, source: str) -> dict[str, Open]:
    """The cells that `to_document` wrote under `training`. Raises: DocumentError."""
    if not isinstance(written, dict):
        raise DocumentError(f"{source}: training: expected cells by name; got {describe(written)}")
    cells = {}
    for name, raw in written.items():
        where = f"{source}: {TRAINING}{name}"
        cells[name] = parse_training_cell(name, raw, where)
    return cells


def training_of(recipe: Recipe, network: Architecture | Foreign) -> Training:
    """How the study of `recipe` trains a network: as was chosen for it; a network outside the space without a schedule,
    where schedules are searched."""
    return recipe.training_with(dict(network.training) if isinstance(network, Scheduled) else {})


def _scheduled(network: Architecture, chosen: Mapping[str, Value]) -> Scheduled:
    """A schedule of one stage is its end alone: where it would have begun makes no other training."""
    told = {_STAGES: 1} if chosen.get(_STAGES) == 1 else chosen
    return Scheduled(**_fields(network), training=tuple(told.items()))


def _fields(network: Architecture) -> dict[str, Any]:
    return {field.name: getattr(network, field.name) for field in dataclasses.fields(Architecture)}
