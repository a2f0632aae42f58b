"""Scale an architecture by depth, width and resolution, with the rounding of the papers. Loads no torch."""

from __future__ import annotations

import dataclasses
import math

from nas.arch import Architecture, ArchitectureError, Stage, round_channels


def scale(  # noqa: PLR0913
    arch: Architecture,
    *,
    depth: float = 1.0,
    width: float = 1.0,
    resolution: float = 1.0,
    divisor: int = 8,
    floor: float | None = 0.9,
    pixels: int = 1,
) -> Architecture:
    """`arch` with layers × `depth` (rounded up), channels × `width` (to `divisor`), side × `resolution` (to `pixels`).

    Stem and head widths scale with the stages, as in EfficientNet (arXiv:1905.11946). `floor` is V1's rule that
    rounding takes away at most 10 % of a width; the V2 code dropped it (None). A factor of exactly 1 changes nothing,
    and no head convolution (0) stays none.

    Raises: ArchitectureError for a factor that is not a positive number, or a resolution below the total stride.
    """
    for name, factor in (("depth", depth), ("width", width), ("resolution", resolution)):
        if not (math.isfinite(factor) and factor > 0):
            raise ArchitectureError(f"scale: {name}: expected a number above 0; got {factor!r}")

    for name, unit in (("divisor", divisor), ("pixels", pixels)):
        if type(unit) is not int or unit < 1:
            raise ArchitectureError(f"scale: {name}: expected a whole number of at least 1; got {unit!r}")

    def channels(count: int) -> int:
        return count if width == 1 or count == 0 else round_channels(count * width, divisor, floor)

    def scaled(stage: Stage) -> Stage:
        return dataclasses.replace(stage, layers=_layers(stage.layers, depth), channels=channels(stage.channels))

    return dataclasses.replace(
        arch,
        stem=channels(arch.stem),
        stages=tuple(map(scaled, arch.stages)),
        head=channels(arch.head),
        resolution=arch.resolution if resolution == 1 else nearest_multiple(arch.resolution * resolution, pixels),
    )


def nearest_multiple(size: float, of: int = 1) -> int:
    """The multiple of `of` pixels nearest to `size`, halves up, at least one; 1e-9 keeps 224 × 1.15 / 1.15 at 224."""
    return max(1, math.floor(size / of + 0.5 + 1e-9)) * of


def _layers(layers: int, depth: float) -> int:
    """Rounded up, as the papers do; 1e-9 keeps 3 × 1.1 / 1.1 at 3."""
    return max(1, math.ceil(layers * depth - 1e-9))
