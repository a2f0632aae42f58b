"""The samplers, all Optuna's: a name, and how to make one from a space and a seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import optuna
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from nas.errors import NasError
from nas.study.space import Space

LARGEST_GRID = 100_000


class Grid(GridSampler):
    """Optuna's grid, without its wish to stop a loop that is ours."""

    def after_trial(self, study: optuna.Study, trial: object, state: object, values: object) -> None:  # noqa: ARG002
        return


def _grid(space: Space, seed: int) -> BaseSampler:
    if space.size > LARGEST_GRID:
        raise NasError(
            f"sampler grid: space '{space.name}' has {space.size:.3g} settings; a grid takes at most {LARGEST_GRID:,}",
            "close some cells, or use --sampler tpe, nsga2 or random",
        )
    return Grid(search_space={name: list(cell.values) for name, cell in space.cells.items()}, seed=seed)


def _gp(_: Space, seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return GPSampler(seed=seed)


SAMPLERS: dict[str, Callable[[Space, int], BaseSampler]] = {
    "tpe": lambda _, seed: TPESampler(multivariate=True, seed=seed),
    "nsga2": lambda _, seed: NSGAIISampler(seed=seed),
    "nsga3": lambda _, seed: NSGAIIISampler(seed=seed),
    "gp": _gp,
    "random": lambda _, seed: RandomSampler(seed=seed),
    "grid": _grid,
}


def make_sampler(name: str, space: Space, seed: int) -> BaseSampler:
    """The sampler called `name`. Optuna does not store it: on resume it is made again, from a seed of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return SAMPLERS[name](space, seed)
