"""Reads one answer from a line: its head, then its body in blocks, unpacked and never past its end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from uploader.remote.line import Line
from uploader.remote.line_faults import HungUp, OddAnswer, TornAnswer
from uploader.remote.reply_head import Bound, ReplyHead, end_of_head, parse_head

_LONGEST_LINE_BYTES = 8 * 1024
_MOST_TRAILERS = 100
_UNPACKED_BYTES = 1 << 20
_PACKED = {"gzip", "x-gzip", "deflate"}


class AnswerReader:
    """The answer to the request that was sent last on this line."""

    def __init__(self, line: Line, method: str) -> None:
        self._line = line
        self._method = method
        self._bound = Bound.LENGTH
        self._length_bytes = 0
        self._leaves_open = False

    def head(self) -> ReplyHead:
        """Status and headers; interim answers are passed over."""
        while True:
            while (found := end_of_head(self._line.unread)) is None:
                if not self._line.receive():
                    raise TornAnswer("in its head") if self._line.unread else HungUp("no answer")
            end, start = found
            head = parse_head(self._line.unread[:end])
            del self._line.unread[:start]
            if not head.is_interim:
                break
        self._bound, self._length_bytes = head.body_bound(self._method)
        self._leaves_open = head.leaves_open(self._bound)
        self._line.idle_s = head.idle_s(self._line.idle_s)
        return head

    def blocks(self, head: ReplyHead) -> Iterator[bytes]:
        """The body; the line may be kept when the last block has been taken."""
        raw = self._raw()
        coding = head.headers.get("content-encoding", "").strip().lower()
        yield from _unpacked(raw) if coding in _PACKED else raw

    def _raw(self) -> Iterator[bytes]:
        if self._bound is Bound.LENGTH:
            yield from self._of_length(self._length_bytes)
        elif self._bound is Bound.CHUNKS:
            yield from self._chunks()
        else:
            yield from self._until_closed()
        self._line.end_exchange(leaves_open=self._leaves_open)

    def _of_length(self, size_bytes: int) -> Iterator[bytes]:
        unread = self._line.unread
        while size_bytes > 0:
            if not unread and not self._line.receive():
                raise TornAnswer(f"{size_bytes} bytes before its end")
            block = bytes(unread[:size_bytes])
            del unread[:size_bytes]
            size_bytes -= len(block)
            yield block

    def _until_closed(self) -> Iterator[bytes]:
        unread = self._line.unread
        while unread or self._line.receive():
            block = bytes(unread)
            unread.clear()
            yield block

    def _chunks(self) -> Iterator[bytes]:
        while (size_bytes := _chunk_size(self._text_line())) > 0:
            yield from self._of_length(size_bytes)
            if self._text_line():
                raise OddAnswer("a chunk longer than it said")
        for _ in range(_MOST_TRAILERS):
            if not self._text_line():
                return
        raise OddAnswer("trailers without end")

    def _text_line(self) -> bytes:
        unread = self._line.unread
        while (end := unread.find(b"\n")) < 0:
            if len(unread) > _LONGEST_LINE_BYTES:
                raise OddAnswer("a chunk without a length")
            if not self._line.receive():
                raise TornAnswer("between two chunks")
        text = bytes(unread[:end]).rstrip(b"\r")
        del unread[: end + 1]
        return text


def _chunk_size(text: bytes) -> int:
    digits = text.partition(b";")[0].strip()
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise OddAnswer(f"chunk length {text[:40]!r}")
    return int(digits, 16)


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpacked in blocks of bounded size: a few packed bytes may stand for gigabytes."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    has_begun = False
    for block in blocks:
        waiting = block
        while waiting:
            if unpack.eof:
                unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip files may follow each other
            has_begun = True
            try:
                yield unpack.decompress(waiting, _UNPACKED_BYTES)
            except zlib.error as error:
                raise TornAnswer("it can't be unpacked") from error
            waiting = unpack.unconsumed_tail or unpack.unused_data
    if has_begun and not unpack.eof:
        raise TornAnswer("its packed body ended early")
