"""What Python and the page both compute, they compute alike: fronts and ties, and numbers in words."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from nas.metric import METRICS, MetricError, parse_number
from nas.pareto import Point, standing
from nas.report.tables import reading_text, unit
from tests.explorer_browser import browser, modules_page  # noqa: F401

pytestmark = pytest.mark.browser
KEYS = "abcde"


@pytest.fixture(scope="module")
def modules(browser: Any) -> Iterator[Any]:  # noqa: F811
    page = modules_page(browser)
    yield page
    page.close()


def drawn_case(seed: int) -> dict[str, Any]:
    """Random points: few distinct values so that they tie and repeat, or many; with and without noise and holes."""
    draw = random.Random(seed)
    count, width = draw.choice([0, 1, 2, 5, 12, 40, 90]), draw.randint(1, 5)
    coarse, holes, noise = draw.random() < 0.5, draw.choice([0, 0, 0.1, 0.5]), draw.choice([0, 0.05, 0.3, 2])
    gaps = [math.nan, math.inf, -math.inf, None]

    def value() -> float | None:
        if draw.random() < holes:
            return draw.choice(gaps)
        return float(draw.randint(-3, 3)) if coarse else draw.uniform(-1, 1) * 10 ** draw.choice([0, 0, 5])

    def spread() -> float | None:
        if not noise or draw.random() < 0.3:
            return draw.choice([None, 0.0])
        return draw.choice([1, 1, 1, -1]) * (1.0 if coarse and noise > 1 else noise * draw.random())

    return {
        "goals": [draw.choice(["minimize", "maximize"]) for _ in range(width)],
        "values": [[value() for _ in range(count)] for _ in range(width)],
        "spreads": [[spread() for _ in range(count)] for _ in range(width)],
    }


def ranked(case: dict[str, Any]) -> list[str]:
    """What nas.pareto says of the points of a case."""
    keys = KEYS[: len(case["goals"])]
    points = [
        Point(dict(zip(keys, values, strict=True)), dict(zip(keys, spreads, strict=True)))
        for values, spreads in zip(zip(*case["values"], strict=True), zip(*case["spreads"], strict=True), strict=True)
    ]
    found = standing(points, list(zip(keys, case["goals"], strict=True)))
    return [status or "unranked" for status in found]


def test_the_page_ranks_as_python_does(modules: Any) -> None:
    cases = [drawn_case(seed) for seed in range(600)]
    expected = [ranked(case) for case in cases]
    found = modules.evaluate(
        """async (cases) => {
            const { orientedRows, spreadRows, standingOf } = await import("/front.js");
            const words = ["unranked", "front", "tied", "dominated"];
            const numbers = (column) => Float64Array.from(column, (value) => value ?? NaN);
            return cases.map(({ goals, values, spreads }) => {
                const order = Array.from(values[0], (_, n) => n);
                const rows = orientedRows(values.map(numbers), goals, order);
                const noise = spreadRows(spreads.map(numbers), order);
                return Array.from(standingOf(rows, noise, goals.length), (code) => words[code]);
            });
        }""",
        cases,
    )
    wrong = [seed for seed, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b]
    assert wrong == []
    said = [word for case in expected for word in case]
    assert min(said.count(word) for word in ("front", "tied", "dominated", "unranked")) > 100


def numbers() -> list[float]:
    """Values where rounding, letters and separators change, and random ones of every size that is measured."""
    draw = random.Random(7)
    edges = [0.05, 0.25, 0.5, 1.5, 2.5, 9.9995, 9.99949, 10.0, 99.5, 99.95, 100.0, 100.5, 101.5, 999.5, 1000.0]
    edges += [0.125, 0.0625, 0.0005, 0.0015, 2.675, 1.005, 81.25, 81.35, 81.75, 12.45, 1234.5, 12345.25, 99999.95]
    edges += [0.9995 * 10**power for power in range(2, 14)] + [999.5 * 10**power for power in range(12)]
    edges += [10.0**power for power in range(-7, 14)] + [1.2345 * 10**power for power in range(-7, 13)]
    edges += [step + 0.5 for step in range(90, 110)] + [step / 8 for step in range(1, 80)] + [8787542048.0]
    drawn = [draw.uniform(-1, 1) * 10 ** draw.uniform(-6, 13) for _ in range(1500)]
    whole = [float(draw.randrange(10 ** draw.randint(1, 13))) for _ in range(500)]
    return [0.0, *edges, *(-edge for edge in edges), *drawn, *whole]


def test_the_page_writes_numbers_as_python_does(modules: Any) -> None:
    values, metrics = numbers(), list(METRICS.values())
    draw = random.Random(9)
    sized = [abs(value) * 10 ** draw.uniform(-5, 0.5) for value in values]
    spreads = [draw.choice([None, 0.0, 0.05, 0.0499, 9.99, 10.0, size]) for size in sized]
    expected = [
        [[metric.format(value), reading_text(metric, value, spread)] for metric in metrics]
        for value, spread in zip(values, spreads, strict=True)
    ]
    found = modules.evaluate(
        """async ({ values, spreads, metrics }) => {
            const { formatValue, formatReading } = await import("/format.js");
            const known = JSON.parse(metrics);
            return values.map((value, n) => known.map((metric) =>
                [formatValue(metric, value), formatReading(metric, value, spreads[n])]));
        }""",
        {"values": values, "spreads": spreads, "metrics": json.dumps([asdict(metric) for metric in metrics])},
    )
    wrong = [
        (metrics[place].key, values[row], spreads[row], found[row][place], expected[row][place])
        for row in range(len(values))
        for place in range(len(metrics))
        if found[row][place] != expected[row][place]
    ]
    assert wrong == []


def test_the_page_states_units_as_python_does(modules: Any) -> None:
    found = modules.evaluate(
        """async (metrics) => {
            const { unitOf, formatValue } = await import("/format.js");
            return JSON.parse(metrics).map((metric) => [unitOf(metric), formatValue(metric, null)]);
        }""",
        json.dumps([asdict(metric) for metric in METRICS.values()]),
    )
    assert found == [[unit(metric), metric.format(None)] for metric in METRICS.values()]


def test_the_page_reads_sizes_as_python_does(modules: Any) -> None:
    texts = [
        "4G",
        "2.5G",
        "4e9",
        "400M",
        "30 M",
        "1.5k",
        "7K",
        "4.4B",
        "2T",
        "12",
        " 12 ",
        ".5",
        "5.",
        "+3",
        "-0.07",
        "1e-3M",
    ]
    texts += ["1e-3M", "", "G", "4 G G", "four", "4x", "1e", "--3", "0x10", "NaN", "Infinity", "1_000", "4g"]

    def read(text: str) -> float | None:
        try:
            return parse_number(text)
        except MetricError:
            return None

    found = modules.evaluate(
        """async (texts) => {
            const { parseQuantity } = await import("/format.js");
            return texts.map(parseQuantity);
        }""",
        texts,
    )
    assert found == [read(text) for text in texts]
