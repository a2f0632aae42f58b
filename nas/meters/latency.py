"""Milliseconds from one image to its answer."""

from __future__ import annotations

from torch import nn

from nas.meters.batch import back_off
from nas.meters.bench import Bench, as_found
from nas.meters.conditions import conditions
from nas.meters.steps import infer_step
from nas.meters.throughput import how, timed
from nas.record import Reading


def latency_ms(net: nn.Module, bench: Bench) -> Reading:
    """Milliseconds of one forward pass of one image in eval mode, each waited for before the next begins."""
    with as_found(bench):
        result, _, _ = back_off(
            1, lambda batch: timed(infer_step(bench.ready(net, train=False), bench, batch), bench, alone=True)
        )
        said = conditions(bench, 1, stopped_by=result.stopped_by, mode="eval")
    return Reading(
        value=1e3 * result.median,
        spread=1e3 * (result.high - result.low) / 2,
        samples=result.samples,
        conditions=said,
        detail=how(result),
    )
