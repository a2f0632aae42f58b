"""Two networks held against each other: as many parameters, and the same logits for the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.arch import Architecture
from nas.errors import NasError
from nas.export.subject import images

TOLERANCE = 1e-4  # of the largest logit
SIDE = 128  # pixels at most where a network takes images of any size
BATCHES = (1, 3)  # images; an export that fixed the batch takes only one of them


class CheckError(NasError):
    """What was made is another network than it was made from."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check. `difference`: the largest between two logits, as a share of the largest logit.

    None where the library that would load the file is not installed: `reason` says which, and nothing is known.
    """

    difference: float | None = None
    reason: str = ""


def check_params(expected: int, found: int, what: str) -> None:
    """Raises: CheckError where `what` has another number of learnable scalars."""
    if expected != found:
        raise CheckError(f"{what} has {found:,} params; expected {expected:,}")


def check_logits(expected: Tensor, found: Tensor, what: str) -> float:
    """The largest difference between two logits (N, classes), relative to the largest of `expected`.

    Raises: CheckError where that is above TOLERANCE, where a logit is no number, and for another shape.
    """
    if expected.shape != found.shape:
        raise CheckError(f"{what} gives logits of shape {tuple(found.shape)}; expected {tuple(expected.shape)}")
    largest = float(expected.abs().max())
    difference = float((expected - found).abs().max()) / (largest or 1.0)
    if not difference <= TOLERANCE:  # also where it is no number
        raise CheckError(
            f"{what} gives other logits for {len(expected)} random image{'s' if len(expected) > 1 else ''}: "
            f"they differ by {difference:.2g} of the largest; expected at most {TOLERANCE:g}"
        )
    return difference


def check_same(net: nn.Module, run: Callable[[Tensor], Tensor], pictures: Tensor, what: str) -> float:
    """The largest relative difference between the logits of `net` and those of `run`, at each of BATCHES.

    `pictures` (N, 3, R, R) are at least as many as the largest batch. Raises: CheckError as `check_logits` does.
    """
    with torch.inference_mode():
        return max(
            check_logits(net(pictures[:count]), run(pictures[:count].clone()), f"{what}, at batch {count},")
            for count in BATCHES
        )


def check_modules(net: nn.Module, other: nn.Module, arch: Architecture, what: str) -> float:
    """`check_same` in double precision: what is left then is the networks, and not the order of a thousand sums.

    Both are left as they were found. Raises: CheckError as `check_logits` does.
    """
    side = max(arch.total_stride, min(arch.resolution, SIDE))
    pair = (net, other)
    try:
        return check_same(net.double(), other.double(), images(arch, max(BATCHES), seed=1, side=side).double(), what)
    finally:
        for module in pair:
            module.float()


def in_order(source: nn.Module, target: nn.Module, what: str) -> dict[str, Tensor]:
    """The tensors of `source` by the names of `target`, matched by order.

    Raises: CheckError naming the first that differs, and both shapes.
    """
    mine, theirs = source.state_dict(), target.state_dict()
    for (name, tensor), (other, found) in zip(mine.items(), theirs.items(), strict=False):
        if tensor.shape != found.shape:
            raise CheckError(
                f"{what}: its '{other}' is {_shape(found)}; expected {_shape(tensor)}, as '{name}' of the network is"
            )
    if len(mine) != len(theirs):
        raise CheckError(f"{what} has {len(theirs)} tensors; expected {len(mine)}")
    return dict(zip(theirs, mine.values(), strict=True))


def copy_in_order(source: nn.Module, target: nn.Module, what: str) -> None:
    """Copy the tensors of `source` into `target`, matched by order. Raises: CheckError as `in_order` does."""
    found = in_order(source, target, what)
    with torch.no_grad():
        for name, tensor in target.state_dict().items():  # by hand: some networks take their own state dicts only
            tensor.copy_(found[name])


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"
