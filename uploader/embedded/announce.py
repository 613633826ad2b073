"""Names the server on every reply: its identity is the UUID of its data folder, never host and port."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SERVER_ID_HEADER = b"nanoferry-server-id"


def announcing(app: ASGIApp, server_id: str) -> ASGIApp:
    """The same application with the server's identity in the head of each reply."""
    announcement = (SERVER_ID_HEADER, server_id.encode("ascii"))

    async def announced(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), announcement]}
            await send(message)

        await app(scope, receive, send_named)

    return announced
