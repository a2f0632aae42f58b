"""One target in a process of its own: python -m tests.fuzz.one TARGET ENGINE INPUTS SEED FOLDER LIMIT_S."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

TALLY = "tally.json"


def main(arguments: list[str]) -> None:
    """Run the inputs in FOLDER/work; the tally is FOLDER/tally.json."""
    name, engine, inputs, seed, place, limit_s = arguments
    folder = Path(place).resolve()
    work = folder / "work"
    work.mkdir(parents=True)
    sys.dont_write_bytecode = True
    os.environ |= {"NAS_CACHE": str(work / "cache"), "MPLCONFIGDIR": str(work / "mpl"), "HOME": str(work)}
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["nas"]):
            _import(name)
    from tests.fuzz.guard import Guard, Tally
    from tests.fuzz.targets import TARGETS, make_study, prepare

    os.chdir(work)
    prepare(work)
    if name in ("command line", "stored studies", "URLs and references"):
        make_study(work)
    target, tally = TARGETS[name], Tally(name, engine)
    for data in target.seeds():  # what a first use imports and caches is no input's doing
        _quietly(target.run, data)
    own = max(_quietly(target.run, data) for data in target.seeds())
    tally.valid_ms = own * 1000
    guard = Guard(tally, work, limit_s=float(limit_s) + own)
    guard.bound_memory()

    def write() -> None:
        (folder / TALLY).write_text(json.dumps(dataclasses.asdict(tally)), encoding="utf-8")

    write()
    if engine == "atheris":
        _covered(guard, target, int(inputs), int(seed), folder, write)
    else:
        try:
            _structured(guard, target, int(inputs), int(seed))
            write()
        except BaseException as error:
            write()
            sys.exit(f"{type(error).__name__}: {str(error)[:1_000]}\n{traceback.format_exc()[-1_000:]}")


def _import(name: str) -> None:
    """Import what the target reaches, while imports are instrumented."""
    import nas.arch
    import nas.cli.settings
    import nas.foreign
    import nas.recipe
    import nas.record
    import nas.space_file

    if name == "records":
        import nas.study.feed
    if name == "expressions":
        import nas.cli.grid
        import nas.cli.measure
        import nas.cli.scale  # noqa: F401


def _quietly(run: Callable[[bytes], object], data: bytes) -> float:
    """Run an input that is not spoilt; processor seconds."""
    began = time.process_time()
    silent = io.StringIO()
    quiet, calm = contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent)
    with quiet, calm, contextlib.suppress(ValueError, SystemExit):
        run(data)
    return time.process_time() - began


def _structured(guard: Any, target: Any, inputs: int, seed: int) -> None:
    """Inputs by hypothesis: valid documents with their places spoilt."""
    import hypothesis

    phases = (hypothesis.Phase.generate,)
    round_ = 0
    while guard.tally.inputs < inputs:
        count = min(1_000, inputs - guard.tally.inputs)

        @hypothesis.seed(seed * 10_000 + round_)
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(target.inputs())
        def feed(data: bytes) -> None:
            if guard.tally.inputs < inputs:
                guard.run(target.run, data)

        feed()
        round_ += 1


def _covered(guard: Any, target: Any, inputs: int, seed: int, folder: Path, write: Callable[[], None]) -> None:
    """Inputs by atheris: bytes that reach code which none before them reached."""
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(data)

    def feed(data: bytes) -> None:
        if guard.tally.inputs < inputs:
            guard.run(target.run, data)
        if guard.tally.inputs >= inputs:
            write()
            os._exit(0)  # libFuzzer has no other end that leaves Python's state whole

    options = [f"-seed={seed + 1}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=0", "-runs=-1", "-verbosity=0"]
    atheris.Setup(["fuzz", *options, str(corpus)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
