"""`nas export`: a network out of the lab, in a format that outlives it, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, NOTATION, Json, Storage
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.export.formats import Exported, Format
    from nas.export.subject import Subject
    from nas.record import Record

FORMAT_NAMES = ("yaml", "notation", "python", "timm", "torchvision", "onnx", "torch-export")
_CHECK_FAILED = 5
_WEIGHTS = ".safetensors"
_LONGEST = 60  # characters of a name made of a reference


def export(  # noqa: PLR0913, PLR0917
    ref: Annotated[str, typer.Argument(help=f"A network: {NOTATION}; a weights file; a training's folder.")],
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMAT_NAMES), help="What to write.", show_default=False)
    ],
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trained weights (.safetensors): classes and pixels are theirs.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="A file, or a folder; otherwise a file named by REF."),
    ] = None,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of the weights, for the model card.")] = "",
    storage: Storage = DEFAULT_STORAGE,
    json_output: Json = False,
) -> None:
    """Write a network in another format, with its weights and a model card beside it.

    What is written is loaded back first, by the library that it is for, and held against the network: as many params,
    and for random images logits that differ by at most 1e-4 of the largest. Exit 5, and nothing is written, where they
    do not. Formats: yaml, notation (as nas reads them); python (one file of PyTorch), timm, torchvision (the call that
    builds it), each with weights in FILE.safetensors beside; onnx (opset 18), torch-export (weights inside, any batch).

    Examples:

      nas export first:2 --format python --weights runs/first-2-short/weights.safetensors

      nas export runs/first-2-short/weights.safetensors --format onnx -o mine.onnx --licence CC-BY-4.0

      nas export efficientnetv2-s --format timm
    """
    from nas.arch import parse
    from nas.export.check import CheckError
    from nas.export.formats import check_expressible, format_of
    from nas.export.formats import export as make

    chosen = format_of(form)
    subject, record = _subject(ref, weights, storage)
    check_expressible(subject.arch, chosen)
    targets = _targets(subject, chosen, output, weights)
    if chosen.key == "notation" and subject.arch.norm_eps != parse(str(subject.arch)).norm_eps:
        console.say(f"the notation does not carry batch norm's epsilon of {subject.arch.norm_eps:g}; yaml does")
    if chosen.holds == "weights" and subject.weights is None:
        console.say("no --weights: they are drawn at random, for a test of speed or of a toolchain")
    try:
        made = make(subject, chosen, targets.file.name)
    except CheckError as error:
        console.fail(str(error), error.hint)
        raise typer.Exit(_CHECK_FAILED) from None
    files = {targets.file.parent / name: content for name, content in made.files.items()}
    card = _card(subject, record, licence, made, chosen)
    targets.write({**files, targets.card: card.encode()})
    _report(subject, chosen, made, [*files, targets.card], json_output)


@dataclass(frozen=True, slots=True)
class _Targets:
    """The file to write, and the card beside it."""

    file: Path
    card: Path

    def write(self, files: Mapping[Path, bytes]) -> None:
        """The file itself last: where it lies, all lies."""
        from nas.cli.output import write_files

        write_files({path: files[path] for path in sorted(files, key=lambda path: path == self.file)})


def _subject(ref: str, weights: Path | None, storage: str) -> tuple[Subject, Record | None]:
    """The network with its weights, and the record of the trial that it is, if it is one."""
    from nas.cli.refs import record_of, resolve
    from nas.export.subject import Subject, trained
    from nas.training.weights import read_weights, weights_of

    if (file := weights_of(ref)) is not None:
        own = trained(str(file), None, read_weights(file))
        return (own if weights is None else trained(str(file), own.arch, read_weights(weights))), None
    arch, record = resolve(ref, storage), record_of(ref, storage)
    if weights is None:
        return Subject(ref, arch), record
    return trained(ref, arch, read_weights(weights)), record


def _targets(subject: Subject, form: Format, output: Path | None, weights: Path | None) -> _Targets:
    """Where to write. Raises: NasError for weights that the format has no place for, and for what must be spared."""
    from nas.cli.output import spare
    from nas.export.recognise import recognise, recognise_text, recognise_weights
    from nas.export.source import beside_of
    from nas.report.card import CARD

    if form.holds == "network" and weights is not None:
        raise NasError(f"--weights: {form.key} holds a network without weights", "leave --weights out")
    file = output if output is not None and not output.is_dir() else (output or Path()) / _name(subject, form)
    if file.suffix != form.suffix:
        raise NasError(
            f"--output {file}: expected a name that ends in {form.suffix}", f"write {file.stem}{form.suffix}"
        )
    card = file.with_name(f"{file.name}.md")  # with its suffix: no other format's card is written over
    spare("--output", file, recognise(form.key), f"network that nas exported as {form.key}")
    spare("--output", card, lambda path: recognise_text(path, CARD), "model card of nas export")
    if form.holds == "source" and subject.weights is not None:
        spare("--output", beside_of(file), recognise_weights, "weights of an export")
    return _Targets(file, card)


def _name(subject: Subject, form: Format) -> str:
    """`first-2.onnx` of `first:2`; a module's name where Python is to import it: `first_2_timm.py`."""
    words, path = subject.name, Path(subject.name)
    if path.suffix in (".yaml", ".yml", _WEIGHTS):
        words = path.absolute().parent.name if path.stem == "weights" else path.stem  # runs/NAME/weights
    elif len(words.split()) > 1:
        words = f"network-{subject.arch.id}"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", words)[:_LONGEST].strip("-.") or f"network-{subject.arch.id}"
    if form.holds == "source":
        stem = re.sub(r"\W", "_", stem if form.key == "python" else f"{stem}_{form.key}")
        stem = stem if stem.isidentifier() else f"network_{stem}"
    return stem + form.suffix


def _card(subject: Subject, record: Record | None, licence: str, made: Exported, form: Format) -> str:
    from nas.environment import versions
    from nas.report.card import Card, model_card

    about = None if subject.weights is None else subject.weights.about
    files = [(name, _what(name, form, made)) for name in made.files]
    known = {name: number for name, number in versions().items() if name in ("nas", "torch", "torchvision", "timm")}
    title = Path(_name(subject, form)).stem
    return model_card(Card(title, subject.arch, files, about, record, licence, known))


def _what(name: str, form: Format, made: Exported) -> str:
    """What a file is, and how it was checked."""
    if name.endswith(_WEIGHTS):
        return f"the weights, by the names that the {form.key} source gives them"
    kinds = {"network": "the network as nas reads it", "source": "source that builds the network",
             "weights": "the network with its weights, for batches of any size"}  # fmt: skip
    return f"{kinds[form.holds]} ({form.key}); {_outcome(form, made)}"


def _outcome(form: Format, made: Exported) -> str:
    """How the check ended, in words."""
    if made.checked.difference is None:
        return f"NOT checked: {made.checked.reason}"
    if form.holds == "network":
        return "checked: it reads back as the same network"
    return (
        "checked when it was made: loaded back, the same params, and logits that differ by at most "
        f"{made.checked.difference:.1g} of the largest for random images"
    )


def _report(subject: Subject, form: Format, made: Exported, files: list[Path], json_output: bool) -> None:
    arch, checked = subject.arch, made.checked
    if checked.difference is None:
        console.say(f"NOT CHECKED: {checked.reason}, so nothing is known of whether the file works")
    if json_output:
        outcome = {"difference": checked.difference, "not_checked": checked.reason}
        document = {"format": form.key, "notation": str(arch), "id": arch.id, "files": list(map(str, files))}
        console.show_json({**document, "weights": subject.weights.path if subject.weights else None, **outcome})
        return
    lines = [f"written {path}" for path in files]
    console.result().print("\n".join([*lines, f"{form.key}, {_outcome(form, made)}"]), soft_wrap=True)
