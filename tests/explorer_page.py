"""What a test asks of an open explorer page, in the terms of a reader: points, counts, the selected network."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SHOTS = os.environ.get("NAS_SHOTS", "")  # read at import: tests run without settings of the environment
AXE = os.environ.get("NAS_AXE", "")
SPOT = """([x, y]) => {
    const place = document.querySelector("#x-plot .x-graph"), box = place.getBoundingClientRect();
    const { xaxis, yaxis } = place._fullLayout;
    return [box.x + xaxis._offset + xaxis.d2p(x), box.y + yaxis._offset + yaxis.d2p(y)];
}"""
RANGES = """() => {
    const { xaxis, yaxis } = document.querySelector("#x-plot .x-graph")._fullLayout;
    return [...xaxis.range, ...yaxis.range];
}"""
MEASURED = "Number(/([\\d,]+) measured/.exec(document.querySelector('#x-head .x-facts p')?.textContent ?? '')?.[1])"


class Explorer:
    """An open page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def drawn(self) -> Explorer:
        self.page.wait_for_selector("#x-plot .scatterlayer path.js-line", state="attached")
        self.page.wait_for_selector("#x-table table", state="attached")
        return self

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def shown(self) -> str:
        """`12 of 40 networks shown`."""
        return self.text("#x-filters .x-shown")

    def legend(self) -> dict[str, int]:
        """Networks by the standing that the legend counts."""
        items = self.page.locator("#x-bar .x-legend li")
        pairs = [items.nth(place).locator("span").all_inner_texts() for place in range(items.count())]
        return {word: int(count.replace(",", "")) for word, count in pairs}

    def until(self, condition: str, seconds: float = 10) -> None:
        """Waits for a JavaScript expression. Playwright's own wait evaluates text, which the page's policy refuses."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"never held: {condition}")
            self.page.wait_for_timeout(30)

    def measured(self, count: int, seconds: float = 10) -> None:
        """Waits until the page says that so many networks are measured."""
        self.until(f"{MEASURED} === {count}", seconds)

    def spot(self, values: Mapping[str, float], x: str = "flops", y: str = "top1_pct") -> tuple[float, float]:
        """Where a network lies on the screen."""
        self.page.locator("#x-plot").scroll_into_view_if_needed()
        return tuple(self.page.evaluate(SPOT, [values[x], values[y]]))

    def click(self, values: Mapping[str, float]) -> None:
        self.page.mouse.click(*self.spot(values))

    def selected(self, name: str) -> None:
        """Waits until the panel is about this network, with its drawing."""
        self.until(f"document.querySelector('#x-panel .p-name')?.textContent === {name!r}")
        self.page.wait_for_selector("#x-panel svg")

    def ranges(self) -> list[float]:
        return [round(float(end), 9) for end in self.page.evaluate(RANGES)]

    def zoom(self) -> list[float]:
        """Drags a box over the middle of the plot; the ranges that it gives."""
        before, box = self.ranges(), self.page.locator("#x-plot").bounding_box()
        x, y = box["x"] + 0.45 * box["width"], box["y"] + 0.25 * box["height"]
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 100, y + 60, steps=4)
        self.page.mouse.move(x + 0.35 * box["width"], y + 0.35 * box["height"], steps=4)
        self.page.mouse.up()
        rounded = "map((end) => end.toFixed(3)).join()"
        self.until(f"({RANGES})().{rounded} !== {before}.{rounded}")
        return self.ranges()

    def field(self, name: str) -> Any:
        """A field of the filters, which are opened for it."""
        if not self.page.locator("#x-filters details").evaluate("box => box.open"):
            self.page.locator("#x-filters summary").click()
        return self.page.get_by_role("textbox", name=name)

    def columns(self, head: str) -> list[str]:
        """The cells of a column of the table of networks."""
        return list(
            self.page.evaluate(
                """(head) => {
                    const heads = [...document.querySelectorAll("#x-table thead th")];
                    const place = heads.findIndex((one) => one.innerText.startsWith(head));
                    const rows = [...document.querySelectorAll("#x-table tbody tr")];
                    return rows.map((row) => row.cells[place]?.innerText ?? "");
                }""",
                head,
            )
        )

    def shot(self, name: str, tmp: Path) -> Path:
        """Writes a picture of the page to look at, to the folder NAS_SHOTS if that is set."""
        folder = Path(_SHOTS or tmp)
        folder.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("scrollTo(0, 0)")
        box = self.page.locator("#explorer").bounding_box()
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": size["width"], "height": round(box["y"] + box["height"] + 20)})
        self.page.wait_for_timeout(200)  # the plot follows its size
        self.page.screenshot(path=folder / f"{name}.png")
        self.page.set_viewport_size(size)
        return folder / f"{name}.png"


def number(text: str) -> float:
    """The value of a cell such as `4.39 G ± 0.1` or `1,930`."""
    match = re.match(r"([-\d.,]+)\s*([kMGT]?)", text)
    assert match, text
    return float(match[1].replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[match[2]]


Open = Callable[..., Explorer]
