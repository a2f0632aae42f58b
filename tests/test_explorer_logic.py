"""What the page's panels compute, in Chromium: decisions, differences, commands, CSV, deltas in words."""

from __future__ import annotations

import csv
import io
import math
import random
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from nas.arch import Architecture, parse
from nas.difference import differences
from nas.metric import METRICS
from nas.space_file import baselines, load_architecture, load_space
from tests.explorer_browser import browser, modules_page  # noqa: F401

pytestmark = pytest.mark.browser
GOALS = {"top1_pct": "maximize", "flops": "minimize", "latency_ms": "minimize"}


@pytest.fixture(scope="module")
def modules(browser: Any) -> Iterator[Any]:  # noqa: F811
    page = modules_page(browser)
    yield page
    page.close()


def call(modules: Any, module: str, name: str, arguments: list[Any]) -> Any:
    """What an exported function returns for each list of arguments."""
    source = """async ([module, name, all]) => { const found = await import(`/${module}.js`);
        return all.map((one) => found[name](...one)); }"""
    return modules.evaluate(source, [module, name, arguments])


# axes


def test_the_axes_to_begin_with_are_such_as_networks_differ_in(modules: Any) -> None:
    """A study of one network's trainings has one FLOPs: everything would stand in a line."""
    source = """async (all) => { const { defaultAxes } = await import("/view.js");
        return all.map((columns) => defaultAxes({
            n: 2, column: (key) => columns[key], studies: [],
            metrics: Object.keys(columns).map((key) => ({ key })) })); }"""
    usual = {"top1_pct": [60, 61], "flops": [1, 2], "train_seconds": [4, 5]}
    found = modules.evaluate(
        source, [usual, {**usual, "flops": [1, 1]}, {**usual, "flops": [1, 1], "train_seconds": [4, 4]}]
    )
    assert [axes["x"] for axes in found] == ["flops", "train_seconds", "flops"]


# differences


def networks() -> list[Architecture]:
    space = load_space("efficientnetv2")
    return [*(load_architecture(name) for name in baselines()), *(space.sample(seed=seed) for seed in range(60))]


def test_the_notation_reads_as_in_python(modules: Any) -> None:
    archs = networks()
    found = call(modules, "difference", "parseNotation", [[str(arch)] for arch in archs])
    for arch, read in zip(archs, found, strict=True):
        assert read is not None, arch
        assert [stage["token"] for stage in read["stages"]] == [str(stage) for stage in arch.stages]
        assert (read["stem"], read["stem_kernel"], read["stem_pool"]) == (arch.stem, arch.stem_kernel, arch.stem_pool)
    nothing = ["", "torchvision:densenet169@224", "r224 s32", "r224 s32 m1k3s1c16n1 h1280 <b>", "r224 s32 h1280"]
    assert call(modules, "difference", "parseNotation", [[text] for text in nothing]) == [None] * len(nothing)


def test_differences_are_those_of_python(modules: Any) -> None:
    draw, archs = random.Random(1), networks()
    archs.append(parse("r224 s32k7p2 b1k3s1c64n2 n0.25k3s2c256n3g32 h0 y10 relu"))
    pairs = [draw.sample(archs, 2) for _ in range(300)] + [[archs[0], archs[0]]]
    source = """async (pairs) => { const { differences, parseNotation } = await import("/difference.js");
        return pairs.map(([a, b]) => differences(parseNotation(a), parseNotation(b))); }"""
    found = modules.evaluate(source, [[str(a), str(b)] for a, b in pairs])
    for (a, b), rows in zip(pairs, found, strict=True):
        expected = differences(a, b)
        assert [row[0] for row in rows] == [row[0] for row in expected]
        for row, wanted in zip(rows, expected, strict=True):
            assert [plain(value) for value in row[1:]] == [plain(value) for value in wanted[1:]], row[0]


def plain(value: Any) -> Any:
    """A cell without the way its number is written: 6 and '6.0' are one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return "–" if value is None else value


# decisions


def drawn_question(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    coarse = draw.random() < 0.5

    def value(key: str) -> float | None:
        if draw.random() < 0.08:
            return None
        low, high = {"top1_pct": (60, 80), "flops": (1, 40), "latency_ms": (2, 9)}[key]
        return float(draw.randint(low, high)) if coarse else draw.uniform(low, high)

    candidates = [
        {
            "g": place,
            "values": {key: value(key) for key in GOALS},
            "spreads": {"top1_pct": draw.choice([0, 0.5, 2]), "flops": 0, "latency_ms": draw.choice([0, 0.3])},
        }
        for place in range(draw.choice([0, 1, 2, 7, 30]))
    ]
    keys = draw.sample(list(GOALS), 3)
    relation = {"maximize": ">=", "minimize": "<="}
    bounds = {"top1_pct": (60, 81), "flops": (0, 40), "latency_ms": (1, 9)}
    needs = [[key, relation[GOALS[key]], float(draw.randint(*bounds[key]))] for key in keys[1 : 1 + draw.randint(0, 2)]]
    return {"candidates": candidates, "question": {"key": keys[0], "needs": needs}}


def meets(value: float, relation: str, bound: float) -> bool:
    return value <= bound if relation == "<=" else value >= bound


def oracle(candidates: list[dict[str, Any]], question: dict[str, Any]) -> dict[str, Any]:
    """The answer by going through all candidates."""
    key, needs = question["key"], question["needs"]
    asked = [
        one for one in candidates if all(one["values"][name] is not None for name in (key, *(n[0] for n in needs)))
    ]
    good = [one for one in asked if all(meets(one["values"][name], how, bound) for name, how, bound in needs)]
    sign = -1 if GOALS[key] == "maximize" else 1
    order = sorted(good, key=lambda one: (sign * one["values"][key], one["g"]))
    told: dict[str, Any] = {"asked": len(asked), "qualify": len(good), "order": [one["g"] for one in order]}
    if not order:
        return told
    best = order[0]

    def tied(other: dict[str, Any]) -> bool:
        gap = abs(other["values"][key] - best["values"][key])
        return bool(gap <= max(other["spreads"][key], best["spreads"][key]))

    told["tied"] = len(order) > 1 and tied(order[1])
    told["rivals"] = sum(map(tied, order[1:]))
    nearer = []
    for one in asked:
        missed = [need for need in needs if not meets(one["values"][need[0]], need[1], need[2])]
        better = sign * one["values"][key] < sign * best["values"][key] and not tied(one)
        if better and len(missed) == 1:
            name, how, bound = missed[0]
            over = (one["values"][name] - bound) * (1 if how == "<=" else -1) / (abs(bound) or 1)
            nearer.append((over, sign * one["values"][key], one["g"]))
    told["relaxed"] = min(nearer)[2] if nearer and min(nearer)[0] <= 0.1 else None
    return told


def test_decisions_are_those_of_going_through_all(modules: Any) -> None:
    cases = [drawn_question(seed) for seed in range(400)]
    source = """async ([cases, goals]) => { const { decide } = await import("/decision.js");
        const metricOf = (key) => ({ key, goal: goals[key], style: "plain" });
        return cases.map(({ candidates, question }) => decide(candidates, question, metricOf)); }"""
    found = modules.evaluate(source, [cases, GOALS])
    kinds = set()
    for case, told in zip(cases, found, strict=True):
        wanted = oracle(case["candidates"], case["question"])
        assert (told["asked"], told["qualify"]) == (wanted["asked"], wanted["qualify"])
        order = wanted["order"]
        assert told["best"] is None if not order else told["best"]["g"] == order[0]
        if not order:
            assert wanted["asked"] == 0 or (case["question"]["needs"] and told["nearest"])
            continue
        assert (told["second"]["g"] if told["second"] else None) == (order[1] if len(order) > 1 else None)
        assert (told["tied"], told["rivals"]) == (wanted["tied"], wanted["rivals"])
        assert (told["relaxed"]["other"]["g"] if told["relaxed"] else None) == wanted["relaxed"]
        for margin in told["margins"]:
            gap = abs(margin["value"] - margin["need"][2])
            assert margin["risky"] == (margin["spread"] > 0 and gap <= margin["spread"])
        kinds.add((told["tied"], told["relaxed"] is not None, bool(told["margins"])))
    assert len(kinds) == 6  # every way in which an answer can stand; without a condition nothing can be relaxed


def test_the_nearest_miss_is_named_by_condition(modules: Any) -> None:
    candidates = [
        {"g": 0, "values": {"top1_pct": 70, "flops": 3}, "spreads": {}},
        {"g": 1, "values": {"top1_pct": 78, "flops": 9}, "spreads": {}},
        {"g": 2, "values": {"top1_pct": 79, "flops": 12}, "spreads": {}},
    ]
    question = {"key": "flops", "needs": [["top1_pct", ">=", 78], ["flops", "<=", 4]]}
    source = """async ([candidates, question, goals]) => { const { decide } = await import("/decision.js");
        return decide(candidates, question, (key) => ({ key, goal: goals[key] })).nearest; }"""
    accuracy, cost = modules.evaluate(source, [candidates, question, GOALS])
    assert (accuracy["other"]["g"], accuracy["others"]) == (0, True)
    assert (cost["other"]["g"], cost["others"]) == (1, True)


def test_timed_metrics_are_decided_on_one_device(modules: Any) -> None:
    candidates = [
        {"study": "", "device": device, "training": training, "values": {"top1_pct": 1, "latency_ms": 1, "flops": 1}}
        for device, training in (("A", "x"), ("A", ""), ("B", "x"))
    ]
    assert parts_of(modules, candidates, ["flops"]) == [""]
    assert parts_of(modules, candidates, ["latency_ms"]) == ["A", "B"]
    assert parts_of(modules, candidates, ["top1_pct"]) == ["x", "training not stated"]
    assert parts_of(modules, candidates, ["latency_ms", "top1_pct"]) == ["A / x", "A / training not stated", "B / x"]


def test_readings_of_two_studies_are_not_decided_together(modules: Any) -> None:
    values = {"top1_pct": 1, "latency_ms": 1, "flops": 1, "score": 1}
    candidates = [{"study": study, "device": "A", "training": "x", "values": values} for study in ("one", "two")]
    assert parts_of(modules, candidates, ["flops"]) == [""]
    assert parts_of(modules, candidates, ["flops", "latency_ms"]) == ["one / A", "two / A"]
    assert parts_of(modules, candidates, ["score"]) == ["one", "two"]


def parts_of(modules: Any, candidates: list[dict[str, Any]], keys: list[str]) -> Any:
    source = """async ([candidates, keys]) => { const { comparableParts } = await import("/decision.js");
        const [timed, trained] = [new Set(["latency_ms"]), new Set(["top1_pct"])];
        const isComputed = (key) => key === "flops";
        return [...comparableParts(candidates, keys, { timed, trained, isComputed }).keys()]; }"""
    return modules.evaluate(source, [candidates, keys])


# commands, CSV, words


def test_commands_are_quoted_for_the_shell(modules: Any) -> None:
    words = ["plain", "", "a b", "it's", "$(rm)", "a;b", "x=1", "é", 'say "hi"', "-o", "a\nb", "`x`", "~", "#1"]
    assert call(modules, "commands", "shellQuote", [[word] for word in words]) == [shlex.quote(word) for word in words]


def test_a_network_is_named_by_its_study_or_by_its_notation(modules: Any) -> None:
    notation = "r224 s32 m1k3s1c16n1 h1280"
    facts = {"study": "my-study", "option": "", "trial": 12, "notation": notation, "baseline": "", "name": "#12"}
    cases = [
        facts,
        {**facts, "option": "--storage sqlite:///x.db"},
        {**facts, "option": None},
        {**facts, "trial": None, "baseline": "b0"},
        {**facts, "study": "a study; rm -rf"},
        {**facts, "notation": "torchvision:densenet169@224"},
    ]
    shown = call(modules, "commands", "showCommand", [[case] for case in cases])
    exported = call(modules, "commands", "exportCommand", [[case] for case in cases])
    assert shown == [
        "nas show my-study:12",
        "nas show my-study:12 --storage sqlite:///x.db",
        *[f"nas show '{notation}'"] * 3,
        "nas measure torchvision:densenet169@224",
    ]
    assert [command.partition(" -o ")[2] for command in exported] == [
        "my-study-12.yaml", "my-study-12.yaml", "my-study-12.yaml", "b0.yaml", "a-study-rm--rf-12.yaml", "",
    ]  # fmt: skip


def test_csv_reads_back_and_runs_no_formula(modules: Any) -> None:
    heading = ["name", "value"]
    rows: list[list[Any]] = [
        ["=1+1", 2.5],
        ['a "b", c', -1e-9],
        ["two\nlines", None],
        ["@x", 0],
        ["-y", math.pi],
        ["+z", 4393771024],
        ["plain", 1],
    ]
    [text] = call(modules, "csv", "csvText", [[heading, rows]])
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == heading
    assert [row[0] for row in read[1:]] == ["'=1+1", 'a "b", c', "two\nlines", "'@x", "'-y", "'+z", "plain"]
    assert [float(row[1]) if row[1] else None for row in read[1:]] == [row[1] for row in rows]
    assert text.endswith("\r\n")


@pytest.mark.parametrize(
    ("key", "a", "b", "words"),
    [
        ("train_images_per_s", 97, 173, "trains 1.8 × as fast"),
        ("train_images_per_s", 100, 112, "trains 12 % faster"),
        ("infer_images_per_s", 100, 40, "infers 0.40 × as fast"),
        ("top1_pct", 80, 77.9, "is 2.1 points less accurate"),
        ("flops", 4e9, 3.5e9, "has 13 % fewer FLOPs"),
        ("flops", 4e9, 8e9, "has 2.0 × the FLOPs"),
        ("latency_ms", 10, 12, "has a latency 20 % higher"),
        ("peak_memory_mib", 1000, 900, "needs 10 % less peak memory"),
        ("rank_score", 0.5, 0.25, "has a rank score 0.25 lower"),
        ("flops", 4e9, 4e9, "has the same FLOPs"),
    ],
)
def test_deltas_are_words(modules: Any, key: str, a: float, b: float, words: str) -> None:
    metric = {name: getattr(METRICS[key], name) for name in ("key", "label", "unit", "goal", "kind", "style")}
    assert call(modules, "deltas", "deltaWords", [[metric, a, b]]) == [words]


def test_noise_is_the_larger_of_both(modules: Any) -> None:
    metric = {name: getattr(METRICS["top1_pct"], name) for name in ("key", "label", "unit", "goal", "kind", "style")}
    cases = [[metric, 80, 79.3, 0.2, 0.8], [metric, 80, 79.2, 0.2, 0.7], [metric, 80, 79, 0, 0]]
    assert call(modules, "deltas", "noiseWords", cases) == [
        "tied within noise (± 0.8 points)", "beyond noise (± 0.7 points)", "",
    ]  # fmt: skip


def test_a_brushed_range_is_the_filter_that_draws_it(modules: Any) -> None:
    metric = {name: getattr(METRICS["flops"], name) for name in ("key", "label", "unit", "goal", "kind", "style")}
    source = """async ([metric, values, filters]) => {
        const { metricAxis, filterOfRange } = await import("/parallelaxes.js");
        return filters.map((filter) => { const axis = metricAxis(metric, values, filter);
            return [filterOfRange(axis, axis.range), axis.ticks.map(([at]) => at), values.map(axis.at)]; }); }"""
    values = [4.39e9, 2.11e8, 8.96e8, 2.33e9]
    filters = [None, [3e8, 2e9], [None, 1e9], [5e8, None], [None, None], [1e6, 1e12]]
    found = modules.evaluate(source, [metric, values, filters])
    assert [row[0] for row in found] == [None, [3e8, 2e9], [None, 1e9], [5e8, None], None, None]
    ticks, places = found[0][1:]
    assert len(ticks) >= 3
    assert all(0 <= at <= 1 for at in ticks)
    logs = [math.log(value) for value in values]
    assert places == pytest.approx([(log - min(logs)) / (max(logs) - min(logs)) for log in logs])
