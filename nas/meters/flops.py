"""FLOPs counted by fvcore while the network runs, held against the closed form."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from nas.arch import Architecture
from nas.cost import cost
from nas.meters.bench import Bench, as_found
from nas.meters.errors import FlopsMismatchError
from nas.record import Reading

COUNTED = ("conv", "linear")


def flops(net: nn.Module, bench: Bench) -> Reading:
    """Multiply-adds of convolutions and linears for one image at the network's own resolution, in eval mode.

    The other operators that fvcore counts, and those it does not, stand in `detail`.

    Raises: FlopsMismatchError when the network that ran and `nas.cost` disagree.
    """
    size = (1, 3, bench.arch.resolution, bench.arch.resolution)
    with as_found(bench, threads=1):  # hundreds of tiny parallel regions: threads cost more than they save
        quiet = copy.deepcopy(net).cpu().eval()
        by_operator, uncounted = _trace(quiet, torch.zeros(size))
    counted = sum(by_operator.get(operator, 0) for operator in COUNTED)
    hold_against_closed_form(bench.arch, counted)
    return Reading(
        value=counted,
        spread=0.0,
        conditions={
            "tool": f"fvcore {version('fvcore')}",
            "mode": "eval",
            "batch": 1,
            "resolution": bench.arch.resolution,
            "operators": " + ".join(COUNTED),
        },
        detail={"by_operator": by_operator, "uncounted_calls": uncounted},
    )


def hold_against_closed_form(arch: Architecture, counted: int) -> None:
    """Raises: FlopsMismatchError naming the network and both numbers, unless `counted` is what `nas.cost` says."""
    expected = cost(arch).flops
    if counted != expected:
        raise FlopsMismatchError(
            f"network {arch.id} ({arch}): fvcore counts {counted:,} FLOPs, the closed form {expected:,}",
            "one of them is wrong: please report this network",
        )


def _trace(net: nn.Module, images: torch.Tensor) -> tuple[dict[str, int], dict[str, int]]:
    """(FLOPs by operator, calls by operator that fvcore cannot count)."""
    with _quiet(), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis

        analysis: Any = FlopCountAnalysis(net, images)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        by_operator = {name: int(count) for name, count in sorted(analysis.by_operator().items())}
        return by_operator, dict(sorted(analysis.unsupported_ops().items()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No deprecation notes from inside fvcore, whose import and trace use torch.jit; the filters come back after."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
