"""How a run is steered while it goes on: the line of waiting files, commands, and what an engine says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from uploader.model.entries import Delivery, Entry, RunRecord
from uploader.model.files import FileResult, SourceFile


class Order(StrEnum):
    """In which order sessions (datasets) are sent."""

    NEWEST = "newest"
    """The session with the newest file first; within a session by path."""
    OLDEST = "oldest"
    PATH = "path"
    GIVEN = "given"
    """The dropped folders in the order in which they were named, each by dataset and path."""


class Lane(StrEnum):
    """Files of one request and files of many wait in lanes of their own, so that neither waits for the other."""

    SMALL = "small"
    LARGE = "large"


class Standing(StrEnum):
    """Where a file that is to be sent stands in the line of this run."""

    WAITING = "waiting"
    TAKEN = "taken"
    """The engine has it in hand."""
    PAUSED = "paused"
    SET_ASIDE = "set-aside"
    """It changed, vanished or was locked: looked at again later in this run."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A delivery about to be made; see `Journal.intend`."""

    table: str
    row_key: str
    object_name: str
    source: SourceFile
    path: str


class Lineup(Protocol):
    """The line of files to be sent, kept in the journal: a million of them need no million objects in memory.

    It holds the entries of a run whose action is one the ferry carries out (new, changed-bytes, changed-row,
    moved) and that have no outcome yet. `record` and a new run begin it anew.
    """

    def line_up(self, run: str, order: Order) -> int:
        """Give every such entry of the run its turn (one statement, all roots together); how many there are."""

    def next_up(self, run: str, lane: Lane, *, small_bytes: int, limit: int) -> list[Entry]:
        """Take the next entries of a lane: highest priority, then by turn; they are TAKEN when it returns.

        A set-aside entry is not among them (`set_aside`). Costs O(limit log n), however long the line.
        """

    def put_back(self, entry_ids: Sequence[int], standing: Standing = Standing.WAITING) -> None:
        """Let taken entries stand where they stood, or set them aside or pause them."""

    def aside(self, run: str, limit: int) -> list[Entry]:
        """Entries that are set aside, by turn; they are TAKEN when it returns."""

    def waiting(self, run: str) -> Mapping[Standing, tuple[int, int]]:
        """Standing -> (files, bytes) of the line."""

    def pause_files(self, run: str, root: int, path: str) -> int:
        """Pause the waiting files at or below this path of the root ("" for all of it); how many."""

    def resume_files(self, run: str, root: int, path: str) -> int:
        """Let the paused files at or below this path wait again; how many."""

    def prioritise(self, run: str, root: int, path: str, priority: int) -> int:
        """Give the waiting files at or below this path a priority (0 is that of all others); how many."""

    def drop_files(self, run: str, root: int, path: str, limit: int) -> list[Entry]:
        """Take paused, waiting or set-aside files at or below this path out of the line, to be cancelled."""

    def retry_files(self, run: str, root: int, path: str) -> int:
        """Put failed and cancelled files of the run at or below this path into the line again; how many."""

    def replace_source(self, entry_id: int, source: SourceFile) -> Entry:
        """The entry with what its file is now (a file that was still being written when it was surveyed)."""

    def claim(self, run: str, kind: str, places: Sequence[tuple[int, int]]) -> Mapping[int, tuple[int, str]]:
        """(place, entry id) -> place -> (entry id, path) of the first entry of the run that claimed it.

        A place is a 64-bit hash of table and row key; `kind` tells the claims of the survey from the ferry's.
        Forgotten when the run finishes.
        """

    def intend_all(self, target: int, intents: Sequence[Intent]) -> list[Delivery]:
        """`Journal.intend` for many, in one transaction, in their order."""


class Verb(StrEnum):
    """What a person may ask of a running engine."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    """Failed and cancelled files again; wakes a parked engine at once."""
    PRIORITISE = "prioritise"
    LIMIT = "limit"
    """`value`: bytes per second, "0" for none."""
    STOP = "stop"
    """End the run as Ctrl-C does: what was acknowledged is kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """One wish of a person, posted to the journal by any process, taken by each engine it is meant for."""

    verb: Verb
    run: str = ""
    """Id of the run it is meant for; empty: every engine that is running now."""
    path: str = ""
    """Absolute path of a file or folder; empty: all of the run."""
    value: str = ""
    command_id: int = 0
    posted: str = ""
    """RFC 3339, UTC."""
    taken: str = ""
    """When the engine took it; empty: not yet."""
    answer: str = ""
    """What the engine did, in words: `12 files paused`."""


class EngineState(StrEnum):
    """What an engine is at."""

    SURVEYING = "surveying"
    SENDING = "sending"
    PAUSED = "paused"
    PARKED = "parked"
    """It waits for the server, a login or space, and says so."""
    READY = "ready"
    """Surveyed; waits to be told to send."""
    WATCHING = "watching"
    """Nothing is to be done; looks at its folders until something is."""
    FINISHED = "finished"
    GONE = "gone"
    """Its process ended without a word (killed, power loss)."""


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What an engine last said of itself."""

    run: str
    pid: int
    host: str
    state: EngineState
    cause: str = ""
    """Why it is parked, or what a watching one waits for."""
    seen: str = ""
    """When it last wrote this (RFC 3339, UTC)."""
    roots: tuple[str, ...] = ()
    files_done: int = 0
    files_left: int = 0
    bytes_done: int = 0
    bytes_left: int = 0
    bytes_per_s: float = 0.0
    files_per_s: float = 0.0
    at_once: int = 0
    """Requests that carry bytes at the same time, as the controller has it now."""
    limit_bytes_per_s: int = 0
    """The bandwidth limit in force; 0: none."""
    next_look: str = ""
    """When a parked engine looks again (RFC 3339, UTC)."""


class CommandQueue(Protocol):
    """Commands, and the engines that take them; the same door for command line and app."""

    def post(self, command: Command) -> int:
        """Leave a command; its number."""

    def pending(self, run: str) -> list[Command]:
        """Commands for this run (or for every engine, posted since it began) that it has not taken, oldest first.

        Cheap: polled four times a second.
        """

    def took(self, run: str, command_id: int, answer: str) -> None:
        """The engine has carried it out."""

    def answers(self, command_id: int) -> Mapping[str, str]:
        """Run -> answer of the engines that took it."""

    def says(self, record: EngineRecord) -> None:
        """What this engine is at; replaces what it said before."""

    def set_out(self, run: str) -> None:
        """A run that stood by begins now."""

    def engines(self) -> list[EngineRecord]:
        """Engines that have not finished, newest first; GONE for those whose process holds no root any more."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """What the journal knows of a file somebody asks about."""

    path: str
    run: str
    when: str
    server: str
    catalog: str
    result: FileResult


class History(Protocol):
    """What was done, for people who ask."""

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The latest runs, newest first."""

    def sent(self, *, sha256: str = "", path: str = "", name: str = "", limit: int = 50) -> list[SentFile]:
        """Registered files with these bytes, at or below this absolute path, or with this text in their path."""

    def events_after(self, run: str, event_id: int, limit: int = 500) -> list[tuple[int, str]]:
        """(number, JSON) of the events of a run after a number: to follow an engine from another process."""
