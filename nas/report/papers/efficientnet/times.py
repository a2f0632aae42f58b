"""EfficientNet's Table 4: latency on one CPU core, compared as ratios within one device."""

from __future__ import annotations

from itertools import groupby

from nas.report.papers.facts import facts
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.peers import network
from nas.report.papers.timing import Pair, compare


def speedups(inputs: Inputs) -> Section:
    """Table 4: how many times as fast B1 is as ResNet-152, and B7 as GPipe, on every device of the zoo."""
    rows = facts("efficientnet/table4")
    pairs = []
    for _, group in groupby(rows, key=lambda row: row["pair"]):
        slow, fast = group
        ours = network(slow["model"]), network(fast["model"])
        pairs.append(
            Pair(
                label=f"{fast['model']} ÷ {slow['model']}",
                slow=(ours[0].shipped,),
                fast=(ours[1].shipped,),
                key="latency_ms",
                values=(slow["latency_s"], fast["latency_s"]),
                kind="time",
                device=f"one core of an {fast['hardware'].removesuffix(' single core')}",
                source=fast["source"],
                printed=fast["speedup"],
                why=ours[0].why,
            )
        )
    said = (
        f"Published: seconds for one image, the mean of {rows[0]['runs']} runs. A time belongs to its device, so the "
        "ratio within one device is what is compared."
    )
    comparison = compare("table4", "Table 4: inference latency", tuple(pairs), inputs.zoo)
    return Section("latency", "Table 4: inference latency", (said,), comparisons=(comparison,))
