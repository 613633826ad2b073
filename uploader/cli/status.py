"""`nanoferry status`: the server, the login and the latest runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from uploader.bootstrap import Settings, connect
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import catalog_option, json_option, server_option
from uploader.embedded.lifecycle import running
from uploader.journal.store import open_journal
from uploader.model.entries import Purpose, RunRecord
from uploader.model.errors import RemoteError
from uploader.remote.session import require_session

_PURPOSES = {Purpose.UPLOAD: "upload", Purpose.DRY_RUN: "dry run", Purpose.CHECK: "check"}


@click.command("status")
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many runs to show."
)
@server_option
@catalog_option
@json_option
def command(*, runs: int, server: str | None, catalog: str | None, as_json: bool) -> int:
    """Show the server, the login and the latest runs with their receipts.

    Exit code 0: the server knows the login, or the built-in catalog is not running; 2: it does not answer.
    """
    console = Console(json_lines=as_json)
    settings = Settings.from_environment(server=server, catalog=catalog)
    state = _server(settings)
    records = _latest(settings, runs)
    if as_json:
        console.emit(
            {**state, "state_dir": str(settings.state_dir), "runs": [asdict(each) for each in records]}
        )
    else:
        console.say(f"Server:   {state['server']}, catalog {state['catalog']}")
        console.say(f"Login:    {state['login']}")
        console.say(f"State:    {settings.state_dir}")
        console.say(*_run_lines(records))
    return Exit.DONE if state["reachable"] else Exit.COULD_NOT_RUN


def _server(settings: Settings) -> dict[str, Any]:
    """What can be said of the server; asking for it never starts one."""
    if not settings.server and running(settings.embedded_dir) is None:
        return {
            "server": "built-in, not running (the next command that needs it starts it)",
            "catalog": settings.catalog,
            "login": "none needed",
            "reachable": True,
        }
    state = {"server": settings.server or "built-in", "catalog": settings.catalog, "reachable": False}
    try:
        with connect(settings) as remote:
            login = require_session(remote.connection)
    except RemoteError as error:
        return {**state, "login": str(error)}
    until = f", until {login.expires:%Y-%m-%d %H:%M} UTC" if login.expires else ""
    server = settings.server or f"built-in at {remote.connection.base_url}"
    return {**state, "server": server, "login": f"{login.display_name}{until}", "reachable": True}


def _latest(settings: Settings, limit: int) -> list[RunRecord]:
    if not settings.state_dir.is_dir():
        return []  # nothing has ever run; looking must not create a journal
    journal = open_journal(settings.state_dir)
    try:
        return journal.runs(limit)
    finally:
        journal.close()


def _run_lines(records: list[RunRecord]) -> Iterator[str]:
    if not records:
        yield "Runs:     none yet"
    for record in records:
        outcomes = ", ".join(f"{number:,} {name}" for name, number in record.outcomes.items() if number)
        yield f"Run:      {record.started[:16].replace('T', ' ')} UTC  {', '.join(record.roots)}"
        yield f"          {_ended(record)}: {outcomes or 'nothing sent'}"
        if record.receipt:
            yield f"          {record.receipt}"


def _ended(record: RunRecord) -> str:
    words = _PURPOSES[record.purpose]
    if record.interrupted:
        return f"{words}, interrupted"
    return f"{words}, finished" if record.finished else f"{words}, killed or still running"
