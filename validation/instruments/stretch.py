"""Pixels to a PNG that a person can look at, and what the pixels show on the way (black, saturated)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from validation.codes import issue
from validation.instruments.model import Preview
from validation.instruments.reading import Picture
from validation.instruments.source import Malformed
from validation.model import Issue

Pixels = NDArray[Any]

LOW_PERCENTILE, HIGH_PERCENTILE = 0.3, 99.7
SAMPLE_LIMIT = 250_000
"""Percentiles of so many pixels are as good as of all."""
SATURATED_FRACTION = 0.02
MASK_LEVELS = 8
"""A picture with so few levels is a label picture: full scale is a label there, not saturation."""
PICTURE_PART = 0.85
"""Data bars sit at the foot of the picture; what the detector saw is judged above them."""


def rendered(picture: Picture, max_px: int) -> Preview:
    """The picture as a PNG of at most `max_px`: 8-bit grey and colour as they are, all else stretched."""
    pixels = picture.pixels
    if pixels.ndim not in {2, 3} or 0 in pixels.shape:
        raise Malformed(f"the picture has the unexpected shape {pixels.shape}")
    if pixels.dtype.kind == "c":
        pixels = np.abs(pixels)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    findings = _findings(pixels, picture.full_scale)
    eight_bit = pixels if pixels.dtype == np.uint8 else _stretched(pixels)
    if picture.is_inverted:
        eight_bit = 255 - eight_bit
    image = Image.fromarray(np.ascontiguousarray(eight_bit))
    scale = min(1.0, max_px / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    target = io.BytesIO()
    image.save(target, "PNG", compress_level=4)
    return Preview(target.getvalue(), image.width, image.height, issues=findings)


def _sample(pixels: Pixels) -> Pixels:
    """Finite values of an evenly spread part of the pixels."""
    flat = pixels.reshape(-1)
    part = flat[:: max(1, flat.size // SAMPLE_LIMIT)]
    return part[np.isfinite(part)]


def _stretched(pixels: Pixels) -> Pixels:
    known = _sample(pixels)
    if not known.size:
        raise Malformed("the picture holds no finite values")
    low, high = (float(bound) for bound in np.percentile(known, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    if high <= low:
        # Sparse signals (counts on a dark ground) sit beyond the percentiles.
        low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0
    # One array, changed in place: the preview of a large picture must not cost several copies of it.
    scaled = pixels.astype(np.float64)
    with np.errstate(all="ignore"):
        scaled -= low
        scaled *= 255.0 / span
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def _findings(pixels: Pixels, full_scale: float | None) -> tuple[Issue, ...]:
    rows = max(1, round(pixels.shape[0] * PICTURE_PART))
    known = _sample(pixels[:rows])
    if not known.size:
        return ()
    low, high = (float(bound) for bound in np.percentile(known, (0.1, 99.9)))
    levels_apart = 2 if pixels.dtype.kind in "ui" else 0
    if high - low <= levels_apart:
        return (issue("image.black", f"all pixels lie between {low:g} and {high:g}", origin="preview"),)
    if full_scale is None or np.unique(known).size <= MASK_LEVELS:
        return ()
    fraction = float(np.count_nonzero(known >= full_scale)) / known.size
    if fraction < SATURATED_FRACTION:
        return ()
    message = f"{fraction:.0%} of the pixels are at full scale ({full_scale:g})"
    return (issue("image.saturated", message, origin="preview"),)
