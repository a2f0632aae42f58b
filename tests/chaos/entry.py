"""The command line of `nas`, whose workers run what CHAOS_EVALUATE names instead of `nas.study.worker:evaluate`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from nas.cli import main, run
from nas.study.executors import EVALUATE, Pool
from tests.chaos import evaluations  # noqa: F401 - it mends `time.sleep` under a false clock

_pool = run._pool


def _chosen(*asked: Any) -> Pool:
    return replace(_pool(*asked), evaluate=os.environ.get("CHAOS_EVALUATE", EVALUATE))


if __name__ == "__main__":
    run._pool = _chosen
    main()
