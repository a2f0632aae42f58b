"""What a network of a paper costs, regenerated: closed form where nas ships it, counted in the zoo where not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from nas.arch import Architecture
from nas.cost import Cost, cost
from nas.report.papers.comparison import Check
from nas.report.papers.facts import number
from nas.report.papers.zoo import HOW_COUNTED, Zoo
from nas.report.table import Cell, text
from nas.space import load_architecture


@dataclass(frozen=True, slots=True)
class Network:
    """A network by what the paper calls it. `shipped`: a baseline of nas; `foreign`: `torchvision:NAME`, `timm:NAME`;
    `why`: the reason where there is neither."""

    shipped: str = ""
    foreign: str = ""
    why: str = ""


@lru_cache
def closed(name: str) -> Architecture:
    """The shipped network called `name`."""
    return load_architecture(name)


@lru_cache(maxsize=4096)
def closed_cost(arch: Architecture) -> Cost:
    """Its cost in closed form."""
    return cost(arch)


def regenerate(network: Network, key: str, printed: str, unit: float, zoo: Zoo, reason: str = "") -> Check:
    """A printed count (`params`, `flops`) beside ours in the same unit; `reason` where they differ."""
    value: float | None = None
    if network.shipped:
        value = getattr(closed_cost(closed(network.shipped)), key)
    elif network.foreign:
        value = zoo.count(network.foreign, key)
        reason = reason if value is not None else f"{network.foreign}: {HOW_COUNTED}"
    else:
        reason = network.why
    return Check(printed, None if value is None else value / unit, reason)


def published(printed: str) -> Cell:
    """A number that is the paper's own and is not judged."""
    return Cell(printed, number(printed)) if printed else text(None)
