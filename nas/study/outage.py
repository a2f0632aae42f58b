"""What a search says and does while its storage is away: it waits, says so now and then, and ends only if asked to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nas.study.driver import StorageLostError

_REMIND = 60.0  # seconds between words


@dataclass
class Outage:
    """`say` gets the words; `tick` is called at every attempt; `ends` says when (monotonic) to give up, or never."""

    say: Callable[[str], None]
    tick: Callable[[], None]
    ends: Callable[[], float]
    _reminded: float = float("-inf")

    def away(self, reason: str, seconds: float) -> None:
        """The storage did not answer, for so many seconds by now. Raises: StorageLostError once it is time to end."""
        moment = time.monotonic()
        if moment > self._reminded + _REMIND:
            self._reminded = moment
            since = f" for {seconds:.0f} s" if seconds >= 1 else ""
            self.say(f"the storage is away{since} ({reason}); waiting for it, no result is lost")
        self.tick()
        if moment > self.ends():
            raise StorageLostError(f"the storage is away ({reason}): what runs could not be told")

    def back(self) -> None:
        self._reminded = float("-inf")
        self.say("the storage is back")
