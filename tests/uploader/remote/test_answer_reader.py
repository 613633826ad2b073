"""Answers are read to their end and not a byte further, however the bytes arrive."""

from __future__ import annotations

import gzip
import http.client
import io
import zlib
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.remote.answer_reader import AnswerReader
from uploader.remote.line import Line
from uploader.remote.line_faults import HungUp, LineFault, OddAnswer, TornAnswer


class Arriving:
    """A line on which these blocks arrive."""

    def __init__(self, *blocks: bytes) -> None:
        self.unread = bytearray()
        self.idle_s = 4.0
        self.may_be_kept = False
        self._blocks = [block for block in blocks if block]

    def receive(self) -> bool:
        if not self._blocks:
            return False
        self.unread += self._blocks.pop(0)
        return True

    def end_exchange(self, *, leaves_open: bool) -> None:
        self.may_be_kept = leaves_open and not self.unread


def read(*blocks: bytes, method: str = "GET") -> tuple[int, bytes, Arriving]:
    line = Arriving(*blocks)
    answer = AnswerReader(cast(Line, line), method)
    head = answer.head()
    return head.status, b"".join(answer.blocks(head)), line


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


def test_a_body_of_known_length_leaves_the_line_open() -> None:
    status, body, line = read(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello")
    assert (status, body, line.may_be_kept) == (201, b"hello", True)


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close",
        "HTTP/1.0 200 OK\r\nContent-Length: 2",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7",
    ],
)
def test_a_line_that_the_server_closes_is_not_kept(head: str) -> None:
    body = chunked(b"[]") if "chunked" in head else b"[]"
    _, said, line = read(head.encode() + b"\r\n\r\n" + body)
    assert (said, line.may_be_kept) == (b"[]", False)


def test_an_old_server_may_keep_the_line_by_saying_so() -> None:
    assert read(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n")[2].may_be_kept


def test_bytes_after_the_end_never_become_the_next_answer() -> None:
    _, body, line = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\n")
    assert (body, line.may_be_kept) == (b"[]", False)


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "DELETE"), (304, "GET")])
def test_answers_without_body_may_announce_one(status: int, method: str) -> None:
    _, body, line = read(b"HTTP/1.1 %d X\r\nContent-Length: 99\r\n\r\n" % status, method=method)
    assert (body, line.may_be_kept) == (b"", True)


def test_interim_answers_are_passed_over() -> None:
    assert read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n")[0] == 201


def test_the_server_says_how_long_an_idle_line_is_good_for() -> None:
    assert read(b"HTTP/1.1 204 X\r\nKeep-Alive: timeout=5, max=100\r\n\r\n")[2].idle_s == 4.0
    assert read(b"HTTP/1.1 204 X\r\nKeep-Alive: timeout=1\r\n\r\n")[2].idle_s == 0.5
    assert read(b"HTTP/1.1 204 X\r\nKeep-Alive: max=9\r\n\r\n")[2].idle_s == 4.0


@pytest.mark.parametrize(
    "packed", [gzip.compress(b"words " * 999), zlib.compress(b"words " * 999)], ids=["gzip", "deflate"]
)
def test_packed_bodies_are_unpacked(packed: bytes) -> None:
    coding = b"gzip" if packed[:2] == b"\x1f\x8b" else b"deflate"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed))
    assert read(head, packed[:10], packed[10:])[1] == b"words " * 999
    with pytest.raises(TornAnswer):
        read(head, packed[:-1])
    cut = head.replace(b"Content-Length: %d" % len(packed), b"Content-Length: %d" % (len(packed) - 6))
    with pytest.raises(TornAnswer, match="early"):
        read(cut, packed[:-6])


def test_files_packed_one_after_the_other_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert read(head, packed)[1] == b"one two"


def test_a_few_packed_bytes_come_out_in_bounded_blocks() -> None:
    packed = gzip.compress(bytes(50 << 20))
    line = Arriving(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", packed)
    answer = AnswerReader(cast(Line, line), "GET")
    sizes = [len(block) for block in answer.blocks(answer.head())]
    assert sum(sizes) == 50 << 20
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSpace : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 9000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    ],
    ids=[
        "another protocol",
        "another version",
        "short status",
        "long status",
        "no colon",
        "space before colon",
        "two lengths",
        "negative length",
        "hexadecimal length",
        "packed transfer",
        "no chunk length",
        "negative chunk",
        "longer chunk",
        "endless chunk length",
        "endless trailers",
        "endless headers",
    ],
)
def test_what_is_no_http_is_refused(bytes_sent: bytes) -> None:
    with pytest.raises(OddAnswer):
        read(bytes_sent)


def test_an_end_before_the_end_is_told_apart_from_no_answer_at_all() -> None:
    with pytest.raises(HungUp):
        read()
    for torn in (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1,", b"HTTP/1.1 2"):
        with pytest.raises(TornAnswer):
            read(torn)
    with pytest.raises(TornAnswer):
        read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")


HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(
    st.integers(200, 599).filter(lambda status: status not in {204, 304}),
    st.dictionaries(st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True), HEADER_TEXT, max_size=5),
    st.lists(st.binary(max_size=40), max_size=6),
    st.booleans(),
    st.integers(1, 50),
)
def test_we_read_what_the_standard_library_reads_however_it_arrives(
    status: int, headers: dict[str, str], parts: list[bytes], in_chunks: bool, piece_bytes: int
) -> None:
    body = b"".join(parts)
    framing = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status} Words", *(f"{name}: {value}" for name, value in headers.items()), framing]
    sent = "\r\n".join([*lines, "", ""]).encode() + (chunked(*parts) if in_chunks else body)
    pieces = [sent[start : start + piece_bytes] for start in range(0, len(sent), piece_bytes)]
    line = Arriving(*pieces)
    answer = AnswerReader(cast(Line, line), "GET")
    head = answer.head()
    assert b"".join(answer.blocks(head)) == body
    assert line.may_be_kept
    theirs = http.client.HTTPResponse(cast(Any, Standing(sent)))
    theirs.begin()
    assert (head.status, theirs.read()) == (theirs.status, body)
    for name in headers:
        assert head.headers[name.upper()] == theirs.getheader(name)


class Standing:
    """A socket for http.client that holds all there is to read."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._sent)


@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
def test_any_bytes_are_an_answer_or_a_fault_of_the_line(noise: bytes, start: bytes) -> None:
    try:
        read(start + noise)
    except LineFault:
        return
