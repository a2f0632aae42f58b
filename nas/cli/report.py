"""`nas report`: the Pareto report of a study, or a paper's tables and figures regenerated."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Json, Storage, is_typed
from nas.errors import NasError, nearest

if TYPE_CHECKING:
    from nas.report.papers import Paper

PAPER_NAMES = ("efficientnet", "efficientnetv2", "mobilenet")
_CHECK_FAILED = 5


def report(  # noqa: PLR0913, PLR0917
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="PAPER|STUDY|FILE",
            help=f"{', '.join(PAPER_NAMES)}; a study (see: nas studies list); or records (*.jsonl, a report's folder).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; otherwise runs/STUDY, runs/STUDY-records for FILE, reports/PAPER."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help="Of a paper: any of html,md,csv,tex, with commas.")
    ] = "html,md,csv,tex",
    records: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Of a paper: records.jsonl of your studies; their accuracies stand beside. Repeat."
        ),
    ] = None,
    zoo: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of a paper: measured networks; otherwise studies/zoo.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Of a paper: write nothing; exit 5 if the folder is not what it would be.")
    ] = False,
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="STUDY|FILE", help="Of a study: another one on the same page. Repeat."),
    ] = None,
    json_output: Json = False,
) -> None:
    """Write the report of a study (front, tables, page), or regenerate a paper: its tables and figures with a verdict
    on every printed number.

    The names of papers are reserved: the study called efficientnetv2 is reported with --storage URL. Reads only; a
    search may be running. A paper's report needs no measurement, and says what it lacks.

    Examples:

      nas report first --out first-report

      nas report first --with second --with runs/third/data/records.jsonl --out compared

      nas report efficientnet --out reports/efficientnet

      nas report efficientnetv2 --storage sqlite:///nas.db --out report
    """
    if name in PAPER_NAMES and not is_typed(context, "storage"):
        if beside:
            raise NasError(
                f"--with is for the report of a study; '{name}' is a paper",
                f"the study of that name: nas report {name} --storage {DEFAULT_STORAGE}",
            )
        _report_paper(name, out or Path("reports") / name, _formats(formats), records or [], zoo, check, json_output)
        return
    of_papers = {"--check": check, "--records": records, "--zoo": zoo}
    if any(of_papers.values()):
        given = next(option for option, value in of_papers.items() if value)
        raise NasError(
            f"{given} is for the report of a paper; '{name}' is taken as a study", nearest(name, PAPER_NAMES)
        )
    page = _report_study(name, out, storage, beside or [])
    if json_output:
        console.show_json({"study": name, "report": str(page)})
    else:
        console.result().print(f"report {page}", soft_wrap=True, markup=False)


def _report_study(name: str, out: Path | None, storage: str, beside: list[str]) -> Path:
    """Write the report of a study, or of a records file; the page."""
    from nas.cli.study_report import read_beside, write_records_report, write_study_report
    from nas.study.feed import is_records
    from nas.study.storage import StudyError

    if is_records(name):
        return write_records_report(name, out, read_beside(beside, storage))
    others = read_beside(beside, storage)
    try:
        return write_study_report(name, out or Path("runs") / name, storage, others)
    except StudyError as error:
        papers = f"papers: {', '.join(PAPER_NAMES)}"
        raise NasError(str(error), f"{error.hint}; {papers}" if error.hint else papers) from None


def _report_paper(  # noqa: PLR0913, PLR0917
    name: str, out: Path, formats: list[str], records: list[Path], zoo: Path | None, check: bool, json_output: bool
) -> None:
    from nas.report.papers.words import counts as counted
    from nas.report.papers.write import check_paper, write_paper

    paper = _make(name, records, zoo)
    for sentence in paper.missing:
        console.say(sentence)
    if _is_study(name):
        console.say(f"'{name}' is the paper; the study of that name: nas report {name} --storage {DEFAULT_STORAGE}")
    tallies = paper.tally(), paper.ratios()
    tally, ratios = ({verdict.value: count for verdict, count in found.items()} for found in tallies)
    counts = counted(tallies[0]) + (f"\nratios of times: {counted(tallies[1])}" if any(ratios.values()) else "")
    if not check:
        written = write_paper(paper, out, formats)
        if json_output:
            console.show_json({"paper": name, "report": str(written), "verdicts": tally, "ratios": ratios})
        else:
            console.result().print(f"report {written}\n{counts}", soft_wrap=True, markup=False)
        return
    wrong = check_paper(paper, out, formats)
    if json_output:
        console.show_json(
            {"paper": name, "folder": str(out), "verdicts": tally, "ratios": ratios, "differ": list(wrong)}
        )
    elif not wrong:
        console.result().print(f"{out}: as it would be written now\n{counts}", soft_wrap=True, markup=False)
    if wrong:
        if not json_output:
            console.result().print("\n".join(wrong), soft_wrap=True, markup=False)
        listed = "1 file is" if len(wrong) == 1 else f"{len(wrong)} files are"
        console.fail(f"{out}: {listed} not what would be written now", f"nas report {name} --out {out}")
        raise typer.Exit(_CHECK_FAILED)


def _make(name: str, records: list[Path], zoo: Path | None) -> Paper:
    """The paper regenerated from the facts, the zoo and the user's records."""
    from nas.report.papers import Inputs, make_paper
    from nas.report.papers.networks import accuracy_key
    from nas.report.papers.zoo import load_own, load_zoo
    from nas.resources import shipped

    for path in records:
        if not path.is_file():
            raise NasError(
                f"--records {path}: no such file",
                "a study's report has them in data/records.jsonl: nas search --space NAME, then nas report STUDY",
            )
    if zoo is not None and not zoo.is_dir():
        raise NasError(f"--zoo {zoo}: no such folder", "make it: nas measure --zoo --out DIR")
    own = load_own(records)
    folder = zoo or next((here for here in (Path("studies") / "zoo",) if here.is_dir()), shipped("studies") / "zoo")
    paper = make_paper(name, Inputs(load_zoo(folder), own))
    for path, device in zip(records, own.devices, strict=True):
        if not paper.shows(accuracy_key(device)):
            count = len({record.arch for record in device.records})
            trained = any("top1_pct" in record.readings for record in device.records)
            why = "with a top-1 accuracy is in this paper" if trained else "has a top-1 accuracy"
            console.say(f"{path}: of its networks ({count}), none {why}")
    return paper


def _is_study(name: str) -> bool:
    """Whether the storage of this folder, if there is one, holds a study of that name; no Optuna is loaded to see."""
    import sqlite3

    path = Path(DEFAULT_STORAGE.removeprefix("sqlite:///"))
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as storage:
            return bool(storage.execute("SELECT 1 FROM studies WHERE study_name = ?", (name,)).fetchone())
    except sqlite3.Error:
        return False


def _formats(text: str) -> list[str]:
    """`html,md` as a list. Raises: NasError for one that is not known."""
    from nas.report.papers.write import FORMATS

    asked = [part.strip() for part in text.split(",") if part.strip()]
    for one in asked:
        if one not in FORMATS:
            raise NasError(f"--format: unknown format '{one}'", nearest(one, FORMATS))
    if not asked:
        raise NasError("--format: names no format", f"known: {', '.join(FORMATS)}")
    return asked
