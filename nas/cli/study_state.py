"""Where a stored study stands: driven now, waiting to be gone on with, or done; and when it last did something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import optuna

    from nas.recipe import Recipe
    from nas.record import Record

_UNITS = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class StudyState:
    """`state`: running (a driver has it), waiting (interrupted, or not begun) or done.

    `driver`: `pid 12 on host`, empty where none has it. `reused`: complete trials beyond `done` that asked for a
    network known already, and took its readings. `front`: networks on it. `last`: when it last did something, ISO 8601
    in UTC.
    """

    state: Literal["running", "waiting", "done"]
    driver: str
    done: int
    total: int
    reused: int
    front: int
    last: str

    @property
    def words(self) -> str:
        """One line of it."""
        who = f"running: {self.driver}" if self.driver else self.state
        reused = f" ({self.reused} more took another's readings)" if self.reused else ""
        return f"{who}   {self.done} of {self.total} done{reused}   last activity {ago(self.last)}"


def study_state(storage: str, study: optuna.Study, recipe: Recipe, found: Sequence[Record]) -> StudyState:
    """The state of a study whose records these are. Raises: StudyError where the storage does not say who drives it."""
    from nas.study.ledger import ledger_of
    from nas.study.lock import holder
    from nas.study.storage import facts

    ledger = ledger_of(study, recipe, found)
    driver = holder(storage, study.study_name)
    ended = [end for record in found if (end := _end(record))]
    last = max(ended, default=datetime.fromisoformat(facts(study)["created"]))
    return StudyState(
        "running" if driver else "done" if ledger.done >= recipe.trials else "waiting",
        driver,
        ledger.done,
        recipe.trials,
        ledger.reused,
        len(ledger.front),
        last.astimezone(UTC).isoformat(timespec="seconds"),
    )


def ago(moment: str) -> str:
    """`3 min ago`; an ISO time of the future, by a clock that was set, is just now."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def _end(record: Record) -> datetime | None:
    """When a trial ended, or began where it still runs."""
    try:
        began = datetime.fromisoformat(record.started)
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    return began + timedelta(seconds=min(record.seconds or 0.0, 1e9))
