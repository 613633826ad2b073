"""HTTP as uvicorn reads it with llhttp, which is quick with bodies; stricter where that parser lets things pass."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10
"""Of a request line and its headers: the parser itself would gather them without end."""


class RefusedHead(Exception):
    """The head of a request is refused with 400; the parser passes it on as its own error."""


class StrictHttp(HttpToolsProtocol):
    """A request has one Host and a head of bounded size; else the answer is 400 and the connection is closed."""

    _is_in_head = True
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take more bytes of the connection."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """The head is there."""
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MOST_HEAD_BYTES:
            raise RefusedHead("too long")
        # A second one could tell a reader before us something else than the gate.
        if sum(name == b"host" for name, _ in self.headers) != 1:
            raise RefusedHead("not one Host")
        self._is_in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there: what follows is another head."""
        self._is_in_head = True
        super().on_message_complete()
