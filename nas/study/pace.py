"""Whether a sampler keeps up with the workers, and how many networks to ask for ahead of them where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

_WEIGHT = 0.1  # of the latest in a running mean
_BUSY = 0.2  # share of its time that the driver may spend asking before it begins to ask ahead


@dataclass
class Pace:
    """Running means of what a network takes to ask for, and to measure, in seconds."""

    workers: int
    asking: float = 0.0
    measuring: float = 0.0

    def asked(self, seconds: float) -> None:
        self.asking = seconds if not self.asking else self.asking + _WEIGHT * (seconds - self.asking)

    def measured(self, seconds: float) -> None:
        self.measuring = seconds if not self.measuring else self.measuring + _WEIGHT * (seconds - self.measuring)

    @property
    def load(self) -> float:
        """Seconds of asking that a second of all workers measuring needs; above 1 they wait for the sampler."""
        return self.workers * self.asking / self.measuring if self.measuring else 0.0

    @property
    def ahead(self) -> int:
        """Networks to hold ready: those that workers want while one is measured, one a worker at most.

        A single worker's next network is asked for once its last is told: the sampler then knows all there is to know.
        """
        return min(self.workers, ceil(self.workers * self.load)) if self.workers > 1 and self.load > _BUSY else 0
