"""Findings on EfficientNet (arXiv:1905.11946) that set its numbers beside others printed for the same networks."""

from __future__ import annotations

from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.networks import billions, closed, millions
from nas.scaling import scale


def exchanged(published: Published) -> Finding:
    """Table 3's rows of ResNet-50 by depth and by width are met when they are exchanged."""
    rows = some(published("efficientnet/table3"), model="ResNet-50")
    deep, wide = (one(rows, scaling=name) for name in ("depth", "width"))
    base = closed("resnet-50")
    counted = billions(scale(base, depth=float(deep["depth"]))), billions(scale(base, width=float(wide["width"])))
    printed = float(deep["flops_b"]), float(wide["flops_b"])
    straight = [abs(ours / said - 1) for ours, said in zip(counted, printed, strict=True)]
    crossed = max(abs(ours / said - 1) for ours, said in zip(counted, reversed(printed), strict=True))
    return Finding(
        name="table-3-exchanged",
        title="Table 3's rows of ResNet-50 by depth and by width look exchanged",
        claim="Table 3 prints the multiply-adds of ResNet-50 scaled by depth (d = 4) and by width (w = 2).",
        steps=(
            f"d = {deep['depth']}: counted {counted[0]:.3f} B, printed {deep['flops_b']} B.",
            f"w = {wide['width']}: counted {counted[1]:.3f} B, printed {wide['flops_b']} B.",
            f"As printed, the two are off by {100 * min(straight):.1f} % and more; exchanged, by "
            f"{100 * crossed:.1f} % at most.",
        ),
        conclusion="Each printed number is within 1 % of the other row's network and 9 % or more off its own.",
        holds=min(straight) > 0.09 and crossed < 0.01,
        sources=sources(rows),
    )


def table_7_accuracy(published: Published) -> Finding:
    """Table 7's accuracy of B0 is not Table 2's, and differs between versions."""
    seven, two = published("efficientnet/table7"), published("efficientnet/table2")
    drawn = one(published("efficientnet/figure1"), version="v5", model="EfficientNet-B0")
    baseline = "baseline (EfficientNet-B0)"
    early, late = (one(seven, version=version, series=baseline)["top1_pct"] for version in ("early", "v5"))
    icml, v5 = (one(two, version=version, model="EfficientNet-B0")["top1_pct"] for version in ("icml", "v5"))
    return Finding(
        name="table-7-baseline",
        title="Table 7 gives B0 another accuracy than Table 2",
        claim="Table 7 prints B0 as the baseline of its scaled networks.",
        steps=(
            f"v5: Table 7 {late} %, Table 2 {v5} %, Figure 1 {drawn['top1_pct']} %.",
            f"Early versions: Table 7 {early} %; Table 2 of the ICML version {icml} %.",
        ),
        conclusion=(
            "v5's Table 7 has Figure 1's accuracy of B0 and not that of its own Table 2; earlier, Table 7 and Table 2 "
            "agreed."
        ),
        holds=late != v5 and float(late) == float(drawn["top1_pct"]) and early == icml,
        sources=sources(some(seven, series=baseline), two[:1], (drawn,)),
    )


def regnet(published: Published) -> Finding:
    """What the RegNet paper prints of ResNet-50 and of EfficientNet."""
    three, four, zoo = (published(f"regnet/{name}") for name in ("table3", "table4", "model_zoo"))
    resnet, counted = one(three, model="ResNet-50"), millions(closed("resnet-50"))
    listed = one(zoo, model="ResNet-50")
    steps = [
        f"ResNet-50: counted {counted:.3f} M params; RegNet's Table 3 prints {resnet['params_m']} M, its repository "
        f"{listed['params_m']} M."
    ]
    worse = []
    for where, rows in (("RegNet's Table 4", four), ("its repository", zoo)):
        smaller, larger = (one(rows, model=f"EfficientNet-B{place}")["top1_err_pct"] for place in (4, 5))
        worse.append(float(larger) > float(smaller))
        steps.append(f"Top-1 error after 100 epochs, {where}: B4 {smaller} %, B5 {larger} %.")
    own = [one(four, model=f"EfficientNet-B{place}")["reported_err_pct"] for place in (4, 5)]
    steps.append(f"As EfficientNet's authors report it: B4 {own[0]} %, B5 {own[1]} %.")
    return Finding(
        name="regnet",
        title="Trained alike for 100 epochs, B5 is no better than B4",
        claim="EfficientNet's accuracy rises from B0 to B7; RegNet's authors trained B0 to B5 as they train RegNets.",
        steps=tuple(steps),
        conclusion=(
            "Without the paper's long training and augmentation B5 errs more than B4, in the paper of RegNet and in "
            "its repository. That paper's 22.6 M for ResNet-50 is not the network's 25.6 M, which the repository "
            "prints."
        ),
        holds=all(worse)
        and float(own[1]) < float(own[0])
        and not rounds_to(counted, resnet["params_m"])
        and rounds_to(counted, listed["params_m"]),
        sources=sources(three, four[-2:], zoo),
    )
