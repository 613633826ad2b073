"""Numbers and names in words: sizes, durations, counts, and text that is safe to show on a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

from uploader.model.durations import duration

__all__ = ["count", "duration", "shortened", "size", "visible"]

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def visible(text: str) -> str:
    """The text with control characters and undecodable bytes escaped: a file name cannot move the cursor."""
    if text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def _shown(letter: str) -> str:
    if letter == "\t" or letter.isprintable():
        return letter
    if unicodedata.category(letter) == "Zs":
        return " "
    return letter.encode("unicode_escape").decode("ascii")


def size(size_bytes: float) -> str:
    """A size in decimal units: `12.3 MB`."""
    amount, unit = float(size_bytes), _UNITS[0]
    for unit in _UNITS:
        if amount < 999.5 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 file`, `12 files`, `1,000 entries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shortened(text: str, width: int) -> str:
    """The text in at most `width` characters; the middle goes, because names end in what matters."""
    if len(text) <= width:
        return text
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
