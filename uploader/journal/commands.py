"""Commands to running engines, their answers, and what each engine last said of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from uploader.journal.codec import from_blob, to_blob, to_json
from uploader.journal.connection import Database
from uploader.journal.lock import Holder, holders
from uploader.model.control import Command, EngineRecord, EngineState, Verb

COMMANDS_KEPT = 1000
"""Far more than any engine leaves untaken: it looks four times a second."""


def post(database: Database, command: Command, *, now: str) -> int:
    """Leave a command; its number."""
    with database.write() as connection:
        cursor = connection.execute(
            "INSERT INTO commands (verb, run, path, value, posted) VALUES (?, ?, ?, ?, ?)",
            (command.verb.value, command.run, to_blob(command.path), command.value, command.posted or now),
        )
        command_id = cursor.lastrowid
        if command_id is None:
            raise AssertionError("SQLite gives every inserted row an id")
        connection.execute("DELETE FROM commands WHERE command_id <= ?", (command_id - COMMANDS_KEPT,))
    return command_id


def pending(database: Database, run: str) -> list[Command]:
    """Commands for this run, or for every run, posted since it began and not taken by it, oldest first."""
    rows = database.read(
        "SELECT command_id, verb, commands.run, path, value, posted FROM commands JOIN runs"
        " ON runs.run = ? AND command_id > commands_before AND commands.run IN ('', runs.run)"
        " WHERE NOT EXISTS (SELECT 1 FROM answers"
        " WHERE answers.command_id = commands.command_id AND answers.run = runs.run)"
        " ORDER BY command_id",
        (run,),
    )
    return [
        Command(Verb(verb), meant_for, from_blob(path), value, command_id, posted)
        for command_id, verb, meant_for, path, value, posted in rows
    ]


def took(database: Database, run: str, command_id: int, answer: str, *, now: str) -> None:
    """The engine has carried a command out; one that is forgotten by now needs no answer."""
    database.change(
        "INSERT OR REPLACE INTO answers (command_id, run, taken, answer)"
        " SELECT command_id, ?, ?, ? FROM commands WHERE command_id = ?",
        (run, now, answer, command_id),
    )


def answers(database: Database, command_id: int) -> Mapping[str, str]:
    """Run -> answer of the engines that took it."""
    return dict(database.read("SELECT run, answer FROM answers WHERE command_id = ?", (command_id,)))


def says(database: Database, record: EngineRecord, *, now: str) -> None:
    """What this engine is at; replaces what it said before."""
    document = to_json(asdict(replace(record, seen=record.seen or now)))
    database.change("INSERT OR REPLACE INTO engines (run, record) VALUES (?, ?)", (record.run, document))


def set_out(database: Database, run: str, *, now: str) -> None:
    """A run that stood by begins now; commands posted meanwhile are its own."""
    database.change("UPDATE runs SET started = ? WHERE run = ?", (now, run))


def engines(database: Database) -> list[EngineRecord]:
    """Engines that have not finished, newest first; GONE where the process holds no folder any more."""
    rows = database.read(
        "SELECT record FROM engines LEFT JOIN runs USING (run)"
        " WHERE coalesce(runs.finished, '') = '' ORDER BY run_no DESC"
    )
    records = [_record(document) for (document,) in rows]
    held = holders(database.path.parent)
    found = []
    for record in records:
        if record.state is EngineState.FINISHED:
            continue
        mine = [holder for holder in held if _is_of(holder, record)]
        # A process may have begun a newer run after one that broke off: its hold speaks for the newest alone.
        held = [holder for holder in held if holder not in mine]
        found.append(record if mine else replace(record, state=EngineState.GONE))
    return found


def _is_of(holder: Holder, record: EngineRecord) -> bool:
    return (holder.pid, holder.host) == (record.pid, record.host) and any(
        holder.holds(Path(root)) for root in record.roots
    )


def _record(document: str) -> EngineRecord:
    values = json.loads(document)
    roots: Sequence[str] = values.pop("roots")
    return EngineRecord(**{**values, "state": EngineState(values["state"]), "roots": tuple(roots)})
