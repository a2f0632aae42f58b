"""The highest memory of one training step."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from nas.meters.batch import back_off, first_batch
from nas.meters.bench import Bench, as_found
from nas.meters.clock import Step
from nas.meters.conditions import conditions
from nas.meters.steps import LOSS, OPTIMIZER, check_trainable, train_step
from nas.record import Reading

MIB = 2**20
STEPS = 2  # the first makes gradients and momentum; from the second on a step is like every other
ON_GPU = "allocator's peak in a step: weights, gradients, momentum, images, activations, workspaces"
ON_CPU = "tensor storages alive at once in a step: weights, gradients, momentum, images, activations; no workspaces"


def peak_memory_mib(net: nn.Module, bench: Bench) -> Reading:
    """MiB at the highest point of a training step: all that the network and its step hold, nothing held before.

    On a GPU the caching allocator's own peak; on a CPU the storages of all tensors alive at once, by their exact
    bytes: the same number on every run. Counting them means seeing every operator, so a CPU's step is never compiled.
    """
    bench = bench if bench.on_gpu else bench.eager()

    def attempt(batch: int) -> int:
        check_trainable(bench, batch)
        return _gpu_peak(net, bench, batch) if bench.on_gpu else _cpu_peak(net, bench, batch)

    asked, rule = first_batch(bench)
    with as_found(bench):
        peak, batch, refused = back_off(asked, attempt)
        counts = ON_GPU if bench.on_gpu else ON_CPU
        said = conditions(bench, batch, batch_rule=rule, optimizer=OPTIMIZER, loss=LOSS, mode="train", counts=counts)
    detail = {"out_of_memory_at": list(refused)} if refused else {}
    return Reading(value=peak / MIB, spread=0.0, samples=1, conditions=said, detail=detail)


def _gpu_peak(net: nn.Module, bench: Bench, batch: int) -> int:
    before: int = torch.cuda.memory_allocated(bench.device)
    step = train_step(bench.ready(net, train=True), bench, batch)
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize(bench.device)
    torch.cuda.reset_peak_memory_stats(bench.device)
    step()
    torch.cuda.synchronize(bench.device)
    peak: int = torch.cuda.max_memory_allocated(bench.device)
    return peak - before


def _cpu_peak(net: nn.Module, bench: Bench, batch: int) -> int:
    ready = bench.ready(net, train=True)
    live = LiveStorages()
    with live:
        live.hold(ready.parameters())
        live.hold(ready.buffers())
        step: Step = train_step(ready, bench, batch)
        for _ in range(STEPS):
            live.peak = live.now
            step()
    return live.peak


class LiveStorages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the tensor storages that operators have produced and nobody has let go: now, and at most.

    A storage counts once however many tensors view it, from the operator that returns it until its last owner (a
    tensor, or autograd's saved copy) drops it. Scratch memory inside an operator is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._seen: weakref.WeakKeyDictionary[torch.UntypedStorage, int] = weakref.WeakKeyDictionary()

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count the storages of `tensors` too, which existed before."""
        for tensor in tensors:
            self._count(tensor)

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen[storage] = size
        weakref.finalize(storage, self._release, size)
        self.now += size
        self.peak = max(self.peak, self.now)

    def _release(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_iter(result):
            if isinstance(value, Tensor):
                self._count(value)
        return result
