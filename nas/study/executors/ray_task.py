"""What runs on a node of a Ray cluster: a probe of the node, and one evaluation. It imports neither ray nor torch."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.study.worker import Evaluate

_GPU_NAMES = "import torch; print('\\n'.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())))"


def run(spec: str, evaluate: str, threads: int, gpu: bool) -> str:
    """The reply to a spec, both JSON. Without `gpu` the measured code sees none: Ray alone would leave all visible."""
    _prepare(threads)
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from nas.study.worker import answer

    return json.dumps(answer(json.loads(spec), resolve(evaluate)))


def probe(evaluate: str, gpus: bool) -> str:
    """Facts of this node as JSON: `cpu`, the names of its `gpus` when asked, and the `error` that keeps trials away."""
    _prepare(1)
    from nas.environment import cpu_name

    try:
        resolve(evaluate)
        error = ""
    except Exception as problem:  # whatever the user's module raises when it is imported
        error = f"{type(problem).__name__}: {problem}"
    return json.dumps({"cpu": cpu_name(), "gpus": _gpu_names() if gpus else [], "error": error})


def resolve(evaluate: str) -> Evaluate:
    """The function that MODULE:FUNCTION names. Raises: whatever its import raises."""
    module, _, name = evaluate.partition(":")
    function: Evaluate = getattr(importlib.import_module(module), name)
    return function


def _prepare(threads: int) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin starve every other process on the machine
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if (torch := sys.modules.get("torch")) is not None:  # a worker that is used again read those when it was fresh
        torch.set_num_threads(threads)


def _gpu_names() -> list[str]:
    """As torch names them; asked in a process of its own, for CUDA stays initialized in the one that asks."""
    command = [sys.executable, "-c", _GPU_NAMES]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return said.splitlines()
