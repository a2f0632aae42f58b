"""The README's picture: `python docs/picture.py REPORT.html` draws its explorer, light, into docs/front.png."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def picture(report: Path, out: Path) -> None:
    """Write the plot of `report` and what stands beside it to `out`, about 1,200 px wide."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1240, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("#x-plot .main-svg")
        page.wait_for_timeout(500)
        page.locator(".x-wide").screenshot(path=out, animations="disabled")
        browser.close()


if __name__ == "__main__":
    picture(Path(sys.argv[1]), Path(__file__).with_name("front.png"))
