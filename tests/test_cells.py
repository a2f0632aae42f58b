from __future__ import annotations

from typing import Any

import optuna
import pytest

from nas.arch import Op
from nas.cells import ByOp, Cell, Choice, Range, parse_cell
from nas.document import DocumentError


@pytest.mark.parametrize(
    ("raw", "kind", "cell", "text"),
    [
        (3, int, Choice((3,)), "3"),
        ([3, 5], int, Choice((3, 5)), "3 | 5"),
        ([0, 0.25], float, Choice((0, 0.25)), "0 | 0.25"),
        ("mbconv", str, Choice(("mbconv",)), "mbconv"),
        ({"from": 1, "to": 8}, int, Range(1, 8, 1), "1…8"),
        ({"from": 16, "to": 32, "by": 8}, int, Range(16, 32, 8), "16…32 by 8"),
        (
            {"fused_mbconv": 0, "mbconv": 0.25},
            float,
            ByOp(((Op.MBCONV, 0.25), (Op.FUSED_MBCONV, 0))),
            "MBConv 0.25, Fused-MBConv 0",
        ),
    ],
)
def test_cell_reads_prints_and_reads_back(raw: Any, kind: type, cell: Cell, text: str) -> None:
    assert parse_cell(raw, kind, "here") == cell
    assert parse_cell(cell.to_document(), kind, "here") == cell
    assert str(cell) == text


def test_values_are_the_options_in_their_order() -> None:
    assert tuple(Range(16, 32, 8).values) == (16, 24, 32)
    assert Choice((5, 3)).values == (5, 3)
    assert ByOp(((Op.MBCONV, 0.25), (Op.FUSED_MBCONV, 0))).value(Op.FUSED_MBCONV) == 0


def test_a_range_is_an_ordered_integer_to_optuna_and_a_choice_is_not() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    assert Range(16, 32, 8).suggest(trial, "channels") in (16, 24, 32)
    assert Choice((3, 5)).suggest(trial, "kernel") in (3, 5)
    assert trial.distributions == {
        "channels": optuna.distributions.IntDistribution(16, 32, step=8),
        "kernel": optuna.distributions.CategoricalDistribution((3, 5)),
    }


@pytest.mark.parametrize(
    ("raw", "kind", "says", "hint"),
    [
        ([], int, "here: expected at least one choice; got an empty list", ""),
        ([3, 3], int, "here: a choice stands twice in [3, 3]", ""),
        ([1, 1.0], float, "stands twice", ""),
        ([3, "5"], int, "here[1]: expected a whole number; got the string '5'", "without quotes: 5"),
        ([3, None], int, "here[1]: expected a whole number; got nothing", ""),
        (3.5, int, "here: expected a whole number; got 3.5", ""),
        (True, int, "here: expected a whole number; got true", ""),
        (True, float, "here: expected a number; got true", ""),
        (3, str, "here: expected a word; got 3", ""),
        ("25e6", int, "here: expected a whole number; got the string '25e6'", "write 25000000"),
        ("1e-5", float, "here: expected a number; got the string '1e-5'", "write 1.0e-5"),
        ({"from": 4, "to": 1}, int, "here: expected from ≤ to; got from 4 to 1", ""),
        ({"from": 1, "to": 8, "by": 3}, int, "here: steps of 3 from 1 do not reach 8", "write to: 7 or to: 10"),
        ({"from": 1, "to": 8, "by": 0}, int, "here.by: expected a step of at least 1; got 0", ""),
        ({"from": 1, "to": 8, "step": 1}, int, "here.step: unknown key", "by: 1"),
        ({"from": 1}, int, "here.to: expected a value; the key is missing", ""),
        ({"from": 1, "to": "8"}, int, "here.to: expected a whole number; got the string '8'", ""),
        ({"from": 1, "to": 10**9}, int, "here: more than 10,000 values", "larger step"),
        ({"from": 1, "to": 2}, float, "here: a range needs whole numbers", ""),
        ({"mbconv": 0.25, "fused": 0}, float, "here.fused: unknown key", "mbconv"),
        ({}, float, "here: expected a value by block type; got an empty one", "mbconv"),
    ],
)
def test_cell_that_is_none_is_refused(raw: Any, kind: type, says: str, hint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_cell(raw, kind, "here")
    assert says in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("suggested", range(1, 9))
def test_the_hint_for_a_range_that_does_not_divide_is_right(suggested: int) -> None:
    for top in (suggested + 10, suggested + 11):
        try:
            parse_cell({"from": 2, "to": top, "by": suggested}, int, "here")
        except DocumentError as error:
            for bound in error.hint.removeprefix("write to: ").split(" or to: "):
                assert parse_cell({"from": 2, "to": int(bound), "by": suggested}, int, "here")
