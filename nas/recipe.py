"""A study's recipe: one flat YAML file, validated into frozen values. Nothing here imports torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nas.document import NAME, Section, read_yaml, validate
from nas.errors import NasError
from nas.metric import METRICS, Limit, Objective, metric, parse_limit, parse_objective
from nas.resources import find

Precision = Literal["auto", "fp32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
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


class Progressive(Section):
    """Where progressive learning starts (EfficientNetV2, Algorithm 1); it ends at the recipe's own values.

    Over `stages` of about equally many epochs the image size and what regularises rise together in equal steps. What is
    left out does not change. See `nas.progressive`.
    """

    stages: int = Field(4, ge=1, le=1_000)
    resolution: int | None = Field(None, ge=8, le=2_048)  # pixels
    randaugment: int | None = Field(None, ge=0, le=30)
    mixup: float | None = Field(None, ge=0, le=10)
    cutmix: float | None = Field(None, ge=0, le=10)
    dropout: float | None = Field(None, ge=0, lt=1)


class Training(Section):
    """A training. In a study, the short one that `top1_pct` means: accuracy is comparable only under one such recipe.

    The defaults train the proxy of EfficientNet-B4 (32 blocks) in a dozen seconds on one CPU core: 128 steps.
    """

    data: str = "fractals"
    width: float = Field(0.25, gt=0, le=8)  # channel multiplier of the trained proxy
    resolution: int = Field(32, ge=8, le=2_048)  # pixels at which images are shown, for every network
    resolution_scale: float | None = Field(None, gt=0, le=4)  # instead, of each network's own; see `proxy_resolution`
    pixels: int = Field(8, ge=1, le=256)  # that share is rounded to a multiple of so many
    epochs: int = Field(2, ge=1, le=10_000)
    batch: int = Field(64, ge=2, le=65_536)  # below 64, batch norm on maps of one pixel is too noisy for deep networks
    optimizer: Literal["sgd", "rmsprop", "adamw", "muon"] = "muon"  # muon: learns most in few steps
    learning_rate: float = Field(1.5e-2, gt=0)  # peak; a cosine to 0 follows
    weight_decay: float = Field(0.05, ge=0)
    warmup: float = Field(0.2, ge=0, lt=1)  # share of the steps over which the learning rate rises
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"  # of the learning rate, after its warm-up
    decay: float = Field(0.97, gt=0, le=1)  # exponential: the learning rate times this …
    decay_epochs: float = Field(2.4, gt=0)  # … every so many epochs, in steps
    clip: float = Field(0.0, ge=0)  # longest gradient, all parameters together (Euclidean); 0: never cut
    accumulate: int = Field(1, ge=1, le=4096)  # parts that a batch is run in, where it does not fit as one
    ema: float = Field(0.0, ge=0, lt=1)  # decay a step of the averaged weights, which are then the result; 0: none
    batch_norm_momentum: float = Field(0.1, gt=0, le=1)  # share of the newest batch; the papers write one minus it
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    drop_path: float = Field(0.0, ge=0, lt=1)  # stochastic depth of the last block; the papers write its survival
    zero_init: bool = True  # residual blocks start as the identity, logits as 0: deep networks learn within few steps
    recalibrate: int = Field(8, ge=0)  # batches that batch-norm statistics are averaged over at the end; 0: never
    augment: Literal["none", "flip", "shift", "crop", "resized"] = "none"  # crop: flip and shift; resized: Inception's
    randaugment: int = Field(
        0, ge=0, le=30
    )  # magnitude of two operations an image, on torchvision's scale of 31; 0: none
    autoaugment: Literal["none", "imagenet", "cifar10", "svhn"] = "none"  # the policy found on that data
    erasing: float = Field(0.0, ge=0, le=1)  # probability of a random rectangle without a picture (Cutout's successor)
    mixup: float = Field(0.0, ge=0, le=10)  # α of Beta(α, α); with cutmix above 0 too, each batch draws one of them
    cutmix: float = Field(0.0, ge=0, le=10)
    progressive: Progressive | None = None
    held_resolution: int | None = Field(None, ge=8, le=2_048)  # of held-out images; none: as training ends
    temperature: float = Field(2.0, gt=0, le=100)  # of a teacher's and the student's logits, where there is a teacher
    hard_weight: float = Field(0.1, ge=0, le=1)  # of the labels' loss beside a teacher's, which has the rest
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"  # auto: channels_last, on CPU too
    threads: int | None = Field(
        1, ge=1, le=1024
    )  # on CPU; none: torch's default. Small networks gain nothing from a second

    def said(self) -> dict[str, Any]:
        """The recipe as it is said of a reading: without what belongs to longer trainings, where it is left as it is.

        Readings of earlier versions, which knew none of it, then say the same.
        """
        document = self.model_dump(mode="json")
        plain = type(self)().model_dump(mode="json")
        return {key: value for key, value in document.items() if key not in _LONGER or value != plain[key]}


_LONGER = (
    "schedule", "decay", "decay_epochs", "clip", "accumulate", "ema", "batch_norm_momentum", "randaugment",
    "autoaugment", "erasing", "mixup", "cutmix", "progressive", "held_resolution", "temperature", "hard_weight",
)  # fmt: skip


def load_training(reference: str, **overrides: Any) -> Training:
    """The training recipe in a file, or the shipped one of that name, with `overrides` laid over its keys.

    Raises: DocumentError `file: key: expected …; got …`; NasError with the nearest names.
    """
    path = find(reference, "recipes", "training recipe")
    return validate(Training, {**read_yaml(path), **overrides}, _short(path))


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
    """A whole study. What is compared on resume is `identity`; budget and workers may change."""

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
    def timed(self) -> tuple[str, ...]:
        """The metrics to measure that are times, and so depend on the device and on what else runs there."""
        return tuple(key for key in self.measured if key in TIMES)

    def identity(self) -> dict[str, Any]:
        """What must not change when a study goes on: all but the budget."""
        free = {"trials": True, "timeout": True, "trial_timeout": True, "question": True, "grid": {"band": True}}
        return self.model_dump(mode="json", exclude=free, warnings=False)  # type: ignore[arg-type]


TIMES = frozenset({"latency_ms", "infer_images_per_s", "train_images_per_s"})
MEASURING_ORDER = ("latency_ms", "infer_images_per_s", "train_images_per_s", "peak_memory_mib", "top1_pct")


def load_recipe(reference: str, **overrides: Any) -> Recipe:
    """The recipe in a file, or the shipped one of that name, with `overrides` laid over its top-level keys.

    Raises: DocumentError `file: key: expected …; got …`; NasError with the nearest names.
    """
    path = find(reference, "studies", "study recipe")
    document = {**read_yaml(path), **{key: value for key, value in overrides.items() if value is not None}}
    return validate(Recipe, document, _short(path))


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return path.name
