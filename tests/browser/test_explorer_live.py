"""`nas dashboard` on a study that is being written: what comes, what stays as the reader left it, what may go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nas.study.storage import delete_study, open_storage
from tests.browser.conftest import LOST
from tests.explorer_page import Explorer, Open
from tests.explorer_served import Served
from tests.explorer_writer import Writer

pytestmark = pytest.mark.browser
STATE = "document.querySelector('#x-head .x-status').textContent"


@dataclass
class Live:
    """A search, the dashboard that watches it, and how many networks it has measured."""

    writer: Writer
    served: Served
    measured: int = 0

    def tell(self, count: int = 1) -> None:
        for _ in range(count):
            self.writer.tell()
            self.measured += 1


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    writer = Writer(folder / "nas.db")
    known = Live(writer, None)  # type: ignore[arg-type]
    known.tell(8)
    known.served = Served("live", "--storage", writer.url, cwd=folder)
    yield known
    known.served.close()
    writer.close()


@pytest.fixture
def explorer(opened: Open, live: Live) -> Explorer:
    found = opened(live.served.url).drawn()
    found.measured(live.measured)
    return found


def test_a_trial_is_on_the_screen_when_it_is_told(explorer: Explorer, live: Live) -> None:
    before = explorer.legend()
    told = live.writer.tell()
    live.measured += 1
    explorer.measured(live.measured, 3)
    after = explorer.legend()
    standing = ("front", "tied", "dominated")
    assert sum(after.get(word, 0) for word in standing) == sum(before.get(word, 0) for word in standing) + 1
    assert "live" in explorer.page.evaluate(STATE)
    explorer.page.get_by_role("checkbox", name="all networks").check()
    row = explorer.page.locator("#x-table tbody").get_by_role("button", name=f"#{told['trial']}", exact=True)
    row.click()
    explorer.selected(f"#{told['trial']}")


def test_failures_and_running_trials_are_counted_with_their_reasons(explorer: Explorer, live: Live) -> None:
    explorer.page.locator("#x-report").scroll_into_view_if_needed()
    explorer.page.wait_for_selector("#x-report section", state="attached")
    reason = "document.getElementById('x-report').textContent.includes('out of memory at batch 8')"
    assert not explorer.page.evaluate(reason)
    live.writer.tell("fail")
    explorer.until("/[1-9]\\d* failed/.test(document.querySelector('#x-head .x-facts').textContent)")
    assert "1 running" in explorer.text("#x-head .x-facts")
    explorer.page.get_by_role("button", name="refresh the report").click()
    explorer.until(reason)


def test_what_the_reader_set_stays_over_twenty_updates(explorer: Explorer, live: Live) -> None:
    page = explorer.page
    row = page.locator("#x-table tbody").get_by_role("button", name="#1", exact=False).first
    name = row.inner_text()
    row.click()
    explorer.selected(name)
    field = explorer.field("top-1 (%), at least")
    field.fill("20")
    field.press("Enter")
    page.locator("#x-plot").scroll_into_view_if_needed()
    zoomed = explorer.zoom()
    other = explorer.field("FLOPs (multiply-adds), at most")
    other.fill("77")  # not sent: the reader is still typing
    page.evaluate("scrollTo(0, 180)")
    notation = explorer.text("#x-panel code")
    for _ in range(20):
        live.tell()
        explorer.measured(live.measured)
        assert explorer.ranges() == zoomed
    assert explorer.text("#x-panel .p-name") == name
    assert explorer.text("#x-panel code") == notation
    assert field.input_value() == "20"
    assert other.input_value() == "77"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "FLOPs (multiply-adds), at most"
    assert page.evaluate("scrollY") == 180
    assert page.locator("#x-filters details").evaluate("box => box.open")


def test_what_is_typed_into_a_condition_stays_over_updates(explorer: Explorer, live: Live) -> None:
    field = explorer.page.locator("#x-decide").get_by_label("Condition 1: bound", exact=True)
    field.click()
    field.fill("5")  # not sent: the reader is still typing
    for _ in range(3):
        live.tell()
        explorer.measured(live.measured)
    assert field.input_value() == "5"
    field.press("Enter")
    explorer.until("/goal=[^&]*[<>]=5(?:;|$)/.test(decodeURIComponent(location.hash))")
    field.fill("five")
    field.press("Enter")
    live.tell()
    explorer.measured(live.measured)
    assert field.input_value() == "five"
    assert "not a number" in field.evaluate(
        "one => document.getElementById(one.getAttribute('aria-describedby')).innerText"
    )


def test_the_focus_stays_on_a_row_of_the_table(explorer: Explorer, live: Live) -> None:
    row = explorer.page.locator("#x-table tbody tr button").nth(2)
    row.focus()
    name = row.inner_text()
    for _ in range(3):
        live.tell()
        explorer.measured(live.measured)
    assert explorer.page.evaluate("document.activeElement.textContent") == name


def test_a_paused_page_waits_and_then_takes_all(explorer: Explorer, live: Live) -> None:
    before = live.measured
    explorer.page.get_by_role("button", name="pause").click()
    explorer.until(f"{STATE}.includes('paused')")
    live.tell(3)
    explorer.until(f"/[1-9]\\d* new/.test({STATE})")
    explorer.measured(before)
    explorer.page.get_by_role("button", name="resume").click()
    explorer.measured(live.measured)
    assert "live" in explorer.page.evaluate(STATE)


def test_where_events_do_not_come_through_it_asks(opened: Open, live: Live) -> None:
    explorer = opened(live.served.url, excused=LOST, block="**/api/events*").drawn()
    explorer.until(f"{STATE}.includes('polling')")
    live.tell()
    explorer.measured(live.measured)


def test_a_server_that_dies_and_comes_back_is_found_again(opened: Open, live: Live) -> None:
    explorer = opened(live.served.url, excused=LOST).drawn()
    name = explorer.page.locator("#x-table tbody tr button").first.inner_text()
    explorer.page.locator("#x-table tbody tr button").first.click()
    explorer.selected(name)
    live.served.kill()
    explorer.until(f"{STATE}.includes('lost')")
    live.tell(2)
    live.served.restart()
    explorer.measured(live.measured, 15)
    explorer.until(f"{STATE}.includes('live')")
    assert explorer.text("#x-panel .p-name") == name


def test_a_storage_that_goes_away_and_comes_back(opened: Open, live: Live) -> None:
    explorer = opened(live.served.url, excused=LOST).drawn()
    explorer.measured(live.measured)
    path = live.writer.path
    away = [(file, file.with_name("away-" + file.name)) for file in path.parent.glob(path.name + "*")]
    for file, aside in away:
        file.rename(aside)
    explorer.until("document.querySelector('#x-head').textContent.includes('unreachable')", 15)
    explorer.measured(live.measured)
    for file, aside in away:
        aside.rename(file)
    explorer.until("!document.querySelector('#x-head').textContent.includes('unreachable')", 15)
    live.tell()
    explorer.measured(live.measured, 15)


def test_a_link_opens_the_live_view_in_a_second_browser(opened: Open, live: Live, explorer: Explorer) -> None:
    explorer.page.locator("#x-bar select").first.select_option("params")
    explorer.page.locator("#x-plot").focus()
    explorer.page.keyboard.press("End")
    explorer.page.keyboard.press("Enter")
    explorer.until("location.hash.includes('x=params') && location.hash.includes('sel=')")
    other = opened(explorer.page.evaluate("location.href")).drawn()
    other.selected(explorer.text("#x-panel .p-name"))
    assert other.page.locator("#x-bar select").first.input_value() == "params"


def test_the_page_can_be_taken_along_from_the_server(
    explorer: Explorer, opened: Open, live: Live, tmp_path: Path
) -> None:
    with explorer.page.expect_download() as download:
        explorer.page.locator("#x-exports a", has_text="Page").click()
    download.value.save_as(tmp_path / "taken.html")
    taken = opened(tmp_path / "taken.html").drawn()
    taken.measured(live.measured)


def test_a_study_deleted_while_it_is_open_stays_with_a_word(opened: Open, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "nas.db")
    for _ in range(5):
        writer.tell()
    writer.close()
    served = Served("live", "--storage", writer.url, cwd=tmp_path)
    try:
        explorer = opened(served.url, excused=LOST).drawn()
        measured = int(
            explorer.page.evaluate("Number(/(\\d+) measured/.exec(document.querySelector('#x-head').textContent)[1])")
        )
        delete_study(open_storage(writer.url, create=True), "live")
        explorer.until("document.querySelector('#x-head').textContent.includes('deleted')")
        explorer.measured(measured)
        assert explorer.legend()
    finally:
        served.close()
