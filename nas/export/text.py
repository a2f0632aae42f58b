"""`--format yaml` and `notation`: the network itself, as nas reads it back."""

from __future__ import annotations

from pathlib import Path

from nas.arch import parse
from nas.export.check import Checked, CheckError
from nas.export.subject import Subject
from nas.space_file import load_architecture, network_text


def write_yaml(subject: Subject, path: Path) -> None:
    """Write the closed table that `nas show FILE` reads."""
    path.write_text(network_text(subject.arch, path.stem, subject.name), encoding="utf-8")


def check_yaml(subject: Subject, path: Path) -> Checked:
    """Raises: CheckError where the file reads back as another network, or with another norm epsilon."""
    found = load_architecture(str(path))
    if found != subject.arch or found.norm_eps != subject.arch.norm_eps:
        raise CheckError(f"{path.name} reads back as '{found}'; expected '{subject.arch}'")
    return Checked(0.0)


def write_notation(subject: Subject, path: Path) -> None:
    """Write one line."""
    path.write_text(f"{subject.arch}\n", encoding="utf-8")


def check_notation(subject: Subject, path: Path) -> Checked:
    """Raises: CheckError where the line reads back as another network."""
    found = parse(path.read_text(encoding="utf-8").strip())
    if found != subject.arch:
        raise CheckError(f"{path.name} reads back as '{found}'; expected '{subject.arch}'")
    return Checked(0.0)
