"""Short trainings learn, repeat from their seed, and leave the world as it was."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.arch import ArchitectureError, parse
from nas.data import load_data
from nas.data.change import Change
from nas.data.split import WHOLE, Augment, Batches, Data, Part
from nas.nets import build
from nas.training import TrainingError, precision, proxy, proxy_resolution, train
from nas.training.muon import orthogonal
from nas.training.proxy import build_for_training
from nas.training.schedule import rate
from nas.training_recipe import Training

SMALL = parse("r64 s16 m1k3s1c16n2se0.25 f4k3s2c24n2 m4k3s2c40n2se0.25 h64")
SHORT = Training(data="digits", width=0.5, resolution=16, epochs=2, batch=64, augment="none", learning_rate=0.01)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small run fastest on one thread, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_data("digits", resolution=16)


def test_a_short_training_learns_and_keeps_its_curve(digits: Data) -> None:
    seen = []
    result = train(proxy(SMALL, SHORT, 10), digits, SHORT, on_epoch=seen.append)
    assert result.top1_pct > 60
    assert tuple(seen) == result.curve
    assert [epoch.epoch for epoch in result.curve] == [1, 2]
    assert result.curve[-1].held_pct == result.top1_pct
    assert result.curve[1].loss < result.curve[0].loss
    assert result.curve[1].train_pct > result.curve[0].train_pct
    assert result.steps == 2 * (len(digits.train) // 64)
    assert result.arch == str(proxy(SMALL, SHORT, 10))


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "muon"])
def test_every_optimizer_lowers_the_loss(digits: Data, optimizer: str) -> None:
    rates = {"sgd": 0.05, "rmsprop": 0.002, "adamw": 0.005, "muon": 0.01}
    training = SHORT.model_copy(update={"optimizer": optimizer, "learning_rate": rates[optimizer]})
    curve = train(proxy(SMALL, SHORT, 10), digits, training).curve
    assert curve[1].loss < curve[0].loss < 1.1 * math.log(10)


def test_one_seed_gives_one_result(digits: Data) -> None:
    training = SHORT.model_copy(update={"epochs": 1, "augment": "crop"})
    first, again, other = (train(proxy(SMALL, SHORT, 10), digits, training, seed=seed) for seed in (0, 0, 1))
    assert first.top1_pct == again.top1_pct
    assert first.curve[0].loss == again.curve[0].loss
    assert first.curve[0].loss != other.curve[0].loss


def test_random_state_and_threads_stay_as_they_were(digits: Data) -> None:
    torch.set_num_threads(2)
    state = torch.random.get_rng_state()
    train(proxy(SMALL, SHORT, 10), digits, SHORT.model_copy(update={"epochs": 1}))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == 2


def test_a_diverging_training_is_one_clear_error(digits: Data) -> None:
    wild = SHORT.model_copy(update={"optimizer": "sgd", "learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(TrainingError, match="diverged") as caught:
        train(proxy(SMALL, SHORT, 10), digits, wild)
    assert "learning_rate" in caught.value.hint


def test_a_network_of_other_classes_is_refused(digits: Data) -> None:
    with pytest.raises(TrainingError, match="7 classes"):
        train(proxy(SMALL, SHORT, 7), digits, SHORT)


def test_a_module_of_the_users_own_is_trained_in_place(digits: Data) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    before = net[1].weight.detach().clone()
    result = train(net, digits, SHORT)
    assert result.top1_pct > 60
    assert not torch.equal(net[1].weight, before)


def test_a_batch_larger_than_the_data_is_cut_down() -> None:
    data = load_data("digits", resolution=8)
    result = train(parse("r8 s8 m1k3s1c8n1 h16 y10"), data, SHORT.model_copy(update={"batch": 5000, "width": 1.0}))
    assert result.steps == 2


def test_the_proxy_is_the_network_at_the_recipes_width_and_resolution() -> None:
    made = proxy(SMALL, SHORT, 7)
    assert str(made) == "r16 s8 m1k3s1c8n2se0.25 f4k3s2c16n2 m4k3s2c24n2se0.25 h32 y7"
    assert [stage.layers for stage in made.stages] == [stage.layers for stage in SMALL.stages]


def test_a_resolution_too_small_for_the_strides_is_refused() -> None:
    deep = parse("r64 s8 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 h16")
    with pytest.raises(ArchitectureError, match="too small"):
        proxy(deep, SHORT, 10)


@pytest.mark.parametrize(
    ("own", "scale", "expected"),
    [
        (64, 0.5, 32),
        (380, 0.125, 48),  # 47.5
        (224, 0.125, 32),  # 28, but 32 is the total stride below
        (300, 2.0, 600),
        (32, 0.01, 32),
    ],
)
def test_a_scaled_resolution_is_the_networks_own_in_eights_and_no_less_than_its_stride(
    own: int, scale: float, expected: int
) -> None:
    strided = parse(f"r{own} s8 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 m1k3s2c8n1 h16")
    training = SHORT.model_copy(update={"resolution_scale": scale})
    assert proxy_resolution(strided, training) == proxy(strided, training, 10).resolution == expected


def test_a_scaled_resolution_is_at_least_eight_pixels() -> None:
    assert proxy_resolution(parse("r64 s8 m1k3s1c8n1 h16"), SHORT.model_copy(update={"resolution_scale": 0.01})) == 8


def test_without_a_scale_every_network_is_shown_the_same_pixels() -> None:
    assert {proxy_resolution(replace(SMALL, resolution=own), SHORT) for own in (32, 64, 500)} == {16}


def test_a_network_of_another_resolution_is_refused(digits: Data) -> None:
    with pytest.raises(TrainingError, match=r"24 px .* 16 px") as caught:
        train(replace(proxy(SMALL, SHORT, 10), resolution=24), digits, SHORT)
    assert "proxy_resolution" in caught.value.hint


def test_residual_blocks_start_as_the_identity() -> None:
    torch.manual_seed(0)
    net = build_for_training(SMALL, SHORT).eval()
    x = torch.randn(2, 16, 8, 8)
    block = net.stages[0][1]
    assert block.residual
    assert torch.equal(block(x), x)
    plain = build_for_training(SMALL, SHORT.model_copy(update={"zero_init": False})).eval()
    assert not torch.equal(plain.stages[0][1](x), x)


def test_recalibrated_norms_hold_the_statistics_of_the_final_weights(digits: Data) -> None:
    net = build(proxy(SMALL, SHORT, 10))
    train(net, digits, SHORT.model_copy(update={"epochs": 1, "recalibrate": 1000, "batch": 718}))
    norm = net.stem[1]
    images = torch.cat([images for images, _ in digits.train.batches(718)])
    with torch.no_grad():
        assert torch.allclose(norm.running_mean, net.stem[0](images).mean((0, 2, 3)), atol=1e-3)
    assert norm.momentum == 0.1


def test_recalibrated_norms_hold_the_statistics_of_the_network_in_use(digits: Data) -> None:
    dropped = nn.Dropout(0.8)
    norm = nn.BatchNorm1d(768)
    net = nn.Sequential(nn.Flatten(), dropped, norm, nn.Linear(768, 10))
    train(net, digits, SHORT.model_copy(update={"epochs": 1, "recalibrate": 1000, "batch": 1438}))
    images = torch.cat([images for images, _ in digits.train.batches(1438)])
    assert torch.allclose(norm.running_var, images.flatten(1).var(0), atol=1e-3)  # dropout would make it five times so


# where images and labels lie, and whether there are any


@dataclass
class Handmade:
    """A split of given batches."""

    made: Callable[[], list[tuple[Tensor, Tensor]]]
    count: int = 64
    skipped: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(3))
    deviation: Tensor = field(default_factory=lambda: torch.ones(3))

    def __len__(self) -> int:
        return self.count

    def batches(
        self,
        size: int,
        generator: torch.Generator | None = None,
        augment: Augment = "none",
        change: Change | None = None,
        part: Part = WHOLE,
    ) -> Batches:
        yield from self.made()


class Elsewhere(Tensor):
    """A tensor on another device than the network: all it can do is be moved."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not Tensor.to:
            raise RuntimeError(f"expected all tensors to be on the same device: {func.__name__}")
        with torch._C.DisableTorchFunctionSubclass():
            return func(args[0], *args[1:], **(kwargs or {})).as_subclass(Tensor)


def elsewhere() -> list[tuple[Tensor, Tensor]]:
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8)
    return [(images.as_subclass(Elsewhere), labels.as_subclass(Elsewhere)) for _ in range(2)]


def test_streamed_batches_are_moved_to_the_networks_device_before_anything_else() -> None:
    data = Data("streamed", 10, 16, Handmade(elsewhere), Handmade(elsewhere))
    result = train(proxy(SMALL, SHORT, 10), data, SHORT.model_copy(update={"epochs": 2, "batch": 8}))
    assert result.steps == 4
    assert [epoch.held_images for epoch in result.curve] == [16, 16]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_data_on_the_cpu_train_a_network_on_a_gpu(digits: Data) -> None:
    assert train(proxy(SMALL, SHORT, 10), digits, SHORT, device="cuda").top1_pct > 60


@pytest.mark.parametrize("part", ["train", "held"])
@pytest.mark.parametrize("count", [0, 64])
def test_no_readable_image_is_an_error_and_no_accuracy_of_zero(digits: Data, part: str, count: int) -> None:
    data = replace(digits, **{part: Handmade(list, count)})
    with pytest.raises(TrainingError, match=r"no (training|held-out) image could be read") as caught:
        train(proxy(SMALL, SHORT, 10), data, SHORT.model_copy(update={"epochs": 1}))
    assert ("held-out" in str(caught.value)) == (part == "held")
    assert "\n" not in str(caught.value)


def test_a_point_of_the_curve_says_how_many_images_it_was_held_against() -> None:
    def held() -> list[tuple[Tensor, Tensor]]:
        return [(torch.randn(256, 3, 16, 16), torch.zeros(256, dtype=torch.long)) for _ in range(6)]

    data = replace(load_data("digits", resolution=16), held=Handmade(held, 6 * 256))
    result = train(proxy(SMALL, SHORT, 10), data, SHORT)
    assert [epoch.held_images for epoch in result.curve] == [1024, 1536]


def test_seeding_leaves_other_gpus_alone(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("seeds every GPU"))
    train(proxy(SMALL, SHORT, 10), digits, SHORT.model_copy(update={"epochs": 1}))


def test_automatic_precision_is_bf16_on_a_gpu_only() -> None:
    assert [precision(SHORT, torch.device(name)) for name in ("cuda", "cpu")] == ["bf16", "fp32"]
    assert precision(SHORT.model_copy(update={"precision": "bf16"}), torch.device("cpu")) == "bf16"


def test_the_rate_rises_then_falls() -> None:
    rates = [rate(step, 100, 0.2) for step in range(100)]
    assert max(rates) == rates[20] == 1
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0 < rates[0] < 0.1
    assert 0 < rates[-1] < 0.01


def test_orthogonal_moves_singular_values_near_one() -> None:
    for shape in ((2, 8, 30), (2, 30, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0))))
        assert values.min() > 0.5
        assert values.max() < 1.4
