from __future__ import annotations

import dataclasses

import pytest
import torch
import torchvision
from torch import nn

from nas import nets
from nas.arch import Activation, parse
from nas.cost import cost

# torchvision name → (notation, the epsilon its batch norms were trained with)
_B = (
    "r224 s{} m1k3s1c{}n{}se0.25 m6k3s2c{}n{}se0.25 m6k5s2c{}n{}se0.25 m6k3s2c{}n{}se0.25 "
    "m6k5s1c{}n{}se0.25 m6k5s2c{}n{}se0.25 m6k3s1c{}n{}se0.25 h{}"
)
PUBLISHED = {
    "efficientnet_b0": (_B.format(32, 16, 1, 24, 2, 40, 2, 80, 3, 112, 3, 192, 4, 320, 1, 1280), 1e-5),
    "efficientnet_b1": (_B.format(32, 16, 2, 24, 3, 40, 3, 80, 4, 112, 4, 192, 5, 320, 2, 1280), 1e-5),
    "efficientnet_b2": (_B.format(32, 16, 2, 24, 3, 48, 3, 88, 4, 120, 4, 208, 5, 352, 2, 1408), 1e-5),
    "efficientnet_b3": (_B.format(40, 24, 2, 32, 3, 48, 3, 96, 5, 136, 5, 232, 6, 384, 2, 1536), 1e-5),
    "efficientnet_b4": (_B.format(48, 24, 2, 32, 4, 56, 4, 112, 6, 160, 6, 272, 8, 448, 2, 1792), 1e-5),
    "efficientnet_b5": (_B.format(48, 24, 3, 40, 5, 64, 5, 128, 7, 176, 7, 304, 9, 512, 3, 2048), 1e-3),
    "efficientnet_b6": (_B.format(56, 32, 3, 40, 6, 72, 6, 144, 8, 200, 8, 344, 11, 576, 3, 2304), 1e-3),
    "efficientnet_b7": (_B.format(64, 32, 4, 48, 7, 80, 7, 160, 10, 224, 10, 384, 13, 640, 4, 2560), 1e-3),
    "efficientnet_v2_s": (
        "r384 s24 f1k3s1c24n2 f4k3s2c48n4 f4k3s2c64n4 m4k3s2c128n6se0.25 m6k3s1c160n9se0.25 m6k3s2c256n15se0.25 h1280",
        1e-3,
    ),
    "efficientnet_v2_m": (
        "r480 s24 f1k3s1c24n3 f4k3s2c48n5 f4k3s2c80n5 m4k3s2c160n7se0.25 m6k3s1c176n14se0.25 m6k3s2c304n18se0.25 "
        "m6k3s1c512n5se0.25 h1280",
        1e-3,
    ),
    "efficientnet_v2_l": (
        "r480 s32 f1k3s1c32n4 f4k3s2c64n7 f4k3s2c96n7 m4k3s2c192n10se0.25 m6k3s1c224n19se0.25 m6k3s2c384n25se0.25 "
        "m6k3s1c640n7se0.25 h1280",
        1e-3,
    ),
}
TINY = parse("r40 s8 f1k3s1c8n2 f4k3s2c16n2 m4k5s2c24n2se0.25 h32 y10")


@pytest.mark.parametrize("name", PUBLISHED)
def test_torchvision_weights_load_by_order_and_give_the_same_logits(name: str) -> None:
    notation, eps = PUBLISHED[name]
    arch = dataclasses.replace(parse(notation), norm_eps=eps)
    with torch.random.fork_rng(), torch.device("meta"):
        theirs = getattr(torchvision.models, name)(dropout=0.0, stochastic_depth_prob=0.0)
        ours = nets.build(arch)
    theirs, ours = theirs.to_empty(device="cpu"), ours.to_empty(device="cpu")
    fill(theirs)
    state = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(state)
    assert sum(p.numel() for p in ours.parameters()) == cost(arch).params
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = theirs.eval()(images), ours.eval()(images)
    assert 0.05 < expected.std() < 50  # logits that say something
    assert (found - expected).abs().max() < 1e-5


def fill(net: nn.Module) -> None:
    """Weights and statistics of the usual size; each its own, so that no two could be swapped unseen."""
    draw = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5, generator=draw)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1, generator=draw)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2, generator=draw)
            nn.init.normal_(module.bias, std=0.1, generator=draw)
            nn.init.normal_(module.running_mean, std=0.1, generator=draw)
            nn.init.uniform_(module.running_var, 0.5, 1.5, generator=draw)


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_every_activation_trains_in_every_memory_format(
    activation: Activation, memory_format: torch.memory_format
) -> None:
    arch = dataclasses.replace(TINY, activation=activation)
    net = nets.build(arch, dropout=0.2, drop_path=0.2).to(memory_format=memory_format)
    images = torch.randn(4, 3, 40, 40).to(memory_format=memory_format)
    logits = net(images)
    assert logits.shape == (4, 10)
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("activation", Activation)
def test_gradients_do_not_depend_on_what_runs_in_place(activation: Activation) -> None:
    net = nets.build(dataclasses.replace(TINY, activation=activation)).eval()
    images = torch.randn(2, 3, 40, 40)
    kept = images.clone()
    with torch.no_grad():
        without = net(images)
    assert torch.equal(images, kept)
    assert torch.allclose(net(images), without, atol=1e-6)


def test_building_twice_gives_the_same_weights_from_the_same_seed() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        first = nets.build(TINY).state_dict()
        torch.manual_seed(7)
        second = nets.build(TINY).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_stochastic_depth_rises_over_the_blocks_and_drops_nothing_in_eval_mode() -> None:
    net = nets.build(TINY, drop_path=0.3)
    rates = [getattr(block.drop_path, "p", None) for stage in net.stages for block in stage if block.residual]
    assert [rate for rate in rates if rate is not None] == pytest.approx([0.3 / 6, 0.3 * 3 / 6, 0.3 * 5 / 6])
    assert rates[0] is None  # the first block never drops
    net.eval()
    images = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        assert torch.equal(net(images), net(images))


@pytest.mark.parametrize("resolution", [39, 40, 75])
def test_odd_maps_run(resolution: int) -> None:
    with torch.no_grad():
        assert nets.build(TINY).eval()(torch.randn(1, 3, resolution, resolution)).shape == (1, 10)


def test_shipped_notations_are_the_golden_ones() -> None:
    """The table above is the paper's: the parameter counts that everybody publishes."""
    counts = {"efficientnet_b0": 5_288_548, "efficientnet_b4": 19_341_616, "efficientnet_v2_s": 21_458_488}
    for name, count in counts.items():
        assert cost(parse(PUBLISHED[name][0])).params == count
