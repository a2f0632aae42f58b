"""Short, seeded trainings: what `top1_pct` means."""

from nas.training.loop import Epoch, Trained, TrainingError, memory_format, precision, train
from nas.training.proxy import proxy, proxy_resolution

__all__ = [
    "Epoch",
    "Trained",
    "TrainingError",
    "memory_format",
    "precision",
    "proxy",
    "proxy_resolution",
    "train",
]
