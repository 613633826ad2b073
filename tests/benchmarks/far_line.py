"""A line to a server that is far away: every byte arrives a fixed time later, in both directions.

One thread, one queue: what came first is due first. Arguments: address of the server (`host:port`), milliseconds each
way. Prints its own port, ends with its stdin. It delays bytes, not the making of a connection, and has no bandwidth limit.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

READ_BYTES = 1 << 20
MOST_ON_THE_WAY_BYTES = 16 << 20
"""Of one connection and direction; more is not read before some has arrived."""


@dataclass(eq=False)
class End:
    """One socket of a pair: bytes for it lie in `arrived` until it takes them."""

    sock: socket.socket
    other: End = field(init=False)
    arrived: deque[memoryview] = field(default_factory=deque)
    on_the_way_bytes: int = 0
    is_read: bool = True
    is_ending: bool = False
    """Its last bytes have arrived; once they are taken it is shut."""


class Line:
    """All connections through the line."""

    def __init__(self, server: tuple[str, int], delay_s: float) -> None:
        self._server, self._delay_s = server, delay_s
        self._ends: dict[int, End] = {}
        self._due: deque[tuple[float, End, bytes]] = deque()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]
        self._reading = {self._listening.fileno(), sys.stdin.fileno()}
        self._writing: set[int] = set()

    def run(self) -> None:
        """Carry until stdin ends."""
        stdin, listening = sys.stdin.fileno(), self._listening.fileno()
        while True:
            wait_s = max(self._due[0][0] - time.perf_counter(), 0) if self._due else None
            # select, not epoll: that one rounds waits up to whole milliseconds.
            readable, writable, _ = select.select(self._reading, self._writing, (), wait_s)
            for number in readable:
                if number == stdin:
                    return
                if number == listening:
                    self._open()
                elif (end := self._ends.get(number)) is not None:
                    self._read(end)
            self._let_arrive()
            for number in writable:
                if (end := self._ends.get(number)) is not None:
                    self._write(end)

    def _open(self) -> None:
        near, far = End(self._listening.accept()[0]), End(socket.create_connection(self._server))
        near.other, far.other = far, near
        for end in (near, far):
            end.sock.setblocking(False)
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends[end.sock.fileno()] = end
            self._reading.add(end.sock.fileno())

    def _read(self, end: End) -> None:
        try:
            block = end.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        if not block:
            end.is_read = False
            self._reading.discard(end.sock.fileno())
        target = end.other
        target.on_the_way_bytes += len(block)
        if self._delay_s:
            self._due.append((time.perf_counter() + self._delay_s, target, block))
        else:
            self._arrive(target, block)
        if target.on_the_way_bytes >= MOST_ON_THE_WAY_BYTES:
            self._reading.discard(end.sock.fileno())

    def _let_arrive(self) -> None:
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            _, end, block = self._due.popleft()
            self._arrive(end, block)

    def _arrive(self, end: End, block: bytes) -> None:
        if block:
            end.arrived.append(memoryview(block))
        else:
            end.is_ending = True
        self._write(end)

    def _write(self, end: End) -> None:
        number = end.sock.fileno()
        if number < 0:
            return
        try:
            while end.arrived:
                sent = end.sock.send(end.arrived[0])
                end.on_the_way_bytes -= sent
                if sent < len(end.arrived[0]):
                    end.arrived[0] = end.arrived[0][sent:]
                    break
                end.arrived.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._drop(end)
            return
        if end.arrived:
            self._writing.add(number)
        else:
            self._writing.discard(number)
            if end.is_ending:
                self._drop(end)
                return
        if end.other.is_read and end.on_the_way_bytes < MOST_ON_THE_WAY_BYTES:
            self._reading.add(end.other.sock.fileno())

    def _drop(self, end: End) -> None:
        """Close both sockets: HTTP has no use for a connection that is open one way."""
        for one in (end, end.other):
            number = one.sock.fileno()
            self._ends.pop(number, None)
            self._reading.discard(number)
            self._writing.discard(number)
            one.is_read = False
            one.sock.close()


def main() -> None:
    """Carry until stdin ends."""
    host, _, port = sys.argv[1].rpartition(":")
    line = Line((host, int(port)), float(sys.argv[2]) / 1000)
    sys.stdout.write(f"{line.port}\n")
    sys.stdout.flush()
    line.run()


if __name__ == "__main__":
    main()
