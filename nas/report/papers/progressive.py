"""Image sizes of EfficientNetV2's progressive learning, by the paper's Algorithm 1 and by the official code."""

from __future__ import annotations

from nas.progressive import rise
from nas.report.papers.facts import Fact


def stage_sizes(row: Fact) -> tuple[int, ...]:
    """Pixels of each stage of a row of Table 6.

    Algorithm 1 counts i / (M − 1) from 0 and names no rounding: the nearest whole pixel stands here. The code counts
    (i + 1) / M and cuts off.
    """
    low, high, count = int(row["image_min"]), int(row["image_max"]), int(row["stages"])
    if row["where"] == "paper":
        return tuple(map(round, rise(low, high, count)))
    return tuple(low + (high - low) * (place + 1) // count for place in range(count))
