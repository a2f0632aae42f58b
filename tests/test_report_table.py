import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import parse
from nas.cost import cost
from nas.metric import METRICS
from nas.report.table import Cell, Column, Table, latex, text, to_csv, to_html, to_latex, to_markdown
from nas.report.tables import reading_text, stage_table

TABLE = Table(
    "example",
    "A 50 % & more",
    (
        Column("name", "name"),
        Column("top1_pct", "top-1 % ↑", "number", noisy=True),
        Column("arch", "notation", "code"),
    ),
    (
        (text("a|b <i>_x_"), Cell("61.3 ± 0.8 %", 61.25, 0.8), text("r64 s8")),
        (text(None), Cell("–"), text("")),
    ),
)


def test_csv_is_raw() -> None:
    assert to_csv(TABLE) == "name,top1_pct,top1_pct_spread,arch\na|b <i>_x_,61.25,0.8,r64 s8\n,,,\n"


def test_markdown_renders_as_itself() -> None:
    lines = to_markdown(TABLE).splitlines()
    assert lines[0] == "| name | top-1 % ↑ | notation |"
    assert lines[1] == "| --- | ---: | --- |"
    assert lines[2] == r"| a\|b &lt;i&gt;\_x\_ | 61.3 ± 0.8 % | `r64 s8` |"
    assert lines[3] == "| – | – | – |"


def test_latex_is_escaped_booktabs() -> None:
    source = to_latex(TABLE)
    assert r"\caption{A 50 \% \& more}" in source
    assert r"\begin{tabular}{lrl}" in source
    assert r"a|b \textless{}i\textgreater{}\_x\_ & 61.3 $\pm$ 0.8 \% & \texttt{r64 s8} \\" in source
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert source.count(rule) == 1


def test_html_is_escaped() -> None:
    page = to_html(TABLE, sortable=True)
    assert "&lt;i&gt;_x_" in page
    assert "<i>" not in page
    assert page.count("<button") == 4  # three heads and one copy
    assert 'data-sort="61.25"' in page


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), min_size=2, max_size=2))
def test_whatever_it_holds_a_table_keeps_its_shape(words: list[str]) -> None:
    table = Table("t", words[0], (Column("a", words[1]), Column("b", "b", "code")), (tuple(map(text, words)),))
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows == [["a", "b"], words]
    assert len(to_markdown(table).split("\n")) == 4
    source = to_latex(table)
    assert source.replace("\\&", "").count("&") == 2
    assert not set("#~^") & set(source.replace("\\#", "").replace("$^2$", ""))
    # besides its own tags nothing may open one
    assert "<script" not in to_html(table)
    assert to_html(table).count("<td") == 2


def test_latex_of_what_it_does_not_know() -> None:
    assert latex("10 µs ☃ ≤") == r"10 µs ? $\le$"


@pytest.mark.parametrize(
    ("key", "value", "spread", "expected"),
    [
        ("top1_pct", 61.27, 0.81, "61.3 ± 0.8 %"),
        ("top1_pct", 61.27, 0.01, "61.27 ± 0.01 %"),
        ("train_images_per_s", 1931.2, 38.7, "1,931 ± 39"),
        ("train_images_per_s", 126.4, 3.8, "126 ± 3.8"),
        ("train_images_per_s", 0.5123, 0.02, "0.512 ± 0.02"),
        ("flops", 4.39e9, None, "4.39 G"),
        ("latency_ms", 12.34, 0.5, "12.3 ± 0.5"),
        ("top1_pct", None, 0.5, "–"),
    ],
)
def test_a_reading_as_people_read_it(key: str, value: float | None, spread: float | None, expected: str) -> None:
    assert reading_text(METRICS[key], value, spread) == expected


def test_the_stages_sum_to_the_network() -> None:
    arch = parse("r96 s16 f1k3s1c16n2 m4k5s2c32n3se0.25 h64")
    table = stage_table(arch)
    assert [row[0].text for row in table.rows] == ["stem", "1", "2", "head", "whole"]
    for place, total in zip((-3, -2, -1), (cost(arch).params, cost(arch).flops, cost(arch).activations), strict=True):
        assert sum(row[place].raw for row in table.rows[:-1]) == table.rows[-1][place].raw == total
    assert [cell.text for cell in table.rows[2][:6]] == ["2", "MBConv4, k5×5, SE0.25", "2", "32", "3", "48"]
