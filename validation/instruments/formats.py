"""The registry of formats: what each is and how it is recognised. Listing it imports no reader.

A format is a file specs/instruments/<format>.yaml and a module validation/instruments/readers/<format>.py;
nothing else needs to know of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Source
from validation.instruments.tiff_structure import TIFF_MAGICS, first_page_evidence
from validation.specset import data_dir, plain_yaml

HEAD_BYTES = 1024


class FormatReader(Protocol):
    """What a module in validation/instruments/readers offers. It may raise Malformed."""

    VERSION: int
    """Raised whenever the same bytes give other fields: cached headers are then read again."""

    def header(self, source: Source, file_format: Format) -> Reading:
        """Fields, raw tags and findings; reads no pixels."""

    def picture(self, source: Source, max_px: int) -> Picture:
        """A decimated picture under a memory bound."""


@dataclass(frozen=True, slots=True)
class Magic:
    """Bytes that a file of the format has at a fixed place."""

    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Format:
    """One file format as its declaration describes it."""

    id: str
    title: str
    media_type: str
    suffixes: tuple[str, ...]
    rank: int
    """Lower ranks are asked first: a vendor's TIFF before plain TIFF."""
    magics: tuple[Magic, ...] = ()
    tiff_tags: frozenset[int] = frozenset()
    """Any of these tags in the first directory of a TIFF."""
    tiff_description: str = ""
    """Text near the start of the TIFF's ImageDescription."""
    is_tiff: bool = False
    """Any TIFF."""
    table: Mapping[str, Any] = field(default_factory=dict)
    """The declaration as it stands, with the field map."""
    digest: str = ""
    """Short digest of the declaration: a lab may correct a field map without touching the code."""

    @property
    def reader(self) -> FormatReader:
        """The format's reader, imported when it is first asked for."""
        module = import_module(f"validation.instruments.readers.{self.id.replace('-', '_')}")
        return cast(FormatReader, module)

    @property
    def reader_id(self) -> str:
        """Names the code and the field map that read a header, such as `tiff-fei/1+3f9a02c1`."""
        return f"{self.id}/{self.reader.VERSION}+{self.digest}"


@cache
def formats() -> tuple[Format, ...]:
    """Every known format, in the order in which they are asked."""
    folder = data_dir() / "instruments"
    found = (_declared(path.read_text("utf-8")) for path in sorted(folder.glob("*.yaml")))
    return tuple(sorted(found, key=lambda known: (known.rank, known.id)))


def recognise(source: Source) -> Format | None:
    """The format that the content shows, or None."""
    head = source.read_at(0, HEAD_BYTES)
    tags: frozenset[int] = frozenset()
    description = ""
    is_tiff = head[:4] in TIFF_MAGICS
    if is_tiff:
        tags, description = first_page_evidence(source)
    for known in formats():
        if any(head.startswith(magic.value, magic.offset) for magic in known.magics):
            return known
        if is_tiff and (
            known.is_tiff
            or known.tiff_tags & tags
            or (known.tiff_description and known.tiff_description in description)
        ):
            return known
    return None


def claimed_by_suffix(suffix: str) -> tuple[Format, ...]:
    """The formats whose files usually have this suffix (with dot)."""
    return tuple(known for known in formats() if suffix.lower() in known.suffixes)


def unknown_id() -> str:
    """Stands for a reader where no format was recognised; another one as soon as any format changes."""
    return "unknown/0+" + _digest("".join(known.digest for known in formats()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _declared(text: str) -> Format:
    table: dict[str, Any] = plain_yaml(text)
    signs = table["recognise"]
    return Format(
        id=table["format"],
        title=table["title"],
        media_type=table["media_type"],
        suffixes=tuple(table["suffixes"]),
        rank=table["rank"],
        magics=tuple(
            Magic(magic.get("at", 0), bytes.fromhex(magic["hex"])) for magic in signs.get("magic", ())
        ),
        tiff_tags=frozenset(signs.get("tiff_tags", ())),
        tiff_description=signs.get("tiff_description", ""),
        is_tiff=signs.get("tiff", False),
        table=table,
        digest=_digest(text),
    )
