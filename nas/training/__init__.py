"""Short, seeded trainings: what `top1_pct` means."""

from nas.training.loop import Epoch, Trained, TrainingError, train
from nas.training.proxy import proxy

__all__ = ["Epoch", "Trained", "TrainingError", "proxy", "train"]
