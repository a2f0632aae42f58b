"""A study copied from one storage to another, whole or not at all."""

from __future__ import annotations

from optuna.storages import RDBStorage

from nas.study.rows import create_study, read_study, study_id
from nas.study.storage import StudyError


def copy_study(source: RDBStorage, target: RDBStorage, name: str, new_name: str) -> int:
    """Write study `name` of `source` into `target` as `new_name`, in one transaction; returns its number of trials.

    Numbers, states, settings, values, attributes and times stay as they are; what a driver left running stays so, and
    is settled by the next one. Raises: StudyError where there is none, or where the target has one of that name.
    """
    with source.engine.connect() as connection:
        identity = study_id(connection, name)
        if identity is None:
            raise StudyError(f"unknown study '{name}'")
        study = read_study(connection, identity)
    study.name = new_name
    with target.engine.begin() as connection:
        if study_id(connection, new_name) is not None:
            raise StudyError(f"the target has a study '{new_name}' already", "give it another name with --as")
        create_study(connection, study)
    return len(study.trials)
