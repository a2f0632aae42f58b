"""Random networks: what is computed on paper, what is built and what runs are one and the same."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

import nas
from nas.document import as_text
from nas.space import STAGE
from nas.space_file import dump_architecture, load_architecture, load_space, parse_space
from tests.properties.strategies import architectures, odd_architectures

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
running = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Both bugs of an early sketch: an odd map under a stride of 2, and SE in an unexpanded fused block that changes width.
ODD_MAP = nas.parse("r37 s8 m4k5s2c12n2se0.25 m2.7k3s2c20n2 h24")
FUSED_SE = nas.parse("r33 s8 f1k3s2c20n2se0.25 f1k3s1c12n1se0.5 h24")
RESIDUAL = nas.parse("r37 s8k7p2 b1k3s1c8n2 b0.5k5s2c20n2se0.25 n0.25k3s2c24n2g3 d1k3s1c12n2 h0")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@example(ODD_MAP)
@example(FUSED_SE)
@example(RESIDUAL)
@given(architectures())
@quick
def test_params_are_those_of_the_built_network(arch: nas.Architecture) -> None:
    with torch.device("meta"):
        net = nas.build(arch)
    assert nas.cost(arch).params == sum(parameter.numel() for parameter in net.parameters())


@example(ODD_MAP)
@example(FUSED_SE)
@example(RESIDUAL)
@given(architectures())
@quick
def test_flops_and_activations_are_those_of_the_network_that_runs(arch: nas.Architecture) -> None:
    net = nas.build(arch).eval()
    flops, activations, logits = watched(net, arch.resolution)
    assert (nas.cost(arch).flops, nas.cost(arch).activations) == (flops, activations)
    assert logits.shape == (1, arch.classes)


@example(ODD_MAP)
@example(FUSED_SE)
@example(RESIDUAL)
@given(architectures())
@running
def test_flops_are_those_that_fvcore_traces(arch: nas.Architecture) -> None:
    assert nas.cost(arch).flops == traced(nas.build(arch).eval(), arch.resolution)


@given(architectures())
@quick
def test_rows_sum_to_the_whole(arch: nas.Architecture) -> None:
    rows = nas.by_stage(arch)
    total = nas.cost(arch)
    for key in ("params", "flops", "activations"):
        assert sum(getattr(row.cost, key) for row in rows) == getattr(total, key)
    assert [row.name for row in rows] == ["stem", *map(str, range(1, len(arch.stages) + 1)), "head"]
    assert rows[0].size == arch.resolution


@example(FUSED_SE)
@example(RESIDUAL)
@given(architectures())
@running
def test_network_trains_and_evaluates(arch: nas.Architecture) -> None:
    torch.manual_seed(0)
    size = max(arch.resolution, 2 * arch.total_stride)  # batch norm needs more than one value a channel
    net = nas.build(arch, dropout=0.1, drop_path=0.1)
    logits = net(torch.randn(2, 3, size, size))
    assert logits.shape == (2, arch.classes)
    logits.square().mean().backward()
    missing = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert missing == []
    net.eval()
    images = torch.randn(3, 3, size, size)
    with torch.inference_mode():
        together, alone = net(images), torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)


@given(odd_architectures())
@settings(max_examples=200, deadline=None)
def test_notation_reads_back(arch: nas.Architecture) -> None:
    assert nas.parse(str(arch)) == arch
    assert str(nas.parse(str(arch))) == str(arch)
    assert nas.parse(str(arch)).id == arch.id


@given(architectures(), architectures())
@quick
def test_equal_networks_and_only_those_share_an_id(one: nas.Architecture, other: nas.Architecture) -> None:
    assert (one == other) == (one.id == other.id) == (hash(one) == hash(other))


@given(st.one_of(architectures(), odd_architectures()), st.text(max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_reads_back(tmp_path_factory: pytest.TempPathFactory, arch: nas.Architecture, name: str) -> None:
    path = tmp_path_factory.mktemp("arch") / "net.yaml"
    path.write_text(dump_architecture(arch, name, "where it came from\nand why"), encoding="utf-8")
    again = load_architecture(str(path))
    assert (again, again.norm_eps) == (arch, arch.norm_eps)
    assert load_space(str(path)).name == (as_text(name) or "net")


@pytest.mark.parametrize("name", ["efficientnet", "efficientnetv2", "efficientnetv2-wide"])
def test_settings_of_members_read_back(name: str) -> None:
    space = load_space(name)

    @given(st.fixed_dictionaries({cell: st.sampled_from(options.values) for cell, options in space.cells.items()}))
    @settings(max_examples=40, deadline=None)
    def holds(chosen: dict[str, Any]) -> None:
        arch = space.decode(chosen)
        assert arch in space
        encoded = space.encode(arch)
        assert list(encoded) == list(space.cells)
        assert space.decode(encoded) == arch
        present = {cell for cell in chosen if chosen.get(f"{cell.partition('.')[0]}.layers") != 0}
        assert {cell: encoded[cell] for cell in present} == {cell: chosen[cell] for cell in present}

    holds()


@given(architectures())
@quick
def test_a_network_is_a_space_of_one(arch: nas.Architecture) -> None:
    document = {
        "resolution": arch.resolution,
        "stem": arch.stem,
        "stem_kernel": arch.stem_kernel,
        "stem_pool": arch.stem_pool,
        "stages": [
            {
                "op": stage.op.value,
                **{key: getattr(stage, key) for key in STAGE if key != "op"},
            }
            for stage in arch.stages
        ],
        "head": arch.head,
        "classes": arch.classes,
        "activation": arch.activation.value,
    }
    space = parse_space(document, "one")
    assert (space.size, space.cells) == (1, {})
    assert space.sample() == arch
    assert space.encode(arch) == {}


def test_ids_are_the_same_in_another_process() -> None:
    archs = [ODD_MAP, FUSED_SE, nas.load_architecture("efficientnetv2-s")]
    program = f"import nas; print(*[nas.parse(text).id for text in {[str(arch) for arch in archs]!r}])"
    answer = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [arch.id for arch in archs]


def watched(net: nn.Module, size: int) -> tuple[int, int, torch.Tensor]:
    """(multiply-adds, output elements) of every convolution and linear that runs, from the shapes that pass, and the
    logits. Shares no code with `nas.cost`."""
    seen = {"flops": 0, "activations": 0}

    def watch(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        fan_in = module.weight[0].numel()  # multiply-adds behind each output element
        seen["flops"] += output.numel() * fan_in
        seen["activations"] += output.numel()

    hooks = [m.register_forward_hook(watch) for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        logits = net(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return seen["flops"], seen["activations"], logits


def traced(net: nn.Module, size: int) -> int:
    """fvcore's count of convolutions and linears, one image."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(net, torch.zeros(1, 3, size, size))
        by_operator = analysis.unsupported_ops_warnings(False).tracer_warnings("none").by_operator()
    return int(by_operator["conv"] + by_operator["linear"])
