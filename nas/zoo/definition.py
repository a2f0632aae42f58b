"""The zoo's file: which networks, at which sizes and batches, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from nas.document import DocumentError, Section, read_yaml, validate
from nas.recipe import Batch, parse_duration
from nas.resources import shipped
from nas.space_file import baselines
from nas.training_recipe import Precision

Timed = Literal["train_images_per_s", "infer_images_per_s", "latency_ms"]
TIMED: tuple[Timed, ...] = ("train_images_per_s", "infer_images_per_s", "latency_ms")


class Entry(Section):
    """One network of the zoo. Sizes in pixels; None is the network's own size, or the set's batch."""

    name: str = Field(min_length=1)
    network: str = ""  # REF; the name itself where empty
    train: int | None = Field(None, ge=1, le=8_192)
    infer: int | None = Field(None, ge=1, le=8_192)
    train_batch: Batch | None = None
    infer_batch: Batch | None = None
    latency: bool = False  # a paper's table gives its latency
    what: tuple[Timed, ...] = Field(TIMED, strict=False, min_length=1)

    @property
    def reference(self) -> str:
        return self.network or self.name


class Preset(Section):
    """How a set of the zoo is measured, for a kind of device."""

    networks: Literal["all", "pairs"]
    rounds: int = Field(ge=1, le=100)  # of the pairs; the others once
    resolution_scale: float = Field(gt=0, le=4)
    train_batch: Batch
    infer_batch: Batch
    precision: Precision
    latency: Literal["all", "marked"]
    latency_threads: int | None = Field(None, ge=1, le=1024)  # one image then comes at its whole size
    time_cap: float = Field(gt=0)  # seconds a reading
    budget: str | None = None  # of a run, as `9m`; none: until all is measured

    @field_validator("budget")
    @classmethod
    def _duration_parses(cls, value: str | None) -> str | None:
        if value is not None and parse_duration(value) <= 0:
            raise ValueError("a time above 0, such as 9m")
        return value

    @property
    def seconds(self) -> float | None:
        """The budget of a run in seconds."""
        return parse_duration(self.budget) if self.budget else None


class Zoo(Section):
    """The whole file; `entries` in measuring order."""

    sets: dict[str, Preset]
    pairs: tuple[Entry, ...] = Field(strict=False, min_length=1)
    others: tuple[Entry, ...] = Field((), strict=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The pairs, the others, and every shipped baseline that neither names."""
        named = {entry.name for entry in (*self.pairs, *self.others)}
        return (*self.pairs, *self.others, *(Entry(name=name) for name in baselines() if name not in named))


def load_zoo(path: Path | None = None) -> Zoo:
    """The shipped zoo, or that of another file. Raises: DocumentError `file: key: expected …; got …`."""
    path = path or shipped("studies") / "zoo" / "zoo.yaml"
    zoo = validate(Zoo, read_yaml(path), path.name)
    names = [entry.name for entry in (*zoo.pairs, *zoo.others)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DocumentError(f"{path.name}: networks of one name: {', '.join(twice)}")
    return zoo
