"""What is taken for the recipe of records that none explains."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from nas.metric import METRICS, MetricError, parse_limit
from nas.recipe import Recipe
from nas.record import Record

_USUAL = ("top1_pct", "flops", "train_images_per_s")


def assumed_objectives(measured: Collection[str]) -> tuple[str, ...]:
    """Of the usual objectives those that were measured; else the first two metrics that were."""
    usual = tuple(key for key in _USUAL if key in measured)
    return usual or tuple(key for key in METRICS if key in measured)[:2] or _USUAL


def assumed_limits(records: Iterable[Record]) -> tuple[str, ...]:
    """What the records were held to, where this version can read it."""
    known = []
    for text in sorted({limit for record in records for limit in record.excess}):
        try:
            known.append(str(parse_limit(text)))
        except MetricError:  # a record of another version
            continue
    return tuple(known)


def assumed_recipe(name: str, records: Collection[Record]) -> Recipe:
    """A recipe that explains the records: their metrics as objectives, the limits they were held to."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "records"
    measured = {key for record in records for key in record.readings}
    return Recipe(
        name=plain,
        space="unknown",
        sampler="random",
        trials=max(1, min(len(records), 1_000_000)),
        objectives=assumed_objectives(measured),
        limits=assumed_limits(records),
    )
