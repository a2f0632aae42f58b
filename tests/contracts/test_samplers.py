"""Every sampler drives a search to its end, over constraints, on a storage, with distinct seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.record import Record
from nas.study.samplers import SAMPLERS
from nas.study.storage import records
from tests.conftest import make_recipe
from tests.test_engine import open_search, tiny_space


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_a_sampler_completes_a_search_with_limits_and_resumes(tmp_path: Path, sampler: str) -> None:
    space = tiny_space(tmp_path)
    recipe = {"sampler": sampler, "baselines": ["smallest"], "limits": ["params<=100M"]}
    open_search(tmp_path, make_recipe(**recipe, trials=4), None, space).run()
    search = open_search(tmp_path, make_recipe(**recipe, trials=7), None, space)
    stopped = search.run()
    found: list[Record] = records(search.study)
    assert stopped in ("done", "exhausted")
    assert len(found) == 7 or stopped == "exhausted"
    assert {record.state for record in found} == {"complete"}
    for record in found:
        assert record.excess == {"params<=100000000": pytest.approx(record.values["params"] / 1e8 - 1)}
    for record in found:
        assert str(space.decode(record.settings)) == record.arch
