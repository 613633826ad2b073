"""Metadata of an object as request headers, job fields and answer headers carry it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from uploader.embedded.hatrac.changes import Precondition
from uploader.embedded.hatrac.records import Version
from uploader.embedded.hatrac.refusal import bad_request

FIELDS = ("content-type", "content-md5", "content-sha256", "content-disposition")
DEFAULT_TYPE = "application/octet-stream"

_DIGEST_BYTES = {"content-md5": 16, "content-sha256": 32}
_DISPOSITION = re.compile(r"filename\*=UTF-8''[-_.~A-Za-z0-9%]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """The metadata fields among the given ones, each in its canonical form; refused with 400 when malformed."""
    metadata = {"content-type": DEFAULT_TYPE}
    metadata |= {field: value for field in FIELDS if (value := given.get(field))}
    return {field: check_field(field, value) for field, value in metadata.items()}


def check_field(field: str, value: str) -> str:
    """One metadata value in its canonical form."""
    if field in _DIGEST_BYTES:
        return base64.b64encode(digest(field, value)).decode("ascii")
    # Values become headers of later answers: nothing but printable ASCII may get in.
    if not _PRINTABLE.fullmatch(value) or (
        field == "content-disposition" and not _DISPOSITION.fullmatch(value)
    ):
        raise bad_request(f'Cannot accept {field} "{value}".')
    return value


def digest(field: str, value: str) -> bytes:
    """The bytes of a checksum given in base64 or, as a real server also takes it, in hexadecimal."""
    size = _DIGEST_BYTES[field]
    if len(value) == 2 * size and re.fullmatch(r"[0-9a-fA-F]+", value):
        return bytes.fromhex(value)
    try:
        found = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise bad_request(f'Could not base64 decode "{value}". {error}') from error
    if len(found) != size:
        raise bad_request(f'The {field} "{value}" has {len(found)} bytes instead of {size}.')
    return found


def precondition(headers: Mapping[str, str]) -> Precondition:
    """`If-Match` and `If-None-Match`."""
    return Precondition(match=_tags(headers.get("if-match")), none_match=_tags(headers.get("if-none-match")))


def answer_headers(version: Version, location: str, *, partial: bool) -> dict[str, str]:
    """Headers of an answer that carries a version's content."""
    name = version.name.rpartition("/")[2]
    headers = {} if partial else {"accept-ranges": "bytes"}
    for field in ("content-md5", "content-sha256"):
        # A checksum is of the whole; beside a part of it, it would mislead.
        if not partial and field in version.metadata:
            headers[field] = version.metadata[field]
    return headers | {
        "content-disposition": version.metadata.get("content-disposition", f"filename*=UTF-8''{name}"),
        "Content-Location": location,
        "ETag": version.etag,
        "Vary": "cookie",
        "Content-Type": version.metadata.get("content-type", DEFAULT_TYPE),
    }


def _tags(value: str | None) -> frozenset[str] | None:
    if value is None:
        return None
    return frozenset(part.strip() for part in value.split(","))
