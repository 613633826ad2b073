"""What may go wrong on a line, before `failures` puts it into words for people."""

from __future__ import annotations

import ssl

BROKEN = (
    ConnectionResetError,
    BrokenPipeError,
    ConnectionAbortedError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
"""Raised by the system where a line breaks that had already been made."""


class LineFault(Exception):
    """Root of the faults of a line."""


class NotConnected(LineFault):
    """No line could be made, for the reason in `__cause__`; nothing was sent."""

    def __init__(self, *, proxy: str = "") -> None:
        super().__init__("no line was made")
        self.proxy = proxy
        """Host and port of the proxy, when the fault lies before it or with it."""


class HungUp(LineFault):
    """The server closed the line before it answered anything."""


class TooSlow(LineFault):
    """Hardly anything moved for a whole window of time."""

    def __init__(self, *, moved_bytes: int, window_s: float, sending: bool) -> None:
        super().__init__(f"{moved_bytes} bytes in {window_s} s")
        self.moved_bytes = moved_bytes
        self.window_s = window_s
        self.sending = sending


class AnswerLate(LineFault):
    """The answer, or the rest of a small one, did not come in time."""

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__("begun" if has_begun else "silence")
        self.has_begun = has_begun


class TornAnswer(LineFault):
    """The answer ended before its end, or can't be unpacked."""


class OddAnswer(LineFault):
    """What came is no HTTP answer."""
