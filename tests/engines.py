"""The engines under the contract suite: how each is started, and what it needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nas.study.executors import Executor, Pool
from nas.study.executors.local import LocalExecutor
from nas.study.executors.ray import RayExecutor


def slurm(pool: Pool) -> Executor:
    """Jobs as submitit's local cluster runs them."""
    pytest.importorskip("submitit")
    from nas.study.executors.slurm import SlurmExecutor

    return SlurmExecutor(pool, {}, cluster="local")


def real_slurm(pool: Pool) -> Executor:
    """A Slurm of two nodes that the tests share."""
    pytest.importorskip("submitit")
    from nas.study.executors.slurm import SlurmExecutor
    from tests import slurm_cluster

    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    slurm_cluster.shared()
    return SlurmExecutor(pool, {})


def ray(pool: Pool) -> Executor:
    """A cluster of two nodes that the tests share, for starting one takes seconds; tests/test_ray.py has the rest."""
    pytest.importorskip("ray")
    from tests.ray_cluster import shared

    return RayExecutor(pool, shared().address)


# name → starts one; a maker that lacks what it needs calls pytest.skip with the reason
ENGINES: dict[str, Callable[[Pool], Executor]] = {
    "local": LocalExecutor,
    "ray": ray,
    "slurm": slurm,
    "slurm-real": real_slurm,
}
