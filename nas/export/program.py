"""`--format torch-export`: a program of torch.export with its weights, for any batch."""

from __future__ import annotations

from pathlib import Path

import torch

from nas.export.check import BATCHES, Checked, check_params, check_same
from nas.export.subject import Subject, images

EXTRA = "nas"  # the name of a text inside: the network's notation
_TWO = 2  # images to trace with: 1 would be taken for a constant


def write_program(subject: Subject, path: Path) -> None:
    """Write the file, for batches of at least one image."""
    batch = torch.export.Dim("batch", min=1)
    pictures = images(subject.arch, _TWO, seed=1)
    with torch.no_grad():
        program = torch.export.export(subject.net, (pictures,), dynamic_shapes=({0: batch},))
    torch.export.save(program, str(path), extra_files={EXTRA: str(subject.arch)})


def check_program(subject: Subject, path: Path) -> Checked:
    """The file loaded and run. Raises: CheckError where it is another network."""
    program = torch.export.load(str(path))
    check_params(subject.params, sum(parameter.numel() for parameter in program.parameters()), path.name)
    return Checked(check_same(subject.net, program.module(), images(subject.arch, max(BATCHES), seed=1), path.name))
