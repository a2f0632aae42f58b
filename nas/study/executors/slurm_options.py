"""What is asked of Slurm for one trial: defaults by what is measured, and the user's own words over them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from nas.errors import nearest
from nas.study.executors import EngineError, Pool

MINUTES = 60  # of one job, unless time= says otherwise
WARNING_S = 30  # before its end, in which a job says that it ends
_WHOLE = frozenset({
    "cpus_per_task", "cpus_per_gpu", "gpus_per_node", "gpus_per_task", "num_gpus", "timeout_min", "signal_delay_s",
})  # fmt: skip
_GPUS = frozenset({"gpus_per_node", "gpus_per_task", "num_gpus", "gres"})
_OURS = frozenset({
    "name", "nodes", "tasks_per_node", "ntasks_per_node", "array_parallelism", "additional_parameters", "teardown",
    "dependency", "stderr_to_stdout",
})  # fmt: skip


def asked(pool: Pool, given: Mapping[str, str], generic: Collection[str], slurm: Collection[str]) -> dict[str, Any]:
    """What submitit is to be told. `generic`, `slurm`: the names that it knows on any cluster, and on Slurm.

    A trial on a GPU gets one; one that times a CPU gets a node of its own; any other gets one core.
    Raises: EngineError naming an unknown word, or one with a value of the wrong kind.
    """
    known = (set(generic) | set(slurm)) - _OURS
    for key in given:
        if key not in known:
            raise EngineError(f"engine slurm: unknown parameter '{key}'", nearest(key, known))
    words: dict[str, Any] = {"timeout_min": MINUTES, "name": "nas", **_share(pool, given)}
    words["signal_delay_s"] = WARNING_S
    words["additional_parameters"] = {"no-requeue": True}  # what is measured twice is for the study to say
    words |= {key: _value(key, text) for key, text in given.items()}
    # None is a word left out: submitit would write --exclusive=False
    return {
        key if key in generic else f"slurm_{key}": None if value is False else value for key, value in words.items()
    }


def _share(pool: Pool, given: Mapping[str, str]) -> dict[str, Any]:
    """The part of a node that a trial gets."""
    if pool.device.partition(":")[0] == "cuda":
        return {} if _GPUS & given.keys() else {"gpus_per_node": 1}
    return {"exclusive": True} if pool.timed else {"cpus_per_task": 1}


def _value(key: str, text: str) -> Any:
    wrong = f"engine slurm: {key}={text}: expected"
    if key in _WHOLE or (key == "time" and text.isascii() and text.isdecimal()):
        if not (text.isascii() and text.isdecimal()):
            raise EngineError(f"{wrong} a whole number", f"write {key}=4")
        return int(text)
    if key == "mem_gb":
        try:
            return float(text)
        except ValueError:
            raise EngineError(f"{wrong} gigabytes", "write mem_gb=16") from None
    if key == "setup":
        return [text]
    if key == "srun_args":
        return shlex.split(text)
    return {"true": True, "false": False}.get(text.lower(), text)
