"""Counts the requests that reach a server, by what they are for. Asked at `/bench/requests`, which counts from nothing on."""

from __future__ import annotations

import json
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

COUNTS = "/bench/requests"


def kind_of(method: str, path: str, content_type: str) -> str:
    """What a request is for."""
    if path.startswith("/ermrest/"):
        return f"{method} {'rows' if '/entity/' in path or '/attribute' in path else 'model'}"
    if not path.startswith("/hatrac/"):
        return "session"
    if ";metadata" in path:
        return f"{method} checksum"
    if ";upload/" in path:
        depth = path.partition(";upload/")[2].count("/")
        return f"{method} chunk" if depth else {"POST": "POST finish job"}.get(method, f"{method} job")
    if ";upload" in path:
        return "POST open job" if method == "POST" else f"{method} jobs"
    if content_type == "application/x-hatrac-namespace":
        return "PUT namespace"
    return f"{method} object or namespace" if method != "PUT" else "PUT object"


def counting(app: ASGIApp) -> ASGIApp:
    """The same application, its requests counted."""
    seen: Counter[str] = Counter()

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != COUNTS:
            if scope["type"] == "http":
                headers = dict(scope["headers"])
                path = scope["raw_path"].decode("latin-1")
                seen[kind_of(scope["method"], path, headers.get(b"content-type", b"").decode("latin-1"))] += 1
            await app(scope, receive, send)
            return
        body = json.dumps(seen).encode()
        seen.clear()
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return answered
