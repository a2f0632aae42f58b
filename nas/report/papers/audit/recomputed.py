"""Findings on EfficientNetV2 (arXiv:2104.00298) that redo its percentages and factors from the numbers beside them."""

from __future__ import annotations

from nas.report.papers.audit.finding import Finding, Published, one, percent, rounds_to, some, sources
from nas.report.papers.facts import Fact, number


def changes(published: Published) -> Finding:
    """Tables 10 and 12: the printed percentages from the printed numbers."""
    ten, twelve = published("efficientnetv2/table10"), published("efficientnetv2/table12")
    before, after = ten[0], ten[1]
    pairs = [
        ("Table 10 " + what, before[column], after[column], after[change])
        for what, column, change in (
            ("params", "params_m", "change_params"),
            ("multiply-adds", "flops_b", "change_flops"),
            ("training", "train_hours", "change_train"),
            ("inference", "infer_ms", "change_infer"),
        )
    ]
    pairs += [
        (f"Table 12 {_sized(row)}", row["baseline_train_hours"], row["progressive_train_hours"], row["change"])
        for row in twelve
    ]
    checked = [
        (name, above, below, number(below) / number(above) - 1, printed) for name, above, below, printed in pairs
    ]
    agree = sum(rounds_to(100 * value, printed.replace("−", "-")) for *_, value, printed in checked)
    return Finding(
        name="changes",
        title="Tables 10 and 12: the percentages follow",
        claim="Tables 10 and 12 print what V2-M and progressive learning save.",
        steps=tuple(
            f"{name}: {below} / {above} − 1 = {percent(value)}, printed {printed}."
            for name, above, below, value, printed in checked
        ),
        conclusion="Every printed percentage follows from the numbers beside it.",
        holds=agree == len(checked),
        sources=sources(ten[:1], twelve),
    )


def factors(published: Published) -> Finding:
    """Table 11's speed-ups and the paper's claims of training speed from the printed numbers."""
    eleven = published("efficientnetv2/table11")
    table = some(published("efficientnetv2/table7"), version="v3")
    steps, agree = [], []
    for old, new in zip(eleven[::2], eleven[1::2], strict=True):
        value = number(new["images_per_s"]) / number(old["images_per_s"])
        agree.append(rounds_to(value, new["speedup"]))
        steps.append(
            f"{new['model']} / {old['model']}: {new['images_per_s']} / {old['images_per_s']} = {value:.2f}, printed "
            f"{new['speedup']}."
        )
    slow, fast = one(table, model="EfficientNet-B7"), one(table, model="EfficientNetV2-M")
    headline = number(slow["train_hours"]) / number(fast["train_hours"])
    again = one(published("efficientnetv2/table10"), model="V1-B7 (progressive learning)")
    alike = number(again["train_hours"]) / number(fast["train_hours"])
    steps += [
        f"V2-M trains faster than B7: {slow['train_hours']} h / {fast['train_hours']} h = {headline:.1f}, said 11x.",
        f"Trained alike (Table 10): {again['train_hours']} h / {fast['train_hours']} h = {alike:.1f}.",
    ]
    return Finding(
        name="factors",
        title="Table 11's speed-ups and the factor 11 follow, less than half of it from the network",
        claim="Table 11 prints speed-ups; section 5.1 says that V2-M trains 11x faster than EfficientNet-B7.",
        steps=tuple(steps),
        conclusion=(
            "All of them follow from the printed numbers. With the same progressive training B7 takes 4.2 times as "
            "long as V2-M and not 11 times."
        ),
        holds=all(agree) and rounds_to(headline, "11") and rounds_to(alike, "4.2"),
        sources=sources(eleven, (slow, again), some(published("efficientnetv2/recipe"), item="headline")),
    )


def readme(published: Published) -> Finding:
    """Accuracies of the repository against those of the paper."""
    table = some(published("efficientnetv2/table7"), version="v3")
    steps, apart = [], 0
    for row in published("efficientnetv2/readme"):
        name = row["model"].replace("EffNet", "EfficientNet") + (" (21k)" if row["training"] == "21k-ft1k" else "")
        found = [printed for printed in table if printed["model"] == name]
        if found and found[0]["top1_pct"] != row["top1_pct"]:
            apart += 1
            steps.append(f"{name}: the repository {row['top1_pct']} %, Table 7 {found[0]['top1_pct']} %.")
    return Finding(
        name="readme-accuracies",
        title="Paper and repository differ by a tenth in accuracy",
        claim="Table 7 and the repository's README print ImageNet accuracies of the same networks.",
        steps=tuple(steps) or ("No network differs.",),
        conclusion="Three networks differ by 0.1 %; a comparison to a tenth of a per cent must say which it quotes.",
        holds=apart == 3,
        sources=sources(published("efficientnetv2/readme")[:1], table[:1]),
    )


def _sized(row: Fact) -> str:
    return f"{row['model']}, {row['px']} px" if row["px"] else row["model"]
