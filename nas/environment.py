"""What a number was measured on: versions, platform, device, threads."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

_PACKAGES = ("nas", "torch", "torchvision", "optuna", "fvcore", "timm", "numpy")


@cache
def _known_versions() -> dict[str, str]:
    return versions()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@lru_cache
def cpu_name() -> str:
    """The processor's name as the kernel gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
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


def environment(device: str) -> dict[str, Any]:
    """Versions, platform, processor, cores, threads, and of a GPU its name, memory, CUDA and driver.

    A process that has not used a GPU so far stays without one: another is asked, and ends. One that has not loaded
    torch measured nothing with it, and has no threads to tell.
    """
    facts: dict[str, Any] = {
        **_known_versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "device": device,
    }
    if "torch" in sys.modules:
        import torch

        facts["threads"] = torch.get_num_threads()
    if device.startswith("cuda"):
        import torch

        used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        asked = gpu_facts if used else _gpu_facts_from_outside
        facts |= {**asked(device), "cuda": torch.version.cuda, "driver": driver_version()}
    return facts


def gpu_facts(device: str) -> dict[str, Any]:
    """Name and memory in GiB of a GPU as torch counts them. It initializes CUDA in this process, for good."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    return {"gpu": properties.name, "gpu_memory_gib": round(properties.total_memory / 2**30, 1)}


@cache
def _gpu_facts_from_outside(device: str) -> dict[str, Any]:
    """`gpu_facts` of a process of its own; none where that fails. nvidia-smi numbers GPUs in another order than torch,
    and knows neither CUDA_VISIBLE_DEVICES nor the share of a GPU that is one's own."""
    program = "import json, sys; from nas.environment import gpu_facts; print(json.dumps(gpu_facts(sys.argv[1])))"
    command = [sys.executable, "-c", program, device]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        facts: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return facts
