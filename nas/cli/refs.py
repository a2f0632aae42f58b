"""References to networks: a name, a file, the notation, STUDY:TRIAL, or a foreign network."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from nas.arch import Architecture
from nas.errors import NasError, nearest
from nas.foreign import LIBRARIES, Foreign, ForeignError, check_allowed, is_foreign, read
from nas.resources import exists
from nas.space_file import baselines, load_architecture


def resolve(reference: str, storage: str) -> Architecture:
    """The architecture that `reference` names. Raises: NasError in one line, also for a foreign network."""
    found = _from_study(reference, storage)
    if isinstance(found, Foreign) or (found is None and _is_foreign(reference)):
        raise NasError(
            f"{reference}: not a network of nas' notation, so its inside is not known",
            f"it can be measured: nas measure {shlex.quote(reference)}",
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
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*):(\d+)", reference)
    return _trial(match[1], int(match[2]), storage) if match and not exists(Path(reference)) else None


def _trial(study: str, number: int, storage: str) -> Architecture | Foreign:
    from nas.study.storage import open_storage, open_study, records

    found = {record.trial: record for record in records(open_study(open_storage(storage), study))}
    if number not in found:
        last = max((trial for trial in found if trial is not None), default=None)
        raise NasError(
            f"study '{study}' has no trial {number}",
            f"its trials are 0 to {last}" if last is not None else "it is empty",
        )
    if not found[number].arch:
        raise NasError(f"trial {number} of study '{study}' ended before its network was chosen")
    return read(found[number].arch)
