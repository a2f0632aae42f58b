"""The process between a search and Ray: JSON lines in (specs, cancels), JSON lines out (replies, slots, notes).

Ray's core ends the process that uses it when the head is lost for long: this one, and not the search. It ends itself
when its standard input does, for then the driver is gone.

In:  {"submit": {spec}}   {"cancel": job}
Out: {"ready": address}   {"refused": what, "hint": …, "silent": whether nothing answered}   {"broken": why}
     {"slots": jobs that can run at a time}   {"kind": [device, threads]}   {"note": line}   {"head": "lost"}
     {"started": job}   {"job": job, "reply": {…}}   {"job": job, "lost": why}
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any, NoReturn

from nas.study.executors import EngineError
from nas.study.executors.ray_join import Plan, SilentError, check_answers, join, line
from nas.study.executors.ray_nodes import Books, Kind, Node, Terms
from nas.study.executors.ray_task import probe, run

_SLOW_S = 3.0  # a head that has not answered for so long gets no new jobs
_PROBE_AGAIN_S = 10.0
_FIRST_PROBES_S = 60.0  # a node that has not answered by then does not hold up the choice of a kind


class Gateway:
    """Serves one driver with one Ray."""

    def __init__(self, plan: Plan, address: str, out: IO[str]) -> None:
        import ray

        self._plan, self._address, self._out = plan, address, out
        self._terms = Terms(plan.gpu, plan.timed)
        self._books = Books(self._terms, Kind(plan.device, plan.threads) if plan.device else None)
        self._events: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self._refs: dict[int, Any] = {}
        self._waiting: deque[dict[str, Any]] = deque()
        self._said: set[str] = set()
        self._worked = False  # some node has been fit for trials
        self._sent = -1
        self._begun = self._seen = time.monotonic()
        self._run, self._probe = ray.remote(run), ray.remote(probe)

    def serve(self) -> None:
        """Serve until standard input ends."""
        for job in (self._listen, self._watch):
            threading.Thread(target=job, daemon=True).start()
        handlers: dict[str, Callable[[Any, Any], None]] = {
            "line": self._on_line,
            "view": self._on_view,
            "done": self._on_done,
            "probed": self._on_probe,
            "ask": self._ask,
        }
        while True:
            try:
                kind, first, second = self._events.get(timeout=1.0)
            except queue.Empty:
                pass
            else:
                if kind == "end":
                    return
                handlers[kind](first, second)
            self._place()
            self._report()

    # threads: they only put events

    def _listen(self) -> None:
        for text in sys.stdin:
            self._events.put(("line", json.loads(text), None))
        self._events.put(("end", None, None))

    def _watch(self) -> None:
        import ray
        from ray._private.state import available_resources_per_node

        parent = os.getppid()
        while os.getppid() == parent:
            try:
                check_answers(self._address)
                nodes: Any = ray.nodes()  # type: ignore[no-untyped-call]
                self._events.put(("view", nodes, available_resources_per_node()))  # type: ignore[no-untyped-call]
            except Exception as problem:  # the age of the last view says it
                print(f"the head does not answer: {problem}", file=sys.stderr)
            time.sleep(1.0)
        self._events.put(("end", None, None))

    # events

    def _on_line(self, message: dict[str, Any], _: Any) -> None:
        if "submit" in message:
            self._waiting.append(message["submit"])
            return
        job = message["cancel"]
        if (ref := self._refs.get(job)) is not None:
            import ray

            ray.cancel(ref, force=True)
        for spec in [spec for spec in self._waiting if spec["job"] == job]:
            self._waiting.remove(spec)
            self._send(job=job, lost="cancelled")

    def _on_view(self, nodes: Any, available: Any) -> None:
        self._seen = time.monotonic()
        for node in self._books.update(nodes, available):
            self._ask(node)

    def _on_done(self, job: int, future: Any) -> None:
        del self._refs[job]
        self._books.release(job)
        if (error := future.exception()) is None:
            self._send(job=job, reply=json.loads(future.result()))
        else:
            self._send(job=job, lost=why(error))

    def _on_probe(self, id_: str, future: Any) -> None:
        if (node := self._books.nodes.get(id_)) is None:
            return
        if (error := future.exception()) is None:
            node.learn(json.loads(future.result()), self._terms)
        elif not _fault(error):
            node.error = f"it cannot run `nas`: {line(error)}"
        if node.error or error:
            timer = threading.Timer(_PROBE_AGAIN_S, lambda: self._events.put(("ask", node, None)))
            timer.daemon = True
            timer.start()
        errors = [node.error for node in self._books.nodes.values()]
        self._worked = self._worked or not all(errors)
        if not self._worked:
            self._send(broken=errors[0])

    # actions

    def _ask(self, node: Node, _: Any = None) -> None:
        """Probe a node: what it is, and whether it can run trials at all."""
        future = self._on(self._probe, node, 0, 0).remote(self._plan.evaluate, self._plan.gpu).future()
        future.add_done_callback(lambda done: self._events.put(("probed", node.id, done)))

    def _place(self) -> None:
        """Start what waits, as far as there is room."""
        books, late = self._books, time.monotonic() - self._begun > _FIRST_PROBES_S
        if not (books.known or late or books.kind):
            return
        before = books.kind
        books.choose()
        if books.kind and books.kind != before:
            self._send(kind=[books.kind.device, books.kind.threads])
        for node in books.nodes.values():
            if reason := books.reason(node):
                self._note(f"node {node.name} is left out: {reason}")
        while self._waiting and (placed := books.place(self._waiting[0]["job"])):
            self._start(self._waiting.popleft(), placed)

    def _start(self, spec: dict[str, Any], node: Node) -> None:
        job, task = spec["job"], self._on(self._run, node, *node.demand(self._terms))
        threads, gpu = node.threads(self._terms), self._terms.gpu
        ref = self._refs[job] = task.remote(json.dumps(spec), self._plan.evaluate, threads, gpu)
        ref.future().add_done_callback(lambda done: self._events.put(("done", job, done)))
        self._send(started=job)

    def _on(self, task: Any, node: Node, cpus: int, gpus: int) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        return task.options(num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy=there)

    def _report(self) -> None:
        silent = time.monotonic() - self._seen
        if silent > self._plan.patience:
            self._send(head="lost")
            os._exit(1)
        slots = self._books.slots() if silent < _SLOW_S else 0
        if slots != self._sent:
            self._sent = slots
            self._send(slots=slots)

    def _note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._send(note=text)

    def _send(self, **message: Any) -> None:
        _send(self._out, message)


def _fault(error: BaseException) -> bool:
    """Whether a task ended because of what it ran on, and would do so nowhere else."""
    from ray import exceptions

    died = exceptions.WorkerCrashedError | exceptions.NodeDiedError | exceptions.TaskUnschedulableError
    return isinstance(error, died | exceptions.OutOfMemoryError)


def why(error: BaseException) -> str:
    """One readable line for a task that Ray lost."""
    from ray import exceptions

    lines = {
        exceptions.TaskCancelledError: "cancelled",
        exceptions.OutOfMemoryError: "out of memory: killed by Ray's memory monitor",
        exceptions.NodeDiedError: "its node was lost",
        exceptions.LocalRayletDiedError: "its node was lost",
        exceptions.TaskUnschedulableError: "its node was lost before it began",
        exceptions.WorkerCrashedError: "the Ray worker died (killed, crashed, or out of memory)",
        exceptions.ObjectLostError: "its result was lost with its node",
    }
    known = next((line for kind, line in lines.items() if isinstance(error, kind)), None)
    return known or f"Ray could not run it: {line(error)}"


def _send(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def main() -> NoReturn:
    """Usage: python -m nas.study.executors.ray_gateway PLAN, which is JSON."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints belongs in the log
    plan, parent = Plan(**json.loads(sys.argv[1])), os.getppid()
    try:
        address = join(plan)
    except EngineError as error:
        _send(out, {"refused": str(error), "hint": error.hint, "silent": isinstance(error, SilentError)})
        os._exit(2)
    _send(out, {"ready": address})
    Gateway(plan, address, out).serve()
    import ray

    ray.shutdown()
    if os.getppid() != parent and not plan.address:  # nobody else is left to do it
        shutil.rmtree(plan.folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
