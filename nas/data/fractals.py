"""Formula-driven images: every class is an iterated function system (Kataoka et al. 2020, arXiv:2101.08515).

A class is a pair of systems of affine maps: a layout, and a texture. The picture is the texture's attractor under all
compositions of `levels` maps of the layout, so that telling classes apart takes both the arrangement of distant parts
and their fine detail. Points are drawn by a stratified chaos game: many at once, at each step shuffled and cut into one
group a map, sized by the map's area. Every image jitters the maps, turns, scales, shears and shifts the result, and has
colours and a background of its own, so that none of these tells the class. The shuffles, however, are drawn once for
the images of a class that are drawn together (by default all of them): beside its shape a class has a grain, which
held-out images share with training images. So accuracy here ranks networks; it is not that of recognising shapes alone.
Points live in the unit square, so one seed draws the same pictures at every resolution, finer where there are more
pixels. numpy, in threads: no result depends on their number.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.data.cache import cached
from nas.data.source import DataError, Request
from nas.data.split import Data, resident

LARGEST_SIDE = 512  # pixels
_BURN_IN = 12  # steps after which a point lies on the attractor to within a pixel
_CHAINS = 512  # points moved at once, an image
_TOGETHER = 96  # images drawn at once, of one class
_WORKING_BYTES = 4 * 2**30  # for all threads that draw

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fractals:
    """What to draw. Another value draws another set; `version` counts changes of the drawing itself."""

    classes: int = 64
    train: int = 64  # training images a class
    held: int = 32  # images a class, held out
    textures: int = 2  # shared by all layouts; there are classes / textures layouts
    levels: int = 2  # maps of the layout that a point of the texture goes through
    maps: int = 4  # affine maps of a system
    jitter: float = 0.08  # relative, of every coefficient of every map, drawn for each image
    points: int = 8  # points a pixel
    least_fill: float = 0.18  # share of 32 × 32 cells that a system's attractor must touch
    colour: float = 0.3  # 0: white on the background; 1: any colour
    clutter: float = 0.3  # brightest background, of white
    turn: float = 15.0  # degrees either way, at most; of all variation the hardest to learn in few steps
    shear: float = 0.25
    shift: float = 0.1  # of the side, at most
    smallest: float = 0.6  # of its full size; the largest is 1
    version: int = 2


def load_fractals(request: Request) -> Data:
    """The built-in data set, drawn once for each seed and resolution and then read from the cache."""
    check_fractals(request)
    spec = _spec(request.argument)
    key = hashlib.sha256(repr((spec, request.resolution, request.seed)).encode()).hexdigest()[:16]
    found = cached(f"fractals-{key}", lambda: draw(spec, request.resolution, request.seed))
    labels = torch.arange(spec.classes)[:, None]
    pairs = [
        (found[part].flatten(0, 1), labels.expand(-1, found[part].shape[1]).flatten()) for part in ("train", "held")
    ]
    return Data("fractals", spec.classes, request.resolution, *resident(pairs[0], pairs[1], request.device))


def check_fractals(request: Request) -> None:
    """Reads the argument and the resolution; draws nothing."""
    _spec(request.argument)
    if request.resolution > LARGEST_SIDE:
        raise DataError(f"data 'fractals': {request.resolution} px is too fine", f"at most {LARGEST_SIDE} px are drawn")


def _spec(argument: str) -> Fractals:
    """`` → the default · `64` → classes · `64x256` → classes, and training images of each."""
    if not argument:
        return Fractals()
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,5}))?", argument)
    classes, train = (int(match[1]), int(match[2] or Fractals().train)) if match else (0, 0)
    if not (2 <= classes <= 1000 and 1 <= train <= 10_000):
        raise DataError(
            f"data 'fractals:{argument}': expected 2 to 1000 classes, and 1 to 10000 training images of each",
            "write fractals, fractals:64 or fractals:64x256",
        )
    return replace(Fractals(), classes=classes, train=train)


def draw(spec: Fractals, resolution: int, seed: int) -> dict[str, Tensor]:
    """`train` and `held`, each (classes, images, 3, R, R) uint8."""
    generator = np.random.default_rng(seed)
    layouts = draw_systems(spec, -(-spec.classes // spec.textures), generator)
    textures = draw_systems(spec, spec.textures, generator)

    def part(number: int, start: int) -> NDArray[np.uint8]:
        layout, texture = layouts[number // spec.textures], textures[number % spec.textures]
        own = np.random.default_rng((seed, number + 1, start // _TOGETHER))
        return draw_class(spec, layout, texture, min(_TOGETHER, count - start), resolution, own)

    count = spec.train + spec.held
    parts = [(number, start) for number in range(spec.classes) for start in range(0, count, _TOGETHER)]
    bytes_each = _TOGETHER * spec.points * resolution**2 * 32
    workers = max(1, min(8, os.cpu_count() or 1, _WORKING_BYTES // bytes_each))
    with ThreadPoolExecutor(workers) as pool:
        drawn = np.concatenate(list(pool.map(part, *zip(*parts, strict=True))))
    pictures = torch.from_numpy(drawn.reshape(spec.classes, count, *drawn.shape[1:]))
    return {"train": pictures[:, : spec.train].contiguous(), "held": pictures[:, spec.train :].contiguous()}


def draw_systems(spec: Fractals, count: int, generator: np.random.Generator) -> Floats:
    """(count, maps, 2, 3) affine maps x → A x + b, whose attractors fill enough of their frame."""
    found: list[Floats] = []
    while len(found) < count:
        maps = _candidate(spec.maps, generator)
        if _fill(maps, generator) >= spec.least_fill:
            found.append(maps)
    return np.stack(found)


def _candidate(maps: int, generator: np.random.Generator) -> Floats:
    """(maps, 2, 3): rotation · signed stretch · rotation, contracting by construction, and a shift."""
    first = generator.uniform(0.35, 0.85, maps)
    second = first * generator.uniform(0.35, 1.0, maps) * generator.choice((-1.0, 1.0), maps)
    stretch = np.stack((first, second), -1)[:, :, None] * np.eye(2)
    turn, twist = (_rotation(generator.uniform(-np.pi, np.pi, maps)) for _ in range(2))
    shift = generator.uniform(-1, 1, (maps, 2, 1))
    return np.concatenate((turn @ stretch @ twist, shift), -1).astype(np.float32)


def _rotation(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((np.stack((cos, -sin), -1), np.stack((sin, cos), -1)), -2)


def _fill(maps: Floats, generator: np.random.Generator) -> float:
    """Share of a 32 × 32 grid over the attractor's frame that holds a point."""
    x, y = _walk(maps[None], 8, generator)
    cells = [np.clip((_framed(axis) + 0.5) * 32, 0, 31).astype(np.int64) for axis in (x, y)]
    return len(np.unique(cells[0] * 32 + cells[1])) / 1024


def _walk(maps: Floats, steps: int, generator: np.random.Generator) -> Floats:
    """(2, images, steps · chains) points of the attractors of `maps` (images, maps, 2, 3), jittered copies of one."""
    points = np.zeros((2, len(maps), _CHAINS), np.float32)
    walked = np.empty((2, len(maps), steps, _CHAINS), np.float32)
    for step in range(_BURN_IN + steps):
        points, _ = _mapped(maps, points, generator)
        if step >= _BURN_IN:
            walked[:, :, step - _BURN_IN] = points
    return walked.reshape(2, len(maps), -1)


def _mapped(maps: Floats, points: Floats, generator: np.random.Generator) -> tuple[Floats, list[int]]:
    """`points` (2, images, n) shuffled, each group under its own map, and where the groups end."""
    count = points.shape[-1]
    area = np.abs(maps[0, :, 0, 0] * maps[0, :, 1, 1] - maps[0, :, 0, 1] * maps[0, :, 1, 0]) + 0.01
    ends: list[int] = np.round(np.cumsum(area / area.sum()) * count).astype(int).tolist()
    order = generator.permutation(count)
    moved = np.empty_like(points)
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        x, y = points[:, :, order[start:end]]
        (a, b, e), (c, d, f) = maps[:, number, :, :, None].transpose(1, 2, 0, 3)
        moved[0, :, start:end] = a * x + b * y + e
        moved[1, :, start:end] = c * x + d * y + f
    return moved, ends


def _framed(axis: Floats) -> Floats:
    """Coordinates (…, n), each row moved and scaled so that two deviations reach ±1/2."""
    framed: Floats = (axis - axis.mean(-1, keepdims=True)) / (4 * axis.std(-1, keepdims=True) + 1e-6)
    return framed


def draw_class(
    spec: Fractals, layout: Floats, texture: Floats, images: int, resolution: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """(images, 3, R, R) pictures of one class; `layout` and `texture` are (maps, 2, 3)."""

    def uniform(low: float, high: float, *shape: int) -> Floats:
        return generator.uniform(low, high, (images, *shape)).astype(np.float32)

    coarse, fine = (maps * uniform(1 - spec.jitter, 1 + spec.jitter, *maps.shape) for maps in (layout, texture))
    hues, palette = uniform(0, 1, len(layout)), 1 - spec.colour * uniform(0, 1, 2, 3)
    back = _smooth(uniform(0, spec.clutter, 3, 4, 4), resolution)
    pose, place = _poses(spec, images, generator), uniform(-spec.shift, spec.shift, 2, 1) + 0.5
    frame = _walk(coarse, 4, generator)
    points = _framed(_walk(fine, max(4, spec.points * resolution**2 // _CHAINS), generator))
    points = points * (4 * frame.std(-1, keepdims=True)) + frame.mean(-1, keepdims=True)  # where the layout lives
    for _ in range(spec.levels):
        points, ends = _mapped(coarse, points, generator)
    hue = np.repeat(hues, np.diff([0, *ends]), axis=1)  # the last map tells the part
    x, y = _framed(points)
    shown = [pose[:, row, :1] * x + pose[:, row, 1:] * y + place[:, row] for row in range(2)]
    return _ink(shown[0], shown[1], hue, palette, back)


def _poses(spec: Fractals, images: int, generator: np.random.Generator) -> Floats:
    """(images, 2, 2): turned, sheared and shrunk, each image its own way."""
    turn = _rotation(np.radians(generator.uniform(-spec.turn, spec.turn, images)))
    slant = np.tile(np.eye(2), (images, 1, 1))
    slant[:, 0, 1] = generator.uniform(-spec.shear, spec.shear, images)
    return (turn @ slant * generator.uniform(spec.smallest, 1.0, (images, 1, 1))).astype(np.float32)


def _smooth(coarse: Floats, resolution: int) -> Floats:
    """(N, 3, 4, 4) → (N, 3, R, R), bilinear."""
    at = np.linspace(0, 3, resolution)
    weight = np.clip(1 - np.abs(at[:, None] - np.arange(4)), 0, 1).astype(np.float32)  # (R, 4)
    return np.asarray(weight @ coarse @ weight.T, np.float32)


def _ink(x: Floats, y: Floats, hue: Floats, palette: Floats, back: Floats) -> NDArray[np.uint8]:
    """Points (N, n) of the unit square as pixels (N, 3, R, R): opacity grows with the logarithm of their number."""
    side = back.shape[-1]
    picture = np.empty(back.shape, np.uint8)
    for number in range(len(x)):
        column, row = (x[number] * side).astype(np.int32), (y[number] * side).astype(np.int32)
        inside = (x[number] >= 0) & (y[number] >= 0) & (column < side) & (row < side)
        cell = (row * side + column)[inside]
        count = np.bincount(cell, minlength=side * side).astype(np.float32)
        tint = np.bincount(cell, hue[number][inside], side * side).astype(np.float32) / np.maximum(count, 1)
        density = np.log1p(count)
        density = np.sqrt(density / max(float(density.max()), 1e-6)).reshape(side, side)
        low, high = palette[number, 0, :, None], palette[number, 1, :, None]
        ink = (low + (high - low) * tint).reshape(3, side, side)
        mixed = back[number] + (ink - back[number]) * density
        picture[number] = np.round(np.clip(mixed, 0, 1) * 255)
    return picture
