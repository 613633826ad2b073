"""One request and its answer, without the web framework: what handlers take and give."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from uploader.embedded.ermrest import jsontext
from uploader.embedded.ermrest.errors import Refusal, malformed
from uploader.embedded.ermrest.tokens import decoded
from uploader.embedded.identity import Client

MAX_PATH_CHARS = 4030
"""Of the decoded path: a DERIVA server behind Apache finds longer ones no longer."""
MAX_TARGET_CHARS = 8190
_NOT_FOUND_PAGE = b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
_TOO_LONG_PAGE = (
    b"<html><head><title>414 Request-URI Too Long</title></head>"
    b"<body><h1>Request-URI Too Long</h1></body></html>\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    method: str
    raw_path: str
    """Percent-encoded, from the root of the server on."""
    raw_query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    client: Client | None

    def query(self) -> dict[str, str]:
        """The query parameters, decoded; of a repeated one the last."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def column_list(self, name: str) -> tuple[str, ...]:
        """A query parameter that lists columns; commas inside a name are percent-encoded."""
        for part in self.raw_query.split("&"):
            key, _, value = part.partition("=")
            if key == name:
                return tuple(decoded(item) for item in value.split(",") if item)
        return ()

    def limit(self) -> int | None:
        """The `limit` parameter; raises Refusal (400)."""
        text = self.query().get("limit", "none")
        if text == "none":
            return None
        if not (text.isascii() and text.isdecimal()) or len(text) > 12:
            raise malformed(f'The query parameter limit="{text}" must be a number or "none".')
        return int(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets."""

    status: int
    body: Iterable[bytes] = ()
    media: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def too_long(request: Request) -> Answer | None:
    """The page that a web server before DERIVA sends for a URL beyond its limits."""
    target = len(request.raw_path) + (len(request.raw_query) + 1 if request.raw_query else 0)
    if target > MAX_TARGET_CHARS:
        return Answer(414, [_TOO_LONG_PAGE], "text/html")
    if len(unquote_to_bytes(request.raw_path)) > MAX_PATH_CHARS:
        return Answer(404, [_NOT_FOUND_PAGE], "text/html")
    return None


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON document, compact, as the model resources send it."""
    return Answer(status, [jsontext.compact(value).encode()], "application/json", headers or {})


def refusal_answer(refusal: Refusal) -> Answer:
    """An error as a DERIVA server words it."""
    end = "\n\n" if refusal.from_database else "\n"
    return Answer(refusal.status, [f"{refusal}{end}".encode()], "text/plain")


def entity_tag(client: Client | None, accept: str, changed: str) -> str:
    """An ETag that changes with the rows, with who asks and with the format asked for."""
    roles = "" if client is None else "\n".join(sorted(client.roles))
    digest = hashlib.md5(roles.encode(), usedforsecurity=False).digest()
    return f'"{base64.urlsafe_b64encode(digest).decode()};{accept};{changed}"'


def is_current(headers: Mapping[str, str], tag: str) -> bool:
    """Whether If-None-Match names the tag."""
    return _names(headers.get("if-none-match", ""), tag)


def refuse_stale(headers: Mapping[str, str], tag: str) -> None:
    """Raises Refusal (412) when If-Match names another tag, or If-None-Match this one."""
    wanted = headers.get("if-match")
    if wanted is not None and not _names(wanted, tag):
        raise Refusal(412, "the resource has changed since it was read")
    if "if-none-match" in headers and is_current(headers, tag):
        raise Refusal(412, "the resource exists in the state that the request excludes")


def _names(header: str, tag: str) -> bool:
    return header.strip() == "*" or tag in [part.strip() for part in header.split(",")]
