"""The head of an HTTP/1.1 answer: status, headers, and how the body that follows is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from uploader.remote.line_faults import OddAnswer

LONGEST_HEAD_BYTES = 64 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_IDLE = re.compile(r"timeout=(\d{1,6})", re.IGNORECASE)
_BODILESS = frozenset({204, 304})


class Headers(Mapping[str, str]):
    """Headers by name in any case; repeated ones are joined with a comma."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, str]) -> None:
        """`by_name` has its names in lower case."""
        self._by_name = by_name

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


class Bound(Enum):
    """What ends a body."""

    LENGTH = auto()
    CHUNKS = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """Status line and headers."""

    status: int
    headers: Headers
    is_http_1_0: bool = False

    @property
    def is_interim(self) -> bool:
        """Whether the real answer is still to come (1xx)."""
        return 100 <= self.status < 200 and self.status != 101

    def body_bound(self, method: str) -> tuple[Bound, int]:
        """What ends the body, and its length in bytes where that is the length."""
        if method == "HEAD" or self.status in _BODILESS:
            return Bound.LENGTH, 0
        coding = self.headers.get("transfer-encoding", "")
        if coding:
            if coding.strip().lower() != "chunked":
                raise OddAnswer(f"Transfer-Encoding {coding[:40]!r}")
            return Bound.CHUNKS, 0
        length = self.headers.get("content-length")
        return (Bound.CLOSE, 0) if length is None else (Bound.LENGTH, _length(length))

    def leaves_open(self, bound: Bound) -> bool:
        """Whether the server says that the line may carry another request."""
        if bound is Bound.CLOSE or ("transfer-encoding" in self.headers and "content-length" in self.headers):
            return False
        said = self.headers.get("connection", "").lower()
        return "keep-alive" in said if self.is_http_1_0 else "close" not in said

    def idle_s(self, otherwise_s: float) -> float:
        """How long an idle line may be used again: a little less than the server says that it waits."""
        found = _IDLE.search(self.headers.get("keep-alive", ""))
        if found is None:
            return otherwise_s
        said_s = float(found[1])
        return max(said_s - 1.0, said_s / 2)


def end_of_head(buffer: bytes | bytearray) -> tuple[int, int] | None:
    """Where the head ends and where the body begins; None when the end has not arrived.

    Raises OddAnswer when it is longer than any server's.
    """
    found = _END.search(buffer)
    if found is None:
        if len(buffer) > LONGEST_HEAD_BYTES:
            raise OddAnswer(f"headers of more than {LONGEST_HEAD_BYTES >> 10} KiB")
        return None
    return found.span()


def parse_head(block: bytes | bytearray) -> ReplyHead:
    """The head in these bytes, without the empty line; raises OddAnswer for anything that is not one.

    Strict on purpose: a line that is read wrongly once would give later requests each other's answers.
    """
    first, *rest = block.decode("latin-1").split("\n")
    version, _, said = first.rstrip("\r").partition(" ")
    code = said[:3]
    if (
        version not in {"HTTP/1.1", "HTTP/1.0"}
        or not (code.isascii() and code.isdigit() and 100 <= int(code) <= 599)
        or said[3:4] not in {"", " "}
    ):
        raise OddAnswer(f"first line {first[:40]!r}")
    headers: dict[str, str] = {}
    name = ""
    for line in rest:
        text = line.rstrip("\r")
        if text[:1] in {" ", "\t"} and name:
            headers[name] = f"{headers[name]} {text.strip()}"  # folded, as old servers do
            continue
        written, colon, value = text.partition(":")
        if not colon or _TOKEN.fullmatch(written) is None:
            raise OddAnswer(f"header {text[:40]!r}")
        name, value = written.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ReplyHead(int(code), Headers(headers), is_http_1_0=version == "HTTP/1.0")


def _length(text: str) -> int:
    values = {part.strip() for part in text.split(",")}
    value = values.pop()
    if values or not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise OddAnswer(f"Content-Length {text[:40]!r}")
    return int(value)
