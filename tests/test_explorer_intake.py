"""How the live page takes patches, and where its knee lies, in Chromium with a stubbed server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explorer_browser import browser, modules_page  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def modules(browser: Any) -> Iterator[Any]:  # noqa: F811
    page = modules_page(browser)
    yield page
    page.close()


def test_what_comes_while_the_page_is_asked_for_anew_is_not_lost(modules: Any) -> None:
    source = """async () => {
        const { createIntake, receivePatch } = await import("/intake.js");
        const log = [], store = { version: "e.0", studies: [],
            load(page) { this.version = page.version; log.push("load " + page.version); },
            apply(patch) { this.version = patch.version; log.push("apply " + patch.version); } };
        const app = { store, view: { get: () => ({ paused: false }) }, source: { forget() {} }, changed() {} };
        let answer; const real = window.fetch;
        window.fetch = () => new Promise((done) => { answer = done; });
        const intake = createIntake(app, { told() {}, took() {}, failed() {} });
        receivePatch(intake, { version: "e.1", reload: true, studies: [] });
        receivePatch(intake, { version: "e.2", reload: false, studies: [{ key: "0" }] });
        answer(new Response(JSON.stringify({ schema: 1, version: "e.1", studies: [{ key: "0" }] })));
        await new Promise((done) => setTimeout(done, 2500));
        window.fetch = real;
        return log; }"""
    assert modules.evaluate(source) == ["load e.1", "apply e.2"]


def test_a_knee_lies_on_the_better_side(modules: Any) -> None:
    source = """async () => { const { kneeOf } = await import("/front.js");
        return [kneeOf([[0, 10], [1, 4], [10, 0]]), kneeOf([[0, 10], [9, 8], [10, 0]])]; }"""
    assert modules.evaluate(source) == [1, -1]
