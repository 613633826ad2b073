"""Reads a file's header or preview. Bad data is an Issue; nothing but a programming error raises."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from validation.codes import issue
from validation.instruments.formats import Format, claimed_by_suffix, formats, recognise, unknown_id
from validation.instruments.model import Header, Preview
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source, open_source
from validation.model import Issue

UNKNOWN = "unknown"

T = TypeVar("T")


def read_header(path: Path) -> Header:
    """What the file says of itself; every fault in it is among the header's issues."""
    try:
        with open_source(path) as source:
            return header_of(source, path.suffix)
    except OSError as error:
        return Header(UNKNOWN, unknown_id(), issues=(_unreadable(error),))


def header_of(source: Source, suffix: str) -> Header:
    """The header of an open file whose name ends in `suffix`; may raise OSError."""
    if source.size_bytes == 0:
        return Header(UNKNOWN, unknown_id(), issues=(issue("source.empty", "the file has no bytes"),))
    file_format = recognise(source)
    if file_format is None:
        return Header(UNKNOWN, unknown_id(), issues=(_unrecognised(suffix),))
    reader = file_format.reader
    reading, faults = _guarded(lambda: reader.header(source, file_format), file_format)
    reading = reading or Reading()
    return Header(
        format=file_format.id,
        reader=file_format.reader_id,
        fields=reading.fields,
        raw=reading.raw,
        issues=(*_misnamed(file_format, suffix), *reading.issues, *faults),
    )


def is_current(header: Header) -> bool:
    """Whether reading the same bytes today would use the same code and field map: a cached header may be used."""
    if header.format == UNKNOWN:
        return header.reader == unknown_id()
    return any(known.id == header.format and known.reader_id == header.reader for known in formats())


def read_preview(path: Path, max_px: int = 512) -> Preview:
    """A PNG of at most `max_px` on its longer side, or none with the reason."""
    try:
        with open_source(path) as source:
            return preview_of(source, max_px)
    except OSError as error:
        return Preview(None, reason=f"the file cannot be read: {_words(error)}", issues=(_unreadable(error),))


def preview_of(source: Source, max_px: int) -> Preview:
    """The preview of an open file; may raise OSError."""
    file_format = recognise(source)
    if file_format is None:
        return Preview(None, reason="the format is not known")
    from validation.instruments.stretch import rendered  # noqa: PLC0415  # loads numpy and pillow

    source.budget_bytes = 1 << 40  # readers of pixels bound themselves by memory, not by bytes
    reader = file_format.reader

    def made() -> Preview:
        picture: Picture = reader.picture(source, max_px)
        return rendered(picture, max_px)

    preview, faults = _guarded(made, file_format)
    if preview is not None:
        return preview
    reason = faults[0].message
    return Preview(None, reason=reason, issues=(issue("preview.failed", reason, origin=file_format.id),))


def _guarded(step: Callable[[], T], file_format: Format) -> tuple[T | None, tuple[Issue, ...]]:
    """The step's result, or None and the finding that says why."""
    origin = file_format.id
    try:
        with warnings.catch_warnings():
            # Decoders warn of damage on the error stream; the damage that matters is reported as a finding.
            warnings.simplefilter("ignore")
            return step(), ()
    except Malformed as fault:
        code = "header.truncated" if fault.is_truncated else "header.unreadable"
        return None, (issue(code, fault.message, offset_bytes=fault.offset_bytes, origin=origin),)
    except OSError as error:
        if error.errno is not None:
            raise
        # Pillow says "this picture is broken" with an OSError that no operating system raised.
        # It also likes to name the whole path, which the caller knows.
        words = "the picture cannot be decoded" if "cannot identify" in str(error) else str(error)[:200]
        message = f"{file_format.title}: {words}"
        return None, (issue("header.unreadable", message, origin=origin),)
    except Exception as error:  # noqa: BLE001  # decoders raise anything on damaged files; one file must not end a run
        message = f"{file_format.title}: {type(error).__name__}: {str(error)[:200]}"
        return None, (issue("header.reader_crashed", message, origin=origin),)


def _unrecognised(suffix: str) -> Issue:
    claimed = claimed_by_suffix(suffix)
    if not claimed:
        return issue("header.unknown_format", f"no reader knows {suffix or 'files without a suffix'}")
    return issue(
        "header.unreadable",
        f"the name ends in {suffix}, but the content does not begin like {claimed[-1].title}",
    )


def _misnamed(file_format: Format, suffix: str) -> tuple[Issue, ...]:
    if suffix.lower() in file_format.suffixes:
        return ()
    usual = " or ".join(file_format.suffixes)
    message = f"the content is {file_format.title}, but the name ends in {suffix or 'no suffix'}, not {usual}"
    return (issue("header.suffix_mismatch", message, origin=file_format.id),)


def _unreadable(error: OSError) -> Issue:
    return issue("source.unreadable", f"the file cannot be read: {_words(error)}")


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
