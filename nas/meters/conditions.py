"""Under which conditions a reading was taken: enough to repeat it, and nothing that names a machine or a person."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from typing import Any

import torch

from nas.environment import cpu_name
from nas.meters.bench import Bench


def conditions(bench: Bench, batch: int, **more: Any) -> dict[str, Any]:
    """Device, precision, memory format, batch, resolution, software and threads of a reading, and `more`."""
    found: dict[str, Any] = {
        "device": device_name(bench.device),
        "precision": bench.precision,
        "memory_format": bench.memory_format,
        "batch": batch,
        "resolution": bench.resolution,
        "compile": bench.timing.compile,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    if bench.on_gpu:
        found |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "driver": driver_version(),
            "tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        }
    elif policy := os.environ.get("OMP_WAIT_POLICY"):
        found["omp_wait_policy"] = policy
    return found | more


def device_name(device: torch.device) -> str:
    """The product name of a GPU or CPU, such as `NVIDIA H200`."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return cpu_name()


@functools.cache
def driver_version() -> str | None:
    """The NVIDIA driver's version; None where nvidia-smi does not say."""
    if (tool := shutil.which("nvidia-smi")) is None:
        return None
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.splitlines()[0].strip() if said.strip() else None
