import base64
import gzip
import hashlib
import json
import re

import pytest

from nas.explorer import shell
from nas.explorer.bundle import BundleError, script, static


def bundled(last="", **modules):
    def read(name):
        if name not in modules:
            raise OSError(name)
        return modules[name]

    return script(tuple(modules)[:1], last, read)


def page(**more):
    known = {"title": "a <title>", "kind": "test", "name": "<b>", "question": "", "sections": [], "figures": {}}
    return shell.fill(**{**known, **more})


def allowed(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    return re.findall(r"'sha256-([^']+)'", policy), policy


def hashed(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_modules_come_after_what_they_import_each_once():
    made = bundled(
        "run();",
        **{
            "a.js": 'import { b } from "./b.js";\nimport {\n  c,\n  d,\n} from "./c.js"; // why\n'
            "export function run() { return b + c; }\n",
            "b.js": 'import { c } from "./c.js";\nexport const b = c;\n',
            "c.js": "export const c = 1, d = 2;\nexport async function wait() {}\nexport class Kind {}\n",
        },
    )
    assert "import" not in made
    assert "export" not in made
    assert made.index("const c = 1") < made.index("const b = c") < made.index("function run")
    assert made.count("const c = 1") == 1
    assert made.endswith("run();\n})();")


@pytest.mark.parametrize(
    "text",
    [
        "export default 1;\n",
        "export { a };\n",
        'import * as b from "./b.js";\n',
        'import { a as b } from "./b.js";\n',
        "await ready;\n",
        'const late = import("./b.js");\n',
        'const text = "</script>";\n',
        'import { a } from "./absent.js";\n',
    ],
)
def test_forms_that_cannot_be_concatenated_are_refused(text):
    with pytest.raises(BundleError, match=r"\.js: "):
        bundled(**{"main.js": text, "b.js": "export const a = 1;\n"})


@pytest.mark.parametrize(
    "text",
    [
        "function twice() {}\n",
        "export async function twice() {}\n",
        "class twice {}\n",
        "const a = [1, 2], twice = 3;\n",
        "const one = (x, y) => x, { twice, z } = {};\n",
        "let a,\n  twice;\n",
    ],
)
def test_two_equal_names_at_the_top_are_refused(text):
    with pytest.raises(BundleError, match="'twice' is declared at the top"):
        bundled(**{"main.js": f'import {{ q }} from "./b.js";\n{text}', "b.js": "export const q = 1, twice = 2;\n"})


def test_names_inside_are_nobodys_business():
    inner = "export function {}() {{\n  const twice = 1;\n}}\nconst {} = {{ twice: 1, other: [2] }};\n"
    made = bundled(
        **{"main.js": 'import { b } from "./b.js";\n' + inner.format("a", "x"), "b.js": inner.format("b", "y")}
    )
    assert made.count("const twice") == 2


def test_every_script_of_the_page_is_one_whose_hash_the_policy_names():
    html = page(figures={"f": {"data": [], "layout": {}}})
    hashes, policy = allowed(html)
    inline = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    packed = re.search(r'id="plotly" data-encoding="gzip">([^<]*)<', html)[1]
    plotly = gzip.decompress(base64.b64decode(packed)).decode()
    assert [hashed(text) for text in [*inline, plotly]] == hashes
    assert "plotly.js" in plotly[:200]
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert "unsafe-eval" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy


def test_a_page_without_figures_carries_no_plotly():
    html = page()
    assert 'id="plotly"' not in html
    assert len(allowed(html)[0]) == 1
    assert len(html) < 40_000


def test_the_same_page_is_the_same_bytes():
    figures = {"f": {"data": [{"x": [1, 2]}], "layout": {}}}
    assert page(figures=figures) == page(figures=figures)


def test_text_is_escaped_and_data_close_no_script():
    evil = "</script><script>alert(1)</script>"
    html = page(
        question=evil, sections=[("a", evil, "<p>own html</p>")], figures={"f": {"data": [], "layout": {"t": evil}}}
    )
    assert evil not in html
    assert "<p>own html</p>" in html
    assert "&lt;b&gt;" in html


def test_the_live_page_allows_its_own_server_and_nothing_else():
    policy = shell.content_security_policy(live=True)
    assert "script-src 'self';" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    html = shell.live_page()
    assert 'src="plotly.js"' in html
    assert 'src="app.js"' in html
    assert "frame-ancestors" not in html  # a meta element may not say it


def test_an_explorers_data_are_in_the_page_and_packed_when_they_are_many():
    few, many = {"schema": 1, "studies": []}, {"schema": 1, "studies": [{"name": "<b>" * 20_000}]}
    plain = re.search(r'id="explorer-data">([^<]*)<', page(explorer=few))[1]
    assert json.loads(plain) == few
    packed = re.search(r'id="explorer-data" data-encoding="gzip">([^<]*)<', page(explorer=many))[1]
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == many


def test_the_parts_of_the_page_are_where_they_are_looked_for():
    assert "bootPage(start);" in shell.app_script()
    assert "bootPage(null);" in shell.app_script(explorer=False)
    for place in ("x-head", "x-bar", "x-filters", "x-plot", "x-side", "x-decide", "x-panel", "x-compare", "x-table",
                  "x-parallel", "x-exports", "x-live"):  # fmt: skip
        assert f'id="{place}"' in static("explorer.html")
