"""What a reader hands back, before it becomes a Header or a Preview."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from validation.instruments.model import FieldValue
from validation.model import Issue

if TYPE_CHECKING:
    # Listing formats and reading headers must not load numpy.
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class Reading:
    """Fields, raw tags and findings; a reader fills it step by step, so that a late fault loses nothing."""

    fields: dict[str, FieldValue] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Picture:
    """Decimated pixels of one picture, not yet stretched for the eye."""

    pixels: NDArray[np.generic]
    """(rows, columns) grey or (rows, columns, 3) colour."""
    full_scale: float | None = None
    """Highest value the detector can give, where that is known; at it pixels are saturated."""
    is_inverted: bool = False
    """Low values are bright (TIFF `MinIsWhite`)."""
