"""What a search has to know of the trials so far, derived from their records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import optuna

from nas.metric import Objective
from nas.pareto import Front
from nas.recipe import Recipe
from nas.record import Record


@dataclass
class Ledger:
    """The account of a study's ended trials. `retried`: numbers of failed trials that another trial repeats."""

    objectives: Sequence[Objective]
    retried: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"complete": 0, "infeasible": 0, "failed": 0})
    reused: int = 0  # complete trials that took the readings of another
    measured: dict[str, Record] = field(default_factory=dict)  # by architecture id

    def __post_init__(self) -> None:
        self.front = Front([(objective.key, objective.goal) for objective in self.objectives])
        self._failed: dict[int, str] = {}  # measured in vain: trial → architecture id

    @property
    def done(self) -> int:
        """Networks of the recipe's total: measured, or failed for good. Reuses and those over a limit are free."""
        return self.counts["complete"] - self.reused + len(self._failed.keys() - self.retried)

    @property
    def tried(self) -> set[str]:
        """Ids of the networks that need no further trial."""
        given_up = {identity for number, identity in self._failed.items() if number not in self.retried}
        return given_up | self.measured.keys()

    def add(self, record: Record) -> None:
        """Enter an ended trial, or a baseline outside the space."""
        if record.state == "complete":
            self.measured.setdefault(record.id, record)
            if all(excess <= 0 for excess in record.excess.values()):
                self.front.add({item.key: item.value(record.values) for item in self.objectives})
        if record.trial is None or record.state == "running":
            return
        self.counts[record.state] += 1
        if record.state == "complete":
            self.reused += record.reused is not None
        elif record.state == "failed" and record.reused is None:
            self._failed[record.trial] = record.id

    @classmethod
    def of(cls, objectives: Sequence[Objective], records: Iterable[Record], retried: Iterable[int]) -> Ledger:
        """The ledger of these records."""
        ledger = cls(objectives, set(retried))
        for record in records:
            ledger.add(record)
        return ledger


def ledger_of(study: optuna.Study, recipe: Recipe, found: Iterable[Record]) -> Ledger:
    """The ledger of a stored study, whose records are `found`; retries that only wait are known too."""
    attrs = (trial.user_attrs for trial in study.get_trials(deepcopy=False))
    return Ledger.of(recipe.parsed_objectives, found, [known["retry_of"] for known in attrs if "retry_of" in known])
