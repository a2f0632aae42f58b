"""What `nas train` was asked for, settled: network, data at every size, recipe, teacher, first weights."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.data import Data
    from nas.foreign import Foreign
    from nas.training.outcome import Ways
    from nas.training.session import Job
    from nas.training.start import Ready
    from nas.training_recipe import Training


TRIAL = "trial"  # the recipe that a trial was trained by


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line of `nas train`, checked as far as it can be without data."""

    ref: str
    arch: Architecture | Foreign
    training: Training
    folder: Path
    seed: int
    device: str
    weights: str = ""
    teacher: str = ""
    frozen: bool = False
    backbone_rate: float = 1.0
    together: bool = False
    storage: str = ""

    def said(self) -> dict[str, Any]:
        """What the weights' file tells of their origin beside network and recipe."""
        options = {"weights": self.weights, "teacher": self.teacher}
        found: dict[str, Any] = {"from": self.ref, "data": self.training.data}
        found |= {key: value for key, value in options.items() if value}
        if self.frozen:
            return {**found, "freeze": "backbone"}
        return {**found, "backbone_rate": self.backbone_rate} if self.backbone_rate != 1 else found


def named_recipe(recipe: str, ref: str, storage: str) -> Training:
    """The training recipe of that name or file; `trial`: the one that STUDY:TRIAL had. Raises: NasError."""
    from nas.cli.refs import training_of
    from nas.training_recipe import load_training

    if recipe != TRIAL:
        return load_training(recipe)
    found = training_of(ref, storage)
    if found is None:
        raise NasError(f"--recipe {TRIAL}: {ref} is no STUDY:TRIAL", "name a recipe, such as short")
    return found


def settle_training(
    recipe: Training, data: str | None, sets: Sequence[str], epochs: int | None, batch: int | None
) -> Training:
    """The recipe with what the command line changes of it; `batch` takes the learning rate with it.

    Raises: NasError, DocumentError naming the key.
    """
    from nas.document import validate
    from nas.training_recipe import Training

    document = recipe.model_dump(mode="json")
    for text in sets:
        _set(document, text)
    if data is not None:
        document["data"] = data
    if epochs is not None:
        document["epochs"] = epochs
    if batch is not None:
        validate(Training, document, "train")
        document["learning_rate"] = document["learning_rate"] * batch / document["batch"]
        document["batch"] = batch
    return validate(Training, document, "train")


def _set(document: dict[str, Any], text: str) -> None:
    """Lay `KEY=VALUE`, the value in YAML, over a recipe; `progressive.KEY` reaches into its section."""
    import yaml

    from nas.errors import nearest
    from nas.training_recipe import Progressive, Training

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise NasError(f"--set '{text}': expected KEY=VALUE", "for example --set epochs=10")
    try:  # YAML takes 1e-3 for a word
        read = float(value) if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value) else yaml.safe_load(value)
    except yaml.YAMLError:
        raise NasError(f"--set {key}: '{value}' does not read", "write a number, a word, true, false or null") from None
    section, dot, inner = key.partition(".")
    known = [*Training.model_fields, *(f"progressive.{name}" for name in Progressive.model_fields)]
    if key not in known:
        raise NasError(f"--set {key}: unknown key of a training recipe", nearest(key, known))
    if dot:
        if not isinstance(document[section] or {}, dict):
            raise NasError(f"--set {key}: {section} is {document[section]!r}", f"give its keys, not {section} itself")
        document[section] = {**(document[section] or {}), inner: read}
    else:
        document[key] = read


def default_folder(ref: str, recipe: str) -> Path:
    """`runs/first-2-short` of `first:2` and the recipe `short`; a notation is cut to its first words."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(ref).stem if ref.endswith((".yaml", ".yml")) else ref)
    return Path("runs") / f"{words[:40].strip('-')}-{Path(recipe).stem}"


def make_job(
    asked: Asked,
    relabel: Callable[[Data], Data] | None = None,
    more: Mapping[str, Any] | None = None,
    noted: Mapping[str, Any] | None = None,
) -> Job:
    """The training as a job: its data are loaded at the size it ends at. `relabel`: what is done to them at every size.

    Raises: NasError for data, weights or a teacher that do not fit.
    """
    from nas.training.session import Job, check_folder

    check_folder(asked.folder)  # before data are read
    training = asked.training
    final = final_of(asked)
    source = _source(asked, relabel)
    data = source(final.resolution)
    arch = trained_on(final, training, data)
    ways, source = _ways(asked, arch, data, source)
    said = {**asked.said(), **_teacher_said(asked.teacher), **(more or {})}
    return Job(arch, source, training, asked.folder, asked.seed, asked.device, ways, said, noted or {})


def final_of(asked: Asked) -> Architecture | Foreign:
    """The network that is trained, at the pixels it ends at. Raises: NasError for a size that it cannot have."""
    from nas.arch import Architecture
    from nas.progressive import smallest_side
    from nas.training import proxy, proxy_resolution

    if isinstance(asked.arch, Architecture):
        arch: Architecture | Foreign = proxy(asked.arch, asked.training, asked.arch.classes)
    else:
        arch = dataclasses.replace(asked.arch, resolution=proxy_resolution(asked.arch, asked.training))
    least = smallest_side(asked.training, arch.resolution)
    if isinstance(arch, Architecture):
        dataclasses.replace(arch, resolution=least)  # an ArchitectureError where that is too small
    return arch


def trained_on(final: Architecture | Foreign, training: Training, data: Data) -> Architecture | Foreign:
    """The network for the classes of `data`. Raises: ProxyError for a foreign one that cannot be had so."""
    from nas.arch import Architecture
    from nas.training.proxy import foreign_proxy

    if isinstance(final, Architecture):
        return dataclasses.replace(final, classes=data.classes)
    return foreign_proxy(final, training, data)


def _source(asked: Asked, relabel: Callable[[Data], Data] | None) -> Callable[[int], Data]:
    from nas.progressive import largest_side

    largest = largest_side(asked.training, final_of(asked).resolution)

    @lru_cache(maxsize=2)
    def source(resolution: int) -> Data:
        data = load(asked.training.data, resolution, asked.device, largest)
        return relabel(data) if relabel else data

    return source


@lru_cache(maxsize=2)
def load(spec: str, resolution: int, device: str, largest: int) -> Data:
    """The data at a size; the last two stay, for the next stage or round. `largest`: of all sizes asked for."""
    from nas.data import load_data

    return load_data(spec, resolution=resolution, device=device, largest=largest)


def _ways(
    asked: Asked, arch: Architecture | Foreign, data: Data, source: Callable[[int], Data]
) -> tuple[Ways, Callable[[int], Data]]:
    """How it differs from a training that starts from nothing, and the data as the first weights are used to them."""
    from torch import nn

    from nas.nets import build
    from nas.training.outcome import Ways
    from nas.training.start import read_start, start_from, teacher_of

    start = None
    if asked.weights:
        weights = read_start(asked.weights, build(arch))
        if start_from(build(arch), weights, arch.classes):
            console.say(
                f"note   the classifier begins anew: {asked.weights} tells {weights.classes} classes apart, "
                f"{data.name} has {arch.classes}"
            )

        def start(net: nn.Module) -> None:
            start_from(net, weights, arch.classes)

        if (statistics := weights.statistics) is not None:
            plain = source
            source = lru_cache(maxsize=2)(lambda pixels: plain(pixels).normalised(*statistics))
            data = source(data.resolution)
    teacher = teacher_of(read_teacher(asked.teacher, asked.storage), data) if asked.teacher else None
    rate = 0.0 if asked.frozen else asked.backbone_rate
    return Ways(teacher, start, rate, together=asked.together), source


def read_teacher(text: str, storage: str) -> Ready:
    """The network of `--teacher`: `torchvision:NAME`, a weights file that says what it is of, or `REF:FILE`.

    Raises: NasError in one line.
    """
    from nas.training.start import torchvision_network

    if text.startswith("torchvision:") and not text.endswith(".safetensors"):
        return torchvision_network(text.partition(":")[2])
    ref, colon, file = text.rpartition(":")
    return read_network(ref if colon else "", Path(file if colon else text), storage)


def _teacher_said(text: str) -> dict[str, Any]:
    """Which file the teacher is, so that a training does not go on with another of its name."""
    from nas.files import sha256_of
    from nas.training.weights import weights_of

    file = weights_of(text.rpartition(":")[2])
    return {"teacher_sha256": sha256_of(file)} if file and not text.startswith("torchvision:") else {}


def read_network(ref: str, weights: Path, storage: str) -> Ready:
    """The network `ref` (empty: the one the file names) with the weights of a file. Raises: NasError in one line."""
    from nas.cli.refs import resolve_network
    from nas.training.start import with_weights
    from nas.training.weights import read_weights

    read = read_weights(weights)
    return with_weights(resolve_network(ref, storage) if ref else None, read)
