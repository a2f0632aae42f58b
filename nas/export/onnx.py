"""`--format onnx`: one file with its weights inside, for any batch, run by onnxruntime when it is made."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.check import BATCHES, Checked, CheckError, check_params, check_same
from nas.export.subject import Subject, images

OPSET = 18
NOTATION = "nas"  # the key of the file's metadata that has the network's notation
_TWO = 2  # images to trace with: 1 would be taken for a constant
_RESHAPED = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity")
_WITH_WEIGHTS = ("Conv", "Gemm", "MatMul", "BatchNormalization")


def write_onnx(subject: Subject, path: Path) -> None:
    """Write the file. Raises: NasError where onnx or onnxscript is not installed."""
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise NasError(f"--format onnx: {package} is not installed", "pip install 'nas[onnx]'")
    with _quiet():
        program = torch.onnx.export(
            subject.net,
            (images(subject.arch, _TWO, seed=1),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["images"],
            output_names=["logits"],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[NOTATION] = str(subject.arch)
    program.save(str(path), external_data=False)


def check_onnx(subject: Subject, path: Path) -> Checked:
    """The file read by onnx and run by onnxruntime, at each batch; only read where onnxruntime is not installed.

    Raises: CheckError where it is no valid model, has other params, or gives other logits.
    """
    import onnx

    model = onnx.load(str(path))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckError(f"{path.name}: not a valid ONNX model: {str(error).splitlines()[0]}") from None
    check_params(subject.params, _params(model, subject.net), f"{path.name}, batch norms unfolded,")
    if importlib.util.find_spec("onnxruntime") is None:
        return Checked(reason="onnxruntime is not installed: pip install 'nas[onnx]'")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(pictures: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": pictures.numpy()})[0])

    return Checked(check_same(subject.net, run, images(subject.arch, max(BATCHES), seed=1), path.name))


def notation_in(path: Path) -> str:
    """The notation that an ONNX file of ours has in its metadata; empty for any other file."""
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # whatever protobuf raises for what is none
        return ""
    return next((str(entry.value) for entry in model.metadata_props if entry.key == NOTATION), "")


def _params(model: Any, net: nn.Module) -> int:
    """Learnable scalars of the model's convolutions, norms and linears.

    A norm that was folded into its convolution left one bias a channel where it had two parameters; one that was not
    brings its running statistics along. A bias of zeros, as of a norm that has hardly been trained, is left out.
    """
    sizes: dict[str, int] = {weight.name: math.prod(weight.dims) for weight in model.graph.initializer}
    for node in model.graph.node:  # in the order they run
        if node.op_type in _RESHAPED and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
    nodes = [node for node in model.graph.node if node.op_type in _WITH_WEIGHTS]
    found: int = sum(sizes.get(name, 0) for node in nodes for name in node.input)
    kept = sum(sizes.get(node.input[1], 0) for node in nodes if node.op_type == "BatchNormalization")
    channels = sum(module.num_features for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    bare = sum(_outputs(node, shapes) for node in nodes if node.op_type in ("Conv", "Gemm") and len(node.input) == 2)
    return found - 2 * kept + (channels - kept) + (bare - kept)


def _outputs(node: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Channels that a convolution or a linear layer gives."""
    shape = shapes[node.input[1]]
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return shape[0] if node.op_type == "Conv" or transposed else shape[-1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own progress."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
