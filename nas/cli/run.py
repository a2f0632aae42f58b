"""Run a plan: hold the study, start the engine, show the search, and say what came of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.cli.plan import Plan
from nas.errors import NasError
from nas.files import make_private_folder

if TYPE_CHECKING:
    from nas.study.engine import Search
    from nas.study.executors import Pool
    from nas.study.teller import Listener


_QUICK = 500  # trials up to which a report is written in a second or two, also by who was asked to stop


def run_plan(plan: Plan, json_output: bool) -> int:
    """Run or go on with a study, print what it found, and return the exit code."""
    from nas.cli.live import announce, watch
    from nas.cli.watch import watched
    from nas.environment import environment
    from nas.study.driver import StorageLostError
    from nas.study.engine import Search
    from nas.study.executors import ExecutorError
    from nas.study.executors.engines import open_executor
    from nas.study.lifecycle import open_or_create, resolve_baselines
    from nas.study.lock import creating, driver_lock
    from nas.study.outcome import device_of_times
    from nas.study.storage import LockLostError, open_storage, records

    baselines = resolve_baselines(plan.recipe, plan.space, allow_code=plan.running.allow_code)
    logs = _make_folder(plan.out, "logs")
    listeners: list[Listener] = []
    with driver_lock(plan.storage, plan.recipe.name, console.say) as lock:
        earlier = plan.stored()
        only = device_of_times(records(earlier), plan.recipe) if earlier else None
        executor = open_executor(plan.running.engine, _pool(plan, logs, listeners), only)  # refused: no study is made
        received: list[int] = []
        try:
            with creating(plan.storage):
                storage = open_storage(plan.storage, create=True)
            facts = environment(plan.device)
            opened = open_or_create(storage, plan.recipe, plan.space, plan.device, plan.command, facts)
            search = Search(
                opened.study, plan.recipe, plan.space, executor, plan.device, baselines, listeners, guard=lock.check
            )
            announce(plan, search, opened.resumed)
            log_json, port = plan.running.log_json, plan.running.metrics_port
            with (
                watched(search, plan.out, log_json=str(log_json or ""), metrics_port=port),
                watch(plan, search),
                _signals(search, received),
            ):
                stopped = search.run()
        except KeyboardInterrupt:
            console.say(f"stopped at once; go on with: {plan.again}")
            return _exit_code(received) or 130
        except (ExecutorError, StorageLostError, LockLostError) as error:
            hint = f"{getattr(error, 'hint', '')}; go on with: {plan.again}".removeprefix("; ")
            console.fail(str(error), hint)
            return _exit_code(received) or 1
        finally:
            executor.close()
        try:
            return _conclude(plan, search, stopped, received, json_output)
        except KeyboardInterrupt:
            left = f"{search.done} of {plan.recipe.trials} trials are done; to go on and write the report"
            done = "all trials are done; the same command writes the answer"
            console.say(f"{left if search.done < plan.recipe.trials else done}: {plan.again}")
            return _exit_code(received) or 130
        except OSError:  # nobody reads the result
            if received:
                return _exit_code(received)
            raise


def _pool(plan: Plan, logs: Path, listeners: list[Listener]) -> Pool:
    from nas.study.executors import Pool

    def say(text: str) -> None:
        """Among the search's lines once it runs."""
        for listener in listeners:
            listener.note(text)
        if not listeners:
            console.say(f"note   {text}")

    workers = min(plan.running.workers, plan.recipe.trials)
    return Pool(workers, logs, plan.device, timed=bool(plan.recipe.timed), say=say)


def _exit_code(received: list[int]) -> int:
    """Of a search that a signal ended; 0 where none did."""
    if not received:
        return 0
    return 143 if received[0] == signal.SIGTERM else 129 if received[0] == signal.SIGHUP else 130


def _make_folder(path: Path, inside: str) -> Path:
    """The folder `inside` the study's, both its owner's alone. Raises: NasError where nothing can be written there."""
    try:
        folder = make_private_folder(make_private_folder(path) / inside)
        probe = folder / ".writable"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise NasError(
            f"--out {path}: cannot be written: {error.strerror}", "name another folder, or free some space"
        ) from None
    return folder


@contextmanager
def _signals(search: Search, received: list[int]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the search cleanly, the second at once. `received`: the signals that came."""

    def handle(number: int, _: Any) -> None:
        received.append(number)
        search.stop = "interrupted"
        if len(received) > 1:
            raise KeyboardInterrupt
        console.say("stopping: the running trial gets a few seconds; again to stop at once")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        if received:
            console.Patient.install("stdout")  # a stop waits for no reader
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(plan: Plan, search: Search, stopped: str, received: list[int], json_output: bool) -> int:
    from nas.cli.study_report import write_study_report
    from nas.study.feed import storage_option
    from nas.study.storage import masked

    page = None
    report = f"nas report {plan.recipe.name} {storage_option(plan.storage)}".strip()
    if received and sum(search.ledger.counts.values()) > _QUICK:
        console.say(f"no report was written; it takes a while: {report}")
    elif search.ledger.counts["complete"]:
        try:
            page = write_study_report(plan.recipe.name, plan.out, plan.storage)
        except (OSError, NasError) as error:  # a full disk, mostly; the study is whole
            console.fail(
                f"the report could not be written: {getattr(error, 'strerror', None) or error}",
                f"every trial is in {masked(plan.storage)}; then: {report}",
            )
            return _exit_code(received) or 1
    if stopped == "exhausted":
        console.say("nothing is left to try: the space is exhausted, or nothing in it is within the limits")
    if received or stopped == "timeout":
        console.say(f"{search.done} of {plan.recipe.trials} trials done; go on with: {plan.again}")
    if json_output:
        console.show_json(_document(plan, search, stopped, page))
    elif page is not None:
        _print_findings(plan, search)
        console.result().print(f"report {page}", soft_wrap=True, markup=False)
    if received:
        return _exit_code(received)
    if search.ledger.counts["complete"]:
        return 0
    if search.ledger.counts["failed"]:
        show = f"nas studies show {plan.recipe.name} {storage_option(plan.storage)}".strip()
        hint = f"the reasons: {show}; {plan.out}/logs"
        console.fail("no trial was measured to its end", hint)
    elif stopped == "timeout":
        console.fail("time was up before a network was measured", "give it longer with --timeout")
    else:
        console.fail("no network was within the limits", f"see the spread with: nas spaces {plan.space.name}")
    return 4


def _print_findings(plan: Plan, search: Search) -> None:
    from nas.cli.grid_measure import print_answer
    from nas.report.analysis import analyse
    from nas.report.words import findings
    from nas.study.storage import records

    if plan.recipe.grid is None:
        for sentence in findings(analyse(records(search.study), plan.recipe)):
            console.result().print(sentence, soft_wrap=True, markup=False)
    else:
        print_answer(search.study)


def _document(plan: Plan, search: Search, stopped: str, page: Path | None) -> dict[str, Any]:
    from nas.cli.grid_measure import answer_document
    from nas.metric import METRICS
    from nas.report.analysis import analyse
    from nas.study.storage import masked, records

    analysis = analyse(records(search.study), plan.recipe)
    front = [
        {
            "trial": member.record.trial,
            "notation": member.record.arch,
            "id": member.record.id,
            "baseline": member.record.baseline,
            "status": member.status,
            **{key: member.values.get(key) for key in METRICS},
            **{key: value for key, value in member.values.items() if key not in METRICS},
            "spread": dict(member.spreads),
            **({"training": member.record.training} if member.record.training else {}),
        }
        for member in analysis.front
    ]
    return {
        "study": plan.recipe.name,
        "storage": masked(plan.storage),
        "report": str(page) if page else None,
        "stopped": stopped,
        "trials": {**analysis.counts, "reused": analysis.repeats},
        "front": front,
        **answer_document(search.study),
    }
