"""The batch a reading is taken at: the one asked for, or a power of two.

On a GPU that is the largest that fits. On a CPU, whose memory is rarely what ends, it follows from the network's cost.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from nas.arch import Architecture
from nas.cost import cost
from nas.meters.bench import Bench
from nas.meters.errors import UnmeasurableError

T = TypeVar("T")

CPU_FLOPS = 8e9  # forward multiply-adds of a batch: a training step of about half a second on two cores
CPU_LARGEST = 64  # beyond it a CPU's throughput no longer depends on the batch
_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory")
# What cuDNN and cuBLAS say without memory for a workspace or a handle, and sometimes when something else is wrong.
_AMBIGUOUS = (
    "ALLOC_FAILED",
    "Unable to find a valid cuDNN algorithm",
    "unable to find an engine",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "CUBLAS_STATUS_NOT_INITIALIZED",
)


def first_batch(bench: Bench) -> tuple[int, str]:
    """(batch to try first, the rule it comes from)."""
    if bench.timing.batch != "auto":
        return bench.timing.batch, "asked for"
    if bench.on_gpu:
        return _power_of_two(bench.timing.largest_batch), "largest power of two that fits"
    most = min(bench.timing.largest_batch, CPU_LARGEST, max(2, int(CPU_FLOPS / max(1, _image_flops(bench)))))
    rule = f"largest power of two with batch × FLOPs ≤ {CPU_FLOPS / 1e9:g} G, from 2 to {CPU_LARGEST}"
    return _power_of_two(most), rule


def _image_flops(bench: Bench) -> int:
    """Multiply-adds of one image at the bench's resolution: in closed form, or as `measure` counted them."""
    if isinstance(bench.arch, Architecture):
        return cost(dataclasses.replace(bench.arch, resolution=bench.resolution)).flops
    return bench.image_flops or int(CPU_FLOPS / CPU_LARGEST)


def back_off(batch: int, attempt: Callable[[int], T]) -> tuple[T, int, tuple[int, ...]]:
    """(what `attempt(batch)` returned, the batch that fitted, the batches that did not), halving each time.

    Raises: UnmeasurableError when not even one image fits; cuDNN's or cuBLAS's own error when with one image too it
    says what need not mean memory.
    """
    refused: list[int] = []
    while True:
        try:
            return attempt(batch), batch, tuple(refused)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or (batch == 1 and _ambiguous(error)):
                raise
        refused.append(batch)
        _release()
        if batch == 1:
            raise UnmeasurableError("out of memory with a single image", "measure at a smaller resolution_scale")
        batch //= 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is or may be an allocator's refusal: torch's own type, or what cuBLAS, cuDNN and the CPU say."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)
    return said or _ambiguous(error)


def _ambiguous(error: BaseException) -> bool:
    """Whether cuDNN or cuBLAS said what most often, but not always, means too little memory."""
    if not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
        return False
    return not any(message in str(error) for message in _MESSAGES) and any(text in str(error) for text in _AMBIGUOUS)


def _release() -> None:
    """Give back what the failed attempt held; outside its `except`, where the traceback would keep it alive."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _power_of_two(most: int) -> int:
    return 1 << (most.bit_length() - 1)
