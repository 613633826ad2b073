"""The embedded server with a fixed extra time per PUT of an object or chunk, as a process of its own.

A real server takes some 4 ms more for each than ours on this machine. The time is slept away, not worked away: it takes
nothing from the other requests. Arguments: data folder, milliseconds. Prints its endpoint as JSON, ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from requests_seen import counting
from starlette.types import ASGIApp, Receive, Scope, Send

from uploader.embedded import server


def slowed(app: ASGIApp, port: int, extra_s: float) -> ASGIApp:
    """The same application, each PUT of bytes beginning so much later.

    A far line has a port of its own, and the server answers only under its own: it sees none other here.
    """
    host = (b"host", f"{server.HOST}:{port}".encode("ascii"))

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"] = [host if name == b"host" else (name, value) for name, value in scope["headers"]]
        if extra_s and scope.get("method") == "PUT" and _carries_bytes(scope):
            await asyncio.sleep(extra_s)
        await app(scope, receive, send)

    return answered


def _carries_bytes(scope: Scope) -> bool:
    if not scope["path"].startswith("/hatrac/") or ";metadata" in scope["path"]:
        return False
    return (b"content-type", b"application/x-hatrac-namespace") not in scope["headers"]


def main() -> None:
    """Serve until stdin ends."""
    data_dir, extra_ms = Path(sys.argv[1]), float(sys.argv[2])
    plain = server.embedded_app

    def embedded_app(**parts: Any) -> ASGIApp:
        return counting(slowed(plain(**parts), parts["port"], extra_ms / 1000))

    server.embedded_app = embedded_app
    with server.in_thread(data_dir) as endpoint:
        sys.stdout.write(json.dumps(asdict(endpoint)) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
