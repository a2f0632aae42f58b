"""A training's recipe: one flat section of a study, or a YAML file of its own. Nothing here imports torch."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from nas.cells import ByOp, Open, parse_cell
from nas.document import DocumentError, Section, read_yaml, short_path, validate
from nas.errors import nearest
from nas.resources import find

Precision = Literal["auto", "fp32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
PROGRESSIVE = "progressive."  # before the name of a key of that section


class Progressive(Section):
    """Where progressive learning starts (EfficientNetV2, Algorithm 1); it ends at the recipe's own values.

    Over `stages` of about equally many epochs the image size and what regularises rise together in equal steps. What is
    left out does not change. See `nas.progressive`.
    """

    stages: int = Field(4, ge=1, le=1_000)
    resolution: int | None = Field(None, ge=8, le=2_048)  # pixels
    randaugment: int | None = Field(None, ge=0, le=30)
    mixup: float | None = Field(None, ge=0, le=10)
    cutmix: float | None = Field(None, ge=0, le=10)
    dropout: float | None = Field(None, ge=0, lt=1)


class Training(Section):
    """A training. In a study, the short one that `top1_pct` means: accuracy is comparable only under one such recipe.

    The defaults train the proxy of EfficientNet-B4 (32 blocks) in a dozen seconds on one CPU core: 128 steps.
    """

    data: str = "fractals"
    width: float = Field(0.25, gt=0, le=8)  # channel multiplier of the trained proxy
    resolution: int = Field(32, ge=8, le=2_048)  # pixels at which images are shown, for every network
    resolution_scale: float | None = Field(None, gt=0, le=4)  # instead, of each network's own; see `proxy_resolution`
    pixels: int = Field(8, ge=1, le=256)  # that share is rounded to a multiple of so many
    epochs: int = Field(2, ge=1, le=10_000)
    batch: int = Field(64, ge=2, le=65_536)  # below 64, batch norm on maps of one pixel is too noisy for deep networks
    optimizer: Literal["sgd", "rmsprop", "adamw", "muon"] = "muon"  # muon: learns most in few steps
    learning_rate: float = Field(1.5e-2, gt=0, le=1e30)  # peak; a cosine to 0 follows
    weight_decay: float = Field(0.05, ge=0, le=1e30)
    warmup: float = Field(0.2, ge=0, lt=1)  # share of the steps over which the learning rate rises
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"  # of the learning rate, after its warm-up
    decay: float = Field(0.97, gt=0, le=1)  # exponential: the learning rate times this …
    decay_epochs: float = Field(2.4, gt=0)  # … every so many epochs, in steps
    clip: float = Field(0.0, ge=0)  # longest gradient, all parameters together (Euclidean); 0: never cut
    accumulate: int = Field(1, ge=1, le=4096)  # parts that a batch is run in, where it does not fit as one
    ema: float = Field(0.0, ge=0, lt=1)  # decay a step of the averaged weights, the result; it begins lower; 0: none
    batch_norm_momentum: float = Field(0.1, gt=0, le=1)  # share of the newest batch; the papers write one minus it
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    drop_path: float = Field(0.0, ge=0, lt=1)  # stochastic depth of the last block; the papers write its survival
    zero_init: bool = True  # residual blocks start as the identity, logits as 0: deep networks learn within few steps
    recalibrate: int = Field(8, ge=0)  # batches that batch-norm statistics are averaged over to evaluate; 0: never
    augment: Literal["none", "flip", "shift", "crop", "resized"] = "none"  # crop: flip and shift; resized: Inception's
    randaugment: int = Field(
        0, ge=0, le=30
    )  # magnitude of two operations an image, on torchvision's scale of 31; 0: none
    autoaugment: Literal["none", "imagenet", "cifar10", "svhn"] = "none"  # the policy found on that data
    erasing: float = Field(0.0, ge=0, le=1)  # probability of a random rectangle without a picture (Cutout's successor)
    mixup: float = Field(0.0, ge=0, le=10)  # α of Beta(α, α); with cutmix above 0 too, each batch draws one of them
    cutmix: float = Field(0.0, ge=0, le=10)
    progressive: Progressive | None = None
    held_resolution: int | None = Field(None, ge=8, le=2_048)  # of held-out images; none: as training ends
    temperature: float = Field(2.0, gt=0, le=100)  # of a teacher's and the student's logits, where there is a teacher
    hard_weight: float = Field(0.1, ge=0, le=1)  # of the labels' loss beside a teacher's, which has the rest
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"  # auto: channels_last, on CPU too
    threads: int | None = Field(
        1, ge=1, le=1024
    )  # on CPU; none: torch's default. Small networks gain nothing from a second

    def said(self) -> dict[str, Any]:
        """The recipe as it is said of a reading: without what belongs to longer trainings, where it is left as it is.

        Readings of earlier versions, which knew none of it, then say the same.
        """
        document = self.model_dump(mode="json")
        plain = type(self)().model_dump(mode="json")
        return {key: value for key, value in document.items() if key not in _LONGER or value != plain[key]}


_LONGER = (
    "schedule", "decay", "decay_epochs", "clip", "accumulate", "ema", "batch_norm_momentum", "randaugment",
    "autoaugment", "erasing", "mixup", "cutmix", "progressive", "held_resolution", "temperature", "hard_weight",
)  # fmt: skip


def load_training(reference: str) -> Training:
    """The training recipe in a file, or the shipped one of that name.

    Raises: DocumentError `file: key: expected …; got …`; NasError with the nearest names.
    """
    path = find(reference, "recipes", "training recipe")
    return validate(Training, read_yaml(path), short_path(path))


def parse_training_cell(name: str, raw: Any, where: str) -> Open:
    """The open cell called `name` (`progressive.stages`) that is written as `raw`.

    Raises: DocumentError `where: expected …; got …`, also for a value that the training could not have.
    """
    key = name.removeprefix(PROGRESSIVE)
    if key not in Progressive.model_fields:
        raise DocumentError(f"{where}: unknown key", nearest(key, Progressive.model_fields))
    annotation = Progressive.model_fields[key].annotation
    cell = parse_cell(raw, int if int in (annotation, *get_args(annotation)) else float, where)
    if isinstance(cell, ByOp):
        raise DocumentError(f"{where}: expected a value, choices or a range; got values by block type")
    for value in cell.values:
        validate(Progressive, {key: value}, "", where.removesuffix(f".{key}"))
    return cell
