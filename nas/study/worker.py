"""The measuring side: `evaluate` is a pure function of its arguments, run in a process that never opens a storage.

The process reads one JSON spec a line from standard input and answers one JSON line on a pipe of its own; whatever the
measured code prints goes to the log.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from nas.environment import environment
from nas.record import Reading
from nas.study.machine import Share, tell_of_waiting

Evaluate = Callable[[str, dict[str, Any], int], dict[str, Any]]


def evaluate(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Readings of one network as JSON: {metric: reading}.

    `architecture`: the one-line notation, or `str` of a foreign network. `settings`: `measure` (metrics), `timing`,
    `training` (sections of the recipe), `device`, `repeats` (each measured reading so often; the spread is then that
    between repeats), `share` (see `nas.study.machine`).
    """
    from nas.arch import Architecture
    from nas.foreign import read
    from nas.meters import UnmeasurableError, measure
    from nas.meters.repeat import combine
    from nas.metric import COMPUTED
    from nas.recipe import TRAINED, Timing
    from nas.training_recipe import Training

    arch = read(architecture)
    timing, training = Timing(**settings["timing"]), Training(**settings["training"])
    device, asked = settings["device"], list(settings["measure"])
    closed = isinstance(arch, Architecture)  # then params and activations are known without building it
    share = Share.of(settings)
    with share.own():
        readings = measure(arch, ["flops"] if closed else COMPUTED, timing, device=device, seed=seed)
    timed = [key for key in asked if key not in (*COMPUTED, *TRAINED)]
    trained = [key for key in asked if key in TRAINED]
    rounds = []
    for repeat in range(settings.get("repeats", 1)):
        taken: dict[str, Reading] = {}
        if timed:
            with share.alone():
                taken = measure(arch, timed, timing, device=device, seed=seed + repeat)
        if trained:
            from nas.meters.accuracy import accuracy

            try:
                with share.alone() if "train_seconds" in trained else share.own():
                    found = accuracy(arch, training, device=device, seed=seed + repeat)
                taken |= {key: found[key] for key in trained}
            except UnmeasurableError as error:
                print(f"{', '.join(trained)} of {arch} was not measured: {error}", file=sys.stderr)
        rounds.append(taken)
    readings = {**readings, **combine(rounds)}
    return {key: reading.to_json() for key, reading in readings.items()}


def answer(spec: Mapping[str, Any], function: Evaluate) -> dict[str, Any]:
    """The reply to one spec: readings, or the reason why there are none."""
    started = time.perf_counter()
    try:
        readings = function(spec["architecture"], spec["settings"], spec["seed"])
        reply: dict[str, Any] = {
            "readings": readings,
            "environment": environment(spec["settings"].get("device", "cpu")),
        }
        json.dumps(reply, allow_nan=False)
    except Exception as error:  # a trial that fails is a failed trial, whatever the reason
        import traceback

        traceback.print_exc()  # into the log
        reply = {"error": _reason(error)}
    return {**reply, "job": spec["job"], "seconds": round(time.perf_counter() - started, 3)}


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in text:
        return f"out of memory: {text or name}"
    return text if name.endswith("Error") and getattr(error, "hint", None) is not None else f"{name}: {text}"


class _Log(io.TextIOBase):
    """The log, which may lie on a full disk: what measured code prints must not fail its trial."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            os.write(self._handle, text.encode(errors="replace"))
        return len(text)


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _die_before_the_driver() -> None:
    """Where memory runs out the kernel ends a process: let it be the one that measures, not the one that remembers."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")


def _send(pipe: IO[str], reply: Mapping[str, Any]) -> None:
    pipe.write(json.dumps(reply) + "\n")
    pipe.flush()


def main() -> None:
    """Serve specs until standard input ends. Usage: python -m nas.study.worker MODULE:FUNCTION"""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of measured code belong in the log
    sys.stdout = sys.stderr = _Log(2)
    _die_before_the_driver()
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    function = load(sys.argv[1])
    tell_of_waiting(lambda waits: _send(replies, {"waiting": waits}))  # which is none of the trial's time
    _send(replies, {"ready": True})
    for line in sys.stdin:
        _send(replies, answer(json.loads(line), function))


def load(name: str) -> Evaluate:
    """The function called MODULE:FUNCTION."""
    module, _, function = name.partition(":")
    found: Evaluate = getattr(importlib.import_module(module), function)
    return found


if __name__ == "__main__":
    main()
