"""Images per second: of full training steps, and of forward passes."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from nas.meters.batch import back_off, first_batch
from nas.meters.bench import Bench, as_found
from nas.meters.clock import Clock, CpuClock, CudaClock, Step
from nas.meters.conditions import conditions
from nas.meters.median import SETTLED, Timed, time_steps
from nas.meters.steps import LOSS, OPTIMIZER, check_trainable, infer_step, train_step
from nas.record import Reading


def train_images_per_s(net: nn.Module, bench: Bench) -> Reading:
    """Images a second of full training steps: forward, loss, backward, optimizer; images already on the device."""

    def attempt(batch: int) -> Timed:
        check_trainable(bench, batch)
        return timed(train_step(bench.ready(net, train=True), bench, batch), bench)

    return _rate(attempt, bench, optimizer=OPTIMIZER, loss=LOSS, mode="train")


def infer_images_per_s(net: nn.Module, bench: Bench) -> Reading:
    """Images a second of forward passes in eval mode; images already on the device."""

    def attempt(batch: int) -> Timed:
        return timed(infer_step(bench.ready(net, train=False), bench, batch), bench)

    return _rate(attempt, bench, mode="eval")


def timed(step: Step, bench: Bench, *, alone: bool = False) -> Timed:
    """The time of `step` by the bench's clock, tolerance and cap."""
    clock: Clock = CudaClock(bench.device, alone=alone) if bench.on_gpu else CpuClock()
    least = 1.0 if bench.on_gpu else 0.0
    return time_steps(step, clock, tolerance=bench.timing.tolerance, cap=bench.timing.time_cap, least=least)


def how(result: Timed) -> dict[str, object]:
    """How a timed reading came about, for its `detail`."""
    return {
        "median_step_s": result.median,
        "interval_step_s": [result.low, result.high],
        "warm_up_steps": result.warm_up,
        "warm_up_rule": SETTLED,
        "settled": result.settled,
    }


def _rate(attempt: Callable[[int], Timed], bench: Bench, **stated: str) -> Reading:
    asked, rule = first_batch(bench)
    with as_found(bench):
        result, batch, refused = back_off(asked, attempt)
        said = conditions(bench, batch, batch_rule=rule, stopped_by=result.stopped_by, **stated)
    detail = how(result)
    if refused:
        detail["out_of_memory_at"] = list(refused)
    return Reading(
        value=batch / result.median,
        spread=(batch / result.low - batch / result.high) / 2,
        samples=result.samples,
        conditions=said,
        detail=detail,
    )
