"""The page's panels on a page without a server: what they ask of, compare, draw, and where the focus goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nas.metric import METRICS
from tests.explorer_browser import browser, modules_page  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def modules(browser: Any) -> Iterator[Any]:  # noqa: F811
    page = modules_page(browser)
    yield page
    page.close()


def study(key: str, rows: list[dict[str, Any]], spread: dict[str, float]) -> dict[str, Any]:
    """A study document of these networks, all on one device under one training."""
    used = ["top1_pct", "flops", "latency_ms"]
    fields = ("key", "label", "unit", "goal", "kind", "style", "meaning")
    metrics = [{"badge": "", **{name: getattr(METRICS[one], name) for name in fields}} for one in used]
    values = {one: [row.get(one) for row in rows] for one in used}
    spreads = {one: [row.get(f"{one}_spread", spread.get(one)) for row in rows] for one in used}
    count = len(rows)
    return {
        "key": key, "name": f"s{key}", "source": "nas.db", "option": "", "recipe": {}, "state": "ok", "note": "",
        "objectives": [{"key": one["key"], "goal": one["goal"]} for one in metrics[:2]], "limits": [],
        "metrics": metrics, "timed": ["latency_ms"], "trained": ["top1_pct"], "devices": ["A"], "trainings": ["x"],
        "rows": {
            "n": count, "trial": [*range(count)], "state": [0] * count,
            "notation": {"tokens": [["r32"], ["s8"]], "index": [[0] * count] * 2}, "values": values,
            "spreads": spreads, "device": [0] * count, "training": [0] * count, "started": [None] * count,
            "seconds": [None] * count, "baseline": {}, "repeat": [], "reason": {}, "over": {}, "retry_of": {},
        },
        "drawings": None, "settings": None,
    }  # fmt: skip


def on_page(modules: Any, studies: list[dict[str, Any]], body: str, *more: Any) -> Any:
    """What `body`, a function of the app and more, returns on a page of these studies."""
    source = f"""async ([studies, more]) => {{
        const {{ createApp }} = await import("/main.js");
        const app = createApp({{ schema: 1, mode: "file", studies, published: [] }}, {{ mode: "file" }});
        app.store.derived.invalidate({{ data: true, keys: new Set() }});
        return await ({body})(app, ...more); }}"""
    return modules.evaluate(source, [studies, list(more)])


def test_readings_of_two_studies_are_not_compared(modules: Any) -> None:
    rows = [{"top1_pct": 70, "flops": 1e9, "latency_ms": 3}]
    told = on_page(
        modules,
        [study("0", rows, {}), study("1", rows, {})],
        """async (app) => { const { incomparable } = await import("/comparison.js");
            const keys = ["flops", "latency_ms", "top1_pct"];
            return keys.map((key) => incomparable(app, 0, 1, app.store.metric(key))); }""",
    )
    assert told == ["", *["other studies: s0 and s1"] * 2]


def test_one_that_is_tied_behind_the_runner_up_is_named(modules: Any) -> None:
    rows: list[dict[str, Any]] = [
        {"top1_pct": 80, "flops": 1e9, "top1_pct_spread": 0.1},
        {"top1_pct": 79, "flops": 1e9, "top1_pct_spread": 0.1},
        {"top1_pct": 78, "flops": 1e9, "top1_pct_spread": 3},
    ]
    body = """async (app, count) => {
        const { mountDecide } = await import("/decide.js"), place = document.createElement("div");
        const filters = count === 2 ? { top1_pct: [79, null] } : {};
        app.view.set({ goal: { key: "top1_pct", needs: [], device: "" }, filters });
        mountDecide(place, app);
        return place.querySelector(".p-answer").textContent; }"""
    tied = "Another network is tied with the answer within noise: it may be the best."
    assert tied in on_page(modules, [study("0", rows, {})], body, 3)
    assert "tied" not in on_page(modules, [study("0", rows, {})], body, 2)


def test_a_question_stays_where_filters_leave_nothing_to_ask_of(modules: Any) -> None:
    rows: list[dict[str, Any]] = [{"top1_pct": 70, "flops": 1e9, "latency_ms": 3}, {"top1_pct": 75, "flops": 2e9}]
    told = on_page(
        modules,
        [study("0", rows, {})],
        """async (app) => {
            const { mountDecide } = await import("/decide.js"), place = document.createElement("div");
            const goal = { key: "top1_pct", needs: [["latency_ms", "<=", 5]], device: "" };
            app.view.set({ goal, filters: { top1_pct: [74, null] } });
            mountDecide(place, app);
            return [place.querySelectorAll(".p-need").length, place.querySelector(".p-field").value,
                place.querySelector(".p-answer").textContent, place.querySelector(".p-need select").value]; }""",
    )
    assert told == [1, "5", "No network shown has top-1 and latency.", "latency_ms"]


def test_parallel_coordinates_draw_what_passes_the_filters(modules: Any) -> None:
    rows = [{"top1_pct": 70 + place, "flops": (1 + place) * 1e9, "latency_ms": 9 - place} for place in range(4)]
    told = on_page(
        modules,
        [study("0", rows, {})],
        """async (app) => {
            const { rowsToDraw } = await import("/parallelaxes.js");
            app.view.set({ filters: { latency_ms: [null, 8], flops: [3e9, null] } });
            const drawn = (...axes) => rowsToDraw(app, axes, (g, key) => app.store.value(g, key)).rows.sort();
            return [drawn("top1_pct", "flops"), drawn("top1_pct", "latency_ms"), drawn("flops", "latency_ms")]; }""",
    )
    assert told == [[1, 2, 3], [2, 3], [0, 1, 2, 3]]


def test_a_drawing_that_did_not_come_is_asked_again(modules: Any) -> None:
    told = on_page(
        modules,
        [study("0", [{"top1_pct": 70, "flops": 1e9}], {})],
        """async (app) => {
            const { mountPanel } = await import("/panel.js"), place = document.createElement("div");
            let away = true;
            app.drawing = async () => { if (away) throw new Error("the server is away"); return null; };
            app.view.set({ selected: "s0:0" });
            document.body.append(place);
            mountPanel(place, app);
            const said = () => place.querySelector(".d-box").textContent;
            await new Promise((done) => setTimeout(done, 20));
            const before = said();
            away = false;
            place.querySelector(".d-box button").click();
            await new Promise((done) => setTimeout(done, 20));
            const after = said();
            [...place.querySelectorAll("button")].find((one) => one.textContent === "Close").click();
            const focused = document.activeElement.className;
            place.remove();
            return [before, after, focused]; }""",
    )
    assert told == [
        "The drawing did not come: the server is away. try again",
        "No drawing: the inside of this network is not known here.",
        "p-quiet p-empty",
    ]


def test_a_row_that_leaves_the_table_hands_its_focus_on(modules: Any) -> None:
    rows = [{"top1_pct": 70 + place, "flops": (1 + place) * 1e9} for place in range(4)]
    told = on_page(
        modules,
        [study("0", rows, {})],
        """async (app) => {
            const { mountFrontTable } = await import("/fronttable.js"), place = document.createElement("div");
            document.body.append(place);
            mountFrontTable(place, app);
            const names = () => [...place.querySelectorAll("tbody button")].map((one) => one.textContent);
            place.querySelectorAll("tbody button")[1].focus();
            const before = [names(), document.activeElement.textContent];
            app.view.set({ filters: { top1_pct: [null, 71.5] } });
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)));
            const after = [names(), document.activeElement.textContent];
            place.remove();
            return [before, after]; }""",
    )
    assert told == [[["#3", "#2", "#1", "#0"], "#2"], [["#1", "#0"], "#0"]]


def test_a_picture_waits_while_an_axis_is_brushed(modules: Any) -> None:
    source = """async () => {
        const { parallelPlot } = await import("/parallelplot.js"), place = document.createElement("div");
        const axis = (label) => ({ label, ticks: [], range: null });
        const brushed = [];
        const picture = (label) => ({ axes: [axis(label), axis("b")], lines: [[0, 1]], standing: [0],
            onBrush: (at, range) => brushed.push([label, at, range !== null]) });
        const plot = parallelPlot();
        place.append(plot.node);
        document.body.append(place);
        plot.draw(picture("first"));
        const label = () => place.querySelector(".p-axis-label").textContent;
        const brush = place.querySelector(".p-brush");
        brush.setPointerCapture = () => {};
        const box = plot.node.querySelector("svg").getBoundingClientRect();
        const send = (type, down) =>
            brush.dispatchEvent(new PointerEvent(type, { clientY: box.top + down, bubbles: true }));
        send("pointerdown", 60);
        send("pointermove", 120);
        plot.draw(picture("second"));
        const during = [label(), brush.isConnected];
        send("pointerup", 160);
        const after = [label(), brushed];
        place.remove();
        return [during, after]; }"""
    assert modules.evaluate(source) == [["first", True], ["second", [["first", 0, True]]]]
