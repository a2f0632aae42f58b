"""`nas import`: another library's network as one of nas, which can be shown, scaled, searched around."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import Json
from nas.errors import NasError, nearest

if TYPE_CHECKING:
    from nas.export.importing import Around, Imported

_CHECK_FAILED = 5


def import_(  # noqa: PLR0913, PLR0917
    network: Annotated[
        str,
        typer.Argument(help="torchvision:NAME, timm:NAME, or timm: and its block strings; @PIXELS for another size."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write YAML there; otherwise it is printed.")
    ] = None,
    stem: Annotated[int | None, typer.Option(help="Of block strings: channels.", show_default="32")] = None,
    stem_kernel: Annotated[int | None, typer.Option(help="Of block strings.", show_default="3")] = None,
    head: Annotated[
        int | None, typer.Option(help="Of block strings: channels, 0 is none.", show_default="1280")
    ] = None,
    resolution: Annotated[int | None, typer.Option(help="Of block strings: pixels.", show_default="224")] = None,
    classes: Annotated[int | None, typer.Option(help="Of block strings.", show_default="1000")] = None,
    activation: Annotated[
        str | None, typer.Option(metavar="silu|relu|relu6|hardswish", help="Of block strings.", show_default="silu")
    ] = None,
    norm_eps: Annotated[float | None, typer.Option(help="Of block strings: batch norm's.", show_default="1e-3")] = None,
    json_output: Json = False,
) -> None:
    """Read a network of torchvision or timm back into nas' table.

    The network is built and its modules read; then ours is built, weights are copied over in order, and both must have
    as many params and give the same logits. What nas cannot express is refused, naming the module: timm's tf_ networks
    too, which pad at stride 2 on one side only. Families: EfficientNet and V2, MobileNetV1 and V2, MnasNet, ResNet,
    ResNeXt, SE-ResNet. Weights are not imported.

    Examples:

      nas import timm:semnasnet_100 -o mnasnet.yaml

      nas import torchvision:efficientnet_v2_s

      nas import "timm:ds_r1_k3_s1_e1_c16_se0.25 ir_r2_k3_s2_e6_c24_se0.25" --head 640 --resolution 64 -o small.yaml
    """
    from nas.cli.output import spare, write_files
    from nas.export.check import CheckError
    from nas.export.importing import import_network, is_block_strings
    from nas.space_file import load_architecture, network_text

    given = {"stem": stem, "stem_kernel": stem_kernel, "head": head, "resolution": resolution, "classes": classes,
             "activation": activation, "norm_eps": norm_eps}  # fmt: skip
    asked = {key: value for key, value in given.items() if value is not None}
    if asked and not is_block_strings(network):
        option = f"--{next(iter(asked)).replace('_', '-')}"
        raise NasError(f"{option} is for block strings; '{network}' says it itself", f"leave {option} out")
    if output is not None:
        spare("--output", output, lambda path: load_architecture(str(path)), "network")
    try:
        found = import_network(network, _around(asked) if asked else None)
    except CheckError as error:
        console.fail(str(error), error.hint or "nothing was written")
        raise typer.Exit(_CHECK_FAILED) from None
    text = network_text(found.arch, output.stem if output else "", network)
    if output is not None:
        write_files({output: text.encode()})
    _report(network, found, output, text, json_output)


def _around(asked: Mapping[str, object]) -> Around:
    """Raises: NasError for an unknown activation, or a number that no network has."""
    from nas.arch import Activation
    from nas.export.importing import Around

    words = [kind.value for kind in Activation]
    word = asked.get("activation")
    if word is not None:
        if word not in words:
            raise NasError(f"--activation {word}: not an activation", nearest(str(word), words))
        asked = {**asked, "activation": Activation(word)}
    for key, value in asked.items():
        least = 0 if key == "head" else 1
        if isinstance(value, int) and not least <= value <= 65_536:
            raise NasError(f"--{key.replace('_', '-')} {value}: expected a whole number from {least} to 65,536")
    eps = asked.get("norm_eps")
    if isinstance(eps, float) and not 0 < eps < 1:
        raise NasError(f"--norm-eps {eps:g}: expected a number between 0 and 1")
    return Around(**asked)  # type: ignore[arg-type]


def _report(network: str, found: Imported, output: Path | None, text: str, json_output: bool) -> None:
    arch = found.arch
    if json_output:
        where = str(output) if output else None
        console.show_json(
            {
                "network": network,
                "notation": str(arch),
                "id": arch.id,
                "norm_eps": arch.norm_eps,
                "file": where,
                "difference": found.difference,
            }
        )
        return
    outcome = f"checked: the same params, and logits that differ by at most {found.difference:.1g} of the largest"
    if output is None:
        console.say(outcome)
        console.result().print(text.rstrip("\n"), soft_wrap=True)
    else:
        console.result().print(f"written {output}\n{arch}\n{outcome}", soft_wrap=True)
