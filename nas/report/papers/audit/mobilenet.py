"""Findings on MobileNet (arXiv:1704.04861), MnasNet (arXiv:1807.11626) and their official checkpoints."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from nas.cost import by_stage
from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.networks import billions
from nas.scaling import scale
from nas.space_file import load_architecture


def three_quarters(published: Published) -> Finding:
    """325 M in the paper and 317 M in the checkpoint table for the same MobileNet: the table leaves out the stem."""
    paper = one(published("mobilenet/table6"), width="0.75")
    rows = some(published("mobilenet/checkpoints"), width="0.75")
    network = scale(load_architecture("mobilenetv1"), width=0.75)
    whole, bare, steps = [], [], []
    for row in rows:
        sized = dataclasses.replace(network, resolution=int(row["px"]))
        stem = by_stage(sized)[0].cost.flops / 1e6
        total = 1e3 * billions(sized)
        whole.append(rounds_to(total, row["mult_adds_m"]))
        bare.append(rounds_to(total - stem, row["mult_adds_m"]))
        side = int(row["px"]) // 2
        steps.append(
            f"{row['px']} px: counted {total:.2f} M; the stem is 3² · 3 · {network.stem} · {side}² = {stem:.2f} M; "
            f"without it {total - stem:.2f} M. The checkpoint table prints {row['mult_adds_m']}"
            + (f", the paper {paper['mult_adds_m']}." if row["px"] == paper["px"] else ".")
        )
    others = [row for row in published("mobilenet/checkpoints") if row["px"] == "224" and row["width"] != "0.75"]
    for row in others:
        total = 1e3 * billions(scale(load_architecture("mobilenetv1"), width=float(row["width"])))
        steps.append(
            f"Width {row['width']}, 224 px: counted {total:.2f} M with the stem, printed {row['mult_adds_m']}."
        )
    return Finding(
        name="mobilenet-325-317",
        title="The checkpoint table's 0.75 MobileNets leave out the stem",
        claim="0.75 MobileNet-224 has 325 M mult-adds in the paper and 317 M in the table of official checkpoints.",
        steps=tuple(steps),
        conclusion=(
            "The paper counts the whole network. The checkpoint table's four numbers at width 0.75 are the network "
            "without its first convolution, to every printed digit; its other widths count it."
        ),
        holds=all(bare) and not any(whole) and rounds_to(1e3 * billions(network), paper["mult_adds_m"]),
        sources=sources((paper,), rows),
    )


def last_stride(published: Published) -> Finding:
    """Table 1 of MobileNet prints a stride of 2 that the next row's input contradicts."""
    rows = published("mobilenet/table1")
    steps, wrong = [], []
    for row, following in pairwise(rows):
        if not row["type"].startswith("Conv"):
            continue
        entered, left = (int(each["input"].split("x")[0]) for each in (row, following))
        stride = int(row["type"].rsplit("s", 1)[1])
        if (entered - 1) // stride + 1 != left:
            wrong.append(row["row"])
            steps.append(
                f"Row {row['row']}, {row['type']}: {entered} px in, stride {stride} gives "
                f"{(entered - 1) // stride + 1} px; row {following['row']} prints {left} px."
            )
    counted = 1e3 * billions(load_architecture("mobilenetv1"))
    said = one(published("mobilenet/table6"), width="1.0")["mult_adds_m"]
    steps.append(f"With stride 1 there the network counts {counted:.2f} M mult-adds; the paper prints {said} M.")
    return Finding(
        name="mobilenet-last-stride",
        title="Table 1 of MobileNet prints one stride too many",
        claim="Table 1 prints type, stride and input of every layer of MobileNet.",
        steps=tuple(steps),
        conclusion="One depthwise layer printed with stride 2 has stride 1, by its own next row and by the count.",
        holds=len(wrong) == 1 and rounds_to(counted, said),
        sources=sources(rows, published("mobilenet/table6")[:1]),
    )


def quoted(published: Published) -> Finding:
    """Mult-adds of MobileNetV1 and MnasNet-A1 as the papers and repositories quote them."""
    first = load_architecture("mobilenetv1")
    a1 = load_architecture("mnasnet-a1")
    own = one(published("mobilenet/table6"), width="1.0")["mult_adds_m"]
    later = one(published("mnasnet/table1"), model="MobileNetV1")["mult_adds_m"]
    paper = one(published("mnasnet/table1"), model="MnasNet-A1")["mult_adds_m"]
    repository = one(published("mnasnet/readme"), model="mnasnet-a1 depth_multiplier=1 input=224")["mult_adds_m"]
    counts = [1e3 * billions(arch) for arch in (first, a1)]
    return Finding(
        name="mobilenet-quoted",
        title="569 or 575, 312 or 315.2: the papers' own numbers are the counted ones",
        claim="MobileNetV1 is quoted with 569 M and 575 M mult-adds, MnasNet-A1 with 312 M and 315.2 M.",
        steps=(
            f"MobileNetV1: counted {counts[0]:.2f} M; its paper {own}, MnasNet's Table 1 {later}.",
            f"MnasNet-A1: counted {counts[1]:.2f} M; its paper {paper}, its repository {repository}.",
        ),
        conclusion="The count agrees with each network's own paper and with neither later number.",
        holds=rounds_to(counts[0], own)
        and rounds_to(counts[1], paper)
        and not rounds_to(counts[0], later)
        and not rounds_to(counts[1], repository),
        sources=sources(
            published("mobilenet/table6")[:1], published("mnasnet/table1")[:1], published("mnasnet/readme")[:1]
        ),
    )


def mnasnet_grid(published: Published) -> Finding:
    """One accuracy of the repository's MnasNet grid, printed in two columns with two values."""
    rows = [row for row in published("mnasnet/readme") if "depth_multiplier=0.35" in row["model"]]
    by_size = {row["model"].rsplit("=", 1)[1]: row for row in rows}
    apart, steps = [], []
    for size, row in by_size.items():
        other = row["note"].rsplit(" ", 1)[1]
        apart += [size] if other != row["top1_pct"] else []
        steps.append(f"{size} px: {row['top1_pct']} % in one column, {other} % in the other.")
    below, above = (float(by_size[size]["top1_pct"]) for size in ("128", "192"))
    once, again = (float(text) for text in (by_size["160"]["top1_pct"], by_size["160"]["note"].rsplit(" ", 1)[1]))
    steps.append(f"Accuracy rises with the image: 160 px belongs between {below} % and {above} %.")
    return Finding(
        name="mnasnet-160",
        title="MnasNet-A1 0.35 at 160 px has two accuracies",
        claim="The table of the official repository prints the accuracy of every network in two columns.",
        steps=tuple(steps),
        conclusion="At 160 px the columns disagree, and only the second, 59.3 %, fits between its neighbours.",
        holds=apart == ["160"] and below < again < above and not below < once < above,
        sources=sources(rows),
    )
