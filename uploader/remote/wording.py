"""The words of an error body, short enough for a message: plain text, JSON or a web page."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

_LONGEST = 800
_UNSEEN = re.compile(
    r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<!doctype[^>]*>", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_PAGE_START = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)
# Bodies are cut before any pattern runs over them: a proxy may answer with megabytes.
_READ_BYTES = 16_384


def is_web_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is HTML; HEAD answers have only their header to say so."""
    kind = headers.get("Content-Type", "").casefold()
    return "html" in kind or _PAGE_START.match(body[:200]) is not None


def summary_of(headers: Mapping[str, str], body: bytes) -> str:
    """One line of at most 800 characters that says what the body says."""
    text = body[:_READ_BYTES].decode("utf-8", errors="replace")
    if is_web_page(headers, body):
        return _page_words(text)
    return _one_line(text)


def _page_words(text: str) -> str:
    found = _TITLE.search(text)
    title = _one_line(html.unescape(_TAG.sub(" ", found[1]))) if found else ""
    # The head repeats the title; the first sentence of the page is what an administrator would ask for.
    said = _one_line(html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text))))
    if title and said.casefold() not in title.casefold():
        return f"web page \u201c{title}\u201d: {said}"[:_LONGEST]
    return f"web page \u201c{title or said}\u201d"[:_LONGEST]


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}\u2026"
