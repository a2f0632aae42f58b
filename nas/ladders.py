"""Which α, β and γ build one and the same network: rounding makes many triples one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.arch import Architecture
from nas.grid import Triple
from nas.scaling import scale

Span = tuple[float, float]  # the least and the largest value
Spans = tuple[Span, Span, Span]  # of α, β, γ
Parts = tuple[tuple[int, ...], tuple[int, ...], int]


def parts(arch: Architecture) -> Parts:
    """What each dimension built: layers by stage; channels of stem, stages and head; pixels."""
    widths = (arch.stem, *(stage.channels for stage in arch.stages), arch.head)
    return tuple(stage.layers for stage in arch.stages), widths, arch.resolution


@dataclass(frozen=True, slots=True)
class Ladders:
    """The values that α, β and γ may take, and what each builds of the base alone."""

    values: tuple[float, ...]
    built: tuple[Parts, ...]  # by α alone, by β alone, by γ alone: one value's three

    @classmethod
    def of(cls, base: Architecture, values: Sequence[float], pixels: int) -> Ladders:
        """The ladders of a grid over `base` that rounds its resolutions to `pixels`."""
        built = tuple(
            (
                parts(scale(base, depth=value))[0],
                parts(scale(base, width=value))[1],
                parts(scale(base, resolution=value, pixels=pixels))[2],
            )
            for value in values
        )
        return cls(tuple(values), built)

    def spans(self, arch: Architecture, triple: Triple) -> Spans:
        """From where to where α, β and γ build `arch`, with those of the `triple` that it goes by.

        The three round apart from each other, and none ever back, so that every triple between builds it too.
        """
        alpha, beta, gamma = (
            [own, *(value for value, made in zip(self.values, self.built, strict=True) if made[place] == here)]
            for place, (own, here) in enumerate(zip(triple, parts(arch), strict=True))
        )
        return (min(alpha), max(alpha)), (min(beta), max(beta)), (min(gamma), max(gamma))
