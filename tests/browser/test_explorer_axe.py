"""Nothing that keeps people out: axe-core finds no serious fault, in light, dark, on a phone, with all panels open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import written
from tests.explorer_page import AXE, Explorer, Open
from tests.explorer_studies import big_study, odd_study

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE, reason="NAS_AXE names no axe.min.js (npm pack axe-core; .ci/run does it)"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("axe")
    return written(big_study(folder / "nas.db", 40), "big", folder / "out")


def serious(explorer: Explorer) -> list[str]:
    """Faults of axe-core's that are serious or critical, each with its first place."""
    explorer.page.evaluate(Path(AXE).read_text("utf-8"))
    found = explorer.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


def unfold(explorer: Explorer) -> None:
    """Selects a network, pins two, opens the filters, parallel coordinates and all that is folded."""
    plot, keys = explorer.page.locator("#x-plot"), explorer.page.keyboard
    plot.focus()
    for key in ("Home", "Enter", "a", "End", "b"):
        keys.press(key)
    explorer.page.locator("#x-compare table").first.wait_for()
    explorer.page.wait_for_selector("#x-panel svg")
    explorer.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    explorer.until("document.querySelectorAll('#x-parallel fieldset input').length > 0")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened: Open, page: Path, scheme: str, width: int) -> None:
    explorer = opened(page, width=width, scheme=scheme).drawn()
    unfold(explorer)
    assert serious(explorer) == []


@pytest.mark.parametrize("kind", ["empty", "failed"])
def test_axe_finds_no_serious_fault_where_there_is_little(opened: Open, tmp_path: Path, kind: str) -> None:
    explorer = opened(written(odd_study(tmp_path / "nas.db", kind), kind, tmp_path / "out"))
    explorer.page.wait_for_selector("#x-plot .x-empty:not([hidden])")
    assert serious(explorer) == []


def test_axe_sees_a_fault_that_is_made(opened: Open, page: Path) -> None:
    explorer = opened(page).drawn()
    explorer.page.evaluate(
        "document.querySelector('#x-bar select').parentElement.replaceWith(document.createElement('select'))"
    )
    assert any(fault.startswith("select-name") for fault in serious(explorer))
