"""One HTTP request and the ways to answer it, on bare ASGI: no copy of a body is made that is not needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from uploader.embedded.hatrac.names import Target
from uploader.embedded.hatrac.refusal import Refusal
from uploader.embedded.identity import Client

LENGTH_DIGITS = 18
TEXT = "text/plain"
URI_LIST = "text/uri-list"
JSON = "application/json"

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)
"""What people uploaded must never run as part of our page, even when a browser opens it directly."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to one target, and its connection."""

    method: str
    target: Target
    headers: Mapping[str, str]
    query: Mapping[str, str]
    client: Client | None
    receive: Receive
    send: Send

    @property
    def make_parents(self) -> bool:
        """True with `?parents=true`."""
        return self.query.get("parents", "").lower() == "true"

    @property
    def is_head(self) -> bool:
        """True when only the headers of the answer are wanted."""
        return self.method == "HEAD"

    def content_length(self) -> int:
        """Declared length of the body; refused with 411 when there is none."""
        value = self.headers.get("content-length", "")
        if not (value.isascii() and value.isdecimal()) or len(value) > LENGTH_DIGITS:
            raise Refusal(
                411, "Length Required\n\nA request of the requested method requires a valid Content-length."
            )
        return int(value)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        encoded = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": [*encoded, *_SAFE]})

    async def body(self, block: bytes, *, more: bool = False) -> None:
        """Send a part of the body."""
        await self.send({"type": "http.response.body", "body": block, "more_body": more})

    async def answer(
        self, status: int, text: str, *, media_type: str = TEXT, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a small text; as a real server does, with a line end."""
        content = f"{text}\n".encode()
        length = {"Content-Length": str(len(content)), "Content-Type": media_type}
        await self.begin(status, {**length, **(headers or {})})
        await self.body(b"" if self.is_head else content)

    async def created(self, location: str) -> None:
        """Answer 201 with the URL of what was made."""
        await self.answer(201, location, media_type=URI_LIST, headers={"Location": location})

    async def no_content(self) -> None:
        """Answer 204."""
        await self.begin(204, {})
        await self.body(b"")

    async def json(self, document: object, *, headers: Mapping[str, str] | None = None) -> None:
        """Answer 200 with a JSON document."""
        await self.answer(
            200, json.dumps(document), media_type=JSON, headers={"Vary": "cookie", **(headers or {})}
        )


def exchange(scope: Scope, receive: Receive, send: Send, target: Target) -> Exchange:
    """The exchange of an ASGI request."""
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        headers[key.decode("latin-1")] = value.decode("latin-1")
    query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
    state: Mapping[str, Any] = scope.get("state", {})
    return Exchange(scope["method"], target, headers, query, state.get("client"), receive, send)
