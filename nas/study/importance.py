"""How much each open cell moves a metric in a study: fANOVA, by Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from nas.cells import Range
from nas.record import Record
from nas.space import SearchSpace

_FEWEST = 8  # trials below which a forest of 28 cells says nothing


def importance(records: Sequence[Record], space: SearchSpace, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """{metric: {cell: share of the variance it explains}}, largest first; a metric without enough readings is absent.

    fANOVA (Hutter et al. 2014) on a random forest fitted to the measured trials.
    """
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
            for record in records
            if record.state == "complete"
            and record.value(key) is not None
            and len(record.settings) == len(distributions)
        ]
        values = {trial.value for trial in trials}
        if len(trials) >= _FEWEST and len(values) > 1:
            study = optuna.create_study()
            study.add_trials(trials)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
                found[key] = dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    return found
