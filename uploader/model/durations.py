"""Lengths of time in words, for every sentence that a person reads."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A duration: `0.4 s`, `42 s`, `3 min 20 s`, `10 min`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _parts(whole // 60, "min", whole % 60, "s")
    return _parts(whole // 3600, "h", whole % 3600 // 60, "min")


def _parts(many: int, unit: str, few: int, lesser: str) -> str:
    return f"{many} {unit} {few} {lesser}" if few else f"{many} {unit}"
