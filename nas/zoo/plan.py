"""What is measured of each network of the zoo, and under which conditions: settled before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.arch import Architecture
from nas.errors import NasError, nearest
from nas.foreign import Foreign, is_foreign, read
from nas.metric import COMPUTED
from nas.recipe import Batch, Timing
from nas.space_file import load_architecture
from nas.zoo.definition import TIMED, Entry, Preset, Zoo

TOLERANCE = 0.01  # relative half-width of a reading's interval to stop at


@dataclass(frozen=True, slots=True)
class Step:
    """Metrics read together: of `arch`, under `timing`."""

    what: tuple[str, ...]
    arch: Architecture | Foreign
    timing: Timing


@dataclass(frozen=True, slots=True)
class Plan:
    """One network's part in a run: what to measure, and in how many rounds."""

    name: str
    arch: Architecture | Foreign  # at the size of inference
    set: str
    steps: tuple[Step, ...]
    rounds: int

    @property
    def what(self) -> tuple[str, ...]:
        """All metrics that it asks for."""
        return tuple(key for step in self.steps for key in step.what)

    @property
    def settings(self) -> dict[str, Any]:
        """What a record must have been measured under to be gone on with; how long it took is no part of it."""
        steps = [
            {
                "what": list(step.what),
                "arch": str(step.arch),
                **step.timing.model_dump(mode="json", exclude=_BUDGET, exclude_defaults=True),
            }
            for step in self.steps
        ]
        return {"set": self.set, "steps": steps}


_BUDGET = {"time_cap", "tolerance"}


def plans(zoo: Zoo, set_name: str, *, time_cap: float | None = None, only: Iterable[str] = ()) -> list[Plan]:
    """The plans of a set in measuring order. `time_cap`: seconds a reading, instead of the set's.

    Raises: NasError for an unknown set, or a name in `only` that the zoo has not.
    """
    if set_name not in zoo.sets:
        raise NasError(f"--set {set_name}: the zoo has no such set", nearest(set_name, zoo.sets))
    preset = zoo.sets[set_name]
    pairs = {entry.name for entry in zoo.pairs}
    found = []
    for entry in _only(zoo.pairs if preset.networks == "pairs" else zoo.entries, only):
        arch = _network(entry)
        steps = _steps(entry, arch, preset, time_cap or preset.time_cap)
        rounds = preset.rounds if entry.name in pairs else 1
        found.append(Plan(entry.name, _sized(arch, entry.infer), set_name, steps, rounds))
    return found


def counting_plans(zoo: Zoo, *, only: Iterable[str] = ()) -> list[Plan]:
    """Plans that count params, FLOPs and activations of the foreign networks, at their size of inference."""
    entries = [entry for entry in zoo.entries if is_foreign(entry.reference)]
    found = []
    for entry in _only(entries, only):
        arch = _sized(_network(entry), entry.infer)
        found.append(Plan(entry.name, arch, "counts", (Step(COMPUTED, arch, Timing()),), 1))
    return found


def _only(entries: Sequence[Entry], names: Iterable[str]) -> list[Entry]:
    wanted, known = set(names), {entry.name for entry in entries}
    for name in sorted(wanted - known):
        raise NasError(f"{name}: not in this set of the zoo", nearest(name, known))
    return [entry for entry in entries if not wanted or entry.name in wanted]


def _network(entry: Entry) -> Architecture | Foreign:
    return read(entry.reference) if is_foreign(entry.reference) else load_architecture(entry.reference)


def _sized(arch: Architecture | Foreign, pixels: int | None) -> Architecture | Foreign:
    return arch if pixels is None else dataclasses.replace(arch, resolution=pixels)


def _steps(entry: Entry, arch: Architecture | Foreign, preset: Preset, time_cap: float) -> tuple[Step, ...]:
    def timing(batch: Any, **more: Any) -> Timing:
        scaled = {"resolution_scale": preset.resolution_scale, **more}
        return Timing(batch=batch, precision=preset.precision, tolerance=TOLERANCE, time_cap=time_cap, **scaled)

    latency = "latency_ms" if entry.latency or preset.latency == "all" else ""
    asked = [key for key in TIMED if key in entry.what and (key != "latency_ms" or latency)]
    train, infer = _sized(arch, entry.train), _sized(arch, entry.infer)
    steps = []
    if "train_images_per_s" in asked:
        steps.append(Step(("train_images_per_s",), train, timing(_batch(preset.train_batch, entry.train_batch))))
    if "infer_images_per_s" in asked:
        steps.append(Step(("infer_images_per_s",), infer, timing(_batch(preset.infer_batch, entry.infer_batch))))
    if "latency_ms" in asked and preset.latency_threads:
        whole = timing(1, resolution_scale=1.0, threads=preset.latency_threads)
        steps.append(Step(("latency_ms",), infer, whole))
    elif "latency_ms" in asked:
        steps.append(Step(("latency_ms",), infer, timing(1)))
    return _together(steps)


def _batch(of_set: Batch, of_entry: Batch | None) -> Batch:
    """The entry's own, except where the set follows a rule: an entry's number is meant for a GPU."""
    return of_set if of_set == "auto" or of_entry is None else of_entry


def _together(steps: list[Step]) -> tuple[Step, ...]:
    """Inference and latency of one network in one step where all but the batch agree: built once. Latency's is 1."""
    if len(steps) < 2 or steps[-1].what != ("latency_ms",) or steps[-2].what != ("infer_images_per_s",):
        return tuple(steps)
    *rest, infer, latency = steps
    if latency.timing.model_copy(update={"batch": infer.timing.batch}) != infer.timing:
        return tuple(steps)
    return (*rest, Step((*infer.what, *latency.what), infer.arch, infer.timing))
