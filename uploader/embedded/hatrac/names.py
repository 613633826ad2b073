"""Hatrac URL paths: `/hatrac/NAME[:VERSION][;metadata[/FIELD] | ;versions | ;upload[/JOB[/CHUNK]]]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from uploader.embedded.hatrac.refusal import Refusal, bad_request

PREFIX = "/hatrac"
SEGMENT_BYTES = 255
"""A real server keeps a segment as a file name; what it could not store is refused here too, in words."""

_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+")
_VERSION = re.compile(r"[A-Z2-7]{26}")
_SUBS = frozenset({"metadata", "versions", "upload", "acl"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    name: str
    """Canonically encoded name with a leading slash; empty for the root namespace."""
    version: str | None = None
    sub: str | None = None
    """`metadata`, `versions`, `upload` or `acl`."""
    detail: tuple[str, ...] = ()
    """What follows the sub-resource: a metadata field, or job and chunk number."""

    @property
    def url(self) -> str:
        """URL path of the named resource without version and sub-resource."""
        return url(self.name)


def url(name: str) -> str:
    """URL path of a name; the root namespace ends with a slash."""
    return f"{PREFIX}{name}" if name else f"{PREFIX}/"


def parent(name: str) -> str:
    """The namespace that holds a name."""
    return name.rpartition("/")[0]


def parents(name: str) -> list[str]:
    """All namespaces above a name, outermost first, without the root."""
    parts = name.split("/")[1:-1]
    return ["/" + "/".join(parts[: depth + 1]) for depth in range(len(parts))]


def parse(raw_path: str) -> Target:
    """The target of a raw (still encoded) URL path below /hatrac."""
    rest = raw_path.removeprefix(PREFIX)
    path, semicolon, resource = rest.partition(";")
    version: str | None = None
    head, colon, tail = path.rpartition(":")
    if colon:
        if not _VERSION.fullmatch(tail):
            # Raw colons separate versions; a real server's router finds no such route.
            raise Refusal(405, "The method is not allowed for the requested URL.")
        path, version = head, tail
    name = _canonical(path.rstrip("/"))
    if not semicolon:
        return Target(name, version)
    sub, *detail = resource.rstrip("/").split("/")
    if sub not in _SUBS or len(detail) > 2:
        raise Refusal(404, f"Resource {raw_path} not found.")
    return Target(name, version, sub, tuple(detail))


def check_new(name: str) -> None:
    """Refuse to create a name that no client could address or no real server could store."""
    segment = unquote_to_bytes(name.rpartition("/")[2])
    if segment in {b".", b".."}:
        raise bad_request("Request malformed. A Hatrac name must not be . or ..")
    if len(segment) > SEGMENT_BYTES:
        raise bad_request(
            f"Request malformed. A part of the name has {len(segment)} bytes; at most {SEGMENT_BYTES} are kept."
        )


def _canonical(path: str) -> str:
    if not path:
        return ""
    segments = path.split("/")[1:]
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise bad_request(
                'Request malformed. Hatrac URL path names may only include characters A-Z, a-z, 0-9, "-", ".", '
                '"~", or UTF-8 bytes percent-encoded with 2-digit hex values.'
            )
    return "".join(f"/{quote(unquote_to_bytes(segment), safe='~')}" for segment in segments)
