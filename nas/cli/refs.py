"""References to networks: a name, a file, the notation, or STUDY:TRIAL."""

from __future__ import annotations

import re
from pathlib import Path

from nas.arch import Architecture, parse
from nas.errors import NasError, nearest
from nas.space import baselines, load_architecture


def resolve(reference: str, storage: str) -> Architecture:
    """The architecture that `reference` names. Raises: NasError in one line."""
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*):(\d+)", reference)
    if match and not Path(reference).exists():
        return _trial(match[1], int(match[2]), storage)
    try:
        return load_architecture(reference)
    except NasError as error:
        if str(error).startswith("unknown architecture"):
            hint = f"{error.hint}; {nearest(reference, baselines())}" if not error.hint else error.hint
            raise NasError(str(error), f"{hint} (or a file, the notation in quotes, or STUDY:TRIAL)") from None
        raise


def _trial(study: str, number: int, storage: str) -> Architecture:
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
    return parse(found[number].arch)
