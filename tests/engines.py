"""The engines under the contract suite: how each is started, and what it needs."""

from __future__ import annotations

from collections.abc import Callable

from nas.study.executors import Executor, Pool
from nas.study.executors.local import LocalExecutor

# name → starts one; a maker that lacks what it needs calls pytest.skip with the reason
ENGINES: dict[str, Callable[[Pool], Executor]] = {
    "local": LocalExecutor,
}
