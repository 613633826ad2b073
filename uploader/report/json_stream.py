"""Reads a large JSON object member by member, and one array in it element by element, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

_BLANK = " \t\r\n"
_MAY_GO_ON = ("", *"0123456789.eE+-")
_DECODER = json.JSONDecoder()


class _Window:
    """The part of the text that has been read and not yet consumed."""

    def __init__(self, source: TextIO, block_chars: int) -> None:
        self._source = source
        self._block_chars = block_chars
        self._text = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; empty at the end of the text."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Step over one expected character."""
        found = self.peek()
        if found != wanted:
            raise ValueError(f"expected {wanted!r}, found {found!r}" if found else "the text ends early")
        self._at += 1

    def value(self) -> Any:
        """The next whole value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number at the edge of the window may go on in the next block (`0` of `0.5`, `1` of `1e9`).
            if self._text[end : end + 1] in _MAY_GO_ON and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        if self._ended:
            return False
        # Doubling with the value at hand keeps the retries linear in its length.
        block = self._source.read(max(self._block_chars, len(self._text) - self._at))
        self._ended = not block
        self._text = self._text[self._at :] + block
        self._at = 0
        return bool(block)


def members(source: TextIO, array: str, *, block_chars: int = 1 << 16) -> Iterator[tuple[str, Any]]:
    """Each (name, value) of the top-level object; the member `array` comes as one pair per element.

    Raises ValueError (json.JSONDecodeError is one) where the text is not such an object.
    """
    window = _Window(source, block_chars)
    window.take("{")
    if window.peek() != "}":
        yield from _member(window, array)
    while window.peek() == ",":
        window.take(",")
        yield from _member(window, array)
    window.take("}")
    if window.peek():
        raise ValueError("something follows the end of the object")


def _member(window: _Window, array: str) -> Iterator[tuple[str, Any]]:
    name = window.value()
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is not the name of a member")
    window.take(":")
    if name != array or window.peek() != "[":
        yield name, window.value()
        return
    window.take("[")
    if window.peek() != "]":
        yield name, window.value()
    while window.peek() == ",":
        window.take(",")
        yield name, window.value()
    window.take("]")
