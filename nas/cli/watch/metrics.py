"""Metrics of a running search for Prometheus, served to this machine alone."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nas.errors import NasError
from nas.pareto import Objectives, hypervolume, ideal_point, reference_point

if TYPE_CHECKING:
    from nas.record import Record
    from nas.study.engine import Search

_SECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _State:
    """The search at one moment. Made by its thread, read by the server's."""

    counts: Mapping[str, int] = field(default_factory=dict)
    running: int = 0
    workers: int = 0
    utilization: float = 0.0
    front: Sequence[Values] = ()
    corners: Sequence[Values] = ()  # the worst and the best value of each objective


class Metrics(Collector):
    """Serves http://127.0.0.1:PORT/metrics until it is closed. Raises: NasError for a port that is taken."""

    def __init__(self, search: Search, port: int) -> None:
        self._search = search
        self._goals: Objectives = [(item.key, item.goal) for item in search.objectives]
        self._corners: tuple[Values, Values] | tuple[()] = ()
        self._front = search.ledger.front.members
        self._began = self._seen = time.monotonic()
        self._busy, self._running = 0.0, 0
        self._state = _State()
        for record in search.ledger.measured.values():
            self._widen(record)
        self._look()
        registry = CollectorRegistry()
        registry.register(self)
        self._seconds = Histogram(
            "nas_trial_seconds",
            "Seconds that a trial took to be measured, or to fail; trials that reuse readings are not among them.",
            registry=registry,
            buckets=_SECONDS,
        )
        try:
            self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise NasError(f"--metrics-port {port}: {why}", "take another port") from None
        self.port = int(self._server.server_port)

    def told(self, record: Record) -> None:
        """Count a trial that ended."""
        if record.seconds is not None and record.reused is None and record.state in ("complete", "failed"):
            self._seconds.observe(record.seconds)
        if record.state == "complete":
            self._widen(record)
            self._front = self._search.ledger.front.members
        self._look()

    def tick(self) -> None:
        """Account for the time since the last look."""
        self._look()

    def note(self, text: str) -> None:
        """Notes are no metric."""
        del text

    def close(self, how: str = "") -> None:
        """Free the port. A second call does nothing."""
        del how
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def collect(self) -> Iterable[Metric]:
        """The metrics now; called by the server's thread."""
        state = self._state
        trials = GaugeMetricFamily("nas_trials", "Trials that have ended, by state.", labels=["state"])
        for name, count in state.counts.items():
            trials.add_metric([name], count)
        yield trials
        yield GaugeMetricFamily("nas_trials_running", "Networks that are being measured.", state.running)
        yield GaugeMetricFamily("nas_workers", "Networks that were to be measured at a time.", state.workers)
        yield GaugeMetricFamily(
            "nas_worker_utilization",
            "Share of the workers' time since this run began in which they measured a network.",
            state.utilization,
        )
        yield GaugeMetricFamily("nas_front_size", "Networks on the front, readings as measured.", len(state.front))
        yield self._hypervolume(state)

    def _hypervolume(self, state: _State) -> Metric:
        reference = reference_point(state.corners, self._goals)
        ideal = ideal_point(state.corners, self._goals)
        box = math.prod(abs(reference[key] - ideal[key]) for key in reference)
        share = hypervolume(state.front, self._goals, reference) / box if reference and box else 0.0
        where = ", ".join(f"{key} {value:.6g}" for key, value in reference.items()) or "not known yet"
        best = ", ".join(f"{key} {value:.6g}" for key, value in ideal.items()) or "not known yet"
        return GaugeMetricFamily(
            "nas_hypervolume",
            f"Share of the box between the reference point ({where}: the worst seen, and a tenth of the range beyond) "
            f"and the ideal ({best}: the best seen of each) that the front dominates. The box grows with what is seen.",
            share,
        )

    def _widen(self, record: Record) -> None:
        if any(excess > 0 for excess in record.excess.values()):
            return
        values = {item.key: item.value(record.values) for item in self._search.objectives}
        known = {key: value for key, value in values.items() if value is not None and math.isfinite(value)}
        if len(known) < len(values):
            return
        worst, best = self._corners or (known, known)
        better = {key: max if goal == "maximize" else min for key, goal in self._goals}
        worse = {key: min if goal == "maximize" else max for key, goal in self._goals}
        self._corners = (
            {key: worse[key](worst[key], value) for key, value in known.items()},
            {key: better[key](best[key], value) for key, value in known.items()},
        )

    def _look(self) -> None:
        search, moment = self._search, time.monotonic()
        self._busy += self._running * (moment - self._seen)
        self._seen, self._running = moment, search.running
        whole = search.workers * (moment - self._began)
        utilization = min(1.0, self._busy / whole) if whole else 0.0
        counts = dict(search.ledger.counts)
        self._state = _State(counts, self._running, search.workers, utilization, self._front, self._corners)
