"""Cuts a raw URL path into tokens; what is percent-encoded never becomes punctuation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from uploader.embedded.ermrest.errors import malformed

_TOKEN = re.compile(r"(?P<op>::[a-z_]+::)|(?P<bind>:=)|(?P<mark>[/:;,=()&!@$*])|(?P<text>[^/:;,=()&!@$*]+)")
_KEYWORDS = frozenset({"sort", "before", "after"})
Part = TypeVar("Part")
TEXT = "STRING"
END = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the path: punctuation is its own kind, everything else is TEXT."""

    kind: str
    text: str
    """Decoded."""
    position: int
    """Where it begins in the raw path, counted from 0."""

    def fault(self) -> str:
        """The token as a DERIVA server names it when it does not belong there."""
        if self.kind == END:
            return "URL parse error at end of input"
        kind = self.text.upper() if self.kind == TEXT and self.text in _KEYWORDS else self.kind
        return f"URL parse error at token: LexToken({kind},{self.text!r},1,{self.position})"


def tokens(raw: str, start: int = 0) -> list[Token]:
    """The tokens of a raw path from `start` on, with an END token last; raises Refusal (400)."""
    found = []
    position = start
    while position < len(raw):
        match = _TOKEN.match(raw, position)
        if match is None:
            raise malformed(f"URL parse error at position {position}")
        text = match.group()
        kind = TEXT if match.lastgroup == "text" else text
        found.append(Token(kind, decoded(text), position))
        position = match.end()
    found.append(Token(END, "", len(raw)))
    return found


def decoded(text: str) -> str:
    """A percent-encoded piece as text; raises Refusal (400) when it is not UTF-8."""
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise malformed(f"URL component {text!r} is not UTF-8") from error
    if "\0" in plain:
        raise malformed(f"URL component {text!r} holds a NUL character")
    return plain


class Cursor:
    """A place in a list of tokens."""

    def __init__(self, items: list[Token]) -> None:
        self._items = items
        self._at = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token `ahead` places on; END beyond the last."""
        return self._items[min(self._at + ahead, len(self._items) - 1)]

    def take(self, kind: str) -> Token:
        """The next token, which must be of that kind; raises Refusal (400)."""
        token = self.peek()
        if token.kind != kind:
            raise malformed(token.fault())
        self._at += 1
        return token

    def skip(self, kind: str) -> bool:
        """Whether the next token is of that kind, and past it if so."""
        if self.peek().kind != kind or kind == END:
            return False
        self._at += 1
        return True

    def text(self) -> str:
        """The text of the next token, which must be TEXT."""
        return self.take(TEXT).text

    def optional_text(self) -> str:
        """The text of the next token, or nothing when punctuation follows."""
        return self.take(TEXT).text if self.peek().kind == TEXT else ""

    def listed(self, part: Callable[[], Part]) -> tuple[Part, ...]:
        """Parts with commas between them."""
        parts = [part()]
        while self.skip(","):
            parts.append(part())
        return tuple(parts)
