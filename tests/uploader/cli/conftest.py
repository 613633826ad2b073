"""Engines of other processes, as commands meet them: a record in the journal and a held folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from uploader.bootstrap import Settings
from uploader.cli import follow, steering
from uploader.journal.lock import hold_root
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import Command, EngineRecord, EngineState
from uploader.stages.roots import make_root


@dataclass
class PretendedEngine:
    """An engine that has said it runs, and takes commands whenever somebody waits for it."""

    journal: SqliteJournal
    record: EngineRecord
    answers: Callable[[Command], str | None] = lambda command: f"{command.verb.value} done"
    """None: too busy to take it."""
    taken: list[Command] = field(default_factory=list)
    hold: ExitStack = field(default_factory=ExitStack)

    @property
    def run(self) -> str:
        return self.record.run

    def look(self) -> None:
        """Take what is pending, as an engine does four times a second."""
        for command in self.journal.pending(self.run):
            answer = self.answers(command)
            if answer is not None:
                self.taken.append(command)
                self.journal.took(self.run, command.command_id, answer)

    def die(self) -> None:
        """Killed: the system lets go of its folders."""
        self.hold.close()


class PretendedClock:
    """Time passes only while somebody sleeps, and then the engines do something."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.on_sleep: list[Callable[[], Any]] = []

    def now(self) -> str:
        return "2026-03-01T12:00:00.000+00:00"

    def monotonic(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        for step in self.on_sleep:
            step()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> PretendedClock:
    """The clock of commands that wait."""
    pretended = PretendedClock()
    monkeypatch.setattr(steering, "SystemClock", lambda: pretended)
    monkeypatch.setattr(follow, "SystemClock", lambda: pretended)
    return pretended


@pytest.fixture
def journal() -> Iterator[SqliteJournal]:
    """The journal of the account that runs the commands."""
    opened = open_journal(Settings.from_environment().state_dir)
    yield opened
    opened.close()


@pytest.fixture
def engines(
    journal: SqliteJournal, clock: PretendedClock, tmp_path: Path
) -> Iterator[Callable[..., PretendedEngine]]:
    """Starts pretended engines: `engines("0123abcd", "session7", state=EngineState.PARKED)`."""
    with ExitStack() as held:

        def start(run: str, *folders: str, **parts: Any) -> PretendedEngine:
            roots = []
            for name in folders:
                (tmp_path / name).mkdir(parents=True, exist_ok=True)
                roots.append(make_root(tmp_path / name))
            journal.start_run(
                run,
                target=journal.target("catalog.example.org", "1"),
                roots=[journal.root(root) for root in roots],
                spec_id="em-session",
                spec_version="1.0.0",
                spec_digest="d" * 64,
            )
            record = EngineRecord(
                **{
                    "run": run,
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "state": EngineState.SENDING,
                    "roots": tuple(str(root.path) for root in roots),
                    **parts,
                }
            )
            engine = PretendedEngine(journal, record, hold=held.enter_context(ExitStack()))
            for root in roots:
                engine.hold.enter_context(hold_root(Settings.from_environment().state_dir, root))
            journal.says(record)
            clock.on_sleep.append(engine.look)
            return engine

        yield start
