"""One input under watch: what it raised, how long it took, how much memory it held, and what it touched."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from nas.errors import NasError

Outcome = Literal["accepted", "refused", "failed"]
CANARY = "nas_fuzz_canary"  # a module that files name; nothing may import it
EXIT_CODES = {0, 2, 4, 5}  # 1 is a run that failed, and no input runs anything
_HANG = 20  # seconds by the clock after which an input is given up
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.rename": 1, "os.symlink": 1, "os.link": 1, "os.chmod": 0}
_NEVER = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.exec", "os.fork",
          "os.posix_spawn", "os.system", "pickle.find_class")  # fmt: skip


class HangError(BaseException):
    """No answer within the time."""


@dataclass
class Tally:
    """What came of the inputs of one target."""

    target: str
    engine: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    valid_ms: float = 0.0  # processor time of the slowest input that is not spoilt
    slowest_ms: float = 0.0  # of the slowest of all
    peak_mib: float = 0.0  # what one input added to the resident memory at its highest
    failures: list[dict[str, str]] = field(default_factory=list)


class Guard:
    """Run inputs in `folder`, the only place where they may write. `limit_s` and `limit_mib`: more is a failure."""

    def __init__(self, tally: Tally, folder: Path, limit_s: float = 1.0, limit_mib: float = 1024.0) -> None:
        self.tally, self.folder = tally, str(folder.resolve())
        self._limit_s, self._limit_mib = limit_s, limit_mib
        self._touched: list[str] = []
        self._watching = False
        self._seen: set[str] = set()
        sys.addaudithook(self._heard)
        signal.signal(signal.SIGALRM, _give_up)

    def bound_memory(self, mib: int = 1024) -> None:
        """Let the process have so much address space more than it has now."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + mib * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def run(self, function: Callable[[bytes], object], data: bytes) -> Outcome:
        """Run one input and count it; what it did wrong stands in the tally, each kind of failure once."""
        self._touched.clear()
        before = _resident(reset=True)
        out, err = io.StringIO(), io.StringIO()
        began = time.process_time()
        problem, outcome = "", "accepted"
        try:
            with self._watched(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                function(data)
        except NasError as error:
            outcome, problem = "refused", _not_a_line(error)
        except SystemExit as exit_:
            code = exit_.code
            outcome = "accepted" if code in (0, None) else "refused"
            if code not in EXIT_CODES or "Traceback" in err.getvalue():
                problem = f"exit code {code}: {err.getvalue()[-300:]}"
        except HangError:
            problem = f"no answer within {_HANG} s: {_where(sys.exc_info()[2])}"
        except BaseException as error:
            problem = f"{type(error).__name__}: {str(error)[:200]} {_where(error.__traceback__)}"
        spent, held = time.process_time() - began, _resident() - before
        self.tally.inputs += 1
        self.tally.slowest_ms = max(self.tally.slowest_ms, spent * 1000)
        self.tally.peak_mib = max(self.tally.peak_mib, held)
        if not problem and spent > self._limit_s:
            problem = f"slow: {spent:.1f} s"
        if not problem and held > self._limit_mib:
            problem = f"memory: {held:.0f} MiB"
        problem = problem or "; ".join(self._touched)
        if problem:
            self._note(problem, data)
            return "failed"
        if outcome == "accepted":
            self.tally.accepted += 1
        else:
            self.tally.refused += 1
        return "accepted" if outcome == "accepted" else "refused"

    def _note(self, problem: str, data: bytes) -> None:
        kind = "".join(c for c in problem if not c.isdigit())[:80] + problem[-60:]
        if kind not in self._seen and len(self._seen) < 50:
            self._seen.add(kind)
            self.tally.failures.append({"problem": problem, "input": data[:20_000].decode("utf-8", "backslashreplace")})

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, _HANG)
        self._watching = True
        try:
            yield
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "import" and arguments[0] == CANARY:
            self._touched.append("imported a module that a file named")
        elif event in _NEVER:
            self._touched.append(f"{event} {str(arguments)[:100]}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self._wrote(arguments[0], event)
        elif event in _CHANGES:
            self._wrote(arguments[_CHANGES[event]], event)

    def _wrote(self, path: object, event: str) -> None:
        if not isinstance(path, str | bytes):
            return  # a file descriptor: opened before, and heard then
        real = os.path.realpath(os.fsdecode(path))
        if real != "/dev/null" and not f"{real}/".startswith(self.folder + "/"):
            self._touched.append(f"{event} outside its folder: {real}")


def _give_up(number: int, frame: FrameType | None) -> None:
    raise HangError


def _not_a_line(error: NasError) -> str:
    """What is wrong with the message: it is one line of a length that a person reads."""
    text = f"{error} {error.hint}"
    if not text.isprintable():
        return f"not one printable line: {text[:200]!r}"
    return f"a message of {len(text)} characters: {text[:100]}" if len(text) > 3_000 else ""


def _where(trace: Any) -> str:
    """The last places in nas that it went through."""
    frames = [frame for frame in traceback.extract_tb(trace) if "/nas/" in frame.filename]
    return " < ".join(f"{frame.filename.rpartition('/nas/')[2]}:{frame.lineno}" for frame in reversed(frames[-3:]))


def _resident(*, reset: bool = False) -> float:
    """MiB resident: now, where the mark is reset, else at most since then."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    name = "VmRSS" if reset else "VmHWM"
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
