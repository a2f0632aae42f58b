"""The cost of every network that a base scaled by a ladder of factors makes, as exact arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nas.arch import Architecture, ArchitectureError, Stage
from nas.cost import Cost, by_stage
from nas.scaling import scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = 2**62  # whole numbers below it add up exactly in int64

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Lattice:
    """The cost of every distinct network: depths × widths × resolutions, in that order of axes.

    Depth enters a cost linearly, one product of layers with the cost of a later block, so only widths × resolutions are
    walked. `depth_of`, `width_of`, `pixels_of` say which rung builds which.
    """

    archs: list[list[Architecture]]  # by width and resolution, every stage as deep as the base's
    layers: NDArray[np.int64]  # depths × stages
    depth_of: NDArray[np.int64]
    width_of: NDArray[np.int64]
    pixels_of: NDArray[np.int64]
    params: NDArray[np.int64]
    flops: NDArray[np.int64]
    activations: NDArray[np.int64]

    @classmethod
    def build(
        cls, base: Architecture, rungs: Sequence[float], divisor: int, floor: float | None, pixels: int
    ) -> Lattice:
        deep = [tuple(s.layers for s in scale(base, depth=rung).stages) for rung in rungs]
        wide = [scale(base, width=rung, divisor=divisor, floor=floor) for rung in rungs]
        sized = [scale(base, resolution=rung, pixels=pixels).resolution for rung in rungs]
        depths, widths, sizes = _distinct(deep), _distinct(wide), _distinct(sized)
        archs = [[dataclasses.replace(width, resolution=size) for size in sizes] for width in widths]
        layers = np.array(depths, dtype=np.int64)
        counts = [_affine(arch) for row in archs for arch in row]
        shape = (len(depths), len(widths), len(sizes))
        totals = []
        for metric in range(3):
            fixed = np.array([one[metric][0] for one in counts], dtype=np.float64)
            later = np.array([one[metric][1] for one in counts], dtype=np.float64)
            if (fixed + later @ layers.max(axis=0)).max() >= EXACT:
                raise ArchitectureError("the largest network costs more than 4e18, too much to count exactly")
            whole = [np.array([one[metric][part] for one in counts], dtype=np.int64) for part in (0, 1)]
            totals.append((whole[0] + (layers - 1) @ whole[1].T).reshape(shape))
        return cls(
            archs,
            layers,
            np.array([depths.index(value) for value in deep]),
            np.array([widths.index(value) for value in wide]),
            np.array([sizes.index(value) for value in sized]),
            *totals,
        )

    def each_triple(self, networks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What is said of every network, said of every triple."""
        return networks[np.ix_(self.depth_of, self.width_of, self.pixels_of)]

    def stages(self, depth: int, width: int) -> tuple[Stage, ...]:
        """The stages of every network of this depth and width."""
        shallow = self.archs[width][0].stages
        return tuple(
            dataclasses.replace(stage, layers=int(layers))
            for stage, layers in zip(shallow, self.layers[depth], strict=True)
        )

    def cost(self, depth: int, width: int, size: int) -> Cost:
        """The cost of one distinct network."""
        at = (depth, width, size)
        return Cost(int(self.params[at]), int(self.flops[at]), int(self.activations[at]))


def _affine(arch: Architecture) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(of one block a stage, of each further block by stage) for params, FLOPs and activations."""
    one, two = (
        by_stage(dataclasses.replace(arch, stages=tuple(dataclasses.replace(s, layers=layers) for s in arch.stages)))
        for layers in (1, 2)
    )
    pairs = list(zip(one, two, strict=True))[1:-1]  # stem and head have no depth
    return (
        (sum(row.cost.params for row in one), tuple(b.cost.params - a.cost.params for a, b in pairs)),
        (sum(row.cost.flops for row in one), tuple(b.cost.flops - a.cost.flops for a, b in pairs)),
        (sum(row.cost.activations for row in one), tuple(b.cost.activations - a.cost.activations for a, b in pairs)),
    )


def _distinct(values: Iterable[_Value]) -> list[_Value]:
    """The values in the order of their first appearance."""
    return list(dict.fromkeys(values))
