"""Write a report: the page, tables, the front's architectures, the records, where it all came from."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from nas.arch import ArchitectureError, parse
from nas.errors import NasError
from nas.files import write_whole
from nas.record import write_records
from nas.report import tables, words
from nas.report.analysis import Analysis, Result, analyse
from nas.report.study import StudyReport
from nas.report.table import Table, markdown, narrow, to_csv, to_latex, to_markdown
from nas.space_file import dump_architecture

WRITERS: dict[str, Callable[[Table], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "tex": lambda table: to_latex(narrow(table)),
}


class ReportError(NasError):
    """A report that cannot be written."""


def write_report(study: StudyReport, out: Path) -> Path:
    """The path of the page written: `out/report.html`. Beside it README.md, tables/, architectures/, data/records.jsonl
    and provenance.json. The same study gives the same bytes; every file appears whole or not at all.

    Raises: ReportError where `out` cannot be written.
    """
    analysis = analyse(study.records, study.recipe)
    documents = _documents(study, analysis)
    try:
        _remove_stale(out, documents)
        for name, content in documents.items():
            write_document(out / name, content)
        (out / "data").mkdir(exist_ok=True)
        write_records(out / "data" / "records.jsonl", analysis.records)
    except OSError as error:
        raise ReportError(
            f"{out}: the report cannot be written: {error.strerror or error}", "name another folder with --out"
        ) from None
    return out / "report.html"


def _documents(study: StudyReport, analysis: Analysis) -> dict[str, str]:
    from nas.report.page import render  # plotly is loaded only when a page is drawn

    drawn = [tables.front_table(analysis), tables.trials_table(analysis), tables.failures_table(analysis)]
    documents = {"report.html": render(study, analysis), "README.md": readme(study, analysis)}
    documents |= {f"tables/{table.name}.{kind}": writer(table) for table in drawn for kind, writer in WRITERS.items()}
    documents |= architectures(analysis)
    provenance = {
        "schema": 1,
        "study": study.recipe.name,
        "provenance": study.provenance,
        "recipe": None if study.assumed else study.recipe.model_dump(mode="json"),
        "files": sorted([*documents, "data/records.jsonl", "provenance.json"]),
    }
    return {**documents, "provenance.json": json.dumps(provenance, indent=2, sort_keys=True, default=str) + "\n"}


def architectures(analysis: Analysis) -> dict[str, str]:
    """File name → YAML of every network on the front, tied ones too; `nas show FILE` reads it back."""
    written = {}
    for result in analysis.front:
        with contextlib.suppress(ArchitectureError):  # a record of another version: the page says what is wrong
            arch = parse(result.record.arch)
            name = _file_name(result)
            source = f"{result.record.study} {result.name}: {result.status}\n{result.record.arch}"
            written[f"architectures/{name}.yaml"] = dump_architecture(arch, name, source)
    return written


def readme(study: StudyReport, analysis: Analysis) -> str:
    """The report as a page of Markdown: findings, the front, how to read it, the files."""
    recipe = study.recipe
    device = words.device(analysis, study.provenance)
    sentences = [*words.findings(analysis), *([f"Measured on: {device}."] if device else [])]
    command = study.provenance.get("command")
    front = tables.front_table(analysis)
    parts = [
        f"# {markdown(recipe.name)}",
        *([markdown(recipe.question)] if recipe.question else []),
        "\n".join(f"- {markdown(sentence)}" for sentence in sentences),
        "## The front",
        to_markdown(front).rstrip() if front.rows else "There is no front yet.",
        _HOW_TO_READ,
        "## What the numbers mean",
        to_markdown(tables.metrics_table(analysis)).rstrip(),
        *(["## Made by", _fenced(str(command))] if command else []),
        _FILES,
    ]
    return "\n\n".join(parts) + "\n"


_HOW_TO_READ = """\
How to read it: a network is *dominated* when another is nowhere worse and somewhere better. The rest are the *front*.
A member is *tied* when another network is worse than it by more than the noise in no objective and better by more
than the noise in one: measured again, it might drop out. The number after ± is the noise of a reading: for a timing
the nominal 95 % interval of the median within its run, for an accuracy twice the standard deviation between seeds, and
never less than the repeats of the baselines showed. The noise of a pair is the larger of the two. A network *over a
limit* is drawn and never on the front. “–” is not measured."""

_FILES = """\
## Files

- `report.html`: the interactive page; works offline
- `tables/`: the front, every trial and the failures as Markdown, CSV (raw numbers) and LaTeX (booktabs)
- `architectures/`: the networks of the front; `nas show FILE` prints one
- `data/records.jsonl`: every trial as it was recorded
- `provenance.json`: command, versions, device, recipe, files"""


def _fenced(code: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{fence}\n{code}\n{fence}"


def _file_name(result: Result) -> str:
    if result.record.trial is not None:
        return f"trial-{result.record.trial:04d}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", result.record.baseline).strip("-.") or f"network-{result.record.id}"


_ARCHITECTURE = re.compile(r"architectures/[A-Za-z0-9_-][A-Za-z0-9._-]*\.yaml")


def _remove_stale(out: Path, documents: dict[str, str]) -> None:
    """Drop the architectures that the report lying here wrote and that have left the front since."""
    try:
        listed = json.loads((out / "provenance.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name in listed if isinstance(listed, list) else []:
        if isinstance(name, str) and _ARCHITECTURE.fullmatch(name) and name not in documents:
            (out / name).unlink(missing_ok=True)


def write_document(path: Path, content: str | bytes) -> None:
    """Write a file and its folders; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.encode() if isinstance(content, str) else content)
