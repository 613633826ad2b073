"""One open line to a server: sends a request and reads its answer, watching how fast both move."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from urllib3.connection import HTTPConnection

from uploader.remote.line_faults import BROKEN, AnswerLate, HungUp, TooSlow, TornAnswer

Pace = Callable[[int], None]

# One call for a whole small object: every further call hands the interpreter to another thread and back.
WHOLE_SLICE_BYTES = 256 * 1024
# Most answers are short, and room for a long one is costly to ask for.
_RECEIVED_BYTES = 16 * 1024
_RECEIVED_BYTES_OF_LONG = 256 * 1024
_LONG_SLEEP_S = 0.5
_EARLY_ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How slow a line may be."""

    connect_s: float = 15.0
    window_s: float = 30.0
    """The time in which at least `least_bytes` must move, either way, while there is something to move."""
    least_bytes: int = 64 * 1024
    idle_s: float = 4.0
    """Apache closes idle lines after 5 s; older ones are not used again unless the server promised more."""


class _Watch:
    """Adds up what moved and the time spent in the system's calls; pauses of ours do not count."""

    def __init__(self, patience: Patience, *, sending: bool) -> None:
        self._window_s = patience.window_s
        self._least_bytes = patience.least_bytes
        self._sending = sending
        self._moved_bytes = 0
        self._spent_s = 0.0

    def add(self, moved_bytes: int, took_s: float) -> None:
        self._moved_bytes += moved_bytes
        self._spent_s += took_s
        if self._spent_s < self._window_s:
            return
        # A call that lasted far longer than its time-out: this machine slept. Nobody else was slow.
        slept = took_s > self._window_s * 1.5 + _LONG_SLEEP_S
        if self._moved_bytes < self._least_bytes and not slept:
            raise TooSlow(moved_bytes=self._moved_bytes, window_s=self._window_s, sending=self._sending)
        self._moved_bytes, self._spent_s = 0, 0.0


class Line:
    """A connected socket with what it received but nobody has read yet; for one thread at a time."""

    def __init__(
        self, wire: HTTPConnection, patience: Patience, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`wire` is connected."""
        self._wire = wire
        self._socket = wire.sock
        self._patience = patience
        self._monotonic = monotonic
        # TLS has no sendmsg(); and urllib3's TLS inside TLS loses what it had taken when it runs out of time.
        self._is_plain = not isinstance(self._socket, ssl.SSLSocket) and hasattr(self._socket, "sendmsg")
        self._may_wait_again = self._is_plain or isinstance(self._socket, ssl.SSLSocket)
        self._unread = bytearray()
        self._answered_bytes = 0
        self._answer_spent_s = 0.0
        self._answer_timeout_s = 0.0
        self._receiving = _Watch(patience, sending=False)
        self._socket_timeout_s: float | None = None
        self._is_sent = False
        self.may_be_kept = False
        """Whether another request may go out on it."""
        self.idle_since_s = 0.0
        self.idle_s = patience.idle_s

    @property
    def unread(self) -> bytearray:
        """What has arrived and was not taken; the reader deletes what it takes."""
        return self._unread

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits on an idle line: neither its end nor an answer that nobody asked for."""
        return not self._unread and self._wire.is_connected

    def close(self) -> None:
        """Close it."""
        self._wire.close()

    def send(
        self, head: bytes, body: memoryview, *, slice_bytes: int = WHOLE_SLICE_BYTES, pace: Pace | None = None
    ) -> None:
        """Send head and body; `pace` is called with the size of each slice of the body before it goes out."""
        self._is_sent = self.may_be_kept = False
        if not self._is_plain:
            # A TLS write tells nothing until all of it has gone: it must not hold more than must move in a window.
            slice_bytes = min(slice_bytes, self._patience.least_bytes)
        watch = _Watch(self._patience, sending=True)
        self._set_timeout(self._patience.window_s)
        first = body[:slice_bytes]
        if pace is not None and len(first):
            pace(len(first))
        self._send_with_head(head, first, watch)
        for start in range(slice_bytes, len(body), slice_bytes):
            part = body[start : start + slice_bytes]
            if pace is not None:
                pace(len(part))
            self._send_all(part, watch)
        self._is_sent = True

    def end_exchange(self, *, leaves_open: bool) -> None:
        """Note that the answer has been read to its end, and whether the server keeps the line open."""
        # Bytes after the end belong to no request of ours, and what was half sent would spoil the next one.
        self.may_be_kept = leaves_open and self._is_sent and not self._unread

    def expect_answer(self, timeout_s: float) -> None:
        """Begin to wait: the answer, or its first 64 KiB, must arrive within this time of waiting."""
        self._answered_bytes = 0
        self._answer_spent_s = 0.0
        self._answer_timeout_s = timeout_s
        self._receiving = _Watch(self._patience, sending=False)

    def expect_early_answer(self) -> None:
        """Look, for a moment only, whether the server has already said why it takes no more."""
        self.expect_answer(min(_EARLY_ANSWER_S, self._patience.window_s))

    def receive(self) -> bool:
        """Add what arrives to `unread`; False at the end of the line.

        Raises AnswerLate or TooSlow when it does not move, HungUp or TornAnswer when it breaks.
        """
        is_prompt = self._answered_bytes < self._patience.least_bytes
        left_s = self._answer_timeout_s - self._answer_spent_s if is_prompt else self._patience.window_s
        if left_s <= 0:
            raise AnswerLate(has_begun=self._answered_bytes > 0)
        started_s = self._monotonic()
        block = self._received(left_s, _RECEIVED_BYTES if is_prompt else _RECEIVED_BYTES_OF_LONG)
        took_s = self._monotonic() - started_s
        if is_prompt:
            # Time spent here only: who reads a stream may pause as long as they like.
            self._answer_spent_s += took_s
            if block is None:
                raise AnswerLate(has_begun=self._answered_bytes > 0)
        else:
            self._receiving.add(len(block or b""), took_s)
        if block is None:
            return self.receive()
        self._answered_bytes += len(block)
        self._unread += block
        return bool(block)

    def _received(self, timeout_s: float, most_bytes: int) -> bytes | None:
        """Some bytes, none at the end of the line, None when the time is over."""
        try:
            self._set_timeout(timeout_s)
            started_s = self._monotonic()
            try:
                return self._socket.recv(most_bytes)
            except TimeoutError:
                if self._monotonic() - started_s < timeout_s * 1.5 + _LONG_SLEEP_S:
                    return None
                # This machine slept: what arrived meanwhile has not been looked at.
                return self._socket.recv(most_bytes)
        except TimeoutError:
            return None
        except BROKEN as error:
            raise (TornAnswer("broken off") if self._answered_bytes else HungUp("broken off")) from error

    def _send_with_head(self, head: bytes, first: memoryview, watch: _Watch) -> None:
        if not self._is_plain:
            if len(first) <= 16 * 1024 - len(head):  # one TLS record in place of two
                self._send_all(memoryview(head + first), watch)
            else:
                self._send_all(memoryview(head), watch)
                self._send_all(first, watch)
            return
        started_s = self._monotonic()
        try:
            moved_bytes = self._socket.sendmsg([head, first])
        except TimeoutError:
            moved_bytes = 0
        watch.add(moved_bytes, self._monotonic() - started_s)
        if moved_bytes < len(head):
            self._send_all(memoryview(head)[moved_bytes:], watch)
            moved_bytes = len(head)
        self._send_all(first[moved_bytes - len(head) :], watch)

    def _send_all(self, part: memoryview, watch: _Watch) -> None:
        sent = 0
        while sent < len(part):
            started_s = self._monotonic()
            try:
                moved_bytes = self._socket.send(part[sent:])
            except TimeoutError as error:
                if not self._may_wait_again:
                    raise TooSlow(moved_bytes=0, window_s=self._patience.window_s, sending=True) from error
                moved_bytes = 0
            watch.add(moved_bytes, self._monotonic() - started_s)
            sent += moved_bytes

    def _set_timeout(self, timeout_s: float) -> None:
        # Every settimeout() is a call to the system, so not for a difference that does not matter.
        if self._socket_timeout_s is None or not 0.95 < timeout_s / self._socket_timeout_s <= 1.0:
            self._socket.settimeout(timeout_s)
            self._socket_timeout_s = timeout_s
