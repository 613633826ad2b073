"""What the index of the embedded Hatrac knows: names, versions, jobs, chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a name stands for."""

    NAMESPACE = "namespace"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Node:
    """A name that exists or once existed."""

    id: int
    name: str
    kind: Kind
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A complete, immutable content of an object."""

    version: str
    name: str
    size_bytes: int
    file: str
    """Path below the data folder."""
    metadata: Mapping[str, str]
    """`content-type`, `content-md5`, `content-sha256` (base64), `content-disposition`: those that are set."""

    @property
    def etag(self) -> str:
        """The version id as an entity tag."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Job:
    """An open upload job; its id becomes the version id."""

    job: str
    name: str
    owner: str
    chunk_bytes: int
    size_bytes: int
    file: str
    metadata: Mapping[str, str]

    @property
    def chunk_count(self) -> int:
        """How many chunks make the object."""
        return -(-self.size_bytes // self.chunk_bytes)

    def chunk_size(self, index: int) -> int:
        """Length of one chunk; the last one may be shorter."""
        return min(self.chunk_bytes, self.size_bytes - index * self.chunk_bytes)
