"""What a person allows a run: how fast, when, how much at once, how patient, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from uploader.model.control import Order

PATIENCE_S = 600.0
MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run; the defaults are no limits but those of good manners."""

    limit_bytes_per_s: int = 0
    """0: as fast as the line goes."""
    schedule: str = ""
    """`20:00-06:00 full; else 2MB/s`; empty: the limit holds all day."""
    most_at_once: int = MOST_AT_ONCE
    """Requests that carry bytes at the same time; the controller finds the best number up to this."""
    patience_s: float = PATIENCE_S
    """How long a server that is away is waited for before the run ends with everything kept."""
    login_patience_s: float = 0.0
    """How long a login that has ended is waited for."""
    order: Order = Order.NEWEST
