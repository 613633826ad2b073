"""Commands to running engines, and what engines say of themselves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from uploader.journal import commands
from uploader.journal.lock import hold_root
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import Command, EngineRecord, EngineState, Verb
from uploader.model.files import Root

HERE = EngineRecord("r1", os.getpid(), socket.gethostname(), EngineState.SENDING, roots=("/data/session",))

ENGINE = """
import os, socket, sys
from pathlib import Path
from uploader.journal.lock import hold_root
from uploader.journal.store import open_journal
from uploader.model.control import EngineRecord, EngineState
from uploader.model.files import Root
state_dir = Path(sys.argv[1])
journal = open_journal(state_dir)
with hold_root(state_dir, Root(Path("/data/session"), "uuid:A")):
    journal.says(EngineRecord(
        "r1", os.getpid(), socket.gethostname(), EngineState.SENDING, roots=("/data/session/day",)))
    print("up", flush=True)
    sys.stdin.read()
"""


def test_a_command_reaches_the_engine_it_is_meant_for(
    journal: SqliteJournal, begin: Callable[..., str]
) -> None:
    begin("r1")
    begin("r2")
    to_all = journal.post(Command(Verb.PAUSE, path="/data/a\udcff"))
    to_one = journal.post(Command(Verb.LIMIT, run="r2", value="2000000", posted="2026-01-01T00:00:00+00:00"))

    assert journal.pending("r1") == [
        Command(Verb.PAUSE, path="/data/a\udcff", command_id=to_all, posted="2026-03-04T05:06:07+00:00")
    ]
    assert [command.command_id for command in journal.pending("r2")] == [to_all, to_one]

    journal.took("r2", to_all, "12 files paused")
    assert [command.verb for command in journal.pending("r2")] == [Verb.LIMIT]
    assert [command.verb for command in journal.pending("r1")] == [Verb.PAUSE]
    assert journal.answers(to_all) == {"r2": "12 files paused"}
    journal.took("r1", to_all, "nothing of it is here")
    assert journal.answers(to_all) == {"r1": "nothing of it is here", "r2": "12 files paused"}


def test_an_engine_does_not_obey_what_was_said_before_it_began(
    journal: SqliteJournal, begin: Callable[..., str]
) -> None:
    journal.post(Command(Verb.STOP))
    begin("r1")
    assert journal.pending("r1") == []
    assert journal.pending("no such run") == []


def test_a_command_from_another_process_is_seen(
    journal: SqliteJournal, state_dir: Path, begin: Callable[..., str]
) -> None:
    begin("r1")
    other = open_journal(state_dir)
    number = other.post(Command(Verb.STOP))
    assert [command.verb for command in journal.pending("r1")] == [Verb.STOP]
    journal.took("r1", number, "stopping")
    assert other.answers(number) == {"r1": "stopping"}
    other.close()


def test_old_commands_are_forgotten_with_their_answers(
    journal: SqliteJournal, begin: Callable[..., str], monkeypatch: object
) -> None:
    begin("r1")
    first = journal.post(Command(Verb.RETRY))
    journal.took("r1", first, "3 files")
    for _ in range(commands.COMMANDS_KEPT):
        journal.post(Command(Verb.RETRY))

    assert len(journal.pending("r1")) == commands.COMMANDS_KEPT
    assert journal.answers(first) == {}
    journal.took("r1", first, "too late")
    assert journal.answers(first) == {}


def test_what_an_engine_says_replaces_what_it_said(
    journal: SqliteJournal, state_dir: Path, begin: Callable[..., str]
) -> None:
    begin("r1")
    with hold_root(state_dir, Root(Path("/data/session"), "uuid:A")):
        journal.says(HERE)
        journal.says(
            replace(HERE, state=EngineState.PARKED, cause="no answer", files_left=7, bytes_per_s=1.5)
        )
        assert journal.engines() == [
            replace(
                HERE,
                state=EngineState.PARKED,
                cause="no answer",
                files_left=7,
                bytes_per_s=1.5,
                seen="2026-03-04T05:06:07+00:00",
            )
        ]
        journal.finish_run("r1", outcomes={}, interrupted=False, receipt="")
        assert journal.engines() == []
        journal.says(HERE)  # a last word that comes late
        assert journal.engines() == []


def test_an_engine_that_was_killed_is_gone(
    journal: SqliteJournal, state_dir: Path, begin: Callable[..., str]
) -> None:
    begin("r1")
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(state_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "up\n"
        assert [(one.pid, one.state) for one in journal.engines()] == [(engine.pid, EngineState.SENDING)]
        engine.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        engine.wait()
    assert [(one.pid, one.state) for one in journal.engines()] == [(engine.pid, EngineState.GONE)]

    begin("r2")  # whoever begins anew on the folder clears up after it
    assert journal.engines() == []


def test_of_two_runs_of_one_process_the_newer_one_is_alive(
    journal: SqliteJournal, state_dir: Path, begin: Callable[..., str]
) -> None:
    other = journal.root(Root(Path("/data/other"), "uuid:A"))
    begin("r1", other)
    begin("r2")
    with hold_root(state_dir, Root(Path("/data/session"), "uuid:A")):
        journal.says(HERE)  # broke off without a word
        journal.says(replace(HERE, run="r2"))
        assert [(one.run, one.state) for one in journal.engines()] == [
            ("r2", EngineState.SENDING),
            ("r1", EngineState.GONE),
        ]
