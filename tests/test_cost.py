from __future__ import annotations

import time

import nas
from nas.arch import Block, Op
from nas.cost import Cost, block_cost
from nas.space_file import load_space


def test_a_network_counted_by_hand() -> None:
    arch = nas.parse("r9 s4 m2k3s2c6n1se0.5 h10 y3")
    # stem: 9 px → 5 px
    stem = Cost(params=27 * 4 + 2 * 4, flops=27 * 4 * 25, activations=4 * 25)
    # expand 4 → 8 on 5 px; depthwise 5 px → 3 px; squeeze 8 → 2, excite 2 → 8 on one pixel; project 8 → 6 on 3 px
    params = (32 + 16) + (72 + 16) + (16 + 2) + (16 + 8) + (48 + 12)
    flops = 32 * 25 + 72 * 9 + 16 + 16 + 48 * 9
    block = Cost(params, flops, 8 * 25 + 8 * 9 + 2 + 8 + 6 * 9)
    # head: 1 × 1 to 10 on 3 px, linear 10 → 3 with bias
    head = Cost((60 + 20) + 33, 60 * 9 + 30, 10 * 9 + 3)
    assert [row.cost for row in nas.by_stage(arch)] == [stem, block, head]
    assert [(row.name, row.size) for row in nas.by_stage(arch)] == [("stem", 9), ("1", 5), ("head", 3)]
    assert nas.cost(arch) == stem + block + head


def test_later_blocks_of_a_stage_keep_width_and_map() -> None:
    first, _ = block_cost(Block(Op.MBCONV, 3, 2, 4, 6, 2, 0.5), 5)
    later, _ = block_cost(Block(Op.MBCONV, 3, 1, 6, 6, 2, 0.5), 3)
    assert nas.by_stage(nas.parse("r9 s4 m2k3s2c6n3se0.5 h10"))[1].cost == first + later + later


def test_counts_are_ints() -> None:
    spent = nas.cost(nas.load_architecture("efficientnetv2-s"))
    assert {type(spent.params), type(spent.flops), type(spent.activations)} == {int}
    fractional = nas.cost(nas.parse("r33 s8 m2.7k3s2c12n2se0.25 h10"))
    assert {type(fractional.params), type(fractional.flops), type(fractional.activations)} == {int}


def test_odd_maps_are_carried_and_not_multiplied() -> None:
    rows = nas.by_stage(nas.load_architecture("efficientnet-b3"))  # 300 px
    assert [row.size for row in rows] == [300, 150, 150, 75, 38, 19, 19, 10, 10]


def test_a_block_says_what_leaves_it() -> None:
    assert block_cost(Block(Op.FUSED_MBCONV, 3, 2, 8, 16, 1, 0), 75) == (
        Cost(params=9 * 8 * 16 + 32, flops=9 * 8 * 16 * 38**2, activations=16 * 38**2),
        38,
    )


def test_params_do_not_follow_the_resolution() -> None:
    small, large = (nas.parse(f"r{size} s8 m4k3s2c16n2se0.25 h32") for size in (32, 64))
    assert nas.cost(small).params == nas.cost(large).params
    assert nas.cost(small).flops < nas.cost(large).flops / 3


def test_a_thousand_networks_a_second() -> None:
    """Asked for on one core of its own; processor time, so that neighbours do not fail it."""
    archs = list(load_space("efficientnetv2").samples(1000, seed=5))
    block_cost.cache_clear()
    started = time.process_time()
    for arch in archs:
        nas.cost(arch)
    assert time.process_time() - started < 1
