"""The `Range` header of a GET: one range of bytes, or the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from uploader.embedded.hatrac.records import Version
from uploader.embedded.hatrac.refusal import Refusal

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a content to be sent."""

    start: int
    length: int
    of: int
    is_partial: bool

    @property
    def status(self) -> int:
        """206 for a part, 200 for the whole."""
        return 206 if self.is_partial else 200

    @property
    def content_range(self) -> str:
        """Value of the Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.of}"


def wanted(headers: Mapping[str, str], version: Version) -> Wanted:
    """What to send; several ranges at once get the whole, as HTTP permits; 416 when nothing is there."""
    size = version.size_bytes
    whole = Wanted(0, size, size, is_partial=False)
    found = _ONE_RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or found.group(0) == "bytes=-" or headers.get("if-range", version.etag) != version.etag:
        return whole
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last or size), size - 1)
        if last and int(last) < int(first):
            return whole
    else:
        start, end = max(size - int(last), 0), size - 1
    if start >= size or end < start:
        raise Refusal(
            416, f"Requested range is outside the {size} bytes.", headers={"content-range": f"bytes */{size}"}
        )
    return Wanted(start, end - start + 1, size, is_partial=True)
