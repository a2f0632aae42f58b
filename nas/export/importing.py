"""`nas import`: another library's network as an architecture, which is built and held against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nas.arch import Activation, Architecture
from nas.errors import raised
from nas.export.check import SIDE, CheckError, check_modules, check_params, copy_in_order
from nas.export.families import parts
from nas.export.inverse import architecture_of
from nas.export.source import ACTIVATIONS
from nas.export.subject import drawn, images
from nas.foreign import LIBRARIES, Foreign, ForeignError
from nas.nets import Network, build_foreign, resolve_foreign

_MOST_REPEATS = 1_000  # as of an Architecture's layers
_LIKE = "a block string reads like: ir_r2_k3_s2_e6_c24_se0.25"
_PART = re.compile(r"(noskip|skip|n(re|r6|hs|sw|mi)|(r|k|s|e|c|se|i|a|p|fc|cc|gs|d|h|v)\d[\d.]*)")  # of timm's decoder
_NUMBER = re.compile(r"([a-z]+)(\d+)")  # its first digits: mixed kernels read as k3.5
_NEEDED = {
    "r": ("repeats", 1, _MOST_REPEATS),
    "k": ("a kernel", 0, 99),
    "s": ("a stride", 1, 2),
    "c": ("channels", 1, 100_000),
}
_BLOCKS = re.compile(r"[a-z]+_r\d+_\S*")


@dataclass(frozen=True, slots=True)
class Imported:
    """An architecture, and by how much its logits differ from its model's, relative to the largest."""

    arch: Architecture
    difference: float


@dataclass(frozen=True, slots=True)
class Around:
    """What block strings do not say of a network."""

    stem: int = 32
    stem_kernel: int = 3
    head: int = 1280
    resolution: int = 224
    classes: int = 1000
    activation: Activation = Activation.SILU
    norm_eps: float = 1e-3


def is_block_strings(text: str) -> bool:
    """Whether `text` is `timm:` and block strings: `timm:ds_r1_k3_s1_e1_c16 ir_r2_k3_s2_e6_c24`."""
    source, _, rest = text.partition(":")
    words = _words(rest)
    return source == "timm" and (len(words) > 1 or bool(words and _BLOCKS.fullmatch(words[0])))  # no name has spaces


def import_network(text: str, around: Around | None = None) -> Imported:
    """The architecture of `torchvision:NAME`, `timm:NAME`, or of timm's block strings with what is `around` them.

    Raises: ForeignError for a network that is unknown or that nas cannot express, naming the module; CheckError where
    what was read is not the same network.
    """
    with torch.random.fork_rng([]):  # the other library draws weights
        net, foreign = _built(text, around)
    try:
        arch = architecture_of(net, foreign)
    except ForeignError as error:
        where = "" if str(error).startswith(foreign.reference) else f"{foreign.reference}: "
        raise ForeignError(f"{where}{error}", error.hint) from None
    return Imported(arch, _check(arch, net.eval(), foreign))


def _built(text: str, around: Around | None) -> tuple[nn.Module, Foreign]:
    if is_block_strings(text):
        around = around or Around()
        foreign = Foreign("timm:block_strings", around.resolution, around.classes)
        return _from_strings(_words(text.partition(":")[2]), around), foreign
    foreign = _named(text)
    return build_foreign(foreign), foreign


def _named(text: str) -> Foreign:
    if text.partition(":")[0] not in LIBRARIES:
        raise ForeignError(
            f"'{text[:200]}' is no network of another library",
            "write torchvision:NAME, timm:NAME, or timm: and block strings in quotes; nas show shows a network of nas",
        )
    return resolve_foreign(text)


def _words(text: str) -> list[str]:
    """Block strings as they stand in timm's source, or apart by spaces."""
    return re.sub(r"[\[\],'\"]", " ", text).split()


def _from_strings(words: Sequence[str], around: Around) -> nn.Module:
    """The network as timm builds it. Raises: ForeignError where timm is missing, or does not read the strings."""
    try:
        from timm.models._efficientnet_builder import decode_arch_def
        from timm.models.efficientnet import EfficientNet
    except ImportError:
        raise ForeignError("timm: block strings are read by timm, which is not installed", "pip install timm") from None
    decoded: list[Any] = []
    for word in words:
        _check_word(word)
        try:
            decoded.extend(decode_arch_def([[word]]))  # type: ignore[no-untyped-call]
        except Exception as error:
            raise ForeignError(f"timm does not read '{word}': {raised(error)}", _LIKE) from None
    try:
        net: nn.Module = EfficientNet(
            decoded,
            num_classes=around.classes,
            stem_size=around.stem,
            stem_kernel_size=around.stem_kernel,
            num_features=around.head,
            round_chs_fn=int,
            output_stride=2 ** (len(words) + 1),  # beyond it timm would dilate instead
            act_layer=getattr(nn, ACTIVATIONS[around.activation]),
            norm_layer=partial(nn.BatchNorm2d, eps=around.norm_eps),
        )
    except MemoryError:
        raise
    except Exception as error:
        raise ForeignError(f"timm does not build these blocks: {raised(error)}", _LIKE) from None
    return net


def _check_word(word: str) -> None:
    """What timm leaves out or stumbles over. Raises: ForeignError naming the part."""
    parts = [part for part in word.split("_")[1:] if part]
    for part in parts:
        if not _PART.fullmatch(part):
            raise ForeignError(f"timm: '{word[:100]}': '{part[:20]}' is no part of a block string", _LIKE)
    numbers = {match[1]: float(match[2]) for part in parts if (match := _NUMBER.match(part))}
    for key, (name, least, most) in _NEEDED.items():
        if not least <= numbers.get(key, -1) <= most:
            got = f"got {key}{numbers[key]:g}" if key in numbers else f"no {key} is there"
            raise ForeignError(f"timm: '{word[:100]}': expected {name} from {least} to {most:,}; {got}", _LIKE)
    if word.startswith(("ir_", "er_")) and "e" not in numbers:
        raise ForeignError(f"timm: '{word[:100]}': expected an expansion; no e is there", _LIKE)


def _check(arch: Architecture, theirs: nn.Module, foreign: Foreign) -> float:
    """The difference in logits once random weights were copied over in order. Raises: CheckError, ForeignError."""
    ours = drawn(arch)
    check_params(
        sum(parameter.numel() for parameter in theirs.parameters()),
        sum(parameter.numel() for parameter in ours.parameters()),
        f"{foreign.reference}: what was read of it",
    )
    copy_in_order(ours, theirs, foreign.reference)
    try:
        return check_modules(ours, theirs, arch, foreign.reference)
    except CheckError as error:
        if (path := _first_difference(ours, theirs, foreign)) is None:
            raise
        raise ForeignError(
            f"{foreign.reference}: {path} computes something else than the block of nas with the same weights",
            "its shortcut, its padding or its gate differs; the network can be measured: nas measure",
        ) from error


def _first_difference(ours: Network, theirs: nn.Module, foreign: Foreign) -> str | None:
    """The path of the first part of `theirs` that gives another map than the part of `ours`; None where none does."""
    whole = parts(theirs, foreign)
    other = [whole.stem, *(block for group in whole.groups for block in group), *([whole.head] if whole.head else [])]
    mine = [ours.stem, *(block for stage in ours.stages.children() for block in stage.children()), ours.head]
    side = max(ours.arch.total_stride, min(ours.arch.resolution, SIDE))
    pictures = images(ours.arch, 2, seed=1, side=side)
    found = zip(
        other, _outputs(ours, mine, pictures), _outputs(theirs, [part[-1][1] for part in other], pictures), strict=False
    )
    for part, expected, got in found:
        scale = float(expected.abs().max()) or 1.0
        if expected.shape != got.shape or not float((expected - got).abs().max()) <= 1e-4 * scale:
            return part[0][0]
    return None


def _outputs(net: nn.Module, modules: Sequence[nn.Module], pictures: Tensor) -> Iterator[Tensor]:
    """What each of `modules` returns when `net` sees `pictures`, in their order."""
    kept: dict[int, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _module, _in, out, at=at: kept.__setitem__(at, out.clone()))
        for at, module in enumerate(modules)
    ]
    try:
        with torch.inference_mode():
            net(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    return iter([kept[at] for at in sorted(kept)])
