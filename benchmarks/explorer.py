"""How fast and how light the explorer is: Chromium with software rendering, a study of 10,000 trials, live and as file.

Times are taken in the page, to the frame that shows the effect: after each frame's work and paint (a task queued from
`requestAnimationFrame`) a condition on the page is looked at, so what is counted is on the screen. Inputs are real ones
(mouse, keyboard, a select); a time begins with the `timeStamp` of the event. A first plot begins with the navigation
and ends with the frame in which the front's line, the axes and a canvas that is not empty stand together (grid and
networks are drawn on it in one go). Usage: python benchmarks/explorer.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from nas.environment import environment  # noqa: E402
from tests.explorer_browser import chromium  # noqa: E402
from tests.explorer_served import Served  # noqa: E402
from tests.explorer_studies import big_study  # noqa: E402
from tests.explorer_writer import Writer  # noqa: E402

WIDE = {"width": 1280, "height": 900}
_FRAMES = """
window.afterEachFrame = (look) => {
    const frame = () => requestAnimationFrame(() => setTimeout(() => { if (!look()) frame(); }));
    frame();
};
"""
_FIRST = (
    _FRAMES
    + """
window.firstPlot = new Promise((done) => {
    const drawn = () => {
        const line = document.querySelector("#x-plot .scatterlayer path.js-line");
        const canvas = document.querySelector("#x-plot canvas"), title = document.querySelector("#x-plot .xtitle");
        if (!line || !title || !canvas || !canvas.width) return false;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 3; i < data.length; i += 4) if (data[i]) return done(performance.now()), true;
        return false;
    };
    window.afterEachFrame(drawn);
});
"""
)
_EFFECT = """([kind, look]) => {
    const holds = eval(look);
    let start = null;
    const mark = (event) => { start ??= event.timeStamp; };
    window.addEventListener(kind, mark, { capture: true, once: true });
    window.effect = new Promise((done) => window.afterEachFrame(() => {
        if (start === null || !holds()) return false;
        done(performance.now() - start);
        return true;
    }));
    window.effect = Promise.race([window.effect, new Promise((done) => setTimeout(done, 3000, null))]);
}"""
_CLOSE = "[...document.querySelectorAll('#x-panel button')].find((one) => one.textContent === 'Close').click()"
_COUNT = """() => {
    const text = document.querySelector("#x-head .x-facts p")?.textContent ?? "";
    return Number(/([\\d,]+) measured/.exec(text)?.[1].replaceAll(",", "") ?? 0);
}"""


@dataclass
class Row:
    """One figure: its repeats, its limit and how it reads."""

    what: str
    values: Sequence[float]
    unit: str
    most: float | None = None
    how: str = ""
    digits: int = 0

    @property
    def worst(self) -> float:
        return max(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def held(self) -> bool:
        return self.most is None or self.median <= self.most

    def text(self) -> str:
        middle, worst = (f"{value:,.{self.digits}f} {self.unit}" for value in (self.median, self.worst))
        limit = "–" if self.most is None else f"{self.most:,g} {self.unit}"
        verdict = "" if self.most is None else ("held" if self.held else "**missed**")
        return f"| {self.what} | {middle} | {worst} | {len(self.values)} | {limit} | {verdict} |"

    def to_json(self) -> dict[str, Any]:
        values = [round(value, 5) for value in self.values]
        return {"what": self.what, "unit": self.unit, "median": round(self.median, 5), "worst": round(self.worst, 5),
                "limit": self.most, "held": self.held, "values": values, "how": self.how}  # fmt: skip


@dataclass
class Bench:
    browser: Any
    folder: Path
    trials: int
    repeats: int
    rows: list[Row] = field(default_factory=list)

    def add(self, *words: Any, **more: Any) -> None:
        self.rows.append(Row(*words, **more))
        print(self.rows[-1].text(), flush=True)

    def open(self, url: str) -> tuple[Any, float, list[float]]:
        """A page in a context of its own with nothing cached, the ms to its first plot, the bytes that came."""
        context = self.browser.new_context(viewport=WIDE)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.add_init_script(_FIRST)
        sizes: list[float] = []
        protocol = context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(url, wait_until="commit")
        first = float(page.evaluate("window.firstPlot"))
        return page, first, sizes


def effect(page: Any, kind: str, look: str, act: Callable[[], Any]) -> float:
    """Ms from the event of this kind that `act` makes until a frame was painted in which `look` holds."""
    page.evaluate(_EFFECT, [kind, look])
    act()
    found = page.evaluate("window.effect")
    if found is None:
        raise RuntimeError(f"nothing came of {kind}: {look}")
    return float(found)


def poll(page: Any, condition: str) -> None:
    """Waits for a JavaScript expression; playwright's own wait evaluates text, which the page's policy refuses."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        if time.monotonic() > end:
            raise TimeoutError(condition)
        page.wait_for_timeout(20)


def settle(page: Any) -> None:
    """Until the page has nothing left to do."""
    page.evaluate("new Promise((done) => requestIdleCallback(() => requestIdleCallback(done), { timeout: 5000 }))")
    page.wait_for_timeout(300)


def loads(bench: Bench, server: Served) -> Any:
    """First plots of the live page, and what they cost; hands over the last page."""
    bench.add("server CPU to start, until its address is known", [server.cpu()], "s", digits=2)
    times, sizes, costs = [], [], []
    page = None
    for _ in range(bench.repeats + 1):
        if page is not None:
            page.context.close()
        before = server.cpu()
        page, first, came = bench.open(server.url)
        settle(page)
        page.wait_for_timeout(700)
        times.append(first / 1e3)
        costs.append(server.cpu() - before)
        sizes.append(sum(came) / 1e6)
    bench.add("first plot, live, first of the server", times[:1], "s", 2.0, digits=2)
    bench.add("first plot, live", times[1:], "s", 2.0, digits=2)
    bench.add("bytes over the wire, the whole page", sizes, "MB", 2.0, digits=2)
    bench.add("server CPU of the first load", costs[:1], "s", 0.3, digits=2)
    bench.add("server CPU of a load", costs[1:], "s", 0.3, digits=2)
    before = server.cpu()
    page.locator("#x-report").scroll_into_view_if_needed()
    page.wait_for_selector("#x-report section", state="attached")
    settle(page)
    bench.add("server CPU of the report below, once it is asked for", [server.cpu() - before], "s", digits=2)
    page.evaluate("scrollTo(0, 0)")
    return page


def file_loads(bench: Bench, url: str) -> None:
    """First plots of the offline file."""
    start = time.perf_counter()
    out = bench.folder / "report"
    command = [sys.executable, "-m", "nas", "report", "big", "--storage", url, "--out", str(out)]
    subprocess.run(command, check=True, cwd=bench.folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    bench.add("writing the file, `nas report`", [time.perf_counter() - start], "s", digits=1)
    page = out / "report.html"
    bench.add("the file", [page.stat().st_size / 1e6], "MB", 6.0, digits=2)
    times = []
    for _ in range(bench.repeats):
        opened, first, _ = bench.open(page.as_uri())
        times.append(first / 1e3)
        last = opened
        if len(times) < bench.repeats:
            opened.context.close()
    bench.add("first plot, file", times, "s", 2.0, digits=2)
    interactions(bench, last, "file")
    last.context.close()


def interactions(bench: Bench, page: Any, kind: str) -> None:
    """Axis, filter and click, each with a real input."""
    settle(page)
    axis = page.locator("#x-bar select").first
    times = []
    for turn in range(bench.repeats):
        key, title = (("params", "params"), ("flops", "FLOPs"))[turn % 2]
        look = f"() => document.querySelector('#x-plot .xtitle').textContent.startsWith('{title}')"
        times.append(effect(page, "input", look, lambda key=key: axis.select_option(key)))
        settle(page)
    bench.add(f"axis change, {kind}", times, "ms", 200)
    page.locator("#x-filters summary").click()
    top1 = page.get_by_role("textbox", name="top-1 (%), at least")
    top1.wait_for()
    settle(page)
    times = []
    for turn in range(bench.repeats):
        shown = page.locator("#x-filters .x-shown").inner_text()
        look = f"() => document.querySelector('#x-filters .x-shown').textContent !== {json.dumps(shown)}"
        top1.fill(str((40, 55)[turn % 2] + turn / 10))
        settle(page)
        times.append(effect(page, "keydown", look, lambda: top1.press("Enter")))
        settle(page)
    bench.add(f"filter, {kind}", times, "ms", 200)
    top1.fill("")
    top1.press("Enter")
    page.locator("#x-plot").scroll_into_view_if_needed()
    settle(page)
    bench.add(f"click on a network until its panel stands, {kind}", clicks(bench, page), "ms", 200)


def clicks(bench: Bench, page: Any) -> list[float]:
    times: list[float] = []
    for turn in range(bench.repeats):
        spot = page.evaluate(
            """(turn) => {
                const canvas = document.querySelector("#x-plot canvas"), box = canvas.getBoundingClientRect();
                const ratio = canvas.width / box.width, pen = canvas.getContext("2d", { willReadFrequently: true });
                const row = Math.round(canvas.height * (0.25 + 0.03 * turn));
                const { data } = pen.getImageData(0, row, canvas.width, 1), dark = [];
                for (let i = 0; i < canvas.width; i++) if (data[4 * i + 3] > 150) dark.push(i);
                return [box.x + dark[dark.length >> 1] / ratio, box.y + row / ratio];
            }""",
            turn,
        )
        look = "() => Boolean(document.querySelector('#x-panel .p-name')?.textContent)"
        page.mouse.move(*spot)
        settle(page)
        page.evaluate(_EFFECT, ["pointerup", look])
        page.mouse.down()
        page.mouse.up()
        found = page.evaluate("window.effect")
        if found is None:
            raise RuntimeError("a click selected nothing within 3 s")
        times.append(float(found))
        page.evaluate(_CLOSE)
    return times


def updates(bench: Bench, server: Served, page: Any, writer: Writer) -> None:
    """From a trial's commit to the screen, and what the server spends on it."""
    page.evaluate(
        f"""() => {{
            const count = {_COUNT};
            window.seen = [];
            window.afterEachFrame(() => {{
                const now = count();
                if (window.seen.at(-1)?.[1] !== now) window.seen.push([Date.now() / 1000, now]);
                return false;
            }});
        }}"""
    )
    poll(page, "window.seen.length > 0")
    idle, start = server.cpu(), time.perf_counter()
    page.wait_for_timeout(4000)
    idle = (server.cpu() - idle) / (time.perf_counter() - start)
    bench.add("server CPU of a second in which nothing happens", [idle], "s", digits=3)
    waits, costs = [], []
    for _ in range(bench.repeats):
        before, start, count = server.cpu(), time.perf_counter(), page.evaluate(_COUNT)
        told = writer.tell()
        poll(page, f"window.seen.at(-1)[1] > {count}")
        page.wait_for_timeout(700)
        seen = next(at for at, shown in page.evaluate("window.seen") if shown > count)
        waits.append(seen - told["at"])
        costs.append(max(0.0, server.cpu() - before - idle * (time.perf_counter() - start)))
    bench.add("a trial: commit → on the screen", waits, "s", 1.0, digits=2)
    bench.add("server CPU of an update, beyond idling", costs, "s", 0.05, digits=3)


def beside(bench: Bench, server: Served, writer: Writer, rounds: int, seconds: float, pace: float) -> None:
    """Trials a second with nobody watching and with an open page, in turns A B B A."""
    writer.send(f"go {pace}")
    page = bench.browser.new_context(viewport=WIDE).new_page()
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(rounds):
        for watched in ((False, True), (True, False))[turn % 2]:
            os.kill(server.process.pid, 18 if watched else 19)  # SIGCONT, SIGSTOP
            page.goto(server.url if watched else "about:blank")
            if watched:
                page.wait_for_selector("#x-plot .scatterlayer path.js-line", state="attached")
            end, times = time.time() + seconds + 1, []
            while (told := writer.next("complete"))["at"] < end:
                if told["at"] >= end - seconds:
                    times.append(told["at"])
            rates[watched].append((len(times) - 1) / (times[-1] - times[0]))
    os.kill(server.process.pid, 18)
    page.context.close()
    pairs = [100 * (1 - with_page / alone) for alone, with_page in zip(rates[False], rates[True], strict=True)]
    words = "as fast as it goes, nothing measured" if not pace else f"{pace:g} s a trial"
    bench.add(f"search alone, {words}", rates[False], "trials/s", digits=2)
    bench.add(f"search with a page open, {words}", rates[True], "trials/s", digits=2)
    bench.add(f"trials a second lost, {words}", pairs, "%", 2.0, digits=1, how="pairs of turns, A B B A")


def measure(bench: Bench, rounds: int, seconds: float) -> None:
    path = bench.folder / "big.db"
    url = big_study(path, bench.trials)
    print("| | median | worst | repeats | limit | |\n|---|---|---|---|---|---|")
    server, writer = Served("big", "--storage", url, cwd=bench.folder), None
    try:
        page = loads(bench, server)
        interactions(bench, page, "live")
        writer = Writer(path, "--name", "big")
        writer.tell()
        updates(bench, server, page, writer)
        page.context.close()
        for pace in (1.0, 0.0):
            beside(bench, server, writer, rounds, seconds, pace)
    finally:
        if writer is not None:
            writer.close()
        server.close()
    file_loads(bench, url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=6, help="pairs of turns with and without an open page")
    parser.add_argument("--seconds", type=float, default=12.0, help="of a turn")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "explorer.json")
    options = parser.parse_args()
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        bench = Bench(browser, Path(folder), options.trials, options.repeats)
        measure(bench, options.rounds, options.seconds)
        version = browser.version
    missed = [row.what for row in bench.rows if not row.held]
    print(f"missed: {'; '.join(missed)}" if missed else "every limit held")
    document = {"environment": environment("cpu"), "chromium": version, "trials": options.trials, "load": load,
                "rows": [row.to_json() for row in bench.rows]}  # fmt: skip
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
