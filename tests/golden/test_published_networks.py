"""The published networks, held against published counts and against torchvision's same networks.

`counts.json`: parameters as the papers' official code counts them (`automl_count_params` includes batch-norm running
statistics), multiply-adds and activations of convolutions and linears for one image at the published test size.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

import nas
from nas.space_file import baselines

COUNTS: dict[str, dict[str, int | str]] = json.loads((Path(__file__).parent / "counts.json").read_text())
IN_TORCHVISION = {
    **{f"efficientnet-b{n}": f"efficientnet_b{n}" for n in range(8)},
    **{f"efficientnetv2-{size}": f"efficientnet_v2_{size}" for size in "sml"},
    **{f"resnet-{depth}": f"resnet{depth}" for depth in (18, 34, 50, 101, 152)},
    "resnext-50": "resnext50_32x4d",
    "mobilenetv2": "mobilenet_v2",
    "mnasnet-b1": "mnasnet1_0",
}
IN_TIMM = {"mobilenetv1": "mobilenetv1_100", "mnasnet-a1": "semnasnet_100", "se-resnet-50": "seresnet50"}
# counts.json counts a B3 whose first stage has 16 channels, as V2's rounding would make it. V1's rule (never below 90 %
# of 1.2 × 16) and torchvision give it 24 and 12,233,232 parameters: that is the network that ships, and the counts of
# counts.json are held against the network that they name.
OTHERWISE_ROUNDED = "efficientnet-b3"
SHIPPED = [name for name in COUNTS if name != OTHERWISE_ROUNDED]
LARGE = {"efficientnet-b5", "efficientnet-b6", "efficientnet-b7", "efficientnetv2-m", "efficientnetv2-l"}


def test_every_shipped_network_has_published_counts() -> None:
    assert set(baselines()) == {*COUNTS, *IN_TORCHVISION, *IN_TIMM}


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_counts_are_those_that_torchvision_publishes(name: str) -> None:
    weights = torchvision.models.get_model_weights(IN_TORCHVISION[name]).IMAGENET1K_V1
    arch = nas.load_architecture(name)
    crop = weights.transforms().crop_size[0]
    assert nas.cost(arch).params == weights.meta["num_params"]
    at_their_size = nas.cost(dataclasses.replace(arch, resolution=crop)).flops
    assert at_their_size / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.0015)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_file_is_the_published_network(name: str) -> None:
    assert str(nas.load_architecture(name)) == COUNTS[name]["arch"]


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_exact(name: str) -> None:
    published = COUNTS[name]
    spent = nas.cost(nas.load_architecture(published["arch"]))
    assert (spent.params, spent.flops, spent.activations) == tuple(
        published[key] for key in ("params", "flops", "activations")
    )


def test_b3_is_rounded_as_v1_rounds_and_not_as_v2() -> None:
    published = torchvision.models.EfficientNet_B3_Weights.IMAGENET1K_V1.meta["num_params"]
    b3 = nas.load_architecture("efficientnet-b3")
    assert nas.cost(b3).params == published == 12_233_232
    otherwise = nas.load_architecture(COUNTS[OTHERWISE_ROUNDED]["arch"])
    assert (b3.stages[0].channels, otherwise.stages[0].channels) == (24, 16)
    assert (b3.stages[1:], b3.stem, b3.head) == (otherwise.stages[1:], otherwise.stem, otherwise.head)


@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-b2", "efficientnetv2-b3", "efficientnetv2-s"])
def test_built_network_has_the_published_parameters_and_norm_statistics(name: str) -> None:
    with torch.device("meta"):
        net = nas.build(nas.load_architecture(name))
    params = count(net)
    statistics = sum(
        norm.running_mean.numel() + norm.running_var.numel()
        for norm in net.modules()
        if isinstance(norm, nn.BatchNorm2d)
    )
    published = COUNTS[name]
    assert params == published["params"]
    assert statistics == published["norm_statistics"]
    assert params + statistics == published["automl_count_params"]


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] * (name in LARGE)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in IN_TORCHVISION])
def test_torchvision_weights_load_by_order_and_give_the_same_logits(name: str, one_thread: None) -> None:
    arch = nas.load_architecture(name)
    hold_against(arch, lambda: torchvision.models.get_model(IN_TORCHVISION[name], weights=None))


@pytest.mark.parametrize("name", IN_TIMM)
def test_timm_weights_load_by_order_and_give_the_same_logits(name: str, one_thread: None) -> None:
    timm = pytest.importorskip("timm")
    # timm's norms have 1e-5, and its MobileNetV1 the ReLU6 of the official code where the paper says ReLU
    arch = dataclasses.replace(nas.load_architecture(name), norm_eps=1e-5)
    if name == "mobilenetv1":
        arch = dataclasses.replace(arch, activation=nas.Activation.RELU6)
    hold_against(arch, lambda: timm.create_model(IN_TIMM[name], pretrained=False))


def hold_against(arch: nas.Architecture, make: Callable[[], nn.Module]) -> None:
    """The same tensors in the same order, and with them the same logits and as many parameters."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    theirs = randomised(make, images)
    with torch.device("meta"):
        ours = nas.build(arch).eval()
    mine, other = ours.state_dict(), theirs.state_dict()
    assert [value.shape for value in mine.values()] == [value.shape for value in other.values()]
    ours.load_state_dict(dict(zip(mine, other.values(), strict=True)), assign=True)
    with torch.inference_mode():
        expected, logits = theirs(images), ours(images)
    assert (expected[0] - expected[1]).abs().max() > 0.01, "logits that hardly vary would agree whatever the network"
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-6)
    assert count(ours) == count(theirs) == nas.cost(arch).params


def randomised(make: Callable[[], nn.Module], images: Tensor) -> nn.Module:
    """The network in eval mode with random weights, and norms whose statistics are those of `images`.

    In double precision: what is left between the two is then the networks, and not the order of a thousand sums.
    """
    with torch.device("meta"):
        net = make()
    net.to_empty(device="cpu").double().train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = 1.0
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.2, 0.2)
        elif isinstance(module, StochasticDepth | nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        net(images)
    return net.eval()


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
