"""Under which conditions a reading was taken: enough to repeat it, and nothing that names a machine or a person."""

from __future__ import annotations

import os
from typing import Any

import torch

from nas.environment import cpu_name, driver_version
from nas.meters.bench import Bench


def conditions(bench: Bench, batch: int, **more: Any) -> dict[str, Any]:
    """Device, precision, memory format, batch, resolution, software and threads of a reading, and `more`."""
    return {
        **device_conditions(bench.device),
        "precision": bench.precision,
        "memory_format": bench.memory_format,
        "batch": batch,
        "resolution": bench.resolution,
        "compile": bench.timing.compile,
        **more,
    }


def device_conditions(device: torch.device) -> dict[str, Any]:
    """The device by name, torch, its CPU threads now, and what else decides how `device` runs."""
    found: dict[str, Any] = {
        "device": device_name(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        found |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "driver": driver_version(),
            "tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        }
    elif policy := os.environ.get("OMP_WAIT_POLICY"):
        found["omp_wait_policy"] = policy
    return found


def device_name(device: torch.device) -> str:
    """The product name of a GPU or CPU, such as `NVIDIA H200`."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return cpu_name()
