"""Modules that nas did not design: torchvision's, timm's, and what a user's callable returns. No weights are loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.errors import nearest, raised
from nas.foreign import DEFAULT_RESOLUTION, Foreign, ForeignError, split

# torchvision constructors that draw their weights slowly, or carry heads that only training for real would use
_PLAIN = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
    **{f"vgg{depth}{norm}": {"init_weights": False} for depth in (11, 13, 16, 19) for norm in ("", "_bn")},
}


def resolve_foreign(text: str) -> Foreign:
    """The value of a reference such as `timm:resnest101e` or `mymodule:net@64`, checked as far as is cheap.

    Pixels default to the model's own. A user's callable, and any model at another size than its own, is built and run
    once on the CPU, because nothing else says whether it works and how many classes it has.

    Raises: ForeignError in one line.
    """
    asked = split(text)
    source, _, name = asked.reference.partition(":")
    if source == "torchvision":
        own = _torchvision_size(name)
    elif source == "timm":
        own = _timm_size(name)
    else:
        foreign = asked.sized(DEFAULT_RESOLUTION)
        return dataclasses.replace(foreign, classes=_classes_of(build_foreign(foreign), foreign))
    foreign = asked.sized(own)
    if foreign.resolution != own:
        _classes_of(build_foreign(foreign), foreign)
    return foreign


def build_foreign(foreign: Foreign) -> nn.Module:
    """The module of `foreign`, (N, 3, R, R) → (N, classes), in train mode, with freshly drawn weights.

    Auxiliary classifiers of GoogLeNet and Inception-v3 are left out: they are no part of the network that answers.

    Raises: ForeignError where the name is unknown, the library is missing, or the callable makes no module.
    """
    if foreign.source == "torchvision":
        return _torchvision(foreign)
    if foreign.source == "timm":
        return _timm(foreign)
    return _called(foreign)


def _torchvision(foreign: Foreign) -> nn.Module:
    from torchvision.models import get_model

    _torchvision_size(foreign.name)  # an unknown name ends here
    more: dict[str, Any] = dict(_PLAIN.get(foreign.name, {}))
    if foreign.name.startswith("vit_"):  # its position embedding has one entry a patch
        more["image_size"] = foreign.resolution
    net: nn.Module = _made(foreign, lambda: get_model(foreign.name, weights=None, num_classes=foreign.classes, **more))
    return net


def _torchvision_size(name: str) -> int:
    """Side in pixels of the images that torchvision's first ImageNet weights of the model are for."""
    from torchvision import models

    known = models.list_models(module=models)  # classification only: segmentation, detection and video live deeper
    if name not in known:
        raise ForeignError(
            f"torchvision:{name}: torchvision has no classification model of that name", nearest(name, known)
        )
    weights = list(models.get_model_weights(name))
    first = next((entry for entry in weights if entry.name == "IMAGENET1K_V1"), weights[0] if weights else None)
    size = getattr(first.transforms, "keywords", {}).get("crop_size") if first else None
    return size if isinstance(size, int) else DEFAULT_RESOLUTION


def _timm(foreign: Foreign) -> nn.Module:
    timm = _import_timm(foreign.reference)
    own = _timm_size(foreign.name)
    more: dict[str, Any] = {}
    entry = timm.get_pretrained_cfg(foreign.name)
    if foreign.resolution != own and entry is not None and entry.fixed_input_size:
        more["img_size"] = foreign.resolution
    net: nn.Module = _made(
        foreign, lambda: timm.create_model(foreign.name, pretrained=False, num_classes=foreign.classes, **more)
    )
    return net


def _timm_size(name: str) -> int:
    """Side in pixels of the images that timm's default configuration of the model states."""
    timm = _import_timm(f"timm:{name}")
    if not timm.is_model(name):
        raise ForeignError(f"timm:{name}: timm {timm.__version__} has no model of that name",
                           nearest(name, timm.list_models()))  # fmt: skip
    entry = timm.get_pretrained_cfg(name)
    return int(entry.input_size[-1]) if entry is not None else DEFAULT_RESOLUTION


def _import_timm(reference: str) -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError:
        raise ForeignError(f"{reference}: timm is not installed", "pip install timm") from None


def _called(foreign: Foreign) -> nn.Module:
    where = foreign.reference
    with _importable_from_here():
        made = _made(foreign, _callable(foreign))
    if not isinstance(made, nn.Module):
        raise ForeignError(f"{where}: returned {_kind(made)}; expected a torch.nn.Module",
                           "name a function without arguments that returns the network")  # fmt: skip
    return made.train()


def _callable(foreign: Foreign) -> Callable[[], Any]:
    where = foreign.reference
    try:
        found: Any = importlib.import_module(foreign.source)
    except ModuleNotFoundError as error:
        if error.name and (foreign.source == error.name or foreign.source.startswith(error.name + ".")):
            hint = f"a file {foreign.source.replace('.', '/')}.py here, an installed package, torchvision:… or timm:…"
            raise ForeignError(f"{where}: no module '{foreign.source}'", hint) from None
        raise ForeignError(f"{where}: importing it raised {raised(error)}") from None
    except (Exception, SystemExit) as error:  # whatever a stranger's module does
        raise ForeignError(f"{where}: importing it raised {raised(error)}") from None
    whole = foreign.source
    for part in foreign.name.split("."):
        if not hasattr(found, part):
            names = [name for name in dir(found) if not name.startswith("_")]
            public = [name for name in names if callable(inspect.getattr_static(found, name, None))]
            raise ForeignError(f"{where}: '{whole}' has no '{part}'", nearest(part, public))
        found, whole = getattr(found, part), f"{whole}.{part}"
    if isinstance(found, nn.Module):
        raise ForeignError(f"{where}: is a network; expected a callable that makes one",
                           f"def make(): return {foreign.name}")  # fmt: skip
    if not callable(found):
        raise ForeignError(f"{where}: is {_kind(found)}; expected a callable that returns a torch.nn.Module")
    needed = _needed(found)
    if needed:
        raise ForeignError(f"{where}: needs arguments ({', '.join(needed)}); expected a callable that needs none",
                           "name a function without arguments that returns the network")  # fmt: skip
    return found  # type: ignore[no-any-return]


def _needed(function: Callable[..., Any]) -> list[str]:
    """The arguments that a call cannot leave out."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in callables do not say
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _made(foreign: Foreign, make: Callable[[], Any]) -> Any:
    """What `make` returns. Raises: ForeignError with what it raised."""
    try:
        return make()
    except (ForeignError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ForeignError(f"{foreign}: building it raised {raised(error)}") from None


def _classes_of(net: nn.Module, foreign: Foreign) -> int:
    """How many classes `net` tells apart, from one run of two images. Raises: ForeignError for any other output."""
    size = (2, 3, foreign.resolution, foreign.resolution)
    try:
        with torch.random.fork_rng([]), torch.no_grad():
            out = net.eval()(torch.zeros(size))
    except MemoryError:
        raise
    except Exception as error:
        raise ForeignError(f"{foreign}: running it on {size} raised {raised(error)}",
                           "another size: @PIXELS after the name") from None  # fmt: skip
    if not isinstance(out, torch.Tensor):
        raise ForeignError(f"{foreign}: returned {_kind(out)}; expected a tensor (N, classes)")
    if out.ndim != 2 or out.shape[0] != 2 or not out.shape[1]:
        raise ForeignError(f"{foreign}: two images gave shape {tuple(out.shape)}; expected (2, classes)")
    return int(out.shape[1])


def _kind(value: object) -> str:
    name = type(value).__name__
    return "nothing" if value is None else f"{'an' if name[0] in 'aeiouAEIO' else 'a'} {name}"


@contextlib.contextmanager
def _importable_from_here() -> Iterator[None]:
    """Modules of the current folder can be imported meanwhile, as under `python -m`."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
