from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import random
from collections.abc import Callable, Iterator
from math import comb

import pytest
import torch
from torch import Tensor, nn

from nas import nets
from nas.arch import Architecture, parse
from nas.cost import cost
from nas.errors import NasError
from nas.meters import METERS, Bench, FlopsMismatchError, UnmeasurableError, measure
from nas.meters.accuracy import top1_pct
from nas.meters.batch import CPU_FLOPS, back_off, first_batch, is_out_of_memory
from nas.meters.clock import CudaClock
from nas.meters.conditions import conditions, device_conditions
from nas.meters.flops import flops, hold_against_closed_form
from nas.meters.median import FEWEST, WINDOW, median_interval, time_steps
from nas.meters.memory import LiveStorages
from nas.recipe import Timing
from nas.training_recipe import Training

ARCH = parse("r40 s8 f1k3s1c8n1 f4k3s2c16n2 m4k5s2c24n2se0.25 h32 y10")
CPU = torch.device("cpu")


class FakeClock:
    """Steps take the seconds that an iterator says."""

    name = "fake"

    def __init__(self, seconds: Iterator[float]) -> None:
        self.seconds = seconds
        self.clock = 0.0
        self.taken: list[float] = []

    def now(self) -> float:
        return self.clock

    def time(self, step: Callable[[], object], count: int) -> list[float]:
        spent = []
        for _ in range(count):
            step()
            spent.append(next(self.seconds))
        self.taken += spent
        self.clock += sum(spent)
        return spent


def nothing() -> None:
    pass


# The interval of the median


@pytest.mark.parametrize("count", [6, 7, 20, 51, 100, 101, 500, 2000])
def test_interval_covers_the_median_with_95_percent(count: int) -> None:
    low, high = median_interval(list(range(1, count + 1)))
    assert low + high == count + 1  # symmetric ranks
    outside = 2 * sum(comb(count, k) for k in range(int(low))) / 2**count
    assert outside <= 0.0501
    narrower = 2 * sum(comb(count, k) for k in range(int(low) + 1)) / 2**count
    assert narrower > 0.04 or count > 100  # and is not wastefully wide


def test_interval_holds_the_true_median_of_skewed_steps() -> None:
    rng = random.Random(0)
    hits = 0
    for _ in range(400):
        low, high = median_interval([rng.lognormvariate(0, 1) for _ in range(25)])
        hits += low <= 1.0 <= high
    assert hits >= 0.93 * 400


def test_few_samples_give_no_false_certainty() -> None:
    low, high = median_interval([1.0, 1.1, 1.3])
    assert (low, high) == pytest.approx((0.8, 1.4))
    assert median_interval([2.0]) == (2.0, 2.0)


# Warm-up and stop


def test_stops_at_tolerance_and_counts_no_warm_up() -> None:
    falling = [5.0, 3.0, 2.0, 1.5, 1.2, 1.1]
    clock = FakeClock(itertools.chain(falling, itertools.cycle([0.99, 1.0, 1.01])))
    result = time_steps(nothing, clock, tolerance=0.02, cap=1000)
    assert result.stopped_by == "tolerance"
    assert result.settled
    assert result.median == pytest.approx(1.0)
    assert result.high < 1.1  # nothing of the falling start was counted
    assert result.warm_up >= len(falling)
    assert result.relative <= 0.02
    assert result.samples >= FEWEST
    assert len(clock.taken) == result.warm_up + result.samples


def test_tighter_tolerance_takes_more_steps() -> None:
    def steps(tolerance: float) -> int:
        rng = random.Random(1)
        clock = FakeClock(rng.gauss(1, 0.05) for _ in itertools.count())
        return time_steps(nothing, clock, tolerance=tolerance, cap=1e6).samples

    assert steps(0.1) <= steps(0.01) < steps(0.003)


def test_stops_at_the_time_cap_and_says_so() -> None:
    noisy = FakeClock(itertools.cycle([1.0, 3.0]))
    result = time_steps(nothing, noisy, tolerance=0.01, cap=60)
    assert result.stopped_by == "time_cap"
    assert not noisy.now() > 60 + 1 + 3 + 3  # the first step is not counted against the cap
    assert result.relative > 0.01


def test_warm_up_that_never_settles_ends_after_a_third_of_the_cap() -> None:
    clock = FakeClock(0.9**step for step in itertools.count())
    result = time_steps(nothing, clock, tolerance=0.02, cap=6)
    assert not result.settled


def test_a_step_slower_than_the_cap_is_still_read() -> None:
    result = time_steps(nothing, FakeClock(itertools.repeat(100.0)), tolerance=0.02, cap=1)
    assert result.samples == WINDOW
    assert result.stopped_by == "time_cap"
    assert result.median == 100


def test_a_slow_first_step_neither_warms_up_nor_eats_the_cap() -> None:
    clock = FakeClock(itertools.chain([500.0], itertools.repeat(1.0)))
    result = time_steps(nothing, clock, tolerance=0.02, cap=60)
    assert result.settled
    assert result.stopped_by == "tolerance"


def test_warm_up_lasts_at_least_as_long_as_asked() -> None:
    clock = FakeClock(itertools.repeat(0.01))
    result = time_steps(nothing, clock, tolerance=0.02, cap=60, least=1.0)
    assert result.warm_up * 0.01 >= 1.0


# Batch and memory


def allocator(limit: int) -> Callable[[int], str]:
    def attempt(batch: int) -> str:
        if batch > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return f"ran {batch}"

    return attempt


def test_back_off_halves_until_it_fits_and_keeps_what_did_not() -> None:
    assert back_off(256, allocator(40)) == ("ran 32", 32, (256, 128, 64))
    assert back_off(48, allocator(100)) == ("ran 48", 48, ())
    with pytest.raises(UnmeasurableError, match="single image"):
        back_off(8, allocator(0))


def test_back_off_hides_no_other_error() -> None:
    def attempt(batch: int) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        back_off(8, attempt)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    "said",
    [
        "Unable to find a valid cuDNN algorithm to run convolution",
        "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate",
    ],
)
def test_what_need_not_mean_memory_is_said_as_it_was_when_one_image_fails_too(said: str) -> None:
    tried: list[int] = []

    def attempt(batch: int) -> None:
        tried.append(batch)
        raise RuntimeError(said)

    with pytest.raises(RuntimeError, match=said) as raised:
        back_off(8, attempt)
    assert not isinstance(raised.value, UnmeasurableError)
    assert tried == [8, 4, 2, 1]


def test_cudnn_without_memory_backs_off() -> None:
    def attempt(batch: int) -> str:
        if batch > 5:
            raise RuntimeError("GET was unable to find an engine to execute this computation")
        return "ran"

    assert back_off(16, attempt) == ("ran", 4, (16, 8))


class Hungry(nn.Module):
    """A classifier that has memory for three images."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 3:
            raise torch.OutOfMemoryError("no room")
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


@pytest.mark.parametrize("key", ["train_images_per_s", "infer_images_per_s", "peak_memory_mib"])
def test_meters_back_off_and_record_it(key: str) -> None:
    reading = METERS[key](Hungry(), Bench(ARCH, Timing(batch=16, time_cap=0.05), CPU))
    assert reading.conditions["batch"] == 2
    assert reading.detail["out_of_memory_at"] == [16, 8, 4]


def test_automatic_batch_on_a_cpu_follows_its_stated_rule() -> None:
    def batch(resolution: int, largest: int = 256) -> int:
        arch = dataclasses.replace(ARCH, resolution=resolution)
        return first_batch(Bench(arch, Timing(largest_batch=largest), CPU))[0]

    assert batch(40) == 64
    assert batch(40, largest=20) == 16
    assert batch(40, largest=1) == 1
    assert batch(8000) == 2
    middle = batch(800)
    flops = cost(dataclasses.replace(ARCH, resolution=800)).flops
    assert middle in (4, 8, 16, 32)
    assert middle * flops <= CPU_FLOPS < 2 * middle * flops
    assert first_batch(Bench(ARCH, Timing(batch=48), CPU))[0] == 48


def test_live_storages_count_views_once_and_forget_what_is_dropped() -> None:
    live = LiveStorages()
    with live:
        a = torch.zeros(1024)  # 4 KiB
        view = a.reshape(32, 32).t()
        b = a + 1
        assert live.now == 8192
        del b
        assert live.now == 4096
        del a
        assert live.now == 4096  # the view still owns it
        del view
        assert live.now == 0
    assert live.peak == 8192


def test_peak_memory_grows_with_batch_and_holds_weights_gradients_momentum() -> None:
    def peak(batch: int) -> float:
        reading = measure(ARCH, ["peak_memory_mib"], Timing(batch=batch), device="cpu", seed=0)["peak_memory_mib"]
        return reading.value * 2**20

    small, double = peak(8), peak(16)
    params = 4 * cost(ARCH).params
    assert small > 3 * params
    assert small < double < 2 * small


# FLOPs


def test_flops_are_those_of_the_closed_form_and_the_rest_stands_beside() -> None:
    reading = measure(ARCH, ["flops"], Timing(), device="cpu", seed=0)["flops"]
    assert reading.value == cost(ARCH).flops
    operators = reading.detail["by_operator"]
    assert reading.value == operators["conv"] + operators["linear"]
    assert operators["batch_norm"] > 0
    assert "aten::sigmoid" in reading.detail["uncounted_calls"]


def test_flops_are_at_the_networks_own_resolution() -> None:
    reading = measure(ARCH, ["flops"], Timing(resolution_scale=0.5), device="cpu", seed=0)["flops"]
    assert reading.value == cost(ARCH).flops
    assert reading.conditions["resolution"] == ARCH.resolution


def test_a_mismatch_names_the_network_and_both_numbers() -> None:
    hold_against_closed_form(ARCH, cost(ARCH).flops)
    other = parse(str(ARCH).replace("n2se0.25", "n3se0.25"))
    with pytest.raises(FlopsMismatchError) as raised:
        flops(nets.build(other), Bench(ARCH, Timing(), CPU))
    message = str(raised.value)
    assert isinstance(raised.value, NasError)
    assert raised.value.hint
    for part in (str(ARCH), ARCH.id, f"{cost(ARCH).flops:,}", f"{cost(other).flops:,}"):
        assert part in message


def test_counting_flops_is_silent(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        measure(ARCH, ["flops"], Timing(), device="cpu", seed=0)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# measure


def quick(arch: Architecture = ARCH, **settings: object) -> Timing:
    return Timing.model_validate({"batch": 4, "time_cap": 0.05, "tolerance": 0.5, **settings})


def test_measure_answers_in_the_order_asked() -> None:
    keys = ["train_images_per_s", "latency_ms", "flops"]
    assert list(measure(ARCH, keys, quick(), device="cpu", seed=0)) == keys
    assert measure(ARCH, [], quick(), device="cpu", seed=0) == {}


def test_rates_agree_with_the_step_they_come_from() -> None:
    reading = measure(ARCH, ["train_images_per_s"], quick(), device="cpu", seed=0)["train_images_per_s"]
    assert reading.value == pytest.approx(4 / reading.detail["median_step_s"])
    low, high = reading.detail["interval_step_s"]
    assert 4 / high <= reading.value <= 4 / low
    assert reading.spread == pytest.approx((4 / low - 4 / high) / 2)
    assert reading.conditions["stopped_by"] in ("tolerance", "time_cap")
    assert "momentum" in reading.conditions["optimizer"]


def test_what_cannot_be_measured_is_absent_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one_pixel = parse("r16 s8 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 h16 y10")
    readings = measure(one_pixel, ["train_images_per_s", "latency_ms"], quick(batch=1), device="cpu", seed=0)
    assert list(readings) == ["latency_ms"]
    assert "train_images_per_s" in caplog.text
    assert one_pixel.id in caplog.text


@pytest.mark.parametrize(
    ("what", "device", "message"),
    [
        (["trian_images_per_s"], "cpu", "no meter measures"),
        (["flops"], "tpu", "device"),
        (["flops"], "cuda:99", "GPU"),
    ],
)
def test_bad_requests_are_refused(what: list[str], device: str, message: str) -> None:
    with pytest.raises(NasError, match=message) as raised:
        measure(ARCH, what, quick(), device=device, seed=0)
    assert raised.value.hint


def test_the_resolution_is_scaled_but_never_below_the_total_stride() -> None:
    for scale, expected in ((1, 40), (0.5, 20), (0.01, 8)):
        assert Bench(ARCH, Timing(resolution_scale=scale), CPU).resolution == expected


def test_gpu_defaults_are_bf16_and_channels_last() -> None:
    gpu, cpu = Bench(ARCH, Timing(), torch.device("cuda")), Bench(ARCH, Timing(), CPU)
    assert (gpu.precision, gpu.memory_format) == ("bf16", "channels_last")
    assert cpu.precision == "fp32"
    assert first_batch(gpu)[0] == 256
    assert first_batch(Bench(ARCH, Timing(largest_batch=200), torch.device("cuda")))[0] == 128


class FakeEvent:
    """A device event on a clock that steps advance."""

    clock = 0.0

    def __init__(self, enable_timing: bool = False) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = FakeEvent.clock

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, other: FakeEvent) -> float:
        return 1e3 * (other.at - self.at)  # milliseconds, as CUDA's


@pytest.mark.parametrize("alone", [False, True])
def test_the_gpu_clock_reads_seconds_between_events(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[object] = []
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    lengths = iter([9.0, 1.0, 2.0, 3.0, 4.0])

    def step() -> None:
        FakeEvent.clock += next(lengths)

    seconds = CudaClock(torch.device("cuda"), alone=alone).time(step, 3)
    assert seconds == pytest.approx([9.0, 1.0, 2.0] if alone else [1.0, 2.0, 3.0])  # in a row, the first is not timed
    assert len(waits) == (3 if alone else 0)


def test_memory_on_a_cpu_is_that_of_eager_steps_and_says_so() -> None:
    reading = measure(ARCH, ["peak_memory_mib"], Timing(batch=2, compile=True), device="cpu", seed=0)
    assert reading["peak_memory_mib"].conditions["compile"] is False


# Conditions, and accuracy


def test_a_gpus_conditions_name_its_driver_and_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    monkeypatch.setattr("nas.meters.conditions.driver_version", lambda: "595.1")
    said = device_conditions(torch.device("cuda"))
    assert (said["device"], said["driver"]) == ("NVIDIA H200", "595.1")
    assert {"cuda", "cudnn", "tf32"} <= set(said)
    assert conditions(Bench(ARCH, Timing(), torch.device("cuda")), 4).items() >= said.items()


TRAINING = Training(data="digits", width=1.0, resolution=16, epochs=1, batch=1000, threads=1)


def test_accuracy_says_what_ran_and_not_what_was_left_open() -> None:
    reading = top1_pct(ARCH, TRAINING.model_copy(update={"batch": 5000}), device="cpu", seed=0)
    said = reading.conditions
    assert (said["precision"], said["memory_format"], said["resolution"]) == ("fp32", "channels_last", 16)
    assert said["batch"] == said["train_images"] < 1797
    assert said["threads"] == 1
    assert said["device"] == device_conditions(CPU)["device"]
    assert reading.detail["curve"][-1]["held_images"] == said["held_out_images"]


@pytest.mark.parametrize(("own", "shown"), [(40, 24), (64, 32)])
def test_accuracy_is_measured_at_a_share_of_the_networks_own_resolution(own: int, shown: int) -> None:
    arch = dataclasses.replace(ARCH, resolution=own)
    reading = top1_pct(arch, TRAINING.model_copy(update={"resolution_scale": 0.5}), device="cpu", seed=0)
    assert reading.conditions["resolution"] == shown
    assert reading.conditions["resolution_scale"] == 0.5
    assert parse(reading.detail["trained"]).resolution == shown


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("key", METERS)
def test_every_meter_reads_a_gpu(key: str) -> None:
    timing = Timing(largest_batch=8, time_cap=3)
    measure(ARCH, [key], timing, device="cuda", seed=0)  # libraries allocate their workspaces once, and keep them
    before = torch.cuda.memory_allocated()
    reading = measure(ARCH, [key], timing, device="cuda", seed=0)[key]
    assert reading.value > 0
    assert torch.cuda.memory_allocated() == before
