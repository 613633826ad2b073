"""The directories of a TIFF or BigTIFF file, read without its pixels.

Written from the TIFF 6.0 and BigTIFF descriptions. tifffile reads the pixels; its own directory reading follows
counts and offsets of hostile files, counts pages by other means and needs numpy, so headers do not use it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validation.instruments.plain_values import decoded
from validation.instruments.source import Malformed, Source

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ENTRY_LIMIT = 4096
PAGE_LIMIT = 65_536
VALUE_LIMIT_BYTES = 16 << 20
DESCRIPTION = 270
_DESCRIPTION_START_BYTES = 4096

ASCII, UNDEFINED, BYTE = 2, 7, 1
_RATIONALS = {5: "I", 10: "i"}
_CODES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_CODES |= {16: "Q", 17: "q", 18: "Q"}
_SIZES = {code: struct.calcsize(f"={letter}") for code, letter in _CODES.items()} | dict.fromkeys(
    _RATIONALS, 8
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory: where its value lies, not the value."""

    code: int
    type: int
    count: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory (a page)."""

    offset: int
    entries: Mapping[int, Entry]
    next_offset: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order and width of offsets, from the first bytes of the file."""

    order: str
    """`<` or `>`."""
    is_big: bool

    @property
    def count_bytes(self) -> int:
        """Size of the number of entries in front of a directory."""
        return 8 if self.is_big else 2

    @property
    def entry_bytes(self) -> int:
        """Size of one directory entry."""
        return 20 if self.is_big else 12

    @property
    def offset_bytes(self) -> int:
        """Size of an offset."""
        return 8 if self.is_big else 4

    def number(self, data: bytes) -> int:
        """An unsigned number in this byte order."""
        return int.from_bytes(data, "little" if self.order == "<" else "big")


def read_layout(source: Source) -> tuple[Layout, int]:
    """The layout and the offset of the first directory; raises Malformed."""
    head = source.exactly(0, 8, "the TIFF header")
    if head[:4] not in TIFF_MAGICS:
        raise Malformed("the file does not begin like a TIFF", offset_bytes=0)
    layout = Layout("<" if head[:1] == b"I" else ">", head[2:3] == b"+" or head[3:4] == b"+")
    if layout.is_big:
        return layout, layout.number(source.exactly(8, 8, "the BigTIFF header"))
    return layout, layout.number(head[4:8])


def read_directory(source: Source, layout: Layout, offset: int) -> Directory:
    """The directory at `offset`; raises Malformed."""
    count = layout.number(source.exactly(offset, layout.count_bytes, "a TIFF directory"))
    if not 0 < count <= ENTRY_LIMIT:
        raise Malformed(f"a TIFF directory claims {count} entries", offset_bytes=offset)
    size = count * layout.entry_bytes + layout.offset_bytes
    body = source.exactly(offset + layout.count_bytes, size, "a TIFF directory")
    entries: dict[int, Entry] = {}
    inline_at = layout.entry_bytes - layout.offset_bytes
    for start in range(0, count * layout.entry_bytes, layout.entry_bytes):
        part = body[start : start + layout.entry_bytes]
        code, kind = layout.number(part[0:2]), layout.number(part[2:4])
        values = layout.number(part[4:inline_at])
        size_bytes = values * _SIZES.get(kind, 0)
        place = offset + layout.count_bytes + start + inline_at
        if size_bytes > layout.offset_bytes:
            place = layout.number(part[inline_at:])
        entries.setdefault(code, Entry(code, kind, values, place, size_bytes))
    return Directory(offset, entries, layout.number(body[-layout.offset_bytes :]))


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the list of directories could be followed."""

    offsets: tuple[int, ...]
    fault: Malformed | None = None
    """What ended the list before its time."""


def follow_chain(source: Source, layout: Layout, first: Directory) -> Chain:
    """Offsets of every directory from the first on; stops at a circle, at damage and at PAGE_LIMIT."""
    offsets = [first.offset]
    seen = {first.offset}
    following = first.next_offset
    count = len(first.entries)
    while following:
        if following in seen:
            return Chain(tuple(offsets), Malformed("TIFF directories form a circle", offset_bytes=following))
        if len(offsets) >= PAGE_LIMIT:
            return Chain(tuple(offsets), Malformed(f"pages beyond {PAGE_LIMIT} are not counted"))
        try:
            offsets_next, count = _next_offset(source, layout, following, count)
        except Malformed as fault:
            return Chain(tuple(offsets), fault)
        seen.add(following)
        offsets.append(following)
        following = offsets_next
    return Chain(tuple(offsets))


def _next_offset(source: Source, layout: Layout, offset: int, guess: int) -> tuple[int, int]:
    """Where the directory after this one lies. Pages of a stack are alike: one read does for both numbers."""
    size = layout.count_bytes + guess * layout.entry_bytes + layout.offset_bytes
    data = source.read_at(offset, size)
    count = layout.number(data[: layout.count_bytes])
    if len(data) == size and count == guess:
        return layout.number(data[-layout.offset_bytes :]), count
    if not 0 < count <= ENTRY_LIMIT:
        raise Malformed(
            f"a TIFF directory claims {count} entries", offset_bytes=offset, is_truncated=len(data) < size
        )
    place = offset + layout.count_bytes + count * layout.entry_bytes
    return layout.number(source.exactly(place, layout.offset_bytes, "a TIFF directory")), count


def raw_value(source: Source, entry: Entry) -> bytes:
    """The bytes of a tag's value; raises Malformed when they are not in the file or beyond all reason."""
    if entry.size_bytes > VALUE_LIMIT_BYTES:
        raise Malformed(f"TIFF tag {entry.code} claims {entry.size_bytes} bytes", offset_bytes=entry.offset)
    return source.exactly(entry.offset, entry.size_bytes, f"the value of TIFF tag {entry.code}")


def tag_value(source: Source, layout: Layout, entry: Entry) -> Any:
    """A tag's value: text, bytes, a number, or a tuple of numbers; None for an unknown type."""
    if entry.size_bytes == 0:
        return None
    data = raw_value(source, entry)
    if entry.type == ASCII:
        return decoded(data)
    if entry.type == UNDEFINED:
        return data
    if entry.type in _RATIONALS:
        parts = struct.unpack(f"{layout.order}{2 * entry.count}{_RATIONALS[entry.type]}", data)
        values: tuple[Any, ...] = tuple(
            above / below if below else None for above, below in zip(parts[::2], parts[1::2], strict=True)
        )
    else:
        values = struct.unpack(f"{layout.order}{entry.count}{_CODES[entry.type]}", data)
    return values[0] if len(values) == 1 else values


def first_page_evidence(source: Source) -> tuple[frozenset[int], str]:
    """Tag codes of the first directory and the start of its description; empty when it cannot be read."""
    try:
        layout, offset = read_layout(source)
        directory = read_directory(source, layout, offset)
        entry = directory.entries.get(DESCRIPTION)
        text = b""
        if entry is not None and entry.type in {ASCII, BYTE, UNDEFINED}:
            text = source.read_at(entry.offset, min(entry.size_bytes, _DESCRIPTION_START_BYTES))
    except Malformed:
        return frozenset(), ""
    return frozenset(directory.entries), decoded(text)
