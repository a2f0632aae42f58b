"""What reading a place of studies yields: heads, changes, snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nas.recipe import Recipe
from nas.record import Record

FeedState = Literal["ok", "gone", "unreachable"]


@dataclass(frozen=True, slots=True)
class Head:
    """What a study says of itself. `source` is the place as shown; `option` what puts it behind `nas show NAME:TRIAL`,
    None where no storage holds it; `recipe` None where nothing tells it; `facts` as `nas.study.storage.facts`."""

    name: str
    source: str
    option: str | None
    recipe: Recipe | None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in one study, known by `identity`. `head` where it is new or changed. `records` come without their
    settings; those of one study have different (trial, id where there is no trial). `fresh`: what was read before is
    void."""

    identity: str
    head: Head | None = None
    records: tuple[Record, ...] = ()
    fresh: bool = False
    state: FeedState = "ok"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A study as it is now, with the settings of its trials. `note`: what of it does not read; empty where all does."""

    head: Head
    records: tuple[Record, ...]
    note: str = ""


Place = tuple[int | None, str]  # which record of a study: its trial, or without one the network


def place(record: Record) -> Place:
    """What tells the record from the others of its study."""
    return (record.trial, (record.id or record.arch) if record.trial is None else "")


class Source(Protocol):
    """A place where studies are, read again and again. One thread polls; any thread may take a snapshot."""

    def poll(self) -> Iterator[Changes]:
        """What changed since the last poll, at first everything. Never raises for a place that is away."""
        ...

    def snapshot(self, identity: str) -> Snapshot:
        """One study, whole. Raises: NasError where it cannot be read now."""
        ...

    def snapshots(self) -> list[Snapshot]:
        """Every study that is there now, whole. Raises: NasError where any cannot be read."""
        ...

    def settings(self, identity: str) -> dict[Place, Mapping[str, Any]]:
        """The settings of one study's trials. Raises: NasError where it cannot be read now."""
        ...
