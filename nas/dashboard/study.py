"""A study that was read whole, as its report takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from nas.report.assumed import assumed_recipe
from nas.report.study import StudyReport
from nas.study.feed import Snapshot
from nas.study.grid_space import parse_any_space
from nas.study.importance import importance, importance_needs
from nas.study.space import Space

Shares = Mapping[str, Mapping[str, float]]  # metric → cell → share


def study_of(snapshot: Snapshot) -> StudyReport:
    """A study in the order of its trials; without a recipe, under the one its records suggest."""
    head = snapshot.head
    ordered = sorted(snapshot.records, key=lambda record: -1 if record.trial is None else record.trial)
    recipe = head.recipe or assumed_recipe(head.name, ordered)
    if head.option is not None:  # a storage knows it under its own name, which may be a copy's
        recipe = recipe.model_copy(update={"name": head.name})
    return StudyReport(
        ordered,
        recipe,
        _provenance(head.facts),
        source=head.source,
        option=head.option,
        assumed=head.recipe is None,
        note=snapshot.note,
    )


def own_name(name: str, taken: Collection[str]) -> str:
    """`name`, or where another study on the page has it `name-2` and so on."""
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if one not in taken)


def shares_of(study: StudyReport, space: Space) -> Shares:
    """How much each open cell of the space moves what the study's objectives are made of; takes seconds."""
    keys = [key for objective in study.recipe.parsed_objectives for key in objective.metrics]
    return importance(study.records, space, keys)


def whole_study(snapshot: Snapshot, shares: Callable[[StudyReport, Space], Shares] = shares_of) -> StudyReport:
    """The study with what its space adds: name and hash, and the importance of its cells as `shares` gives it."""
    study = study_of(snapshot)
    stored = snapshot.head.facts.get("space")
    if not isinstance(stored, Mapping) or not {"stages", "triples"} & stored.keys():  # a report's own facts
        return study
    space = parse_any_space(stored, f"study '{snapshot.head.name}'")
    return replace(
        study,
        provenance={**study.provenance, "space": {"name": space.name, "hash": space.hash}},
        importance=shares(study, space),
        importance_needs=importance_needs(space),
    )


def _provenance(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a storage keeps about a study, in the words of a report; a report's own facts as they are."""
    if "environment" not in facts or not isinstance(facts.get("device"), str):
        return facts
    environment = facts["environment"]
    name = environment.get("gpu", environment.get("cpu", ""))
    kept = {key: facts[key] for key in ("command", "created", "environment") if key in facts}
    return {**kept, "device": {"kind": facts["device"], "name": name}}
