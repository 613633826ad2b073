"""What is known of a file on its way: where it lies, its digests, what would be done, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from validation.model import Issue


@dataclass(frozen=True, slots=True)
class Root:
    """A dropped folder and its identity (DESIGN 6.3)."""

    path: Path
    """Absolute, as the person gave it (links in it are not resolved away)."""
    volume_id: str = ""
    """Identity of the volume it lies on; empty where the system gives none."""
    inside: str = ""
    """Path inside the volume, links resolved, so that a volume mounted elsewhere is known again; empty: unknown."""

    @property
    def key(self) -> str:
        """What the journal knows it by."""
        return f"{self.volume_id}:{self.inside or self.path.as_posix()}"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file below a root, as the scan saw it."""

    path: str
    """Relative to the root, `/` separators, Unicode as on disk (surrogateescape for undecodable bytes)."""
    size_bytes: int
    mtime_ns: int
    volume_id: str = ""
    file_id: str = ""
    """Inode or file index; empty where the system gives none."""

    @property
    def identity(self) -> str:
        """Key of the digest and header caches: changes whenever the bytes may have changed."""
        where = f"{self.volume_id}/{self.file_id}" if self.file_id else self.path
        return f"{where}/{self.size_bytes}/{self.mtime_ns}"


@dataclass(frozen=True, slots=True)
class Digest:
    """Hashes of the whole file, lower-case hex."""

    md5: str
    sha256: str
    size_bytes: int


class Action(StrEnum):
    """What a plan would do with a file (DESIGN 6.4, closed list)."""

    NEW = "new"
    SAME = "same"
    CHANGED_BYTES = "changed-bytes"
    CHANGED_ROW = "changed-row"
    MOVED = "moved"
    CONFLICT = "conflict"
    HELD = "held"
    UNMATCHED = "unmatched"


class Outcome(StrEnum):
    """What became of a file in a run (DESIGN 6.7, closed list)."""

    NEW = "new"
    UPDATED = "updated"
    SAME = "same"
    HELD = "held"
    UNMATCHED = "unmatched"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Proof(StrEnum):
    """What vouches that the stored bytes are the file's bytes (DESIGN 6.6)."""

    NONE = "none"
    JOB_MD5 = "server-checked md5 of the whole object"
    CHUNK_MD5 = "server-checked md5 of every chunk"
    ADOPTED = "object found on the server with this md5"
    DOWNLOAD = "downloaded and compared"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object the server has acknowledged."""

    name: str
    """Path of the object in the store, percent-encoded, without version."""
    url: str
    """Versioned path, `NAME:VERSION`."""
    size_bytes: int
    md5: str = ""
    """Hex; empty when the server holds none."""
    sha256: str = ""
    proof: Proof = Proof.NONE

    @property
    def version(self) -> str:
        """The version id behind the last colon."""
        return self.url.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file: the line of a receipt and of the event `file_finished`."""

    path: str
    size_bytes: int
    outcome: Outcome
    md5: str = ""
    sha256: str = ""
    object_url: str = ""
    rid: str = ""
    issues: tuple[Issue, ...] = ()
    rule: str = ""
    dataset: str = ""
    preview_url: str = ""
    proof: Proof = Proof.NONE
    error: str = ""
    """For failed files: what happened, what was kept, what to do next."""
    mtime_ns: int = 0
    root: str = ""
    """The dropped folder that `path` is below, as the run's roots name it."""
    table: str = ""
    """`schema:table` of the row that `rid` names; empty when there is none."""

    def to_json(self) -> dict[str, Any]:
        """The keys of DESIGN 6.7 first; they are always present."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "md5": self.md5,
            "sha256": self.sha256,
            "outcome": self.outcome.value,
            "object_url": self.object_url,
            "rid": self.rid,
            "issues": [issue.to_json() for issue in self.issues],
            "rule": self.rule,
            "dataset": self.dataset,
            "preview_url": self.preview_url,
            "proof": self.proof.value,
            "error": self.error,
            "mtime_ns": self.mtime_ns,
            "root": self.root,
            "table": self.table,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FileResult:
        """The result that `to_json` wrote; raises KeyError or ValueError for other documents."""
        return cls(
            path=document["path"],
            size_bytes=document["size_bytes"],
            outcome=Outcome(document["outcome"]),
            md5=document["md5"],
            sha256=document["sha256"],
            object_url=document["object_url"],
            rid=document["rid"],
            issues=tuple(Issue.from_json(found) for found in document["issues"]),
            rule=document.get("rule", ""),
            dataset=document.get("dataset", ""),
            preview_url=document.get("preview_url", ""),
            proof=Proof(document.get("proof", Proof.NONE.value)),
            error=document.get("error", ""),
            mtime_ns=document.get("mtime_ns", 0),
            root=document.get("root", ""),
            table=document.get("table", ""),
        )
