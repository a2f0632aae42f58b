"""Trainings: the short, seeded ones that `top1_pct` means, and the long ones that end in weights."""

from nas.training.loop import train
from nas.training.outcome import DivergedError, Epoch, Trained, TrainingError
from nas.training.proxy import proxy, proxy_resolution
from nas.training.settings import memory_format, precision

__all__ = [
    "DivergedError",
    "Epoch",
    "Trained",
    "TrainingError",
    "memory_format",
    "precision",
    "proxy",
    "proxy_resolution",
    "train",
]
