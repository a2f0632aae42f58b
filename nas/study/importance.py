"""How much each open cell moves a metric in a study: fANOVA, by Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from nas.cells import Range
from nas.record import Record
from nas.study.space import Space

# Networks for each open cell. Given random accuracies, 16 trials of 28 cells still gave one cell a share of .22.
_PER_CELL = 3
# Networks the forest is fitted to. It takes 3 s a metric at 400 of 28 cells, 15 s at 2,000, minutes at 10,000.
_MOST = 400


def importance_needs(space: Space) -> int:
    """The number of distinct measured networks from which `importance` says anything of this space; 0 of a grid."""
    return 0 if space.listed else _PER_CELL * len(space.cells)


def importance(records: Sequence[Record], space: Space, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """{metric: {cell: share of the variance it explains}}, largest first; a metric without enough readings is absent.

    fANOVA (Hutter et al. 2014) on a random forest fitted to the distinct measured networks, each once, and
    at most 400 of them, evenly spaced over the search. Nothing of a grid: its factors depend on each other, and fANOVA
    would share out what none of them explains alone.
    """
    if space.listed or not space.cells:
        return {}
    distributions: dict[str, BaseDistribution] = {
        name: IntDistribution(cell.low, cell.high, step=cell.step)
        if isinstance(cell, Range)
        else CategoricalDistribution(cell.values)
        for name, cell in space.cells.items()
    }
    found = {}
    for key in metrics:
        trials = [
            optuna.trial.create_trial(
                params=dict(record.settings), distributions=distributions, value=record.value(key)
            )
            for record in {record.id: record for record in reversed(records) if _counts(record, space)}.values()
            if record.value(key) is not None
        ]
        values = {trial.value for trial in trials}
        if len(trials) >= importance_needs(space) and len(values) > 1:
            study = optuna.create_study()
            most = min(len(trials), _MOST)
            study.add_trials([trials[place * len(trials) // most] for place in range(most)])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
                shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
            found[key] = {cell: float(share) for cell, share in shares.items()}
    return found


def _counts(record: Record, space: Space) -> bool:
    return record.state == "complete" and record.reused is None and len(record.settings) == len(space.cells)
