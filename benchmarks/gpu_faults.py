"""The faults that need a real GPU: its memory runs out, a worker dies on it, a Ray task gets it.

    python benchmarks/gpu_faults.py            # a few minutes; writes results/gpu_faults.json, ends with 1 if one broke

Runs in any Python from 3.11 on that can import torch and pydantic, installed or not; the Ray task is left out where Ray
is not there. With `--device cpu` the same code runs, but for the memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

from nas.environment import environment  # noqa: E402
from nas.recipe import Timing  # noqa: E402
from nas.space_file import load_architecture  # noqa: E402
from nas.study.executors import Executor, Pool, Result, Spec  # noqa: E402
from nas.study.executors.local import LocalExecutor  # noqa: E402
from nas.training_recipe import Training  # noqa: E402

KEY = "train_images_per_s"


def spec(job: int, name: str, device: str, **timing: Any) -> Spec:
    settings = {
        "measure": [KEY],
        "timing": Timing(**{"time_cap": 3.0, **timing}).model_dump(mode="json"),
        "training": Training().model_dump(mode="json"),
        "device": device,
        "repeats": 1,
    }
    return Spec(str(load_architecture(name)), settings, 0, job)


def result_of(executor: Executor, job: int, seconds: float = 240) -> Result:
    """The result of the job. Raises: TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for result in executor.wait(0.5):
            if result.job == job:
                return result
    raise TimeoutError(f"no result of job {job} in {seconds:g} s")


def out_of_memory(folder: Path, device: str) -> dict[str, Any]:
    """A batch far too large for the GPU: halved until it fits, and the reading says at which it did not."""
    executor = LocalExecutor(Pool(1, folder, device))
    try:
        result = result_of(executor, _submit(executor, spec(1, "efficientnetv2-l", device, largest_batch=8192)))
        reading = result.readings.get(KEY, {})
        refused = reading.get("detail", {}).get("out_of_memory_at", [])
        after = result_of(executor, _submit(executor, spec(2, "efficientnet-b0", device, batch=32)))
        held = bool(refused) and not result.error and not after.error
        return {"held": held, "refused": refused, "batch": reading.get("conditions", {}).get("batch")}
    finally:
        executor.close()


def killed_worker(folder: Path, device: str) -> dict[str, Any]:
    """SIGKILL to a worker at work on the device: one lost result, its memory given back, and the next trial runs."""
    executor = LocalExecutor(Pool(1, folder, device))
    try:
        before = result_of(executor, _submit(executor, spec(1, "efficientnet-b0", device, batch=8)))
        free = _free_mib(device)
        _submit(executor, spec(2, "efficientnet-b0", device, batch=8, time_cap=120.0, tolerance=1e-9))
        time.sleep(8)
        os.kill(next(iter(executor._workers.values())).process.pid, signal.SIGKILL)
        lost = result_of(executor, 2)
        after = result_of(executor, _submit(executor, spec(3, "efficientnet-b0", device, batch=8)))
        given_back = _free_mib(device)
        held = lost.lost and not before.error and not after.error and (free is None or given_back >= free - 64)
        return {"held": held, "reason": lost.error, "free_mib_before_and_after": [free, given_back]}
    finally:
        executor.close()


def ray_task(folder: Path, device: str) -> dict[str, Any]:
    """A trial as a Ray task that has the device."""
    from nas.study.executors.ray import RayExecutor

    executor = RayExecutor(Pool(1, folder, device, timed=True), None)
    try:
        result = result_of(executor, _submit(executor, spec(1, "efficientnet-b0", device, batch=8)))
        conditions = result.readings.get(KEY, {}).get("conditions", {})
        return {"held": not result.error, "error": result.error, "device": conditions.get("device")}
    finally:
        executor.close()


def _submit(executor: Executor, wanted: Spec) -> int:
    while not executor.capacity:
        executor.wait(0.5)
    executor.submit(wanted)
    return wanted.job


def _free_mib(device: str) -> int | None:
    """Free memory of the GPU once its workers are gone or idle; None of a CPU."""
    if device == "cpu":
        return None
    import subprocess

    time.sleep(2)
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


FAULTS: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    "out of device memory": out_of_memory,
    "worker killed at work": killed_worker,
    "Ray task": ray_task,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "gpu_faults.json")
    options = parser.parse_args()
    left_out = {"out of device memory"} if options.device == "cpu" else set()
    left_out |= {"Ray task"} if importlib.util.find_spec("ray") is None else set()
    rows: dict[str, dict[str, Any]] = {}
    for name, fault in FAULTS.items():
        if name in left_out:
            print(f"{name}: left out", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows[name] = fault(Path(folder), options.device)
            except Exception as error:
                rows[name] = {"held": False, "error": f"{type(error).__name__}: {error}"}
        print(f"{name}: {json.dumps(rows[name])}", flush=True)
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps({"environment": environment(options.device), "faults": rows}, indent=1) + "\n")
    return int(not all(row["held"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
