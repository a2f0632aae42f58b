"""What a recipe leaves to the device, and random state: set, hashed, put back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nas.training_recipe import Training

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def precision(training: Training, device: torch.device) -> str:
    """`bf16` (autocast, fp32 weights) or `fp32`: what the recipe's precision means on `device`."""
    if training.precision == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return training.precision


def memory_format(training: Training) -> str:
    """channels_last unless asked otherwise: on CPU too it is 1.5 to 4 times as fast for small depthwise maps."""
    return "channels_last" if training.memory_format == "auto" else training.memory_format


def layout(training: Training) -> torch.memory_format:
    """The recipe's memory format as torch has it."""
    return FORMATS[memory_format(training)]


@contextmanager
def quietly(device: torch.device, threads: int | None) -> Iterator[None]:
    """Random state put back afterwards, and torch's CPU threads set to `threads` meanwhile. Two threads that share a
    busy core wait for each other at every operation: steps of 0.1 s became 3 s."""
    before = torch.get_num_threads()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def seed_all(seed: int, device: torch.device) -> None:
    """Seed the CPU and `device`. `torch.manual_seed` would seed every GPU, and only this one is put back."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def hashed(*numbers: int) -> int:
    """A seed of 63 bits from numbers: others give another, even where they differ in a digit."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8]) >> 1
