"""What an engine tells the world while it runs: typed, versioned, JSON-serialisable (docs/events.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final

from uploader.model.files import FileResult
from validation.model import Issue

EVENT_SCHEMA = "nanoferry.event/1"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened. Subclasses say what; `kind` names it in JSON."""

    kind: ClassVar[str] = ""

    run: str
    """Id of the run."""
    time: str
    """RFC 3339, UTC."""

    def to_json(self) -> dict[str, Any]:
        """One flat dictionary; nested values become plain JSON values."""
        document: dict[str, Any] = {
            "schema": EVENT_SCHEMA,
            "run": self.run,
            "time": self.time,
            "kind": self.kind,
        }
        for name in _parts_of(self):
            value = getattr(self, name)
            if isinstance(value, FileResult):
                document.update(value.to_json())
            else:
                document[name] = _plain(value)
        return document


_PARTS: Final[dict[str, tuple[str, ...]]] = {}
"""Kind -> the names of what it says; looked up once, because hundreds of events a second are written."""


def _parts_of(event: Event) -> tuple[str, ...]:
    known = _PARTS.get(event.kind)
    if known is None:
        names = (part.name for part in dataclasses.fields(event))
        known = _PARTS[event.kind] = tuple(name for name in names if name not in ("run", "time"))
    return known


def _plain(value: Any) -> Any:
    if isinstance(value, str | int) and not isinstance(value, Enum):
        return value
    if isinstance(value, Issue):
        return value.to_json()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The engine holds the roots and begins."""

    kind: ClassVar[str] = "run_started"
    roots: tuple[str, ...]
    server: str
    catalog: str
    spec_id: str
    spec_version: str
    spec_digest: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SurveyProgressed(Event):
    """How far the survey is; comes several times a second at most."""

    kind: ClassVar[str] = "survey_progressed"
    stage: str
    """`scan`, `headers`, `checks` or `catalog`."""
    files_found: int
    files_done: int
    path: str = ""
    """The file or folder at hand."""


@dataclass(frozen=True, slots=True)
class IssueFound(Event):
    """A finding that belongs to no single file (folder, group, record, run)."""

    kind: ClassVar[str] = "issue_found"
    issue: Issue


@dataclass(frozen=True, slots=True)
class FilePlanned(Event):
    """What would be done with one file; sent for every file of a dry run, and for files that need work."""

    kind: ClassVar[str] = "file_planned"
    path: str
    action: str
    size_bytes: int
    rule: str = ""
    dataset: str = ""
    issues: tuple[Issue, ...] = ()
    root: str = ""
    """The dropped folder, as `run_started` names it: two of them may hold files of one path."""


@dataclass(frozen=True, slots=True)
class PlanMade(Event):
    """The survey has ended: counts and bytes per action. Nothing has been sent yet."""

    kind: ClassVar[str] = "plan_made"
    files: Mapping[str, int]
    """Action -> number of files."""
    bytes_to_send: int
    files_to_send: int
    held_by_strict: bool = False
    """`--strict` and something is held or unmatched: nothing will be sent."""


@dataclass(frozen=True, slots=True)
class FileStarted(Event):
    """The ferry has taken up a file."""

    kind: ClassVar[str] = "file_started"
    path: str
    size_bytes: int
    root: str = ""
    """The dropped folder."""


@dataclass(frozen=True, slots=True)
class FileProgressed(Event):
    """Bytes acknowledged so far; may go back when a part is sent again."""

    kind: ClassVar[str] = "file_progressed"
    path: str
    size_bytes: int
    sent_bytes: int
    root: str = ""
    """The dropped folder."""


@dataclass(frozen=True, slots=True)
class FileFinished(Event):
    """A file has reached its outcome; the receipt holds the same values."""

    kind: ClassVar[str] = "file_finished"
    result: FileResult


@dataclass(frozen=True, slots=True)
class Parked(Event):
    """Sending has stopped, everything is kept; it goes on by itself, or a person is needed."""

    kind: ClassVar[str] = "parked"
    cause: str
    remedy: str
    goes_on_by_itself: bool = False
    """The engine looks again by itself (server away, disk full, login) and goes on when the cause is gone."""
    next_look_s: float = 0.0
    """When it looks again, in seconds from now."""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run has ended, by itself or interrupted."""

    kind: ClassVar[str] = "run_finished"
    outcomes: Mapping[str, int]
    """Outcome -> number of files."""
    sent_bytes: int
    duration_s: float
    interrupted: bool = False
    could_not_run: bool = False
    """The cause came before as a Parked event or an issue of scope run."""
    receipt: str = ""
    """Where the receipt lies; empty when none was written."""
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """Sending goes on after it was parked or paused."""

    kind: ClassVar[str] = "resumed"
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """A person has paused everything; sends that were on their way are finished."""

    kind: ClassVar[str] = "paused"


@dataclass(frozen=True, slots=True)
class Watching(Event):
    """Nothing is to be done in the watched folders until files have settled; told again when that changes."""

    kind: ClassVar[str] = "watching"
    settling: int
    """Files that have not been still for long enough, or cannot be opened yet."""
    examples: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    """Folders that are not there now; their files are not taken for gone."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class CommandTaken(Event):
    """The engine has carried out a command."""

    kind: ClassVar[str] = "command_taken"
    verb: str
    answer: str
    path: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class FileSetAside(Event):
    """A file changed, vanished or is locked: it is looked at again later in this run."""

    kind: ClassVar[str] = "file_set_aside"
    path: str
    why: str
    root: str = ""


@dataclass(frozen=True, slots=True)
class TransferPaced(Event):
    """How the transfer goes, once a second while something is sent."""

    kind: ClassVar[str] = "transfer_paced"
    bytes_per_s: float
    files_per_s: float
    at_once: int
    """Requests that may carry bytes at the same time, as the controller has it now."""
    chunk_bytes: int
    limit_bytes_per_s: int = 0
    """The bandwidth limit in force; 0: none."""
    files_left: int = 0
    bytes_left: int = 0
