"""`nanoferry status`: running engines, the server, the login and the latest runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import click

from uploader.bootstrap import Settings, connect
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.follow import follow
from uploader.cli.memory import memory
from uploader.cli.options import catalog_option, json_option, server_option
from uploader.embedded.lifecycle import running
from uploader.model.control import EngineRecord, EngineState
from uploader.model.entries import Purpose, RunRecord
from uploader.model.errors import UploaderError
from uploader.remote.session import require_session

SERVER_WITHIN_S: Final = 5.0
"""A person who asks how things are is not kept waiting for a server that does not answer."""

_PURPOSES = {
    Purpose.UPLOAD: "upload",
    Purpose.DRY_RUN: "dry run",
    Purpose.CHECK: "check",
    Purpose.WATCH: "watch",
}
_EXAMPLES = """\b
Examples:
  nanoferry status                what runs, and how far it is
  nanoferry status --offline      the same without asking the server
  nanoferry status --follow       then watch the running engine
"""


@click.command("status", epilog=_EXAMPLES)
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many runs to show."
)
@click.option("--offline", is_flag=True, help="Do not ask the server.")
@click.option("--follow", "then_follow", is_flag=True, help="Go on watching, as `nanoferry follow`.")
@server_option
@catalog_option
@json_option
def command(
    *, runs: int, offline: bool, then_follow: bool, server: str | None, catalog: str | None, as_json: bool
) -> int:
    """Show running engines, the server, the login and the latest runs with their receipts.

    Exit code 0: the server knows the login, or nobody asked it; 2: it does not answer.
    """
    console = Console(json_lines=as_json)
    if then_follow and as_json:
        raise click.UsageError("--follow shows a run to a person; `nanoferry follow --json` is for programs.")
    settings = Settings.from_environment(server=server, catalog=catalog)
    engines, records = _remembered(settings, runs)
    if engines and not as_json:
        # Said first: it is known at once, the server may take its time.
        console.say(*(line for engine in engines for line in engine_lines(engine)))
    state = _not_asked(settings) if offline else _within(settings, SERVER_WITHIN_S)
    if as_json:
        console.emit(
            {
                **state,
                "state_dir": str(settings.state_dir),
                "engines": [asdict(each) for each in engines],
                "runs": [asdict(each) for each in records],
            }
        )
    else:
        console.say(f"Server:   {state['server']}, catalog {state['catalog']}")
        console.say(f"Login:    {state['login']}")
        console.say(f"State:    {settings.state_dir}")
        console.say(*_run_lines(records, engines))
    if then_follow:
        return follow(console)
    return Exit.DONE if state["reachable"] or offline else Exit.COULD_NOT_RUN


def _remembered(settings: Settings, limit: int) -> tuple[list[EngineRecord], list[RunRecord]]:
    with memory(settings) as journal:
        return ([], []) if journal is None else (journal.engines(), journal.runs(limit))


def engine_lines(engine: EngineRecord) -> Iterator[str]:
    """What an engine is at, in words."""
    yield f"Engine:   {_at(engine)}  {', '.join(engine.roots)}"
    if engine.state is EngineState.GONE:
        yield "          Its process ended without a word; the same upload goes on where it stopped."
        return
    files, size_bytes = engine.files_done + engine.files_left, engine.bytes_done + engine.bytes_left
    # A watch that waits has no run: "0 of 0 files" would say nothing.
    if files:
        yield (
            f"          {engine.files_done:,} of {wording.count(files, 'file')}, "
            f"{wording.size(engine.bytes_done)} of {wording.size(size_bytes)}{_pace(engine)}"
        )
    yield f"          run {engine.run}, process {engine.pid} on {engine.host}, seen {_moment(engine.seen)}"


def _at(engine: EngineRecord) -> str:
    words = engine.state.value
    if engine.cause:
        words += f": {engine.cause.rstrip('.')}"
    if engine.next_look:
        words += f"; looks again at {_moment(engine.next_look)}"
    return words


def _pace(engine: EngineRecord) -> str:
    words = ""
    if engine.state is EngineState.SENDING:
        words += f"; {wording.size(engine.bytes_per_s)}/s, {engine.files_per_s:.1f} files/s"
        if engine.bytes_per_s >= 1 and engine.bytes_left:
            words += f", {wording.duration(engine.bytes_left / engine.bytes_per_s)} left"
        words += f"; {wording.count(engine.at_once, 'request')} at once"
    if engine.limit_bytes_per_s:
        words += f"; limit {wording.size(engine.limit_bytes_per_s)}/s"
    return words


def _moment(rfc3339: str) -> str:
    return f"{rfc3339[:19].replace('T', ' ')} UTC" if rfc3339 else "not yet"


def _not_asked(settings: Settings) -> dict[str, Any]:
    server = settings.server or "built-in"
    return {"server": server, "catalog": settings.catalog, "login": "not asked", "reachable": False}


def _within(settings: Settings, wait_s: float) -> dict[str, Any]:
    """What can be said of the server in this time; a thread that still waits for it ends with the program."""
    found: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: found.append(_server(settings)), daemon=True)
    asking.start()
    asking.join(wait_s)
    if found:
        return found[0]
    login = f"The server has not answered within {wording.duration(wait_s)}."
    return {**_not_asked(settings), "login": login}


def _server(settings: Settings) -> dict[str, Any]:
    """What can be said of the server; asking for it never starts one."""
    if not settings.server and running(settings.embedded_dir) is None:
        return {
            "server": "built-in, not running (the next command that needs it starts it)",
            "catalog": settings.catalog,
            "login": "none needed",
            "reachable": True,
        }
    try:
        with connect(settings) as remote:
            login = require_session(remote.connection)
    except UploaderError as error:
        return {**_not_asked(settings), "login": str(error)}
    until = f", until {login.expires:%Y-%m-%d %H:%M} UTC" if login.expires else ""
    server = settings.server or f"built-in at {remote.connection.base_url}"
    return {
        "server": server,
        "catalog": settings.catalog,
        "login": f"{login.display_name}{until}",
        "reachable": True,
    }


def _run_lines(records: Sequence[RunRecord], engines: Sequence[EngineRecord]) -> Iterator[str]:
    if not records:
        yield "Runs:     none yet"
    alive = {engine.run for engine in engines if engine.state is not EngineState.GONE}
    for record in records:
        yield from run_lines(record, is_running=record.run in alive)


def run_lines(record: RunRecord, *, is_running: bool) -> Iterator[str]:
    """A run, how it ended and where its receipt lies."""
    outcomes = ", ".join(f"{number:,} {name}" for name, number in record.outcomes.items() if number)
    yield f"Run:      {record.started[:16].replace('T', ' ')} UTC  {', '.join(record.roots)}"
    yield f"          {_PURPOSES[record.purpose]}, {'running' if is_running else _ended(record, outcomes)}"
    if record.receipt:
        yield f"          {record.receipt}"


def _ended(record: RunRecord, outcomes: str) -> str:
    if not record.interrupted and not record.finished:
        # A killed run has not counted what became of its files.
        return "ended without a word; what the server acknowledged is kept"
    return f"{'interrupted' if record.interrupted else 'finished'}: {outcomes or 'nothing sent'}"
