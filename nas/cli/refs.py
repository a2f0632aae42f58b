"""References to networks: a name, a file, the notation, STUDY:TRIAL, or a foreign network."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nas.arch import Architecture
from nas.errors import NasError, nearest
from nas.foreign import LIBRARIES, Foreign, ForeignError, check_allowed, is_foreign, read
from nas.resources import exists
from nas.space_file import baselines, load_architecture

if TYPE_CHECKING:
    import optuna

    from nas.record import Record
    from nas.training_recipe import Training


def resolve(reference: str, storage: str) -> Architecture:
    """The architecture that `reference` names. Raises: NasError in one line, also for a foreign network."""
    found = _from_study(reference, storage)
    if isinstance(found, Foreign) or (found is None and _is_foreign(reference)):
        known = reference.partition(":")[0] in LIBRARIES
        raise NasError(
            f"{reference}: not a network of nas' notation, so its inside is not known",
            f"it can be measured: nas measure {shlex.quote(reference)}"
            + (f"; and perhaps read: nas import {shlex.quote(reference)}" if known else ""),
        )
    return found or _architecture(reference)


def resolve_network(reference: str, storage: str) -> Architecture | Foreign:
    """The architecture or foreign network that `reference` names.

    Raises: NasError in one line; also for STUDY:TRIAL where the study is of a `module:callable`: that is code which
    the study names, and not the user.
    """
    found = _from_study(reference, storage)
    if isinstance(found, Foreign):
        check_allowed(str(found), reference, allowed=False)
    if found is None and _is_foreign(reference):
        from nas.nets import resolve_foreign

        return resolve_foreign(reference)
    return found or _architecture(reference)


def training_of(reference: str, storage: str) -> Training | None:
    """The training that STUDY:TRIAL had, with the schedule that was chosen for it; None where `reference` has another
    form. Raises: NasError in one line.
    """
    from nas.study.storage import recipe_of

    found = _trial(reference, storage)
    return recipe_of(found[0]).training_with(found[1].training) if found else None


def record_of(reference: str, storage: str) -> Record | None:
    """The record of STUDY:TRIAL; None where `reference` has another form. Raises: NasError in one line."""
    found = _trial(reference, storage)
    return found[1] if found else None


def _is_foreign(reference: str) -> bool:
    return is_foreign(reference) and not exists(Path(reference))


def _architecture(reference: str) -> Architecture:
    library = reference.partition(":")[0]
    if library in LIBRARIES and ":" in reference:
        raise ForeignError(
            f"'{reference}' is not a foreign network", f"write {library}:NAME, and @PIXELS after it for another size"
        )
    try:
        return load_architecture(reference)
    except NasError as error:
        if str(error).startswith("unknown architecture"):
            hint = error.hint or nearest(reference, baselines())
            more = "(or a file, the notation in quotes, STUDY:TRIAL, torchvision:NAME, timm:NAME, module:callable)"
            raise NasError(str(error), f"{hint} {more}") from None
        raise


def _from_study(reference: str, storage: str) -> Architecture | Foreign | None:
    """The network of STUDY:TRIAL; None where `reference` has another form."""
    found = _trial(reference, storage)
    return read(found[1].arch) if found else None


def _trial(reference: str, storage: str) -> tuple[optuna.Study, Record] | None:
    """The study and the record that STUDY:TRIAL names; None where `reference` has another form."""
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*):(\d+)", reference)
    if not match or exists(Path(reference)):
        return None
    from nas.study.storage import open_storage, open_study, records

    study, number = match[1], int(match[2])
    opened = open_study(open_storage(storage), study)
    found = {record.trial: record for record in records(opened)}
    if number not in found:
        last = max((trial for trial in found if trial is not None), default=None)
        raise NasError(
            f"study '{study}' has no trial {number}",
            f"its trials are 0 to {last}" if last is not None else "it is empty",
        )
    if not found[number].arch:
        raise NasError(f"trial {number} of study '{study}' ended before its network was chosen")
    return opened, found[number]
