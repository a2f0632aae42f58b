"""Learning rate over a training run, as a factor of its peak."""

from __future__ import annotations

import math

from nas.training_recipe import Training


def factor(training: Training, step: int, steps: int) -> float:
    """Factor in (0, 1] of the recipe's learning rate for `step` (from 0) of `steps`.

    After the linear rise: a cosine to 0; or `decay` for every `decay_epochs` gone, counted from the first step, as the
    official code of EfficientNet does; or the peak.
    """
    rising = round(training.warmup * steps)
    if training.schedule == "cosine" or step < rising:
        return rate(step, steps, training.warmup)
    if training.schedule == "constant":
        return 1.0
    return training.decay ** math.floor(step * training.epochs / steps / training.decay_epochs)


def rate(step: int, steps: int, warmup: float) -> float:
    """Factor in (0, 1] for `step` (from 0) of `steps`: a linear rise over the `warmup` share, then a cosine to 0."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
