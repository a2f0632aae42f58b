"""Learning rate over a training run, as a factor of its peak."""

from __future__ import annotations

import math


def rate(step: int, steps: int, warmup: float) -> float:
    """Factor in (0, 1] for `step` (from 0) of `steps`: a linear rise over the `warmup` share, then a cosine to 0."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
