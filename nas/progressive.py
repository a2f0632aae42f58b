"""Progressive learning (EfficientNetV2, arXiv:2104.00298, §4, Algorithm 1): images and regularisation grow together.

A schedule is a value: it prints as the paper's Table 6, and a training follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nas.errors import NasError
from nas.training_recipe import Training


class ScheduleError(NasError):
    """A progressive schedule that shrinks, or has more stages than epochs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Epochs `first` to `last` (from 1) under one setting; `resolution` in pixels."""

    first: int
    last: int
    resolution: int
    randaugment: int
    mixup: float
    cutmix: float
    dropout: float

    @property
    def epochs(self) -> int:
        return self.last - self.first + 1


_ROWS = (
    ("Image Size", "resolution"), ("RandAugment", "randaugment"), ("Mixup alpha", "mixup"), ("CutMix alpha", "cutmix"),
    ("Dropout rate", "dropout"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schedule:
    """The stages of a training, in order; of a plain training one."""

    stages: tuple[Stage, ...]

    def at(self, epoch: int) -> Stage:
        """The stage of `epoch`, from 1."""
        return next(stage for stage in self.stages if stage.first <= epoch <= stage.last)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Every image size, in the order in which it is first shown."""
        return tuple(dict.fromkeys(stage.resolution for stage in self.stages))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The lines of Table 6, its minimum and maximum the first and the last of the columns: one a stage."""
        yield ("Epochs", *(f"{stage.first}-{stage.last}" for stage in self.stages))
        for label, key in _ROWS:
            yield (label, *(f"{getattr(stage, key):g}" for stage in self.stages))

    def __str__(self) -> str:
        rows = list(self.rows())
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = (
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        )
        return "\n".join(lines)


def schedule(training: Training, resolution: int) -> Schedule:
    """The stages of a training that ends at `resolution` pixels: S₀ + (Sₑ − S₀)·i/(M − 1) in stage i from 0.

    Sizes and magnitudes are rounded to whole numbers. Epochs are shared out as evenly as they go.

    Raises: ScheduleError for a value that would fall, or more stages than epochs.
    """
    start, last = training.progressive, _end(training, resolution)
    if start is None:
        return Schedule((Stage(1, training.epochs, **last),))  # type: ignore[arg-type]
    if start.stages > training.epochs:
        raise ScheduleError(
            f"progressive.stages: {start.stages} stages need as many epochs; epochs is {training.epochs}",
            "take fewer stages, or more epochs",
        )
    first = {key: value if getattr(start, key) is None else getattr(start, key) for key, value in last.items()}
    for key, value in first.items():
        if value > last[key]:
            raise ScheduleError(
                f"progressive.{key}: starts at {value:g} and ends at {last[key]:g}: a schedule never shrinks",
                f"lower it, or raise the recipe's own {key}",
            )
    risen = {key: rise(value, last[key], start.stages) for key, value in first.items()}
    stages = []
    for number in range(start.stages):
        begins, ends = (training.epochs * (number + more) // start.stages for more in (0, 1))
        resolution, magnitude = (round(risen[key][number]) for key in ("resolution", "randaugment"))
        others = (round(risen[key][number], 6) for key in ("mixup", "cutmix", "dropout"))
        stages.append(Stage(begins + 1, ends, resolution, magnitude, *others))
    return Schedule(tuple(stages))


def largest_side(training: Training, resolution: int) -> int:
    """Pixels of the largest images that a training which ends at `resolution` shows. Raises: ScheduleError."""
    return max(*schedule(training, resolution).sizes, training.held_resolution or 0)


def smallest_side(training: Training, resolution: int) -> int:
    """Pixels of the smallest. Raises: ScheduleError."""
    return min(*schedule(training, resolution).sizes, training.held_resolution or resolution)


def rise(first: float, last: float, stages: int) -> tuple[float, ...]:
    """A value of Algorithm 1 in each stage: evenly from the first to the last; of a single stage the last."""
    if stages == 1:
        return (last,)
    return tuple(first + (last - first) * number / (stages - 1) for number in range(stages))


def _end(training: Training, resolution: int) -> dict[str, float]:
    return {
        "resolution": resolution,
        "randaugment": training.randaugment,
        "mixup": training.mixup,
        "cutmix": training.cutmix,
        "dropout": training.dropout,
    }
