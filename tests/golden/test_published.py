"""The shipped facts: every file reads, every row names where it was printed, and numbers that are known are there."""

import re

import pytest

from nas.report.papers.facts import facts, number
from nas.resources import shipped

FOLDER = shipped("reports/published")
FILES = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.csv"))
ORIGIN = re.compile(r"^(arXiv:\d{4}\.\d{5}|ICML 2019|CVPR 2020|github\.com/[\w-]+/[\w-]+:\S+[^;]*@[0-9a-f]{7})")
NUMBERS = re.compile(r"_(m|b|ms|s|pct|px|hours|days)$|^(gmacs|keras_params|images_per_s)$")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_facts_reads_and_names_its_sources(name):
    rows = facts(name)
    assert rows
    for row in rows:
        assert ORIGIN.match(row["source"]), row["source"]
        assert list(row)[-1] == "source"


@pytest.mark.parametrize("name", FILES)
def test_columns_with_a_unit_hold_numbers(name):
    for row in facts(name):
        for column, text in row.items():
            if NUMBERS.search(column) and text not in ("", "OOM"):
                number(text.split("±")[0].split(" / ")[0])


def test_nothing_in_the_facts_was_computed_here():
    text = "\n".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    assert "computed_" not in text
    assert "own analytic" not in text


def test_the_readme_names_every_folder():
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{folder.name}/`" in readme for folder in FOLDER.iterdir() if folder.is_dir())


@pytest.mark.parametrize(
    ("name", "where", "column", "printed"),
    [
        ("efficientnet/table2", {"version": "v5", "model": "EfficientNet-B7"}, "top1_pct", "84.3"),
        ("efficientnet/table2", {"version": "icml", "model": "EfficientNet-B7"}, "top1_pct", "84.4"),
        ("efficientnet/table2", {"version": "v5", "model": "EfficientNet-B1"}, "flops_b", "0.70"),
        ("efficientnetv2/table7", {"version": "v3", "model": "EfficientNetV2-S"}, "params_m", "22"),
        ("efficientnetv2/table7", {"version": "v1", "model": "EfficientNetV2-S"}, "params_m", "24"),
        ("efficientnetv2/table3", {"variant": "Fused stage1-7"}, "params_m", "132.0"),
        ("mobilenet/table6", {"width": "0.75"}, "mult_adds_m", "325"),
    ],
)
def test_numbers_keep_the_digits_they_were_printed_with(name, where, column, printed):
    rows = [row for row in facts(name) if all(row[key] == value for key, value in where.items())]
    assert [row[column] for row in rows] == [printed]
