"""Exports that are Python source: what heads them, how they are loaded for real, and the weights beside them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from nas.arch import Activation
from nas.errors import raised
from nas.export.check import Checked, CheckError, check_modules, check_params, copy_in_order, in_order
from nas.export.subject import Subject
from nas.metric import si
from nas.outline import outline
from nas.training.weights import write_weights

MARK = "Written by nas export"  # what we wrote may be written anew
ACTIVATIONS = {
    Activation.SILU: "SiLU",
    Activation.RELU: "ReLU",
    Activation.RELU6: "ReLU6",
    Activation.HARDSWISH: "Hardswish",
}  # modules of torch.nn
LAYOUT = "layout"  # of the weights beside: whose names their tensors have
_WIDTH = 110


def header(subject: Subject, path: Path, needs: str) -> str:
    """The docstring of the file: what it is, the network's table, its notation, and where it comes from."""
    arch = subject.arch
    whole = outline(arch)[-1].cost
    title = f"{_word(path.stem)}: images (N, 3, {arch.resolution}, {arch.resolution}) → logits (N, {arch.classes})."
    counts = f"{whole.params:,} params; {whole.flops:,} multiply-adds for one image."
    beside = f" Its weights: {beside_of(path).name}." if subject.weights else ""
    return "\n".join(
        [
            f'"""{title}',
            "",
            counts,
            "",
            textwrap.indent(text_table(subject), "    "),
            "",
            *textwrap.wrap(f"As nas writes it: {arch}", _WIDTH),
            "",
            *textwrap.wrap(
                f"{MARK} ({version()}), which loads what it writes and holds it against the network that it stands for."
                f"{beside} Needs {needs}.",
                _WIDTH,
            ),
            '"""',
        ]
    )


def version() -> str:
    """`nas 0.1.0`."""
    try:
        return f"nas {importlib.metadata.version('nas')}"
    except importlib.metadata.PackageNotFoundError:
        return "nas"


def text_table(subject: Subject) -> str:
    """The network's table in columns of plain text, as `nas show` prints it."""
    heads = ["stage", "operator", "stride", "channels", "layers", "input px", "params", "FLOPs"]
    rows = [heads]
    for line in outline(subject.arch):
        numbers = (line.stride, line.channels, line.layers, line.size)
        shown = ["" if number is None else str(number) for number in numbers]
        rows.append([line.name, line.operator, *shown, si(line.cost.params), si(line.cost.flops)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    lines = [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def loader(made: str, result: str) -> str:
    """A function of the exported file: the network that `made` makes, with the weights of a file."""
    return f'''

def load(path: str) -> {result}:
    """The network with the weights of a safetensors file, in eval mode. Needs safetensors."""
    from safetensors.torch import load_file

    net = {made}()
    net.load_state_dict(load_file(path))
    return net.eval()
'''


def beside_of(path: Path) -> Path:
    """Where the weights of a source file lie."""
    return path.with_suffix(".safetensors")


def write_source(subject: Subject, path: Path, text: str, makes: str, layout: str) -> None:
    """Write `text`, and beside it the weights if there are any, by the names of what the function `makes` returns.

    Raises: CheckError where the file does not run, or makes a network with other tensors.
    """
    path.write_text(text, encoding="utf-8")
    if subject.weights is not None:
        tensors = in_order(subject.net, run_source(path, makes), f"the network of {path.name}")
        write_weights(beside_of(path), tensors, {**subject.weights.about, LAYOUT: layout})


def check_source(subject: Subject, path: Path, makes: str) -> Checked:
    """The file imported afresh, its network built, and loaded from the weights beside it.

    Raises: CheckError saying what differs.
    """
    what = f"the network of {path.name}"
    if subject.weights is None:
        net = run_source(path, makes).eval()
        copy_in_order(subject.net, net, what)
    else:
        net = run_source(path, "load", str(beside_of(path)))
        in_order(subject.net, net, what)
    check_params(subject.params, sum(parameter.numel() for parameter in net.parameters()), what)
    return Checked(check_modules(subject.net, net, subject.arch, what))


def run_source(path: Path, function: str, *arguments: Any) -> Any:
    """What `function` of the file returns. The file is imported as a module that nothing else sees.

    Raises: CheckError with what it raised.
    """
    spec = importlib.util.spec_from_file_location(f"_nas_exported_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    try:
        with torch.random.fork_rng([]):  # whose weights are drawn
            spec.loader.exec_module(module)
            return getattr(module, function)(*arguments)
    except MemoryError:
        raise
    except Exception as error:
        raise CheckError(f"{path.name} as it would be written does not run: {raised(error)}") from error


def _word(name: str) -> str:
    """A name that can stand in a docstring."""
    return re.sub(r"[^\w.:@+-]+", "-", name).strip("-") or "network"
