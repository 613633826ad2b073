"""Finds where the keys and values of a well-formed JSON text stand."""

from __future__ import annotations

from collections.abc import Callable
from json.decoder import scanstring as scan_string  # type: ignore[attr-defined]
from typing import TypeAlias

import regex

Place: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]
Fault: TypeAlias = Callable[[str, int, int, str], None]

_SPACE = regex.compile(r"[ \t\r\n]*")
_WORD = regex.compile(r"[^,\]} \t\r\n]+")


class JsonPlaces:
    """One walk over one text, which `json.loads` has accepted; fills `places` and `keys`."""

    def __init__(self, text: str, max_depth: int, fault: Fault) -> None:
        self.places: dict[Place, Position] = {}
        self.keys: dict[Place, Position] = {}
        self._text = text
        self._max_depth = max_depth
        self._fault = fault
        self._starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]
        self._line = 0

    def run(self) -> None:
        """Walk the whole text."""
        self._value(self._skip(0), ())

    def _value(self, at: int, place: Place) -> int:
        self.places[place] = self._position(at)
        char = self._text[at]
        if char == '"':
            return int(scan_string(self._text, at + 1)[1])
        if char not in "{[":
            found = _WORD.match(self._text, at)
            return found.end() if found else at + 1
        if len(place) >= self._max_depth:
            self._fault(f"the spec is nested more than {self._max_depth} deep", *self._position(at), "")
            return len(self._text)
        return self._object(at, place) if char == "{" else self._array(at, place)

    def _object(self, at: int, place: Place) -> int:
        seen: set[str] = set()
        at = self._skip(at + 1)
        while at < len(self._text) and self._text[at] != "}":
            position = self._position(at)
            key, end = scan_string(self._text, at + 1)
            if key in seen:
                self._fault(f"the key {key} stands twice", *position, "Remove one of the two.")
            seen.add(key)
            self.keys[(*place, key)] = position
            at = self._value(self._skip(self._skip(end) + 1), (*place, key))
            at = self._next(at)
        return at + 1

    def _array(self, at: int, place: Place) -> int:
        index = 0
        at = self._skip(at + 1)
        while at < len(self._text) and self._text[at] != "]":
            at = self._next(self._value(at, (*place, index)))
            index += 1
        return at + 1

    def _next(self, at: int) -> int:
        """Behind the comma, or at the closing bracket."""
        at = self._skip(at)
        return self._skip(at + 1) if self._text[at : at + 1] == "," else at

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _position(self, at: int) -> Position:
        while self._line + 1 < len(self._starts) and self._starts[self._line + 1] <= at:
            self._line += 1
        return (self._line + 1, at - self._starts[self._line] + 1)
