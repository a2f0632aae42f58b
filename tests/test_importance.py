"""Which cells of a space move a metric, and from how many networks on that is said."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from nas.record import Reading, Record
from nas.space import SearchSpace
from nas.space_file import load_space
from nas.study.importance import importance, importance_needs

SMALL = """
source: here
resolution: 64
stem: 16
stages:
  - {op: mbconv, kernel: [3, 5], stride: 2, channels: 16, layers: {from: 1, to: 4}, expand: [1, 4, 6], se: 0}
  - {op: mbconv, kernel: 3, stride: 2, channels: {from: 16, to: 64, by: 16}, layers: 1, expand: 4, se: 0}
head: 64
"""


@pytest.fixture
def space(tmp_path: Path) -> SearchSpace:
    (tmp_path / "small.yaml").write_text(SMALL)
    return load_space(str(tmp_path / "small.yaml"))


def measured(space: SearchSpace, count: int, cell: str) -> list[Record]:
    """`count` distinct networks whose accuracy one cell decides."""
    draw, found = random.Random(0), {}
    while len(found) < count:
        settings = {name: draw.choice(open_.values) for name, open_ in space.cells.items()}
        arch = space.decode(settings)
        reading = {"top1_pct": Reading(10.0 * settings[cell] + draw.random())}
        found.setdefault(arch.id, Record("s", len(found), "complete", str(arch), arch.id, reading, settings=settings))
    return list(found.values())


def test_the_cell_that_decides_comes_first(space: SearchSpace) -> None:
    shares = importance(measured(space, 24, "stage1.layers"), space, ["top1_pct", "latency_ms"])
    assert list(shares) == ["top1_pct"]
    assert next(iter(shares["top1_pct"])) == "stage1.layers"
    assert shares["top1_pct"]["stage1.layers"] > 0.5


def test_few_networks_say_nothing(space: SearchSpace) -> None:
    assert importance_needs(space) == 12
    assert importance(measured(space, 11, "stage1.layers"), space, ["top1_pct"]) == {}
    assert importance(measured(space, 12, "stage1.layers"), space, ["top1_pct"]) != {}


def test_a_network_counts_once_however_often_it_came(space: SearchSpace) -> None:
    known = measured(space, 11, "stage1.layers")
    again = [dataclasses.replace(record, trial=20 + n, reused=n) for n, record in enumerate(known)]
    twice = [dataclasses.replace(record, trial=40 + n) for n, record in enumerate(known)]
    assert importance([*known, *again, *twice], space, ["top1_pct"]) == {}
