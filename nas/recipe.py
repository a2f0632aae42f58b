"""A study's recipe: one flat YAML file, validated into frozen values. Nothing here imports torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from nas.cells import Open, Value
from nas.document import NAME, DocumentError, Section, read_yaml, short_path, validate
from nas.errors import NasError
from nas.metric import METRICS, Limit, Objective, metric, parse_limit, parse_objective
from nas.resources import find
from nas.training_recipe import PROGRESSIVE, MemoryFormat, Precision, Progressive, Training, parse_training_cell

Batch = Literal["auto"] | Annotated[int, Field(ge=1, le=65_536)]
SAMPLERS = ("tpe", "nsga2", "nsga3", "gp", "random", "grid")
MEASURED = tuple(key for key, metric in METRICS.items() if metric.kind == "measured")


class Timing(Section):
    """How throughput, latency and memory are measured. Times in seconds, sizes in pixels.

    The automatic batch is the largest power of two that fits on a GPU. On a CPU it is a rule of cost, not of memory:
    the largest from 2 to 64 with batch × FLOPs of one image ≤ 8 G.
    """

    batch: Batch = "auto"  # images a step; auto: a power of two of at most `largest_batch`, see below
    largest_batch: int = Field(256, ge=1, le=65_536)
    resolution_scale: float = Field(1.0, gt=0, le=4)  # of each network's own resolution; 1 measures what it is
    precision: Precision = "auto"  # auto: bf16 on GPU, fp32 on CPU
    memory_format: MemoryFormat = "auto"  # auto: channels_last, on CPU too
    compile: bool = False  # torch.compile; compiling is never counted
    tolerance: float = Field(0.02, gt=0, lt=1)  # relative half-width of the median's nominal 95 % interval to stop at
    time_cap: float = Field(20.0, gt=0)  # seconds a reading may take, warm-up included
    threads: int | None = Field(None, ge=1, le=1024)  # CPU threads; none: torch's default


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `10m`, `4h`, `2d` or a bare number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?\s*", text)
    if not match:
        raise NasError(f"'{text}' is not a duration", "write 90s, 10m, 4h or 2d")
    return float(match[1]) * {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}[match[2]]


class GridOptions(Section):
    """The compound grid that a study measures whole; the fields are those of `nas.grid.grid`.

    `band`: how far from a cost, relative to it, a network may lie and still be compared at it. It only changes what is
    said of the readings, so a study goes on under another one.
    """

    base: str = "efficientnet-b0"
    target: float = Field(2.0, gt=0)
    step: float = Field(0.05, gt=0)
    tolerance: float = Field(0.1, gt=0)
    constraint: Literal["nominal", "real"] = "nominal"
    range: tuple[float, float] = Field((1.0, 2.0), strict=False)
    pixels: int = Field(8, ge=1, le=256)
    band: float = Field(0.1, gt=0, lt=1)


class Recipe(Section):
    """A whole study. What is compared on resume is `identity`; budget and workers may change.

    A key of `training.progressive` may be an open cell, written as in a search space: the search then chooses the
    schedule too. `training` has the first value of each.
    """

    name: str = Field(pattern=NAME)
    question: str = ""
    space: str  # not needed beside a grid, whose networks are the space
    grid: GridOptions | None = None  # for `nas grid --measure`
    baselines: tuple[str, ...] = Field((), strict=False)  # names, or: published, smallest, largest of the space
    budget: float | None = Field(None, gt=0)  # FLOPs and params at most so many times the space's published network's
    seed: int = Field(0, ge=0, lt=2**32)
    trials: int = Field(16, ge=1, le=1_000_000)  # the study's total
    timeout: str | None = None  # of the whole search
    trial_timeout: str = "10m"  # of one trial; a trial that hangs longer is one failed trial
    sampler: Literal["tpe", "nsga2", "nsga3", "gp", "random", "grid"] = "tpe"
    objectives: tuple[str, ...] = Field(("top1_pct", "flops", "train_images_per_s"), strict=False, min_length=1)
    limits: tuple[str, ...] = Field((), strict=False)
    measure: tuple[str, ...] = Field(("train_images_per_s", "top1_pct"), strict=False)
    repeats: int = Field(1, ge=1, le=100)  # every reading of every network this often, each with a seed of its own
    baseline_repeats: int = Field(3, ge=1, le=100)  # every reading of a baseline at least so often: the study's noise
    timing: Timing = Timing()
    training: Training = Training()
    _training_cells: dict[str, Open] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _with_open_cells(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        closed, cells = _closed(document)
        recipe = handler(closed)
        recipe._training_cells |= cells
        _check_schedules(recipe)
        return recipe

    @model_serializer(mode="wrap")
    def _open_as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        for name, cell in self._training_cells.items():
            document["training"]["progressive"][name.removeprefix(PROGRESSIVE)] = cell.to_document()
        return document

    @model_validator(mode="before")
    @classmethod
    def _grid_is_the_space(cls, document: Any) -> Any:
        if isinstance(document, dict) and document.get("grid") is not None:
            return {"space": "grid", **document}
        return document

    @field_validator("objectives")
    @classmethod
    def _objectives_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        keys = [parse_objective(text).key for text in value]
        if len(set(keys)) < len(keys):
            raise ValueError("each objective once")
        return tuple(keys)

    @field_validator("limits")
    @classmethod
    def _limits_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_limit(text)) for text in value)

    @field_validator("measure")
    @classmethod
    def _measurable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            if metric(key).kind != "measured":
                raise NasError(f"'{key}' is not measured by running", f"measured are: {', '.join(MEASURED)}")
        return value

    @field_validator("timeout", "trial_timeout")
    @classmethod
    def _durations_parse(cls, value: str | None) -> str | None:
        if value is not None and parse_duration(value) <= 0:
            raise ValueError("a time above 0, such as 90s or 4h")
        return value

    @property
    def parsed_objectives(self) -> tuple[Objective, ...]:
        return tuple(map(parse_objective, self.objectives))

    @property
    def parsed_limits(self) -> tuple[Limit, ...]:
        return tuple(map(parse_limit, self.limits))

    @property
    def measured(self) -> tuple[str, ...]:
        """Every metric to measure: those asked for, and those an objective or a limit needs; cheapest first."""
        needed = {*self.measure, *(key for objective in self.parsed_objectives for key in objective.metrics)}
        needed |= {limit.key for limit in self.parsed_limits}
        return tuple(key for key in MEASURING_ORDER if key in needed)

    @property
    def training_cells(self) -> Mapping[str, Open]:
        """The open cells of the training by name: `progressive.stages`."""
        return self._training_cells

    def training_with(self, chosen: Mapping[str, Value]) -> Training:
        """The training whose open cells have these values, by name.

        Where cells are open and none is chosen, the training that is not progressive: what others are compared with.
        """
        start = self.training.progressive
        if not self._training_cells or start is None:
            return self.training
        if not chosen:
            return self.training.model_copy(update={"progressive": None})
        closed = {
            key: value for key, value in start.model_dump().items() if PROGRESSIVE + key not in self._training_cells
        }
        values = {name.removeprefix(PROGRESSIVE): value for name, value in chosen.items()}
        return self.training.model_copy(update={"progressive": Progressive(**{**closed, **values})})

    @property
    def timed(self) -> tuple[str, ...]:
        """The metrics to measure that are times, and so depend on the device and on what else runs there."""
        return tuple(key for key in self.measured if key in TIMES)

    def identity(self) -> dict[str, Any]:
        """What must not change when a study goes on: all but the budget."""
        free = {"trials": True, "timeout": True, "trial_timeout": True, "question": True, "grid": {"band": True}}
        return self.model_dump(mode="json", exclude=free, warnings=False)  # type: ignore[arg-type]


TIMES = frozenset({"latency_ms", "infer_images_per_s", "train_images_per_s", "train_seconds"})
TRAINED = ("top1_pct", "train_seconds")  # readings of one training
MEASURING_ORDER = ("latency_ms", "infer_images_per_s", "train_images_per_s", "peak_memory_mib", *TRAINED)


def _closed(document: Any) -> tuple[Any, dict[str, Open]]:
    """The recipe with the first value of each open cell of its training, and those cells by name."""
    training = document.get("training") if isinstance(document, dict) else None
    if not isinstance(training, dict) or not isinstance(start := training.get("progressive"), dict):
        return document, {}
    written = {
        key: raw for key, raw in start.items() if key in Progressive.model_fields and isinstance(raw, list | dict)
    }
    cells = {key: parse_training_cell(key, raw, f"training.{PROGRESSIVE}{key}") for key, raw in written.items()}
    first = {key: cell.values[0] for key, cell in cells.items()}
    closed = {**document, "training": {**training, "progressive": {**start, **first}}}
    return closed, {PROGRESSIVE + key: cell for key, cell in cells.items() if len(cell.values) > 1}


def _check_schedules(recipe: Recipe) -> None:
    """Raises: DocumentError where a value of the training's progressive start makes no schedule."""
    from nas.progressive import ScheduleError, schedule  # which builds on this module

    cells = recipe.training_cells
    if cells and recipe.grid:
        raise DocumentError(
            f"training.{next(iter(cells))}: expected one value: the networks of a grid are all trained alike",
            "search a space instead",
        )
    last = recipe.training_with({name: max(cell.values) for name, cell in cells.items()})
    if last.progressive is None:
        return
    if last.progressive.stages == 1 and cells:
        raise DocumentError(
            f"training.{next(iter(cells))}: open, and changes nothing: the one stage of a schedule is its end",
            f"give training.{PROGRESSIVE}stages 2 or more",
        )
    if last.resolution_scale is not None:  # then each network ends at a size of its own: see `check_training`
        last = last.model_copy(update={"progressive": last.progressive.model_copy(update={"resolution": None})})
    try:
        schedule(last, last.resolution)
    except ScheduleError as error:
        raise DocumentError(f"training.{error}", error.hint) from None


def load_recipe(reference: str, **overrides: Any) -> Recipe:
    """The recipe in a file, or the shipped one of that name, with `overrides` laid over its top-level keys.

    Raises: DocumentError `file: key: expected …; got …`; NasError with the nearest names.
    """
    path = find(reference, "studies", "study recipe")
    document = {**read_yaml(path), **{key: value for key, value in overrides.items() if value is not None}}
    return validate(Recipe, document, short_path(path))
