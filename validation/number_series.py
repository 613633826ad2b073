"""Numbered files of a dataset: which numbers each series has, held as ranges."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from validation.compact import HashTable, Ranges
from validation.record.path_fields import PATH_FIELDS
from validation.spec.model import Spec
from validation.subjects import Member

SERIES_NAMES = frozenset({"slice", "section", "frame", "series", "image", "index", "tile", "layer", "z"})
"""Captures that number the members of a series. Acquisition numbers are not among them: people skip some."""
MOMENT_NAMES = frozenset({"time", "date", "acquired", "timestamp"})
"""Captures that differ within a series without splitting it."""


_LONGEST = 1 << 62
"""No series counts so far, and a machine's whole number holds no more."""


@dataclass(frozen=True, slots=True)
class Series:
    """One numbered series: files of one rule and folder that differ in the number alone."""

    rule: str
    capture: str
    """Name of the path part that numbers it."""
    folder: str
    low: int
    high: int
    count: int
    """How many numbers it has itself."""
    gaps: tuple[tuple[int, int], ...]
    """(First, last) of what is missing between its ends."""


class NumberSeries:
    """The series of one dataset."""

    def __init__(self, spec: Spec) -> None:
        self._stated = {
            entry["rule"]: frozenset({entry["series"]})
            for entry in spec.required
            if "series" in entry and "rule" in entry
        }
        self._places: dict[tuple[str, str, str], _Place] = {}

    def add(self, member: Member) -> None:
        """Take in one more primary file."""
        captures = member.captures
        for name in self._stated.get(member.rule, SERIES_NAMES) & captures.keys():
            number = whole_number(captures[name])
            if number is None:
                continue
            place = member.rule, name, member.path.rpartition("/")[0]
            known = self._places.get(place)
            if known is None:
                known = self._places[place] = _Place(name)
            known.add(captures, number)

    def __iter__(self) -> Iterator[Series]:
        for (rule, name, folder), place in self._places.items():
            for low, high, count, gaps in place.series():
                yield Series(rule, name, folder, low, high, count, gaps)


class _Place:
    """The series of one rule and folder.

    Files of a folder that differ in other captures may be series of their own, each counting from its start,
    or one series that counts on from area to area. When no number is there twice, the second is taken to
    hold: a number that another series has is not missing here.
    """

    __slots__ = ("_broken", "_highs", "_index", "_lows", "_name", "_names_of", "_numbers", "_union")

    def __init__(self, name: str) -> None:
        self._name = name
        self._union = Ranges()
        self._numbers = 0
        """Of all series, each number once for every series that has it."""
        self._index = HashTable()
        """What tells series apart -> which one it is."""
        self._lows = array("q")
        self._highs = array("q")
        self._broken: dict[int, Ranges] = {}
        """The numbers of series that are not one range."""
        self._names_of: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Captures that a path gave -> those of them that tell series apart."""

    def add(self, captures: Mapping[str, Any], number: int) -> None:
        """Take in a number of the series that these captures belong to."""
        self._union.add(number)
        series = self._index.claim(hash(self._key(captures)), len(self._lows))
        if series is None:
            self._lows.append(number)
            self._highs.append(number)
            self._numbers += 1
        else:
            self._numbers += self._joined(series, number)

    def series(self) -> Iterator[tuple[int, int, int, tuple[tuple[int, int], ...]]]:
        """Lowest and highest number, how many there are, and the gaps between, of each series."""
        counts_on = self._union.count == self._numbers
        for series, (low, high) in enumerate(zip(self._lows, self._highs, strict=True)):
            broken = self._broken.get(series)
            if broken is None:
                # One range: nothing is missing whoever else has numbers.
                yield low, high, high - low + 1, ()
            else:
                known = self._union if counts_on else broken
                yield broken.low, broken.high, broken.count, tuple(known.gaps(broken.low, broken.high))

    def _joined(self, series: int, number: int) -> bool:
        """Put the number into the series; whether it is new there."""
        broken = self._broken.get(series)
        if broken is not None:
            return broken.add(number)
        low, high = self._lows[series], self._highs[series]
        if low <= number <= high:
            return False
        if number == high + 1:
            self._highs[series] = number
        elif number == low - 1:
            self._lows[series] = number
        else:
            self._broken[series] = numbers = Ranges()
            numbers.add_range(low, high)
            numbers.add(number)
        return True

    def _key(self, captures: Mapping[str, Any]) -> tuple[str, ...]:
        """What the path says besides the number, the moment and the instrument's settings."""
        given = tuple(captures)
        names = self._names_of.get(given)
        if names is None:
            names = self._names_of[given] = tuple(
                sorted(
                    other
                    for other in given
                    if other != self._name and other not in MOMENT_NAMES and other.lower() not in PATH_FIELDS
                )
            )
        return tuple(f"{other}={captures[other]}" for other in names if captures[other] is not None)


def whole_number(value: Any) -> int | None:
    """The number, or the short string of digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < _LONGEST else None
    # Longer digit strings are ids or timestamps, not places in a series.
    if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdigit():
        return int(value)
    return None
