"""Start a study, or go on with it: the same recipe over the same space, or a refusal that says what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from nas.arch import Architecture
from nas.cost import cost
from nas.document import Section, digest
from nas.errors import NasError
from nas.foreign import Foreign, check_allowed, is_foreign
from nas.metric import COMPUTED, Limit
from nas.progressive import ScheduleError, schedule
from nas.recipe import TRAINED, GridOptions, Recipe, Timing
from nas.space import DESCRIPTION
from nas.space_file import load_architecture
from nas.study.driver import drive
from nas.study.rows import StoredStudy, create_study, study_id
from nas.study.samplers import make_sampler
from nas.study.space import Space
from nas.study.storage import STUDY_SCHEMA, StudyError, facts
from nas.training_recipe import Training

_DRAWN = 2_000  # networks drawn to see whether limits can be met together
_MOST = {"top1_pct": 100.0, "rank_score": 1.0}  # metrics with a highest value; the lowest is 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A study ready to be driven; `resumed` when it has trials already."""

    study: optuna.Study
    resumed: bool


def open_or_create(
    storage: RDBStorage, recipe: Recipe, space: Space, device: str, command: str, environment: Mapping[str, Any]
) -> Opened:
    """The study of this recipe. Raises: StudyError when it exists with another recipe, space or device type."""
    name = recipe.name
    with storage.engine.connect() as connection:
        resumed = study_id(connection, name) is not None
    if not resumed:
        facts_of = {
            "schema": STUDY_SCHEMA,
            "recipe": recipe.model_dump(mode="json"),
            "space": space.to_document(),
            "device": device,
            "command": command,
            "environment": dict(environment),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        goals = [StudyDirection[objective.goal.upper()] for objective in recipe.parsed_objectives]
        with storage.engine.begin() as connection:  # a study without its facts would be nobody's
            create_study(connection, StoredStudy(name, goals, {"nas": facts_of}, {}, []))
    study = drive(storage, name, make_sampler(recipe.sampler, space, recipe.seed))
    if resumed:
        refuse_changes(study, recipe, space, device)
        stored = {**facts(study), "recipe": recipe.model_dump(mode="json")}
        if stored != facts(study):  # another budget: the rest may not differ
            study.set_user_attr("nas", stored)
        number = len(study.get_trials(deepcopy=False))
        # Optuna does not store a sampler's state: a seed of its own keeps it from suggesting the first trials again. A
        # grid numbers its points by the seed, and must keep it.
        if recipe.sampler != "grid" and number:
            study.sampler = make_sampler(recipe.sampler, space, _seed(recipe.seed, number))
    return Opened(study, resumed)


def _seed(seed: int, trials: int) -> int:
    return int(digest([seed, trials])[:7], 16)


def refuse_changes(study: optuna.Study, recipe: Recipe, space: Space, device: str) -> None:
    """Raises: StudyError saying what differs between the study and this recipe, space or kind of device."""
    if "nas" not in study.user_attrs:
        raise StudyError(f"study '{study.study_name}' was not written by nas", "take another name with --study")
    stored = facts(study)
    before, after = _as_stored(stored["recipe"]).identity(), recipe.identity()
    changes = _differences({key: before.get(key) for key in after}, after)
    new = space.to_document()
    said = (*DESCRIPTION, "training")  # by the recipe
    changes += _differences(
        {f"space.{key}": value for key, value in stored["space"].items() if key not in said},
        {f"space.{key}": value for key, value in new.items() if key not in said},
    )
    if stored["device"].partition(":")[0] != device.partition(":")[0]:
        changes.append(f"device: {stored['device']} → {device}")
    if changes:
        raise StudyError(
            f"study '{study.study_name}' was started otherwise: {'; '.join(changes[:4])}"
            + (f"; and {len(changes) - 4} more" if len(changes) > 4 else ""),
            "go on with the old settings, or start a new study with --study NAME",
        )


def _as_stored(document: Mapping[str, Any]) -> Recipe:
    """The recipe of an older study, unchecked; fields that are younger than it have their defaults."""
    sections: dict[str, type[Section]] = {"timing": Timing, "training": Training, "grid": GridOptions}
    nested = {key: kind.model_construct(**document[key]) for key, kind in sections.items() if document.get(key)}
    return Recipe.model_construct(**{**document, **nested})


def _differences(before: Any, after: Any, path: str = "") -> list[str]:
    """`path: old → new` for every leaf that differs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return [
            change
            for key in keys
            for change in _differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and path.endswith("stages"):
        return [
            change
            for number, (old, new) in enumerate(zip(before, after, strict=True))
            for change in _differences(old, new, f"{path}[{number}]")
        ]
    return [] if before == after else [f"{path}: {_short(before)} → {_short(after)}"]


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def resolve(recipe: Recipe, space: Space) -> Recipe:
    """`recipe` with all that depends on the space written out: published baselines, the budget as limits, and, where
    resolution is open, trainings in proportion to it, the smallest at the recipe's resolution."""
    names = [name for item in recipe.baselines for name in (space.published if item == "published" else [item])]
    limits = list(recipe.limits)
    if recipe.budget is not None and space.published:
        spent = cost(load_architecture(space.published[0]))
        limits += [f"{key}<={int(recipe.budget * getattr(spent, key))}" for key in ("flops", "params")]
    training = recipe.training
    if training.resolution_scale is None and space.smallest_side is not None:  # a fixed size would hide the cell
        training = training.model_copy(update={"resolution_scale": training.resolution / space.smallest_side})
    changes = {
        "baselines": tuple(dict.fromkeys(names)),
        "limits": tuple(dict.fromkeys(limits)),
        "budget": None,
        "training": training,
    }
    return recipe.model_copy(update=changes)


def resolve_baselines(recipe: Recipe, space: Space, *, allow_code: bool = False) -> dict[str, Architecture | Foreign]:
    """The recipe's baselines by name: the space's own (its smallest and largest, a grid's marks), then shipped ones.

    Foreign networks lie outside any space. `allow_code`: a `module:callable` is imported and called, though a recipe or
    a stored study names it.

    Raises: NasError for a name that is none, code that is not allowed, or a foreign network that an objective would
    have to make narrower.
    """
    return {name: space.named(name) or _baseline(name, recipe, allow_code) for name in recipe.baselines}


def _baseline(name: str, recipe: Recipe, allow_code: bool) -> Architecture | Foreign:
    if not is_foreign(name):
        return load_architecture(name)
    needed = {key for objective in recipe.parsed_objectives for key in objective.metrics}
    needed |= {limit.key for limit in recipe.parsed_limits}
    if needed & {*TRAINED} and recipe.training.width != 1:
        raise NasError(
            f"baselines: {name}: cannot be trained at width {recipe.training.width:g}, as the others are: only a "
            "network in nas' notation can be narrowed",
            "set training.width: 1.0, or leave it out",
        )
    check_allowed(name, "baselines", allow_code)
    from nas.nets import resolve_foreign

    return resolve_foreign(name)


def check_training(recipe: Recipe, space: Space) -> None:
    """Raises: NasError where the short training's images are too small for networks of the space, or begin larger than
    they end."""
    training = recipe.training
    if not {*TRAINED} & {*recipe.measured}:
        return
    if training.resolution_scale is not None:
        _check_start(recipe, space)
    elif training.resolution < space.total_stride:
        raise NasError(
            f"training.resolution: {training.resolution} px is too small for a total stride of {space.total_stride}",
            f"train at {space.total_stride} px or more",
        )


def _check_start(recipe: Recipe, space: Space) -> None:
    """The largest images of a progressive training's first stage against those at which the smallest networks end."""
    cells = recipe.training_cells.items()
    latest = recipe.training_with({name: max(cell.values) for name, cell in cells})
    if latest.progressive is None or latest.progressive.resolution is None:
        return
    from nas.training import proxy_resolution

    member = next(iter(space.samples(1)))
    smallest = replace(member, resolution=space.smallest_side or member.resolution)
    try:
        schedule(latest, proxy_resolution(smallest, latest))
    except ScheduleError as error:
        raise NasError(f"training.{error}", error.hint) from None


def check_limits(space: Space, limits: tuple[Limit, ...]) -> str:
    """A warning where no network drawn meets all limits together, else nothing.

    Raises: NasError for a limit that nothing in the space can meet.
    """
    for limit in limits:
        _check_limit(space, limit)
    closed = [limit for limit in limits if limit.key in COMPUTED]
    costs = [asdict(cost(arch)) for arch in space.samples(_DRAWN)] if len(closed) > 1 else []
    if costs and not any(all(limit.excess(spent[limit.key]) <= 0 for limit in closed) for spent in costs):
        return f"none of {_DRAWN:,} networks drawn meets all limits together: the search may end without one"
    return ""


def _check_limit(space: Space, limit: Limit) -> None:
    impossible = NasError(f"limit {limit}: nothing can meet it: {limit.key} lies between 0 and {_MOST.get(limit.key)}")
    if limit.key in _MOST and not (limit.excess(0.0) <= 0 or limit.excess(_MOST[limit.key]) <= 0):
        raise impossible
    if limit.key not in COMPUTED:
        return
    best = space.extreme(limit.key, largest=limit.relation == ">=")  # type: ignore[arg-type]
    value = getattr(cost(best), limit.key)
    if limit.excess(value) > 0:
        most = "the most" if limit.relation == ">=" else "the least"
        raise NasError(
            f"limit {limit}: nothing in space '{space.name}' can meet it: {most} it has is {value:,}",
            f"see the spread with: nas spaces {space.name}",
        )
