"""Draws what a microscope might see: particles, nanowires, fibres, pores. Seeded, never from data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Grey = NDArray[np.uint8]
Generator = np.random.Generator


def particles(rng: Generator, width: int, height: int, zoom: float) -> Image.Image:
    """Bright spheres on a rough support."""
    image = _rough(rng, width, height, grain_px=round(14 * zoom), low=55, high=95)
    draw = ImageDraw.Draw(image)
    for _ in range(round(260 / zoom**1.5)):
        radius = max(2.0, rng.normal(9 * zoom, 2.2 * zoom))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        tone = rng.integers(150, 205)
        # The edge of a sphere is brighter than its middle in secondary electrons.
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(tone) + 40)
        inner = radius * 0.82
        draw.ellipse((x - inner, y - inner, x + inner, y + inner), fill=int(tone))
    return image


def nanowires(rng: Generator, width: int, height: int, zoom: float) -> Image.Image:
    """Straight wires in all directions over a dark ground."""
    image = _rough(rng, width, height, grain_px=round(30 * zoom), low=20, high=45)
    draw = ImageDraw.Draw(image)
    for depth in np.linspace(0.35, 1.0, round(90 / zoom)):
        x, y, angle = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi)
        half = rng.uniform(90, 260) * zoom
        dx, dy = half * np.cos(angle), half * np.sin(angle)
        thickness = max(2, round(rng.normal(7, 1.5) * zoom))
        _stroke(draw, [(x - dx, y - dy), (x + dx, y + dy)], thickness, tone=round(210 * depth))
    return image


def fibres(rng: Generator, width: int, height: int, zoom: float) -> Image.Image:
    """Long bent fibres, one above the other."""
    image = _rough(rng, width, height, grain_px=round(40 * zoom), low=12, high=35)
    draw = ImageDraw.Draw(image)
    along = np.linspace(-0.2, 1.2, 40)
    for depth in np.linspace(0.4, 1.0, round(38 / zoom)):
        angle, phase, bend = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(10, 60)
        length = 1.5 * max(width, height)
        x = rng.uniform(0, width) + (along - 0.5) * length * np.cos(angle)
        y = rng.uniform(0, height) + (along - 0.5) * length * np.sin(angle) + bend * np.sin(5 * along + phase)
        thickness = max(3, round(rng.normal(15, 3) * zoom))
        _stroke(draw, list(zip(x.tolist(), y.tolist(), strict=True)), thickness, tone=round(195 * depth))
    return image


def pores(rng: Generator, width: int, height: int, zoom: float) -> Image.Image:
    """A sponge: dark holes with bright rims."""
    coarse = np.asarray(_rough(rng, width, height, grain_px=round(24 * zoom), low=0, high=255), np.float64)
    depth = np.clip((coarse - coarse.mean()) / (coarse.std() or 1.0), -2, 2)
    rim = np.exp(-((depth + 0.3) ** 2) / 0.03)
    tone = np.where(depth > -0.3, 140 + 22 * depth, 28.0) + 70 * rim
    return Image.fromarray(np.clip(tone, 0, 235).astype(np.uint8))


Scene = Callable[[Generator, int, int, float], Image.Image]
SCENES: Mapping[str, Scene] = {
    "particles": particles,
    "nanowires": nanowires,
    "fibres": fibres,
    "pores": pores,
}


def seen(scene: str, rng: Generator, *, width: int, height: int, zoom: float) -> Grey:
    """The scene as a detector would give it: a little blurred, with noise, 8-bit grey."""
    image = SCENES[scene](rng, width, height, zoom).filter(ImageFilter.GaussianBlur(0.9))
    noisy = np.asarray(image, np.float32) + rng.standard_normal((height, width), np.float32) * 7
    pixels: Grey = np.clip(noisy, 0, 250).astype(np.uint8)
    return pixels


def with_bar(pixels: Grey, text: str, *, bar_px: int) -> Grey:
    """The picture with a data bar below it."""
    bar = Image.new("L", (pixels.shape[1], bar_px), 0)
    ImageDraw.Draw(bar).text((6, bar_px // 2 - 6), text, fill=255)
    return np.vstack([pixels, np.asarray(bar)])


def _rough(rng: Generator, width: int, height: int, *, grain_px: int, low: int, high: int) -> Image.Image:
    """Smooth random relief with details of about `grain_px`."""
    grain_px = max(2, grain_px)
    small = rng.integers(low, high + 1, (height // grain_px + 3, width // grain_px + 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def _stroke(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], thickness: int, tone: int) -> None:
    """A round bar: dark edge, body, highlight."""
    draw.line(points, fill=tone // 3, width=thickness + 2, joint="curve")
    draw.line(points, fill=tone, width=thickness, joint="curve")
    draw.line(points, fill=min(250, tone + 35), width=max(1, thickness // 3), joint="curve")
