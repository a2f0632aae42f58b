"""A network traced once by fvcore on the CPU: what each operator counts, for one image."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

import torch
from torch import nn

from nas.meters.bench import Bench, as_found


def traced(
    net: nn.Module,
    bench: Bench,
    analysis: Literal["FlopCountAnalysis", "ActivationCountAnalysis"],
    handles: Mapping[str, Any] | None = None,
) -> tuple[dict[str, int], dict[str, int]]:
    """(count by operator, calls by operator that fvcore cannot count) of a copy of `net` in eval mode.

    `analysis`: the class of fvcore. `handles`: counts of further operators.
    """
    size = (1, 3, bench.arch.resolution, bench.arch.resolution)
    with (
        as_found(bench, threads=1),
        _quiet(),
        torch.no_grad(),
    ):  # tiny parallel regions: threads cost more than they save
        import fvcore.nn

        counting: Any = getattr(fvcore.nn, analysis)(copy.deepcopy(net).cpu().eval(), torch.zeros(size))
        counting.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        for operator, handle in (handles or {}).items():
            counting.set_op_handle(operator, handle)
        by_operator = {name: int(count) for name, count in sorted(counting.by_operator().items())}
        return by_operator, dict(sorted(counting.unsupported_ops().items()))


def said(bench: Bench, operators: Sequence[str], **more: str) -> dict[str, Any]:
    """Conditions of a count: the tool, the mode, one image of the network's own size, the operators."""
    return {
        "tool": f"fvcore {version('fvcore')}",
        "mode": "eval",
        "batch": 1,
        "resolution": bench.arch.resolution,
        "operators": " + ".join(operators),
        **more,
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No deprecation notes from inside fvcore, whose import and trace use torch.jit; the filters come back after.

    Multi-head attention in its usual form meanwhile: the fused one of eval mode hides all its operators in one.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
