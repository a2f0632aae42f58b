"""What a study needs to know of the networks that it may measure. A search space has it, and so has a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from nas.arch import Architecture
from nas.cells import Value


class Options(Protocol):
    """What one setting may be."""

    @property
    def values(self) -> Sequence[Value]: ...


class Space(Protocol):
    """Networks, each known by its settings."""

    @property
    def name(self) -> str: ...

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the networks that it was made around, the first of them its yardstick."""
        ...

    @property
    def cells(self) -> Mapping[str, Options]:
        """The settings and what each may be."""
        ...

    @property
    def size(self) -> int:
        """Number of settings."""
        ...

    @property
    def listed(self) -> tuple[Mapping[str, Value], ...]:
        """The settings of every network, where a study measures them all; empty where a sampler chooses."""
        ...

    @property
    def hash(self) -> str:
        """Changes with any network or setting, not with names."""
        ...

    @property
    def total_stride(self) -> int:
        """The largest total stride of a member: no image may be smaller."""
        ...

    @property
    def smallest_side(self) -> int | None:
        """Side in pixels of the smallest images, where members differ in it; None where all have one size."""
        ...

    def suggest(self, trial: Any) -> Architecture:
        """The network of an Optuna trial."""
        ...

    def decode(self, settings: Mapping[str, Value]) -> Architecture:
        """The network of these settings. Raises: SpaceError."""
        ...

    def encode(self, arch: Architecture) -> dict[str, Value]:
        """The settings of a member. Raises: SpaceError for any other network."""
        ...

    def __contains__(self, arch: Architecture) -> bool: ...

    def named(self, name: str) -> Architecture | None:
        """The member that the space itself has a name for; None for another name."""
        ...

    def extreme(self, key: Literal["params", "flops", "activations"], largest: bool = False) -> Architecture:
        """The member with the least (or most) of a cost."""
        ...

    def samples(self, count: int, seed: int = 0) -> Iterator[Architecture]:
        """At most `count` members, drawn."""
        ...

    def rank_score(self, arch: Architecture) -> float | None:
        """A score from 0 to 1 that costs no training; None where the space has none."""
        ...

    def to_document(self) -> dict[str, Any]:
        """What a study stores of it, and `parse_any_space` reads back."""
        ...
