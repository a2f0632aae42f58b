"""Rules that scale an architecture by depth, width and resolution, with the rounding of the papers. Loads no torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nas.arch import Architecture, ArchitectureError, Op, Stage, round_channels

Dimension = Literal["depth", "width", "resolution"]
Multiplier = Literal["mobilenetv1", "mobilenetv2"]


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
    rounding pixels turns no factor's direction round, and no head convolution (0) stays none.

    Raises: ArchitectureError for a factor that is not a positive number, or a resolution below the total stride.
    """
    _positive(depth=depth, width=width, resolution=resolution)
    for name, unit in (("divisor", divisor), ("pixels", pixels)):
        if type(unit) is not int or unit < 1:
            raise ArchitectureError(f"scale: {name}: expected a whole number of at least 1; got {unit!r}")
    wide = arch if width == 1 else _widened(arch, lambda count: round_channels(count * width, divisor, floor))
    deep = _deepened(wide, lambda layers: _layers(layers, depth))
    return dataclasses.replace(deep, resolution=_side(arch.resolution, resolution, pixels))


def compound(  # noqa: PLR0913
    arch: Architecture,
    phi: float,
    *,
    alpha: float = 1.2,
    beta: float = 1.1,
    gamma: float = 1.15,
    floor: float | None = 0.9,
    pixels: int = 1,
) -> Architecture:
    """`arch` with depth × α^φ, width × β^φ, resolution × γ^φ: FLOPs grow about (α·β²·γ²)^φ.

    Equation 3 of arXiv:1905.11946 with its constants; `floor` None is V2's rounding. A negative φ scales down.
    """
    depth, width, resolution = Factors(alpha, beta, gamma).power(phi)
    return scale(arch, depth=depth, width=width, resolution=resolution, floor=floor, pixels=pixels)


def one_dimension(arch: Architecture, dimension: Dimension, ratio: float) -> Architecture:
    """`arch` with the FLOPs × `ratio` spent on one dimension: depth × ratio, width × √ratio or resolution × √ratio."""
    _positive(ratio=ratio)
    if dimension == "depth":
        return scale(arch, depth=ratio)
    root = math.sqrt(ratio)
    return scale(arch, width=root) if dimension == "width" else scale(arch, resolution=root)


def fast(arch: Architecture, ratio: float, *, emphasis: float = 0.8) -> Architecture:
    """`arch` with FLOPs × about `ratio` and activations × about ratio^(1 − emphasis/2): fast compound scaling, dWr.

    d = s^((1−a)/2), w = s^(a/2), r = s^((1−a)/4) with a = `emphasis` on width (arXiv:2103.06877): d·w²·r² = s, and
    the activations d·w·r² = s^(1 − a/2). a = 0.8 is the paper's choice (s^0.6); a = 1/3 is uniform scaling (s^(5/6)).
    Rounded as the authors' code does (pycls, scaler.py): layers to the nearest, widths to 8 without V1's rule, pixels
    to 4. Rounding a depth of 1.07 up would double every stage of one layer.
    """
    _positive(ratio=ratio)
    if not 0 <= emphasis <= 1:
        raise ArchitectureError(f"scale: emphasis: expected a number from 0 to 1; got {emphasis!r}")
    rest = 1 - emphasis
    wide = scale(arch, width=ratio ** (emphasis / 2), resolution=ratio ** (rest / 4), floor=None, pixels=4)
    return _deepened(wide, lambda layers: max(1, round(layers * ratio ** (rest / 2))))


def staged(
    arch: Architecture, *, depth: float, width: float, resolution: float, late: bool = False, cap: int = 480
) -> Architecture:
    """`arch` scaled as EfficientNetV2-S, -M and -L are (arXiv:2104.00298v3, §3.3), as far as that is a rule.

    Layers × `depth` and channels × `width` as in EfficientNet, at most `cap` pixels, and where `late`, the layers of
    `late_stages` more. The head stays, and the stem is as wide as the first stage, even where the base's is wider:
    that is what the released networks have (V2-S: 24 for the base's 32) and the text does not say. The base × B7's
    coefficients with late layers is V2-L exactly.

    Raises: ArchitectureError for a base that does not begin with Fused-MBConv: of no other do these roundings tell.
    """
    if arch.stages[0].op is not Op.FUSED_MBCONV:
        raise ArchitectureError(
            "scale: the staged rule is EfficientNetV2's; expected a base whose first stage is Fused-MBConv",
            "use another rule, for example compound, or a base such as efficientnetv2-b0",
        )
    longer = dataclasses.replace(arch, stages=late_stages(arch)) if late else arch
    made = scale(longer, depth=depth, width=width, resolution=resolution)
    side = min(made.resolution, max(arch.resolution, cap))  # the cap shrinks no base
    return dataclasses.replace(made, stem=made.stages[0].channels, head=arch.head, resolution=side)


def late_stages(arch: Architecture) -> tuple[Stage, ...]:
    """The base's stages as V2-M and V2-L have them: one layer more in the last but one, and a stage behind the last.

    Stage 5 of V2-B0 has then 6 layers: 14 = ⌈2.2·6⌉ in M, 19 = ⌈3.1·6⌉ in L. The seventh stage has two blocks, 5/3 of
    the last width and stride 1: 192 → 320 channels, 512 = 1.6·320 in M and 640 = 2·320 in L; 5 = ⌈2.2·2⌉ and
    7 = ⌈3.1·2⌉ layers.
    """
    stages, last = list(arch.stages), arch.stages[-1]
    place = max(0, len(stages) - 2)
    stages[place] = dataclasses.replace(stages[place], layers=stages[place].layers + 1)
    behind = dataclasses.replace(last, stride=1, channels=round_channels(last.channels * 5 / 3), layers=2)
    return (*stages, behind)


def multipliers(
    arch: Architecture, *, width: float = 1.0, resolution: int | None = None, rounding: Multiplier = "mobilenetv2"
) -> Architecture:
    """`arch` with MobileNet's two multipliers: channels × `width`, at `resolution` pixels.

    "mobilenetv1" cuts to whole channels, at least 8 (arXiv:1704.04861, official slim code). "mobilenetv2" rounds to
    multiples of 8 by the 90 % rule and never narrows the head (arXiv:1801.04381, §6.1).
    """
    _positive(width=width)
    side = arch.resolution if resolution is None else resolution
    if width == 1:
        return dataclasses.replace(arch, resolution=side)
    if rounding == "mobilenetv1":
        thin = _widened(arch, lambda count: max(8, int(count * width + 1e-9)))
    else:
        thin = _widened(arch, lambda count: round_channels(count * width))
        thin = dataclasses.replace(thin, head=max(arch.head, thin.head))
    return dataclasses.replace(thin, resolution=side)


_FACTORS = (1e-9, 1e9)  # of beyond, a product of five at some φ is no float


@dataclass(frozen=True, slots=True)
class Factors:
    """α, β, γ of compound scaling: what one step of φ multiplies layers, channels and pixels by."""

    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15

    def __post_init__(self) -> None:
        for name, factor in dataclasses.asdict(self).items():
            if not _FACTORS[0] <= factor <= _FACTORS[1]:
                ends = "from {:g} to {:g}".format(*_FACTORS)
                raise ArchitectureError(f"scale: {name}: expected a number {ends}; got {factor!r}")

    @property
    def product(self) -> float:
        """α·β²·γ²: the nominal FLOPs of φ = 1 over those of the base."""
        return self.alpha * self.beta**2 * self.gamma**2

    def power(self, phi: float) -> tuple[float, float, float]:
        """(depth, width, resolution) at `phi`."""
        try:
            return self.alpha**phi, self.beta**phi, self.gamma**phi
        except OverflowError:
            return math.inf, math.inf, math.inf

    def ratio(self, phi: float) -> float:
        """Nominal FLOPs at `phi` over those of the base."""
        depth, width, resolution = self.power(phi)
        return depth * width * width * resolution * resolution  # x**2 raises where x * x is infinite


def implied_phi(coefficient: float, factor: float) -> float:
    """The φ at which factor^φ is `coefficient`: ln coefficient / ln factor; no factor of 1 has one."""
    return math.log(coefficient) / math.log(factor)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule under its name. `make` scales a base to φ.

    Before rounding, compound, the single dimensions and fast spend `Factors.ratio(phi)` times the FLOPs; the
    multipliers leave the depth alone and spend (β·γ)^(2φ); staged promises no ratio, for its cap and its late layers.
    """

    name: str
    meaning: str
    make: Callable[[Architecture, float, Factors], Architecture]


def _compound_v1(arch: Architecture, phi: float, factors: Factors) -> Architecture:
    return compound(arch, phi, **dataclasses.asdict(factors))


def _compound_v2(arch: Architecture, phi: float, factors: Factors) -> Architecture:
    return compound(arch, phi, **dataclasses.asdict(factors), floor=None)


def _staged(arch: Architecture, phi: float, factors: Factors) -> Architecture:
    """Late layers come with B5's depth: V2-S (× 1.8) has none, V2-M (× 2.2) and V2-L (× 3.1) have them."""
    depth, width, resolution = factors.power(phi)
    made = staged(arch, depth=depth, width=width, resolution=resolution, late=depth >= 2)
    return arch if phi == 0 else made


def _spend(dimension: Dimension) -> Callable[[Architecture, float, Factors], Architecture]:
    return lambda arch, phi, factors: one_dimension(arch, dimension, factors.ratio(phi))


def _multiplied(rounding: Multiplier) -> Callable[[Architecture, float, Factors], Architecture]:
    def make(arch: Architecture, phi: float, factors: Factors) -> Architecture:
        _, width, resolution = factors.power(phi)
        _positive(resolution=resolution)
        side = _side(arch.resolution, resolution, 32)
        return multipliers(arch, width=width, resolution=side, rounding=rounding)

    return make


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("compound", "depth α^φ, width β^φ, resolution γ^φ; V1's rounding (arXiv:1905.11946)", _compound_v1),
        Rule("compound-v2", "the same with V2's rounding, which may take more than 10 % of a width", _compound_v2),
        Rule("depth", "depth alone: layers × (α·β²·γ²)^φ", _spend("depth")),
        Rule("width", "width alone: channels × (α·β²·γ²)^(φ/2)", _spend("width")),
        Rule("resolution", "resolution alone: pixels × (α·β²·γ²)^(φ/2)", _spend("resolution")),
        Rule(
            "fast",
            "mostly width (dWr, emphasis 0.8): FLOPs × s = (α·β²·γ²)^φ, activations × s^0.6 (arXiv:2103.06877)",
            lambda arch, phi, factors: fast(arch, factors.ratio(phi)),
        ),
        Rule(
            "staged",
            "EfficientNetV2's: as compound to at most 480 px, the stem as wide as the first stage, from depth × 2 on "
            "more layers late; no promised ratio (arXiv:2104.00298)",
            _staged,
        ),
        Rule("mobilenetv1", "width β^φ in whole channels, resolution γ^φ to 32 px", _multiplied("mobilenetv1")),
        Rule(
            "mobilenetv2", "width β^φ to 8 channels, the head not below the base's, 32 px", _multiplied("mobilenetv2")
        ),
    )
}


def scalable(network: object, name: str = "") -> Architecture:
    """`network` itself. Raises: ArchitectureError where it has no stages to scale, as a foreign network has none."""
    if isinstance(network, Architecture):
        return network
    raise ArchitectureError(
        f"{name or network}: has no stages to scale; expected an architecture",
        "scale a shipped network (nas spaces), a YAML file or the one-line notation",
    )


def _positive(**factors: float) -> None:
    for name, factor in factors.items():
        if not (math.isfinite(factor) and factor > 0):
            raise ArchitectureError(f"scale: {name}: expected a number above 0; got {factor!r}")


def _widened(arch: Architecture, channels: Callable[[int], int]) -> Architecture:
    """`arch` with the widths of stem, stages and head (where there is one) mapped."""
    stages = tuple(dataclasses.replace(stage, channels=channels(stage.channels)) for stage in arch.stages)
    head = channels(arch.head) if arch.head else 0
    return dataclasses.replace(arch, stem=channels(arch.stem), stages=stages, head=head)


def _deepened(arch: Architecture, layers: Callable[[int], int]) -> Architecture:
    """`arch` with the layers of its stages mapped."""
    stages = tuple(dataclasses.replace(stage, layers=layers(stage.layers)) for stage in arch.stages)
    return dataclasses.replace(arch, stages=stages)


def _layers(layers: int, depth: float) -> int:
    """Rounded up, as the papers do; 1e-9 keeps 3 × 1.1 / 1.1 at 3."""
    return max(1, math.ceil(layers * depth - 1e-9))


def _side(side: int, factor: float, pixels: int) -> int:
    """`side` × `factor`, to the nearest multiple of `pixels`, halves up, at least one; a factor of 1 keeps it.

    A factor above 1 never rounds to below `side`, one below 1 never to above it.
    """
    if factor == 1:
        return side
    rounded = max(1, math.floor(side * factor / pixels + 0.5 + 1e-9)) * pixels
    return max(side, rounded) if factor > 1 else min(side, rounded)
