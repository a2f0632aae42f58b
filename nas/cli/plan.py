"""What a search is about to do: settled before anything is written, checked, and shown by `--dry-run`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nas.cli import console
from nas.cli.options import is_typed
from nas.errors import NasError

if TYPE_CHECKING:
    import optuna

    from nas.recipe import Recipe
    from nas.study.executors.engines import Engine
    from nas.study.space import Space


def engine_of(
    context: typer.Context, name: str, ray_address: str | None, ray_open: bool, slurm: list[str] | None
) -> Engine:
    """The engine as the command line names it. An address that only the environment or a settings file names is for Ray
    alone. Raises: NasError for an unknown engine, or options of another."""
    from nas.study.executors.engines import Engine, check_engine

    check_engine(name)
    if name != "ray" and not is_typed(context, "ray_address"):
        ray_address = None
    given = {"--ray-address": ("ray", ray_address), "--ray-open": ("ray", ray_open), "--slurm": ("slurm", slurm)}
    for option, (of, value) in given.items():
        if value and name != of:
            raise NasError(f"{option} is for --engine {of}; the engine is {name}", f"add --engine {of}")
    parameters = {}
    for text in slurm or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise NasError(f"--slurm '{text}': expected KEY=VALUE", "for example --slurm partition=gpu")
        parameters[key] = value
    return Engine(name, ray_address, ray_open, parameters)


@dataclass(frozen=True, slots=True)
class Running:
    """How a study is run; none of it changes what the study is."""

    workers: int
    engine: Engine
    log_json: Path | None = None
    metrics_port: int | None = None
    allow_code: bool = False

    @property
    def words(self) -> list[str]:
        """The options that say so."""
        engine = self.engine
        found = ["--workers", str(self.workers)] if self.workers > 1 else []
        found += ["--engine", engine.name] if engine.name != "local" else []
        found += ["--ray-address", engine.ray_address] if engine.ray_address else []
        found += ["--ray-open"] if engine.ray_open else []
        found += [word for key, value in engine.slurm.items() for word in ("--slurm", f"{key}={value}")]
        found += ["--log-json", str(self.log_json)] if self.log_json else []
        found += ["--metrics-port", str(self.metrics_port)] if self.metrics_port else []
        return found + (["--allow-code"] if self.allow_code else [])


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a search needs to know before it touches anything."""

    recipe: Recipe
    space: Space
    storage: str
    device: str
    running: Running
    out: Path
    command: str  # as it was given, without passwords

    @property
    def again(self) -> str:
        """The command that goes on with this study."""
        from nas.study.storage import masked

        grid = bool(self.space.listed)
        words = ["nas", *(("grid", "--measure") if grid else ("search",)), "--study", self.recipe.name]
        words += [] if grid else ["-n", str(self.recipe.trials)]
        words += ["--storage", masked(self.storage), "--device", self.device]
        words += ["--output" if grid else "--out", str(self.out)]
        return shlex.join([*words, *self.running.words])

    def stored(self) -> optuna.Study | None:
        """The study as it is stored; None where it has not begun. Creates nothing."""
        from nas.study.storage import NoStudiesError, open_storage, open_study, study_names

        try:
            storage = open_storage(self.storage)
        except NoStudiesError:
            return None
        return open_study(storage, self.recipe.name) if self.recipe.name in study_names(storage) else None

    def check(self) -> None:
        """Raises: NasError for an unknown baseline, a data set that is missing, a grid too large, or a study that was
        started otherwise."""
        from nas.recipe import TRAINED
        from nas.study.lifecycle import refuse_changes, resolve_baselines
        from nas.study.samplers import make_sampler

        resolve_baselines(self.recipe, self.space, allow_code=self.running.allow_code)
        make_sampler(self.recipe.sampler, self.space, 0)
        if {*TRAINED} & {*self.recipe.measured}:  # said before the first trial, not by each of them
            from nas.data import check_data

            check_data(self.recipe.training.data)
        if (study := self.stored()) is not None:
            refuse_changes(study, self.recipe, self.space, self.device)


def print_plan(plan: Plan, json_output: bool) -> None:
    """Print what would happen: the space, the goals, the device, what is done, and how long the rest may take."""
    from nas.study.ledger import ledger_of
    from nas.study.storage import masked, records

    recipe, space, study = plan.recipe, plan.space, plan.stored()
    past = records(study) if study is not None else []
    done = ledger_of(study, recipe, past).done if study is not None else 0
    seconds = [record.seconds for record in past if record.seconds and not record.baseline]
    each = sum(seconds) / len(seconds) if seconds else None
    document = {
        "study": recipe.name,
        "space": space.name,
        "settings": space.size,
        "open_cells": len(space.cells),
        "sampler": recipe.sampler,
        "objectives": list(recipe.objectives),
        "limits": list(recipe.limits),
        "baselines": list(recipe.baselines),
        "measure": list(recipe.measured),
        "device": plan.device,
        "workers": plan.running.workers,
        "engine": plan.running.engine.name,
        "storage": masked(plan.storage),
        "trials": recipe.trials,
        "done": done,
        "resumes": done > 0,
        "seconds_a_trial": each,
        "seconds_left": each * max(0, recipe.trials - done) / plan.running.workers if each else None,
    }
    if json_output:
        console.show_json(document)
        return
    for key, value in document.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if key.startswith("seconds"):
            text = f"{value:.0f}" if isinstance(value, float) else "unknown until a trial is measured"
        console.result().print(f"{key.replace('_', ' '):<16} {text}", markup=False)
