"""The formats that a network leaves in: what each holds, what it cannot express, and how it is written and checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.arch import Architecture
from nas.errors import NasError, nearest
from nas.export.check import Checked, CheckError
from nas.export.onnx import check_onnx, write_onnx
from nas.export.program import check_program, write_program
from nas.export.python import check_python, write_python
from nas.export.subject import Subject
from nas.export.text import check_notation, check_yaml, write_notation, write_yaml
from nas.export.timm import check_timm, timm_obstacle, write_timm
from nas.export.torchvision import check_torchvision, torchvision_obstacle, write_torchvision


class ExportError(NasError):
    """A network that a format cannot express, or a format that there is not."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: `write` makes the file at a path, and what belongs beside it; `check` loads that and compares.

    `holds` the network alone, or its source with the weights in a file beside it, or both in one file. `obstacle`: the
    first part of a network that the format has not; None where it can express all of it.
    """

    key: str
    suffix: str
    holds: Literal["network", "source", "weights"]
    write: Callable[[Subject, Path], None]
    check: Callable[[Subject, Path], Checked]
    obstacle: Callable[[Architecture], str | None] = lambda _: None


FORMATS = {
    form.key: form
    for form in (
        Format("yaml", ".yaml", "network", write_yaml, check_yaml),
        Format("notation", ".txt", "network", write_notation, check_notation),
        Format("python", ".py", "source", write_python, check_python),
        Format("timm", ".py", "source", write_timm, check_timm, timm_obstacle),
        Format("torchvision", ".py", "source", write_torchvision, check_torchvision, torchvision_obstacle),
        Format("onnx", ".onnx", "weights", write_onnx, check_onnx),
        Format("torch-export", ".pt2", "weights", write_program, check_program),
    )
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made and checked, and is not written yet: names and contents, and the outcome of the check."""

    files: dict[str, bytes]
    checked: Checked


def format_of(key: str) -> Format:
    """Raises: ExportError for an unknown format."""
    if key not in FORMATS:
        raise ExportError(f"--format {key}: not a format", nearest(key, FORMATS))
    return FORMATS[key]


def check_expressible(arch: Architecture, form: Format) -> None:
    """Raises: ExportError naming what `form` cannot express, where, and the formats that can."""
    if (found := form.obstacle(arch)) is None:
        return
    others = [other.key for other in FORMATS.values() if other.holds != "network" and other.obstacle(arch) is None]
    raise ExportError(f"--format {form.key} cannot express {found}", f"these can: {', '.join(others)}")


def export(subject: Subject, form: Format, name: str) -> Exported:
    """`subject` in `form`, made in a folder that is gone afterwards, loaded back from there, and found the same.

    `name` is that of the file, with its suffix.

    Raises: ExportError for what the format cannot express; CheckError saying what differs; WeightsError for weights of
    another network; NasError where a library is missing without which nothing can be made.
    """
    check_expressible(subject.arch, form)
    with tempfile.TemporaryDirectory(prefix="nas-export-") as folder:
        path = Path(folder) / name
        try:
            form.write(subject, path)
            checked = form.check(subject, path)
            files = {made.name: made.read_bytes() for made in sorted(Path(folder).iterdir()) if made.is_file()}
        except CheckError as error:
            raise CheckError(f"--format {form.key}: {error}", error.hint or "nothing was written") from None
        except OSError as error:
            raise ExportError(
                f"{folder}: cannot be written: {error.strerror or error}", "free some space, or set TMPDIR"
            ) from None
    return Exported(files, checked)
