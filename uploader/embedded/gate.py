"""The gate in front of everything: right host, right origin, and who is calling.

A browser on this machine is the danger: any web site may make it send requests to 127.0.0.1. A foreign host name
(DNS rebinding) and a write with a foreign origin are therefore refused before anything else looks at them.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from uploader.embedded.authn import Identities

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def gate(*, hatrac: ASGIApp, rest: ASGIApp, identities: Identities, port: int, public_read: bool) -> ASGIApp:
    """The application that checks a request and passes it on."""
    hosts = frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = _refusal(scope["method"], headers, hosts)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        client = identities.client(headers)
        scope.setdefault("state", {})["client"] = client
        path = scope["path"]
        if path == "/hatrac" or path.startswith("/hatrac/"):
            await hatrac(scope, receive, send)
        elif client is None and not public_read and path.startswith("/ermrest"):
            await _answer(send, 401, f"Access requires authentication. Detail: {scope['method']} {path}")
        else:
            # The router's patterns stop at a line end, which a dataset's name may hold; ERMrest reads the raw path.
            await rest({**scope, "path": path.replace("\n", " ")}, receive, send)

    return app


def _refusal(method: str, headers: Mapping[str, str], hosts: frozenset[str]) -> tuple[int, str] | None:
    host = headers.get("host", "").lower()
    if host not in hosts:
        return 421, f"This server answers only to {', '.join(sorted(hosts))}."
    origin = headers.get("origin")
    if method not in _SAFE_METHODS and origin is not None and origin.lower() != f"http://{host}":
        return 403, "A page of another origin may not write here."
    return None


async def _answer(send: Send, status: int, text: str) -> None:
    content = f"{text}\n".encode()
    head = [(b"content-type", b"text/plain"), (b"content-length", str(len(content)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": content})
