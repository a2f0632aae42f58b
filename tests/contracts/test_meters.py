"""Every meter, one contract: a true reading with its conditions, and network and process left as found."""

from __future__ import annotations

import copy
import json
import random
import sys
import warnings

import numpy as np
import pytest
import torch

from nas import nets
from nas.arch import parse
from nas.foreign import Foreign
from nas.meters import METERS, Bench, measure
from nas.metric import COMPUTED, METRICS
from nas.recipe import Timing
from nas.record import Reading

ARCH = parse("r40 s8 f1k3s1c8n1 f4k3s2c16n2 m4k5s2c24n2se0.25 h32 y10")
TIMING = Timing(batch=2, time_cap=0.05, tolerance=0.5)

every_meter = pytest.mark.parametrize("key", METERS)
every_running_meter = pytest.mark.parametrize("key", [key for key in METERS if key != "params"])


def bench(timing: Timing = TIMING, seed: int = 0) -> Bench:
    return Bench(ARCH, timing, torch.device("cpu"), seed)


@every_meter
def test_reads_a_positive_number_with_its_conditions(key: str) -> None:
    reading = METERS[key](nets.build(ARCH), bench())
    assert reading.value > 0
    assert reading.spread is not None
    assert reading.spread >= 0
    assert reading.samples >= 1
    assert {"batch", "resolution", "mode"} <= set(reading.conditions)
    assert Reading.from_json(json.loads(json.dumps(reading.to_json()))).to_json() == reading.to_json()
    assert key in METRICS


@every_meter
@pytest.mark.parametrize("train", [True, False])
def test_leaves_the_network_as_found(key: str, train: bool) -> None:
    net = nets.build(ARCH, dropout=0.1, drop_path=0.1).train(train)
    net.stages[0].eval()
    net.classifier.bias.requires_grad_(False)
    net(torch.randn(2, 3, 40, 40)).sum().backward()
    calls: list[int] = []
    hook = net.head.register_forward_hook(lambda *_: calls.append(1))
    tensors = {name: value.clone() for name, value in net.state_dict().items()}
    grads = {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}
    identities = [id(p) for p in (*net.parameters(), *net.buffers())]
    modes = [module.training for module in net.modules()]

    METERS[key](net, bench())

    assert list(net.state_dict()) == list(tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in net.state_dict().items())
    for name, p in net.named_parameters():
        assert (p.grad is None and grads[name] is None) or torch.equal(p.grad, grads[name])
    assert [id(p) for p in (*net.parameters(), *net.buffers())] == identities
    assert [module.training for module in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()].count(False) == 1
    assert list(net.head._forward_hooks) == [hook.id]
    assert all(not module._forward_hooks for module in net.modules() if module is not net.head)


@every_meter
def test_leaves_the_process_as_found(key: str) -> None:
    net = nets.build(ARCH)
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn.benchmark
    torch_state, python_state, numpy_state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    filters = copy.copy(warnings.filters)
    with torch.no_grad():
        METERS[key](net, bench(Timing(batch=2, time_cap=0.05, tolerance=0.5, threads=1)))
        assert not torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    assert torch.backends.cudnn.benchmark == cudnn
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert warnings.filters == filters


@every_running_meter
def test_a_failing_network_leaves_the_process_as_found(key: str) -> None:
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ArithmeticError("broken")

    state, threads = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(ArithmeticError, match="broken"):
        METERS[key](Broken(), bench())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("key", ["params", "flops", "activations", "peak_memory_mib"])
def test_exact_readings_repeat_whatever_the_seed(key: str) -> None:
    first, second = (METERS[key](nets.build(ARCH), bench(seed=seed)) for seed in (0, 1))
    assert first.to_json() == second.to_json()
    assert first.spread == 0


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_setting_runs_and_is_stated(memory_format: str, precision: str) -> None:
    timing = Timing(
        batch=2, time_cap=0.05, tolerance=0.5, memory_format=memory_format, precision=precision, resolution_scale=0.5
    )
    for key, reading in measure(
        ARCH, [key for key in METERS if key not in COMPUTED], timing, device="cpu", seed=3
    ).items():
        said = reading.conditions
        assert (said["memory_format"], said["precision"]) == (memory_format, precision), key
        assert said["resolution"] == 20
        assert said["batch"] == (1 if key == "latency_ms" else 2)
        assert said["torch"] == torch.__version__
        assert said["threads"] == torch.get_num_threads()


def test_a_foreign_network_is_measured_and_leaves_the_process_as_found() -> None:
    torch_state, path, fused = torch.get_rng_state(), list(sys.path), torch.backends.mha.get_fastpath_enabled()
    timing = Timing(batch=2, time_cap=0.05, tolerance=0.5, resolution_scale=0.5)
    readings = measure(Foreign("torchvision:squeezenet1_1", 64), list(METERS), timing, device="cpu")
    assert list(readings) == list(METERS)
    assert readings["flops"].conditions["resolution"] == 64
    assert readings["latency_ms"].conditions["resolution"] == 32
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert sys.path == path
    assert torch.backends.mha.get_fastpath_enabled() == fused
