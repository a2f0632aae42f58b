"""Findings on EfficientNetV2 (arXiv:2104.00298) that count networks: which network has the printed numbers?"""

from __future__ import annotations

import dataclasses
import itertools

from nas.arch import Architecture, Op
from nas.cost import cost
from nas.report.papers.audit.finding import (
    Finding,
    Published,
    one,
    percent,
    rounds_to,
    some,
    sources,
)
from nas.report.papers.audit.wide import norm_channels, norm_elements
from nas.report.papers.networks import billions, fused_b4, millions, unreleased
from nas.report.papers.verdict import Verdict, judge
from nas.scaling import scale
from nas.space_file import load_architecture


def v2_s(published: Published) -> Finding:
    """V2-S's published 24 M and 8.8 B are those of the base × (1.4, 1.8) at 380 px."""
    table = published("efficientnetv2/table7")
    old, new = (one(table, version=version, model="EfficientNetV2-S") for version in ("v1", "v3"))
    base, released = load_architecture("efficientnetv2-b0"), load_architecture("efficientnetv2-s")
    made = unreleased()
    drawn = _from_table_4(published, "v1", released)
    steps = (
        "Widths of V2-B0 × 1.4 to the nearest multiple of 8: "
        + ", ".join(
            f"{before.channels} · 1.4 = {before.channels * 1.4:.1f} → {after.channels}"
            for before, after in zip(base.stages, made.stages, strict=True)
        )
        + f"; stem {base.stem} → {made.stem}, head {base.head} → {made.head}.",
        "Layers × 1.8, rounded up: "
        + ", ".join(
            f"{before.layers} · 1.8 = {before.layers * 1.8:.1f} → {after.layers}"
            for before, after in zip(base.stages, made.stages, strict=True)
        )
        + ".",
        f"{made} has {millions(made):.3f} M params and {billions(made):.3f} B multiply-adds (published "
        f"{old['params_m']} M, {old['flops_b']} B); at 384 px it would be {billions(_at(made, 384)):.3f} B.",
        f"Table 4 of v1 ({drawn}) has {millions(drawn):.3f} M and {billions(drawn):.3f} B at 384 px, "
        f"{billions(_at(drawn, 380)):.3f} B at 380 px.",
        f"The released V2-S ({released}) has {millions(released):.3f} M and {billions(released):.3f} B; v3 prints "
        f"{new['params_m']} M (released: {millions(released):.1f}) and still {new['flops_b']} B.",
    )
    flops = old["flops_b"]
    others = (drawn, _at(drawn, 380), released, _at(made, 384))
    holds = rounds_to(millions(made), old["params_m"]) and rounds_to(billions(made), flops)
    return Finding(
        name="v2-s",
        title="V2-S's 24 M and 8.8 B are of a network that was not released",
        claim="Table 7 prints 24 M (v1), 22 M (v3) and 8.8 B for EfficientNetV2-S; Table 4 prints its stages.",
        steps=steps,
        conclusion=(
            "24 M and 8.8 B are the base × (width 1.4, depth 1.8) at 380 px, and no network that the paper or the code "
            "prints; v3 corrected the params and kept the multiply-adds."
        ),
        holds=holds and not any(rounds_to(billions(other), flops) for other in others) and new["flops_b"] == flops,
        sources=sources((old, new), published("efficientnetv2/table4"), published("efficientnetv2/configs")[:1]),
    )


def larger(published: Published) -> Finding:
    """The printed multiply-adds of V2-M, L and XL against the released networks."""
    table, readme = published("efficientnetv2/table7"), published("efficientnetv2/readme")
    steps, counted, printed_b, said_b = [], {}, {}, {}
    for size, model in (("m", "EfficientNetV2-M"), ("l", "EfficientNetV2-L"), ("xl", "EfficientNetV2-XL (21k)")):
        arch = load_architecture(f"efficientnetv2-{size}")
        row = one(table, version="v3", model=model)
        said = some(readme, model=f"EffNetV2-{size.upper()}")[0]
        counted[size], printed_b[size], said_b[size] = billions(arch), row["flops_b"], said["flops_b"]
        steps.append(
            f"V2-{size.upper()} at {arch.resolution} px: {millions(arch):.3f} M, {billions(arch):.3f} B; Table 7 "
            f"prints {row['params_m']} M, {row['flops_b']} B"
            + (f", the README {said['params_m']} M, {said['flops_b']} B" if said["flops_b"] else "")
            + f". Counted over printed multiply-adds: {percent(counted[size] / float(row['flops_b']) - 1)}."
        )
    large = load_architecture("efficientnetv2-l")
    printed = one(table, version="v3", model="EfficientNetV2-L")["flops_b"]
    sizes = [size for size in range(384, 513) if rounds_to(billions(_at(large, size)), printed)]
    steps.append(
        f"V2-L costs what rounds to {printed} B at "
        + (f"{sizes[0]} to {sizes[-1]} px" if sizes else "no size from 384 to 512 px")
        + f"; Table 7's size for it, by text and code, is {large.resolution} px."
    )
    return Finding(
        name="v2-l-flops",
        title="V2-L's 53 B is not the released V2-L at 480 px",
        claim="Table 7 prints 24 B, 53 B and 94 B for V2-M, L and XL.",
        steps=tuple(steps),
        conclusion=(
            "M's 24 B is the count cut off. L's 53 B is more than 5 % below it, by no rounding, and would be L at "
            "about 460 px; XL's 94 B is above it. The README's 24.7 B and 56.3 B are nearer to the counts of M and L "
            "than the paper's numbers, and equal neither."
        ),
        holds=judge(printed_b["m"], counted["m"]).verdict is Verdict.ROUNDED
        and counted["l"] / float(printed_b["l"]) > 1.05
        and float(printed_b["xl"]) > counted["xl"]
        and not rounds_to(counted["xl"], printed_b["xl"])
        and all(
            not rounds_to(counted[size], said_b[size])
            and abs(float(said_b[size]) - counted[size]) < abs(float(printed_b[size]) - counted[size])
            for size in ("m", "l")
        )
        and bool(sizes)
        and sizes[-1] < large.resolution,
        sources=sources(some(table, version="v3", group="ConvNets (ours)"), readme[:1]),
    )


def moving_statistics(published: Published) -> Finding:
    """Keras' counts are params plus two moving statistics per normalised channel, to the last digit."""
    readme = published("efficientnetv2/readme")
    steps, exact = [], []
    for name in dict.fromkeys(row["model"] for row in readme):
        row = one(readme, model=name)
        arch = load_architecture(name.lower().replace("effnet", "efficientnet"))
        channels, params = norm_channels(arch), cost(arch).params
        exact.append(params + 2 * channels == int(row["keras_params"]))
        steps.append(
            f"{name}: {params:,} learnable + 2 · {channels:,} = {params + 2 * channels:,}; the repository's test "
            f"expects {int(row['keras_params']):,}."
        )
    return Finding(
        name="moving-statistics",
        title="The repository counts moving statistics as parameters",
        claim="The official tests state count_params of every EfficientNetV2.",
        steps=tuple(steps),
        conclusion=(
            "They are the learnable scalars plus mean and variance of every batch-normalised channel, equal in every "
            "digit. So the closed form counts the released networks; statistics are not learnable and stay out."
        ),
        holds=all(exact),
        sources=sources(readme),
    )


def rounding(published: Published) -> Finding:
    """V1's and V2's rounding of channels differ in V2-B3 only."""
    configs, readme = published("efficientnetv2/configs"), published("efficientnetv2/readme")
    base, steps = load_architecture("efficientnetv2-b0"), []
    apart, follow = [], []
    for name in ("b1", "b2", "b3"):
        row = one(configs, model=f"efficientnetv2-{name}")
        width, depth, size = float(row["width"]), float(row["depth"]), int(row["eval_px"])
        first, second = (_at(scale(base, width=width, depth=depth, floor=floor), size) for floor in (0.9, None))
        released = load_architecture(f"efficientnetv2-{name}")
        apart += [name] if first != second else []
        follow += [name] if released == second else []
        steps.append(
            f"V2-{name.upper()} (× {width}, {depth}, {size} px): V1's rule {millions(first):.3f} M, "
            f"{billions(first):.3f} B; V2's {millions(second):.3f} M, {billions(second):.3f} B; the released one is "
            + ("both." if first == second == released else "V2's." if second == released else "neither.")
        )
    steps.append(
        f"The first stage of B3: {base.stages[0].channels} · 1.2 = {base.stages[0].channels * 1.2:.1f}, nearest "
        "multiple of 8 is 16; 16 is below 0.9 · 19.2 = 17.28, so V1's rule goes up to 24 and V2's stays at 16."
    )
    three = load_architecture("efficientnetv2-b3")
    said = one(readme, model="EffNetV2-B3")
    steps.append(f"The README prints {said['params_m']} M, {said['flops_b']} B; counted {millions(three):.3f} M.")
    return Finding(
        name="v2-b3-rounding",
        title="V2 dropped V1's rounding rule, and only V2-B3 shows it",
        claim="V2-B1 to B3 are V2-B0 scaled with the coefficients of V1-B1 to B3.",
        steps=tuple(steps),
        conclusion=(
            "The code of V2 rounds channels without V1's floor of 90 %. B1 and B2 are the same either way; B3's first "
            "stage has 16 channels instead of 24."
        ),
        holds=apart == ["b3"] and follow == ["b1", "b2", "b3"],
        sources=sources(some(configs, model="efficientnetv2-b3"), (said,)),
    )


def fused_se(published: Published) -> Finding:
    """Figure 2 draws SE inside Fused-MBConv; the counts have none there."""
    readme = one(published("efficientnetv2/readme"), model="EffNetV2-S")
    arch = load_architecture("efficientnetv2-s")
    with_se = dataclasses.replace(
        arch,
        stages=tuple(dataclasses.replace(s, se=0.25) if s.op is Op.FUSED_MBCONV else s for s in arch.stages),
    )
    counts = [cost(each).params + 2 * norm_channels(each) for each in (arch, with_se)]
    return Finding(
        name="fused-se",
        title="Figure 2 draws an SE block that the networks do not have",
        claim="Figure 2 draws squeeze-and-excitation inside Fused-MBConv.",
        steps=(
            f"V2-S without SE in its fused stages: {counts[0]:,} params with moving statistics.",
            f"With SE of ratio 0.25 there, as in its MBConv stages: {counts[1]:,}.",
            f"The repository's test expects {int(readme['keras_params']):,}.",
        ),
        conclusion="The fused stages have no SE, as Table 4 prints and Figure 2 does not.",
        holds=counts[0] == int(readme["keras_params"]) != counts[1],
        sources=sources((readme,), published("efficientnetv2/table4")[:1]),
    )


def table_3(published: Published) -> Finding:
    """Which kernels of the fused B4 give Table 3's params and multiply-adds."""
    rows = published("efficientnetv2/table3")
    printed = [(float(row["params_m"]), float(row["flops_b"])) for row in rows]
    ranked = []
    for kernels in itertools.product((3, 5), repeat=3):
        for se in (True, False):
            built = [fused_b4(until, kernels, se) for until in (0, 3, 5, 7)]
            counted = [(millions(arch), billions(arch)) for arch in built]
            pairs = [(a, b) for had, ours in zip(printed, counted, strict=True) for a, b in zip(ours, had, strict=True)]
            ranked.append((max(abs(a / b - 1) for a, b in pairs), kernels, se, counted))
    ranked.sort(key=lambda entry: entry[0])
    steps = [
        "Published (M params, B multiply-adds): "
        + ", ".join(f"({row['params_m']}, {row['flops_b']})" for row in rows)
        + ".",
        "B4's stages 3, 5 and 6 have kernel 5. Fused in stages 1–3, 1–5, 1–7 with kernel 3 or 5 in each of them, with "
        "SE kept or dropped in fused blocks, 16 alternatives, by their largest deviation in the eight numbers:",
    ]
    for worst, kernels, se, counted in (*ranked[:4], ranked[-1]):
        shown = ", ".join(f"({a:.2f}, {b:.2f})" for a, b in counted)
        steps.append(f"kernels {kernels[0]}, {kernels[1]}, {kernels[2]}, {_se(se)}: {shown}: {100 * worst:.1f} %.")
    plain = load_architecture("efficientnet-b4")
    wide = billions(plain) + 2 * norm_elements(plain) / 1e9
    steps.append(
        f"Unfused, {rows[0]['flops_b']} B are printed and {billions(plain):.3f} B counted; with two operations for "
        f"each batch-normalised element {wide:.3f} B."
    )
    best, second, third = ranked[:3]
    return Finding(
        name="table-3-kernels",
        title="Table 3's fused B4 uses kernel 3 in stage 3 and kernel 5 in stages 5 and 6",
        claim="Table 3 prints params and multiply-adds of EfficientNet-B4 with Fused-MBConv in 3, 5 and 7 stages.",
        steps=tuple(steps),
        conclusion=(
            "Stage 3 was fused with kernel 3, stages 5 and 6 kept kernel 5: within 3 % of all eight numbers, the next "
            "choice of kernels is off by more than 20 %. These numbers cannot tell whether fused blocks kept SE. "
            "What remains in the multiply-adds, 2 % to 3 %, is the same with and without fusion."
        ),
        holds=best[1] == second[1] == (3, 5, 5) and best[0] < 0.03 and second[0] < 0.03 and third[0] > 0.2,
        sources=sources(rows),
    )


def _se(kept: bool) -> str:
    return "SE kept" if kept else "SE dropped"


def _at(arch: Architecture, size: int) -> Architecture:
    return dataclasses.replace(arch, resolution=size)


def _from_table_4(published: Published, version: str, released: Architecture) -> Architecture:
    """V2-S with the channels, layers and head that Table 4 of this version prints, at 384 px."""
    rows = some(published("efficientnetv2/table4"), version=version)
    stages = tuple(
        dataclasses.replace(stage, channels=int(row["channels"]), layers=int(row["layers"]))
        for stage, row in zip(released.stages, rows[1:-1], strict=True)
    )
    return dataclasses.replace(
        released, stem=int(rows[0]["channels"]), stages=stages, head=int(rows[-1]["channels"]), resolution=384
    )
