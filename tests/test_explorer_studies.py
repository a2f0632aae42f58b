"""The studies that the explorer is tested on are what a search would have left."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.study.storage import open_storage, open_study, records
from tests.explorer_studies import ODD, big_study, odd_records, odd_study, sampled
from tests.explorer_writer import Writer


def test_what_is_written_in_bulk_reads_back_as_the_same_records(tmp_path: Path) -> None:
    url = big_study(tmp_path / "big.db", 120)
    found = records(open_study(open_storage(url), "big"))
    assert found == sampled(120)
    assert {record.state for record in found} == {"complete", "infeasible", "failed", "running"}
    assert any(record.reused is not None for record in found)
    trials = open_study(open_storage(url), "big").get_trials()
    assert all(len(trial.values) == 3 for trial in trials if trial.state.name == "COMPLETE")
    assert all(
        "constraints:flops<=30000000000" in trial.system_attrs for trial in trials if trial.state.name == "PRUNED"
    )


@pytest.mark.parametrize("kind", ODD)
def test_odd_studies_read_back_too_several_in_one_storage(tmp_path: Path, kind: str) -> None:
    odd_study(tmp_path / "odd.db", "one")
    if kind != "one":
        odd_study(tmp_path / "odd.db", kind)
    found = records(open_study(open_storage(f"sqlite:///{tmp_path}/odd.db"), kind))
    assert found == odd_records(kind)


def test_the_writer_tells_what_it_is_commanded(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "live.db")
    try:
        assert [writer.tell()["trial"] for _ in range(2)] == [None, 0]
        failed, again = writer.tell("fail"), writer.tell("again\ntell")
        assert (failed["state"], again["state"]) == ("failed", "complete")
        assert writer.tell()["reused"] == 0
    finally:
        writer.close()
    found = records(open_study(open_storage(writer.url), "live"))
    assert [record.state for record in found if record.state == "running"] == []
    assert writer.process.returncode == 0
