"""A training under way: epoch by epoch, each from seeds of its own, so that one that was stopped can go on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.arch import Architecture
from nas.data import Data
from nas.data.split import WHOLE, Batches, Part
from nas.progressive import Stage, schedule
from nas.training.augment import change_of, mix_of, moved
from nas.training.averaging import average_of
from nas.training.distil import distilled
from nas.training.memory import remember, remembered
from nas.training.optimizer import classifier_of, make_optimizers, set_rate
from nas.training.outcome import PLAIN, DivergedError, Epoch, Source, Trained, TrainingError, Ways, source_of
from nas.training.plumbing import check_norms, fabric_on, share_batch_norm
from nas.training.proxy import build_for_training
from nas.training.schedule import factor
from nas.training.settings import hashed, layout, precision, quietly, seed_all
from nas.training_recipe import Training

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
LOOK = 50  # steps between looks at whether the loss is still a number: a look waits for the device


def train(  # noqa: PLR0913
    net_or_arch: nn.Module | Architecture,
    data: Data | Source,
    training: Training,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[Epoch], None] | None = None,
    resolution: int | None = None,
) -> Trained:
    """Train on the data's training images by the recipe and measure top-1 accuracy on its held-out ones.

    An Architecture (see `proxy`) is built from `seed`; a module (N, 3, R, R) → (N, classes) is trained in place. The
    same seed, recipe and data give the same result on one CPU, whatever its cores. Global random state is left alone.
    `data` is a function of the pixels where the recipe shows several sizes; a module's training then ends at
    `resolution`, or the recipe's.

    Raises: TrainingError when the classes or the resolution differ from the data's, or when no image could be read;
    DivergedError when the loss is no longer finite.
    """
    device = torch.device(device)
    with quietly(device, training.threads):
        ways = Ways(resolution=resolution)
        run = Run(net_or_arch, data, training, seed=seed, device=device, ways=ways)
        for epoch in run.epochs():
            if on_epoch:
                on_epoch(epoch)
    return run.trained()


class Run:
    """One training: `epochs` goes through it, `tensors` and `facts` are all it needs to go on from where it is."""

    def __init__(
        self,
        net_or_arch: nn.Module | Architecture,
        data: Data | Source,
        training: Training,
        *,
        seed: int,
        device: torch.device,
        ways: Ways = PLAIN,
    ) -> None:
        self.training, self.seed, self.device, self.ways = training, seed, device, ways
        seed_all(seed, device)
        own = net_or_arch if isinstance(net_or_arch, Architecture) else data if isinstance(data, Data) else None
        resolution = own.resolution if own else ways.resolution or training.resolution
        self.source = source_of(net_or_arch, data, training)
        self.schedule = schedule(training, resolution)
        self.held = self.source(training.held_resolution or resolution)
        self._normalise_alike()
        net = build_for_training(net_or_arch, training) if isinstance(net_or_arch, Architecture) else net_or_arch
        if ways.start:
            ways.start(net)
        self.net = net.to(device).to(memory_format=layout(training))
        self._prepare_norms()
        self.fabric = fabric_on(device, precision(training, device), together=ways.together)
        if ways.together:
            self.fabric.launch()
            check_norms(self.net)
            self.net = share_batch_norm(self.net, device)
        self.part = Part(self.fabric.global_rank, self.fabric.world_size)
        if ways.backbone_rate == 0:
            freeze(self.net)
        optimizers = make_optimizers(self.net, training, ways.backbone_rate)
        self.wrapped, *self.optimizers = self.fabric.setup(self.net, *optimizers)
        self.average = average_of(self.net, training.ema) if training.ema else None
        self.teacher = ways.teacher.to(device) if ways.teacher else None
        first = self.source(self.schedule.stages[0].resolution)
        self.batch = self._batch(len(first.train))
        self.steps = training.epochs * (len(first.train) // self.batch)
        self.step, self.curve = 0, list[Epoch]()
        self.on_step: Callable[[], None] = lambda: None
        self._bad = torch.full((), -1, device=device)

    @property
    def shown(self) -> nn.Module:
        """The network that is evaluated and kept: the averaged one, where there is one."""
        return self.average.module if self.average else self.net

    def epochs(self) -> Iterator[Epoch]:
        """Train the epochs that are left; each is yielded when it has ended. Raises: DivergedError, TrainingError."""
        before = self.curve[-1].seconds if self.curve else 0.0
        began = time.perf_counter()
        for number in range(len(self.curve) + 1, self.training.epochs + 1):
            stage = self.schedule.at(number)
            self.source(stage.resolution)  # loading or drawing it is no part of the training
            generator = self._seed_epoch(number)
            started = time.perf_counter()
            loss, train_pct = self._train(stage, generator)
            took = time.perf_counter() - started
            if self.training.recalibrate:
                self._recalibrate(stage, generator)
            held_pct, held_images = self.accuracy(None if number == self.training.epochs else 1024)
            seconds = before + time.perf_counter() - began
            self.curve.append(Epoch(number, loss, train_pct, held_pct, held_images, seconds, stage.resolution, took))
            yield self.curve[-1]

    def trained(self) -> Trained:
        """How the training ended."""
        notation = str(getattr(self.net, "arch", ""))
        last = self.curve[-1]
        return Trained(last.held_pct, tuple(self.curve), last.seconds, self.step, self.batch, notation)

    # What a checkpoint holds.

    def tensors(self) -> dict[str, Tensor]:
        """Weights, averages and the optimizers' memory, by name."""
        return remembered(self.net, self.average, self.optimizers)

    def facts(self) -> dict[str, Any]:
        """The rest, as JSON."""
        return {"step": self.step, "curve": [asdict(epoch) for epoch in self.curve]}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `facts` said. Raises: KeyError, RuntimeError, TypeError for another run's."""
        remember(tensors, self.net, self.average, self.optimizers)
        self.step = int(facts["step"])
        self.curve = [Epoch(**epoch) for epoch in facts["curve"]]

    def pace(self, stage: Stage, *, most: int = 8, cap: float = 20.0) -> float:
        """Seconds of a real step of `stage` with its data: the median of up to `most`, begun within `cap` seconds.

        The first, which sets up, is left out; where loaders read ahead, so are the steps whose batches they had read,
        and the mean is taken: they answer in bursts. Leaves the training as it was. Raises: TrainingError.
        """
        tensors = {name: tensor.clone() for name, tensor in self.tensors().items()}
        ahead = self.source(stage.resolution).train.ahead
        facts, generator, seconds = self.facts(), self._seed_epoch(0), list[float]()
        began = moment = time.perf_counter()
        for _ in self._steps(stage, generator):
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            now = time.perf_counter()
            seconds.append(now - moment)
            moment = now
            counted = len(seconds) - 1 - ahead
            if counted >= most or (counted > 0 and now - began > cap and not self.ways.together):
                break
        self.restore(tensors, facts)
        self._bad.fill_(-1)
        if not seconds:
            raise TrainingError(f"data '{self.held.name}': no training image could be read")
        kept = seconds[1 + ahead :] or seconds[-1:]
        return statistics.mean(kept) if ahead else statistics.median(kept)

    # One epoch.

    def _train(self, stage: Stage, generator: torch.Generator) -> tuple[float, float]:
        """One epoch of steps: mean loss, and accuracy in percent on its batches."""
        total, right, seen = (torch.zeros((), device=self.device) for _ in range(3))
        for logits, loss, labels in self._steps(stage, generator):
            total += loss * len(labels)
            right += (logits.argmax(1) == _numbers(labels)).sum()
            seen += len(labels)
            if self.step % LOOK == 0:
                self._look()
        norms = torch.stack([parameter.detach().norm() for parameter in self.net.parameters()])
        self._bad = torch.where((self._bad < 0) & ~norms.sum().isfinite(), self.step - 1, self._bad)  # its last step
        self._look()
        total, right, seen = self.fabric.all_reduce(torch.stack((total, right, seen)).double(), reduce_op="sum")
        if not seen:
            raise TrainingError(f"data '{self.held.name}': no training image could be read")
        return float(total / seen), 100 * float(right / seen)

    def _steps(self, stage: Stage, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Logits (N, classes), mean loss and labels of each step of one epoch, once it is done."""
        self._set(stage)
        mix = mix_of(stage, self.held.classes)
        for whole, truth in self._batches(stage, generator, self.part):
            images, labels = mix(whole, truth) if mix else (whole, truth)
            set_rate(self.optimizers, self.training.learning_rate * factor(self.training, self.step, self.steps))
            logits, loss = self._step(images, labels)
            self._bad = torch.where((self._bad < 0) & ~loss.isfinite(), self.step, self._bad)
            self.step += 1
            self.on_step()
            yield logits, loss, labels

    def _step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the optimizers, in as many parts as the recipe says: logits (N, classes), and the mean loss."""
        parts = max(1, min(self.training.accumulate, len(images) // 2))  # batch norm wants two images
        answers, losses = [], []
        for number, (shown, truth) in enumerate(
            zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True), 1
        ):
            with self.fabric.no_backward_sync(self.wrapped, enabled=number < parts and self.ways.together):
                logits = self.wrapped(shown)
                loss = self._loss(logits, shown, truth) * (len(shown) / len(images))
                self.fabric.backward(loss)
            answers.append(logits.detach())
            losses.append(loss.detach())
        if self.training.clip:
            learning = [parameter for parameter in self.net.parameters() if parameter.grad is not None]
            nn.utils.clip_grad_norm_(learning, self.training.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.net.zero_grad(set_to_none=True)
        if self.average:
            self.average.update_parameters(self.net)
        return torch.cat(answers), torch.stack(losses).sum()

    def _loss(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        training = self.training
        hard = functional.cross_entropy(logits.float(), labels, label_smoothing=training.label_smoothing)
        if self.teacher is None:
            return hard
        with self.fabric.autocast():
            answers = self.teacher(images)
        return distilled(hard, logits, answers, training.temperature, training.hard_weight)

    def _look(self) -> None:
        """Raises: DivergedError where a step since the last look had a loss that is no number."""
        step = int(self._bad)
        if step < 0:
            return
        rate = self.training.learning_rate * factor(self.training, step, self.steps)
        an_epoch = max(1, self.steps // self.training.epochs)
        raise DivergedError(
            f"training diverged: the loss is no number at step {step + 1} of {self.steps}, in epoch "
            f"{step // an_epoch + 1} of {self.training.epochs}, at a learning rate of {rate:.3g}",
            f"lower learning_rate (now {self.training.learning_rate:g}), raise warmup (now {self.training.warmup:g}) "
            f"or cut gradients with clip (now {self.training.clip:g})",
        )

    def _set(self, stage: Stage) -> None:
        """The network in train mode, under the stage's dropout; what is frozen stays as it is."""
        self.wrapped.train()
        if self.ways.backbone_rate == 0:
            self.net.eval()
            classifier_of(self.net).train()
        if isinstance(dropout := getattr(self.net, "dropout", None), nn.Dropout):
            dropout.p = stage.dropout
            dropout.train()

    # Its end.

    @torch.no_grad()
    def _recalibrate(self, stage: Stage, generator: torch.Generator) -> None:
        """Batch-norm statistics anew, as a plain mean over some training batches under the weights as they are.

        Only the norms are in train mode: statistics under dropout or drop-path are not those of the network in use.
        """
        norms = [module for module in self.shown.modules() if isinstance(module, BATCH_NORMS)]
        if self.ways.backbone_rate == 0 or not norms:
            return
        momenta = [norm.momentum for norm in norms]
        self.shown.eval()
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
        for number, (images, _) in enumerate(self._batches(stage, generator, WHOLE), 1):
            self._logits(images)
            if number == self.training.recalibrate:
                break
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def accuracy(self, most: int | None = None) -> tuple[float, int]:
        """(top-1 accuracy in percent on held-out images, how many they were): all, or batches of a fixed shuffle until
        `most` were seen. Several processes share the batches."""
        self.shown.eval()
        right, seen, read = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        order = None if most is None else torch.Generator().manual_seed(0)
        size = 256 if most is None else min(256, len(self.held.held))
        for number, (images, labels) in enumerate(self._on_device(self.held.held.batches(max(1, size), order))):
            read += len(labels)
            if number % self.part.of == self.part.rank:
                right += (self._logits(images).argmax(1) == _numbers(labels)).sum()
                seen += len(labels)
            if most is not None and read >= most:
                break
        right, seen = self.fabric.all_reduce(torch.stack((right, seen)).double(), reduce_op="sum")
        if not seen:
            raise TrainingError(f"data '{self.held.name}': no held-out image could be read")
        return 100 * float(right / seen), int(seen)

    # Helpers.

    def _normalise_alike(self) -> None:
        """Every size by the statistics of the held-out images': of its own a smaller, smoother picture has others."""
        if len({*self.schedule.sizes, self.held.resolution}) == 1:
            return
        by_size, mean, deviation = self.source, self.held.held.mean, self.held.held.deviation
        self.source = lambda pixels: by_size(pixels).normalised(mean, deviation)

    def _batch(self, images: int) -> int:
        """Images a step, of all processes together. Raises: TrainingError where they cannot be shared out."""
        of = self.part.of
        batch = min(self.training.batch, images) // of * of
        if not images:
            raise TrainingError(f"data '{self.held.name}': no training image could be read")
        if not batch:
            raise TrainingError(f"a batch of {min(self.training.batch, images)} for {of} processes", "start fewer")
        return batch

    def _prepare_norms(self) -> None:
        if self.training.batch_norm_momentum == Training().batch_norm_momentum:
            return  # torch's, and a foreign network's may be its own
        for module in self.net.modules():
            if isinstance(module, BATCH_NORMS):
                module.momentum = self.training.batch_norm_momentum

    def _seed_epoch(self, number: int) -> torch.Generator:
        """Global random state for `number`, of its own in every process, and the generator that orders the data."""
        seed_all(hashed(self.seed, number, self.part.rank), self.device)
        return torch.Generator().manual_seed(hashed(self.seed, number))

    def _batches(self, stage: Stage, generator: torch.Generator, part: Part) -> Batches:
        split = self.source(stage.resolution).train
        change = change_of(self.training, stage)
        return self._on_device(split.batches(self.batch, generator, moved(self.training), change, part))

    def _on_device(self, batches: Batches) -> Batches:
        """Images and labels moved once, whether the data lie on the device, as small sets do, or are streamed."""
        order = layout(self.training)
        for images, labels in batches:
            yield images.to(self.device, memory_format=order), labels.to(self.device)

    def _logits(self, images: Tensor) -> Tensor:
        with self.fabric.autocast():
            logits: Tensor = self.shown(images)
        return logits


def freeze(net: nn.Module) -> None:
    """Let only the classifier learn."""
    net.requires_grad_(False)
    classifier_of(net).requires_grad_(True)


def _numbers(labels: Tensor) -> Tensor:
    """Class numbers (N,) of labels (N,), or of shares (N, classes)."""
    return labels.argmax(1) if labels.ndim == 2 else labels
