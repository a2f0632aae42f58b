"""Trained weights in a safetensors file: no pickle, readable by anyone, and it says itself what network they are of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from nas.arch import Architecture
from nas.errors import NasError, raised
from nas.files import write_whole
from nas.foreign import Foreign, read
from nas.resources import is_file, is_folder

IMAGENET = (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)  # torchvision's, in bytes
SUFFIX = ".safetensors"
NAME = f"weights{SUFFIX}"  # in the folder of a training
ROUND = "round-"  # begins the names of the folders of self-training's rounds
ABOUT = "nas"  # the key of our part of a file's metadata


class WeightsError(NasError):
    """Weights that cannot be read or written, or that are those of another network."""


@dataclass(frozen=True, slots=True)
class Weights:
    """`tensors` by the names of `Network.state_dict`. `about`: what the file says of them, empty for a stranger's.

    `about` has, where nas wrote it: `arch` (the notation of the very network), `data`, `mean` and `deviation` (of each
    channel, in bytes: images were normalised by them), `top1_pct`, `recipe`, `seed`, `from`, `environment`.
    """

    path: str
    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arch(self) -> Architecture | Foreign | None:
        """The network that the file names. None where it names none."""
        text, eps = self.about.get("arch"), self.about.get("norm_eps")
        if not isinstance(text, str) or not text:
            return None
        named = read(text)
        known = isinstance(named, Architecture) and isinstance(eps, float) and 0 < eps < 1
        return replace(named, norm_eps=eps) if known else named  # type: ignore[arg-type]

    @property
    def statistics(self) -> tuple[Tensor, Tensor] | None:
        """Mean and deviation (3,), in bytes, by which its images were normalised. None where it does not say."""
        found = []
        for key in ("mean", "deviation"):
            values = self.about.get(key)
            if not isinstance(values, list) or len(values) != 3 or not all(map(_is_number, values)):
                return None
            found.append(torch.tensor([float(value) for value in values]))
        return found[0], found[1]

    @property
    def classes(self) -> int | None:
        """Classes that the weights tell apart; None where they have no classifier of ours."""
        bias = self.tensors.get("classifier.bias")
        return None if bias is None else len(bias)


def write_weights(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write a file that appears whole or not at all. Raises: WeightsError where it cannot be written."""
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={ABOUT: json.dumps(dict(about), sort_keys=True)},
    )
    try:
        write_whole(path, content)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}", "free some space") from None


def weights_of(text: str) -> Path | None:
    """The weights file that `text` names: itself, or that in a training's folder. None where it names neither."""
    if not text:
        return None
    path, inside = Path(text), Path(text) / NAME
    return inside if is_file(inside) else path if path.suffix == SUFFIX else None


def read_weights(path: Path) -> Weights:
    """The weights of a safetensors file, or of a training's folder.

    Raises: WeightsError for one that is missing, truncated or another kind.
    """
    path = weights_of(str(path)) or path
    if is_folder(path):
        rounds = sorted(path.glob(f"{ROUND}*/{NAME}"))
        hint = f"name a round, such as {rounds[-1].parent}" if rounds else "a training that was stopped has none yet"
        raise WeightsError(f"{path}: no {NAME} in this folder", hint)
    if not is_file(path):
        raise WeightsError(f"{path}: no such file", "name a .safetensors file, such as runs/NAME/weights.safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (a file is no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path}: no readable weights: {reason}", "the file is truncated, or no safetensors file; write it again"
        ) from None
    if not isinstance(about, dict):
        raise WeightsError(f"{path}: no readable weights: what it says of itself is no mapping")
    return Weights(str(path), tensors, about)


def torchvision_weights(name: str, net: nn.Module) -> Weights:
    """torchvision's default weights of its model `name`, by the names of `net`, which is the same network.

    They are read from torch's cache, or downloaded into it. Its images are normalised by ImageNet's statistics.

    Raises: WeightsError where there are none, or they cannot be had.
    """
    from torchvision.models import get_model_weights

    try:
        chosen = get_model_weights(name).DEFAULT
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"torchvision:{name}: no weights: {error}") from None
    try:
        found = chosen.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # of the network, the file system, or a file that is none of torchvision's
        raise WeightsError(
            f"torchvision:{name}: weights cannot be had: {raised(error)}",
            f"download {chosen.url.rpartition('/')[2]} into torch's cache (TORCH_HOME/hub/checkpoints), or give a file",
        ) from None
    own, theirs = net.state_dict(), list(found.items())
    mapped = dict(zip(own, (tensor for _, tensor in theirs), strict=False))
    if len(own) != len(theirs):
        mapped |= dict(theirs[len(own) :])
    about = {"from": f"torchvision:{name}", "mean": list(IMAGENET[0]), "deviation": list(IMAGENET[1])}
    return Weights(f"torchvision:{name}", mapped, about)


def load(net: nn.Module, weights: Weights, *, but: str = "") -> None:
    """Copy `weights` into `net`; names that begin with `but` stay as they are.

    Raises: WeightsError naming the first layer that differs, in the network's order, and both shapes.
    """
    own = {name: tensor for name, tensor in net.state_dict().items() if not but or not name.startswith(but)}
    found = {name: tensor for name, tensor in weights.tensors.items() if not but or not name.startswith(but)}
    hint = "name the network that the weights are of"
    if text := weights.about.get("arch"):
        hint += f": '{text}'"
    for name, tensor in own.items():
        if name not in found:
            raise WeightsError(
                f"{weights.path}: weights of another network: '{name}' {_shape(tensor)} is missing", hint
            )
        if found[name].shape != tensor.shape:
            raise WeightsError(
                f"{weights.path}: weights of another network: '{name}' is {_shape(found[name])}, "
                f"this network's is {_shape(tensor)}",
                hint,
            )
    if more := next((name for name in found if name not in own), None):
        raise WeightsError(
            f"{weights.path}: weights of another network: '{more}' {_shape(found[more])} is none of this one's", hint
        )
    for name, tensor in found.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{weights.path}: '{name}' holds values that are no numbers", "train it again")
    net.load_state_dict(found, strict=not but)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"
