"""Networks with weights: what a training starts from, who teaches, what is evaluated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nas.arch import Architecture
from nas.data import Data
from nas.foreign import Foreign, check_allowed
from nas.nets import build, build_foreign
from nas.training.distil import Teacher
from nas.training.optimizer import classifier_of
from nas.training.weights import IMAGENET, Weights, WeightsError, load, read_weights, torchvision_weights


@dataclass(frozen=True, eq=False)
class Ready:
    """A network in eval mode with its weights. `statistics`: of the images that it is used to; None: the data's own.
    `about`: what the weights' file says of itself."""

    net: nn.Module
    arch: Architecture | Foreign
    statistics: tuple[Tensor, Tensor] | None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def precision(self) -> str:
        """In which it was evaluated when it was trained; empty where nobody says."""
        return str(self.about.get("precision", ""))


def with_weights(arch: Architecture | Foreign | None, weights: Weights) -> Ready:
    """The network that `weights` are of: the one their file names, which must be `arch` but for classes and pixels.

    Raises: WeightsError for weights of another network, or a file that names none where `arch` is None.
    """
    named = weights.arch
    if named is None and arch is None:
        raise WeightsError(
            f"{weights.path}: does not say what network it is of",
            f"name it too: --weights {weights.path} after REF, or REF:{weights.path} for a teacher",
        )
    if arch is None:
        check_allowed(str(named), weights.path, allowed=False)
    chosen = arch if named is None else named
    other = arch is not None and named is not None and not same(arch, named)
    if other or named is None:
        assert arch is not None
        chosen = dataclasses.replace(arch, classes=weights.classes or arch.classes)
    assert chosen is not None
    net = build(chosen)
    load(net, weights)  # as a rule says what differs
    if other:
        raise WeightsError(f"{weights.path}: weights of another network: {named}; this one is {chosen}",
                           "name the network that the weights are of")  # fmt: skip
    return Ready(net.eval(), chosen, weights.statistics, weights.about)


def same(one: Architecture | Foreign, other: Architecture | Foreign) -> bool:
    """Whether two are one network but for classes and pixels, so that weights of the one fit the other."""
    return type(one) is type(other) and one == dataclasses.replace(
        other, classes=one.classes, resolution=one.resolution
    )


def teacher_of(ready: Ready, data: Data) -> Teacher:
    """`ready` as a teacher on `data`. Raises: WeightsError where it tells other classes apart."""
    if ready.arch.classes != data.classes:
        raise WeightsError(
            f"a teacher of {ready.arch.classes} classes cannot teach {data.name}: it has {data.classes}",
            "give a teacher that was trained on the same classes",
        )
    given = (data.held.mean, data.held.deviation)
    own = ready.statistics and tuple(value.to(data.held.mean) for value in ready.statistics)
    return Teacher(ready.net, ready.arch.resolution, given, own)  # type: ignore[arg-type]


def torchvision_network(name: str) -> Ready:
    """torchvision's model `name` with its default weights. Raises: WeightsError, ForeignError."""
    from nas.nets import resolve_foreign

    foreign = resolve_foreign(f"torchvision:{name}")
    net = build_foreign(foreign)
    load(net, torchvision_weights(name, net))
    return Ready(net.eval(), foreign, _imagenet())


def start_from(net: nn.Module, weights: Weights, classes: int) -> bool:
    """Put `weights` into a new network of `classes`; whether its classifier stays as it was drawn: theirs tells other
    classes apart. Raises: WeightsError for weights of another network."""
    head = next((name for name, module in net.named_modules() if module is classifier_of(net)), "")
    bias = weights.tensors.get(f"{head}.bias")
    other = bias is not None and len(bias) != classes
    load(net, weights, but=f"{head}." if other else "")
    return other


def read_start(text: str, net: nn.Module) -> Weights:
    """The weights called `text`: a file, or `torchvision:NAME`, whose model must be `net`. Raises: WeightsError."""
    if text.startswith("torchvision:"):
        return torchvision_weights(text.partition(":")[2], net)
    return read_weights(Path(text))


def _imagenet() -> tuple[Tensor, Tensor]:
    import torch

    return torch.tensor(IMAGENET[0]), torch.tensor(IMAGENET[1])
