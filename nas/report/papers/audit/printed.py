"""Findings on EfficientNetV2 (arXiv:2104.00298) that set its printed numbers against each other and its code."""

from __future__ import annotations

from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.facts import Fact, number
from nas.report.papers.progressive import stage_sizes


def figure_5c(published: Published) -> Finding:
    """Figure 5(c)'s latencies of B3 to B7 are Table 7's training hours."""
    figure, table = published("efficientnetv2/figure5c"), some(published("efficientnetv2/table7"), version="v3")
    rows = some(figure, series="EffNet")
    steps, hours, times = [], 0, 0
    for row in rows:
        printed = one(table, model=f"EfficientNet-{row['model']}")
        hours += number(row["infer_ms"]) == number(printed["train_hours"])
        times += number(row["infer_ms"]) == number(printed["infer_ms"])
        steps.append(
            f"{row['model']}: plotted at {row['infer_ms']} ms; Table 7 prints {printed['infer_ms']} ms of inference "
            f"and {printed['train_hours']} h of training."
        )
    pairs = (("RegNetY", "8GF", "RegNetY-8GF"), ("ResNeSt", "200", "ResNeSt-200"), ("NFNet", "F1", "NFNet-F1"))
    same = 0
    for series, label, model in pairs:
        row, printed = one(figure, series=series, model=label), one(table, model=model)
        same += number(row["infer_ms"]) == number(printed["infer_ms"])
        steps.append(f"{model}: plotted at {row['infer_ms']} ms, Table 7 {printed['infer_ms']} ms.")
    return Finding(
        name="figure-5c-hours",
        title="Figure 5(c) plots EfficientNet's training hours as milliseconds",
        claim="Figure 5(c) plots accuracy against inference latency (ms, V100, batch 16).",
        steps=tuple(steps),
        conclusion=(
            "The five points of EfficientNet stand at its training hours. They are 18 % to 47 % too fast, which "
            "shrinks the lead of EfficientNetV2 in the figure; Table 7 has the right numbers."
        ),
        holds=hours == len(rows) and times == 0 and same == len(pairs) and _too_fast(rows, table) == (18, 47),
        sources=sources(rows, table[:1]),
    )


def _too_fast(rows: tuple[Fact, ...], table: tuple[Fact, ...]) -> tuple[int, int]:
    """(least, most) per cent by which the plotted latencies lie below Table 7's."""
    short = [
        100 * (1 - number(row["infer_ms"]) / number(one(table, model=f"EfficientNet-{row['model']}")["infer_ms"]))
        for row in rows
    ]
    return round(min(short)), round(max(short))


def figure_5_other(published: Published) -> Finding:
    """Other points of Figure 5 that are not Table 7's."""
    table = some(published("efficientnetv2/table7"), version="v3")
    five, clock = published("efficientnetv2/figure5a"), published("efficientnetv2/figure5c")
    b5 = one(five, series="EffNet", model="B5")["params_m"]
    said = one(table, model="EfficientNet-B5")["params_m"]
    steps = [f"B5 in Figure 5(a): {b5} M params; Table 7 {said} M."]
    apart = [number(b5) / number(said) - 1]
    for size in ("M", "L"):
        drawn = one(clock, series="EffNetV2(21k)", model=size)["infer_ms"]
        printed = one(table, model=f"EfficientNetV2-{size} (21k)")["infer_ms"]
        apart.append(number(drawn) / number(printed) - 1)
        steps.append(f"V2-{size} (21k) in Figure 5(c): {drawn} ms; Table 7 {printed} ms.")
    return Finding(
        name="figure-5-points",
        title="Three more points of Figure 5 are not Table 7's",
        claim="Figure 5 plots the networks of Table 7.",
        steps=tuple(steps),
        conclusion=(
            "B5's params, and the latencies of V2-M and V2-L with ImageNet21k, are plotted 7 % to 11 % above Table 7; "
            "pre-training changes neither network nor latency."
        ),
        holds=all(0.065 <= away <= 0.115 for away in apart),
        sources=sources(table[:1], five[:1]),
    )


def figure_1a(published: Published) -> Finding:
    """Figure 1(a)'s days against Table 7's hours."""
    figure, table = published("efficientnetv2/figure1a"), some(published("efficientnetv2/table7"), version="v3")
    names = {
        **{(f"EfficientNet-B{n}"): f"B{n}" for n in (4, 5, 6, 7)},
        **{f"EfficientNetV2-{size}": size for size in "SML"},
        **{f"EfficientNetV2-{size} (21k)": f"{size}(21k)" for size in ("S", "M", "L", "XL")},
        **{f"NFNet-F{n}": f"F{n}" for n in range(5)},
        "ViT-L/16 (21k)": "ViT-L/16(21k)",
    }
    steps, off = [], []
    for model, label in names.items():
        printed, drawn = one(table, model=model), one(figure, model=label)
        if not printed["train_hours"]:
            continue
        hours = 24 * float(drawn["train_days"])
        if abs(hours - float(printed["train_hours"])) > 0.06 * float(printed["train_hours"]):
            off.append(model)
        mark = " ← apart" if off and off[-1] == model else ""
        steps.append(f"{model}: 24 · {drawn['train_days']} = {hours:.1f} h, Table 7 {printed['train_hours']} h{mark}.")
    vit = 24 * float(one(figure, model="ViT-L/16(21k)")["train_days"])
    half = vit / float(one(table, model="ViT-L/16 (21k)")["train_hours"])
    steps.append(f"ViT-L/16 (21k): {vit:.1f} h is {half:.2f} of the table's.")
    again, said = one(figure, model="B7(repro)"), published("efficientnetv2/table10")[0]
    hours = 24 * float(again["train_days"])
    steps.append(
        f"B7, reproduced: {hours:.1f} h and {again['top1_pct']} %; Table 10 prints {said['train_hours']} h and "
        f"{said['top1_pct']} %."
    )
    return Finding(
        name="figure-1a-days",
        title="Figure 1(a) plots ViT-L/16 at half its training time",
        claim="Figure 1(a) plots accuracy against training time on 32 TPUv3 cores, which Table 7 prints in hours.",
        steps=tuple(steps),
        conclusion=(
            "ViT-L/16 (21k) stands at half of Table 7's hours and V2-S (21k) a fifth above; the other points agree "
            "within 6 %. The reproduced B7 is not quite Table 10's."
        ),
        holds=rounds_to(half, "0.5")
        and set(off) == {"ViT-L/16 (21k)", "EfficientNetV2-S (21k)"}
        and not rounds_to(hours, said["train_hours"]),
        sources=sources(figure[:1], table[:1]),
    )


def stages(published: Published) -> Finding:
    """The image sizes that the code trains at, against Table 6 and Algorithm 1."""
    rows = published("efficientnetv2/table6")
    steps, never, differ = [], True, 0
    for model in ("S", "M", "L"):
        paper, code = one(rows, where="paper", model=model), one(rows, where="code", model=model)
        count = int(paper["stages"])
        low, high = int(paper["image_min"]), int(paper["image_max"])
        drawn = stage_sizes(paper)
        start, end = int(code["image_min"]), int(code["image_max"])
        run = stage_sizes(code)
        never = never and min(run) > low
        steps.append(
            f"{model}: Algorithm 1, {low} + {high - low} · i / {count - 1}: {_sizes(drawn)} px; the code, "
            f"{start} + {end - start} · (i + 1) / {count}, cut to whole pixels: {_sizes(run)} px."
        )
        changed = [
            f"{column.removesuffix('_max')} to {paper[column] or '–'} (code {code[column]})"
            for column in ("image_max", "randaug_max", "mixup_max", "dropout_max", "cutmix_max")
            if paper[column] != code[column] and (paper[column] or float(code[column]))
        ]
        if paper["dropout_min"] != code["dropout_min"]:
            changed.append(f"dropout from {paper['dropout_min']} (code: {code['dropout_min']} throughout)")
        differ += len(changed)
        steps.append(f"{model}: Table 6 raises {'; '.join(changed)}.")
    return Finding(
        name="table-6-code",
        title="The code never trains at Table 6's smallest size, nor with its regularisation",
        claim="Table 6 and Algorithm 1 raise image size and regularisation from a minimum in the first of four stages.",
        steps=tuple(steps),
        conclusion=(
            "The code counts its stages from one fourth, so that no stage has the minimum of 128 px. RandAugment, "
            "mixup and dropout end elsewhere than Table 6 says, and M and L use CutMix, which the paper does not name."
        ),
        holds=never and differ > 0,
        sources=sources(rows),
    )


_COLUMNS = {
    "top1_pct": "top-1 (%)",
    "params_m": "params (M)",
    "flops_b": "FLOPs (B)",
    "infer_ms": "inference (ms)",
    "train_hours": "training (h)",
}


def versions(published: Published) -> Finding:
    """What v3 changed of v1 in Tables 1 and 7."""
    steps, changed, doubled = [], 0, 0.0
    for name, columns in (
        ("efficientnetv2/table1", ("top1_pct", "params_m", "flops_b")),
        ("efficientnetv2/table7", tuple(_COLUMNS)),
    ):
        table = published(name)
        old = {row["model"]: row for row in some(table, version="v1")}
        new = {row["model"]: row for row in some(table, version="v3")}
        label = f"Table {name.removeprefix('efficientnetv2/table')}"
        for model, row in old.items():
            if model not in new:
                steps.append(f"{label}: {model} is gone.")
                continue
            cells = [(column, row[column], new[model][column]) for column in columns]
            edits = [(column, was, now) for column, was, now in cells if was != now]
            changed += len(edits)
            if edits:
                shown = ", ".join(f"{_COLUMNS[column]} {was or '–'} → {now or '–'}" for column, was, now in edits)
                steps.append(f"{label}: {model}: {shown}.")
            if model.startswith("ResNet-RS"):
                doubled = number(row["flops_b"]) / number(new[model]["flops_b"])
        steps += [f"{label}: {model} is new." for model in new if model not in old]
    steps.append(f"ResNet-RS-420's multiply-adds changed by a factor of {doubled:.2f}.")
    return Finding(
        name="versions",
        title="v1 and v3 of the paper print different numbers",
        claim="Versions 1 and 3 of the paper are cited alike.",
        steps=tuple(steps),
        conclusion=(
            "Params of V2-S, M and L, two accuracies with ImageNet21k and B6's accuracy in Table 1 changed; "
            "ResNet-RS-420 was halved, from operations to multiply-adds."
        ),
        holds=changed > 0 and doubled == 2,
        sources=sources(published("efficientnetv2/table1"), published("efficientnetv2/table7")),
    )


def carried_over(published: Published) -> Finding:
    """Params of v1 that tables and figures of v3 still print."""
    tables = {
        "Table 7": some(published("efficientnetv2/table7"), version="v3"),
        "Table 8": published("efficientnetv2/table8"),
        "Table 10": published("efficientnetv2/table10"),
        "Table 11": published("efficientnetv2/table11"),
        "Figure 1(b)": published("efficientnetv2/figure1b"),
        "Figure 5(a)": some(published("efficientnetv2/figure5a"), series="EffNetV2"),
    }
    spelled = {size: [f"EfficientNetV2-{size}", f"V2-{size}", f"V2-{size} (ours)", size] for size in "SML"}
    spelled["S"].append("EfficientNetV2 (ours)")  # Figure 1(b): at V2-S's accuracy
    steps, apart = [], []
    for size, names in spelled.items():
        said = {where: row["params_m"] for where, rows in tables.items() for row in rows if row["model"] in names}
        now = said["Table 7"]
        other = {where: text for where, text in said.items() if number(text) > number(now) + 0.5}
        apart += list(other)
        steps.append(f"V2-{size}: " + ", ".join(f"{where} {text} M" for where, text in said.items()) + ".")
    return Finding(
        name="carried-over",
        title="v3 prints two sizes for the same network",
        claim="v3 corrects the params of V2-S, M and L in Table 7.",
        steps=tuple(steps),
        conclusion=f"{_listed([name for name in tables if name in apart])} still print the params of v1.",
        holds={"Table 8", "Table 10", "Table 11", "Figure 1(b)", "Figure 5(a)"} == set(apart),
        sources=sources(*(rows[:1] for rows in tables.values())),
    )


def accuracies(published: Published) -> Finding:
    """V2-S's ImageNet accuracies in one paper."""
    said = {
        "Table 7": one(published("efficientnetv2/table7"), version="v3", model="EfficientNetV2-S")["top1_pct"],
        "Table 11": one(published("efficientnetv2/table11"), model="V2-S")["top1_pct"],
        "Table 8": one(published("efficientnetv2/table8"), model="EfficientNetV2-S")["top1_pct"],
    }
    six = {
        f"Table {table}": one(published(f"efficientnetv2/table{table}"), version="v3", model="EfficientNet-B6")[
            "top1_pct"
        ]
        for table in ("1", "7")
    }
    figure = one(published("efficientnetv2/figure1a"), model="B6")
    six["Figure 1(a)"] = figure["top1_pct"]
    return Finding(
        name="accuracies",
        title="One network, several accuracies",
        claim="The paper prints ImageNet accuracies of V2-S and of EfficientNet-B6 in several places.",
        steps=tuple(
            f"{name}: " + ", ".join(f"{where} {value} %" for where, value in found.items()) + "."
            for name, found in (("V2-S", said), ("EfficientNet-B6", six))
        ),
        conclusion=(
            "V2-S has three accuracies, since Table 11 trains without progressive learning and Table 8 does not say; "
            "B6 has three too."
        ),
        holds=len(set(said.values())) == 3 and len(set(six.values())) == 3,
        sources=sources((figure,), published("efficientnetv2/table11")[:1], published("efficientnetv2/table8")[:1]),
    )


def _sizes(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _listed(names: list[str]) -> str:
    """`a, b and c`, each once."""
    once = list(dict.fromkeys(names))
    return f"{', '.join(once[:-1])} and {once[-1]}" if len(once) > 1 else "".join(once)
