"""The part of the journal that steers a run and answers for it: the line, commands, engines, history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from uploader.journal import claims, commands, history, lineup
from uploader.journal.connection import Database
from uploader.model.control import Command, EngineRecord, Lane, Order, SentFile, Standing
from uploader.model.entries import Entry
from uploader.model.files import SourceFile


class SteeringJournal:
    """`control.Lineup`, `CommandQueue` and `History` but for what deliveries and runs hold."""

    def __init__(self, database: Database, now: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        claims.prepare(database)

    # the line of files to be sent -----------------------------------------------------------

    def line_up(self, run: str, order: Order) -> int:
        """Give every file of the run that is to be sent its turn; how many there are."""
        return lineup.line_up(self._database, run, order)

    def next_up(self, run: str, lane: Lane, *, small_bytes: int, limit: int) -> list[Entry]:
        """Take the next waiting files of a lane: highest priority, then by turn."""
        return lineup.next_up(self._database, run, lane, small_bytes=small_bytes, limit=limit)

    def put_back(self, entry_ids: Sequence[int], standing: Standing = Standing.WAITING) -> None:
        """Let taken files stand where they stood, or set them aside or pause them."""
        lineup.put_back(self._database, entry_ids, standing)

    def aside(self, run: str, limit: int) -> list[Entry]:
        """Take files that are set aside, by turn."""
        return lineup.aside(self._database, run, limit)

    def waiting(self, run: str) -> Mapping[Standing, tuple[int, int]]:
        """Standing -> (files, bytes) of the line."""
        return lineup.waiting(self._database, run)

    def pause_files(self, run: str, root: int, path: str) -> int:
        """Pause what waits or is set aside at or below this path of the root; how many."""
        return lineup.pause_files(self._database, run, root, path)

    def resume_files(self, run: str, root: int, path: str) -> int:
        """Let the paused files at or below this path wait again; how many."""
        return lineup.resume_files(self._database, run, root, path)

    def prioritise(self, run: str, root: int, path: str, priority: int) -> int:
        """Give the files in the line at or below this path a priority; how many."""
        return lineup.prioritise(self._database, run, root, path, priority)

    def drop_files(self, run: str, root: int, path: str, limit: int) -> list[Entry]:
        """Take files that nobody has in hand at or below this path out of the line."""
        return lineup.drop_files(self._database, run, root, path, limit)

    def retry_files(self, run: str, root: int, path: str) -> int:
        """Put failed and cancelled files at or below this path into the line again; how many."""
        return lineup.retry_files(self._database, run, root, path)

    def replace_source(self, entry_id: int, source: SourceFile) -> Entry:
        """The entry with what its file is now."""
        return lineup.replace_source(self._database, entry_id, source)

    def claim(self, run: str, kind: str, places: Sequence[tuple[int, int]]) -> Mapping[int, tuple[int, str]]:
        """(Place, entry id) -> place -> (entry id, path) of the first entry of the run that claimed it."""
        return claims.claim(self._database, run, kind, places)

    # commands and engines -------------------------------------------------------------------

    def post(self, command: Command) -> int:
        """Leave a command; its number."""
        return commands.post(self._database, command, now=self._now())

    def pending(self, run: str) -> list[Command]:
        """Commands for this run that it has not taken, oldest first."""
        return commands.pending(self._database, run)

    def took(self, run: str, command_id: int, answer: str) -> None:
        """The engine has carried it out."""
        commands.took(self._database, run, command_id, answer, now=self._now())

    def answers(self, command_id: int) -> Mapping[str, str]:
        """Run -> answer of the engines that took it."""
        return commands.answers(self._database, command_id)

    def says(self, record: EngineRecord) -> None:
        """What this engine is at; replaces what it said before."""
        commands.says(self._database, record, now=self._now())

    def set_out(self, run: str) -> None:
        """A run that stood by begins now."""
        commands.set_out(self._database, run, now=self._now())

    def engines(self) -> list[EngineRecord]:
        """Engines that have not finished, newest first."""
        return commands.engines(self._database)

    # history --------------------------------------------------------------------------------

    def sent(self, *, sha256: str = "", path: str = "", name: str = "", limit: int = 50) -> list[SentFile]:
        """Registered files with these bytes, at or below this absolute path, or with this text in their path."""
        return history.sent(self._database, sha256=sha256, path=path, name=name, limit=limit)

    def events_after(self, run: str, event_id: int, limit: int = 500) -> list[tuple[int, str]]:
        """(Number, JSON) of the events of a run after a number."""
        return history.events_after(self._database, run, event_id, limit)
