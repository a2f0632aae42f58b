"""Scalar rewards of a study: objectives that are a product of powers of metrics, with their noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nas.metric import Objective


def rewards(
    values: Mapping[str, float], noise: Mapping[str, float], objectives: Sequence[Objective]
) -> dict[str, tuple[float, float]]:
    """Objective → (its value, the half-width of its noise), of those that are no metric and whose readings are there.

    First order: relative spreads add in quadrature, each times its exponent.
    """
    found = {}
    for objective in objectives:
        reward = None if objective.is_metric else _value(objective, values)
        if reward is not None and math.isfinite(reward):
            terms = [power * noise.get(key, 0.0) / abs(values[key] or 1.0) for key, _, power in objective.factors]
            found[objective.key] = reward, abs(reward) * math.hypot(*terms)
    return found


def _value(objective: Objective, values: Mapping[str, float]) -> float | None:
    try:
        return objective.value(values)
    except (OverflowError, ZeroDivisionError):
        return None
