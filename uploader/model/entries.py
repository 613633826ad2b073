"""What the journal holds of each file: the entry of a survey and the delivery it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from uploader.model.files import Action, Digest, Outcome, Proof, SourceFile, Stored
from validation.model import Issue


@dataclass(frozen=True, slots=True)
class Found:
    """One file as the first pass of a survey saw it, ready to be recorded."""

    source: SourceFile
    rule: str = ""
    """Id of the rule that took it; empty: none did."""
    dataset: str = ""
    object_path: str = ""
    """`Match.path`: what File.Path holds."""
    set_key: str = ""
    """Companion set, empty when the file belongs to none."""
    role: str = "primary"
    issues: tuple[Issue, ...] = ()
    captures: Mapping[str, str] = field(default_factory=dict)
    """`Match.captures`; empty where the file must be matched again to know all of the match."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """`Match.values`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the current survey as the journal holds it."""

    entry_id: int
    root_id: int
    source: SourceFile
    rule: str = ""
    dataset: str = ""
    object_path: str = ""
    set_key: str = ""
    role: str = "primary"
    issues: tuple[Issue, ...] = ()
    action: Action | None = None
    """None until the survey has decided."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """The row that the catalog holds for it, as far as the plan needs it; empty when there is none."""
    outcome: Outcome | None = None
    captures: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the survey decided for an entry; replaces what the entry held of these."""

    entry_id: int
    action: Action
    issues: tuple[Issue, ...]
    row: Mapping[str, Any] = field(default_factory=dict)


class DeliveryState(StrEnum):
    """How far a delivery is. Moves are declared in the journal and enforced by its UPDATE."""

    INTENDED = "intended"
    """Journalled before the first byte is sent: the name may be in doubt on the server."""
    STORED = "stored"
    """The server has acknowledged the object."""
    REGISTERED = "registered"
    """The server has acknowledged the row."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One object and its row at one target (DESIGN 6.3); survives runs."""

    delivery_id: int
    table: str
    """`schema:table`."""
    row_key: str
    """Canonical JSON of the row's key values."""
    object_name: str
    """Percent-encoded, without version; empty for rows without an object."""
    state: DeliveryState
    source_identity: str
    """`SourceFile.identity` of the bytes this state speaks of."""
    digest: Digest | None = None
    object_url: str = ""
    proof: Proof = Proof.NONE
    preview_url: str = ""
    rid: str = ""
    row_digest: str = ""
    """SHA-256 of the row as we wrote it, to see a changed row and somebody else's edit."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """The columns as we wrote them."""

    @property
    def is_lost(self) -> bool:
        """Whether the server no longer holds the object it had acknowledged: to be sent again."""
        return self.state is DeliveryState.INTENDED and bool(self.object_url) and self.digest is not None

    @property
    def replaces(self) -> str:
        """The version of earlier bytes that we sent and no row names: new bytes may take its place. Empty: none."""
        return self.object_url if self.state is DeliveryState.INTENDED and self.digest is None else ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the server has acknowledged of a delivery's object."""

    delivery_id: int
    stored: Stored
    digest: Digest
    preview_url: str = ""
    source_identity: str | None = None
    """Where to cache the digest; None: it is cached already."""


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery with all that the journal knows of where its file lay."""

    delivery: Delivery
    path: str
    """Below a dropped folder."""
    roots: tuple[str, ...]
    """The dropped folders in which such a path was seen; empty when none was surveyed since."""


@dataclass(frozen=True, slots=True)
class Job:
    """An open upload job of a delivery and the chunks the server has acknowledged."""

    job_id: int
    delivery_id: int
    path: str
    """`NAME;upload/JOB`."""
    chunk_bytes: int
    size_bytes: int
    source_identity: str
    chunks: Mapping[int, str] = field(default_factory=dict)
    """Index -> MD5 (hex) of each acknowledged chunk."""


class Purpose(StrEnum):
    """What a run was begun for."""

    UPLOAD = "upload"
    DRY_RUN = "dry-run"
    CHECK = "check"
    WATCH = "watch"
    """An upload of what has settled in a watched folder."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the journal remembers it."""

    run: str
    started: str
    finished: str
    roots: tuple[str, ...]
    server: str
    catalog: str
    spec_id: str
    spec_version: str
    outcomes: Mapping[str, int]
    interrupted: bool
    receipt: str
    purpose: Purpose = Purpose.UPLOAD
