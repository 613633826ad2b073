"""`nanoferry history`: have I sent this file, and what became of the latest runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from uploader.bootstrap import Settings
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.memory import memory
from uploader.cli.options import json_option
from uploader.cli.status import run_lines
from uploader.journal.store import SqliteJournal
from uploader.model.control import EngineState, SentFile
from uploader.model.errors import SettingsError
from uploader.model.files import Digest
from uploader.stages.digest import digest_file
from uploader.stages.one_file import source_of

BIG_BYTES: Final = 1_000_000_000
"""Hashing this much takes some seconds: a person is told."""

_EXAMPLES = """\b
Examples:
  nanoferry history                         the latest runs
  nanoferry history /data/a.tif             have I sent this file? (by its bytes, whatever its name was)
  nanoferry history /data/session7          what was sent from this folder
  nanoferry history gold                    files with this text in their path
"""


@click.command("history", epilog=_EXAMPLES)
@click.argument("what", default="", metavar="[TEXT|FILE|FOLDER]")
@click.option("--runs", "of_runs", is_flag=True, help="Show runs, also when a text is given.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many to show at most.",
)
@json_option
def command(*, what: str, of_runs: bool, limit: int, as_json: bool) -> int:
    """Say what was sent from this machine, and when.

    Exit code 0: something was found; 1: nothing was. Only this account's journal is asked, not the server:
    `nanoferry verify RECEIPT` asks both.
    """
    console = Console(json_lines=as_json)
    with memory(Settings.from_environment()) as journal:
        if of_runs or not what:
            return _runs(console, journal, limit, containing=what)
        place = Path(what)
        if place.is_file():
            return _file(console, journal, place, limit)
        path = os.path.abspath(place) if place.is_dir() or place.is_absolute() else ""  # noqa: PTH100
        found = [] if journal is None else _named(journal, what, path, limit)
        return _list(console, what, found, limit)


def _named(journal: SqliteJournal, text: str, path: str, limit: int) -> list[SentFile]:
    if not path:
        return journal.sent(name=text, limit=limit)
    # The journal names files below the folder as it was dropped; a link may lead there by another name.
    found = journal.sent(path=path, limit=limit)
    real = os.path.realpath(path)
    return found or (journal.sent(path=real, limit=limit) if real != path else [])


def _runs(console: Console, journal: SqliteJournal | None, limit: int, *, containing: str) -> Exit:
    records, alive = [], set[str]()
    if journal is not None:
        # A text narrows down what is shown, so more is looked through.
        looked = journal.runs(100_000 if containing else limit)
        records = [each for each in looked if any(containing in root for root in each.roots)][:limit]
        alive = {each.run for each in journal.engines() if each.state is not EngineState.GONE}
    if console.json_lines:
        console.emit({"schema": "nanoferry.history/1", "runs": [asdict(each) for each in records]})
    elif not records:
        console.say(
            "No runs yet." if not containing else f"No run of a folder with {containing} in its path."
        )
    for record in () if console.json_lines else records:
        console.say(*run_lines(record, is_running=record.run in alive))
    return Exit.DONE if records else Exit.SOMETHING_LEFT


def _file(console: Console, journal: SqliteJournal | None, path: Path, limit: int) -> Exit:
    """Answer whether this file was sent."""
    found: list[SentFile] = []
    others: list[SentFile] = []
    digest = None
    if journal is not None:
        digest = _digest(console, journal, path)
        found = journal.sent(sha256=digest.sha256, limit=limit)
        others = [] if found else _named(journal, "", os.path.abspath(path), limit)  # noqa: PTH100
    if console.json_lines:
        console.emit(
            {
                "schema": "nanoferry.history/1",
                "file": str(path),
                "sent": bool(found),
                "sha256": digest.sha256 if digest else "",
                "found": [_sent_json(each) for each in found],
                "other_bytes_under_this_path": [_sent_json(each) for each in others],
            }
        )
    else:
        console.say(*_answer(path, found, others))
    return Exit.DONE if found else Exit.SOMETHING_LEFT


def _digest(console: Console, journal: SqliteJournal, path: Path) -> Digest:
    try:
        source = source_of(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror or error}.",
            detail="Nothing was changed.",
            remedy="Give this account the right to read it, or check that its disk is there.",
        ) from error
    known = journal.digests([source.identity]).get(source.identity)
    if known is not None:
        return known
    if source.size_bytes >= BIG_BYTES:
        console.note(f"Hashing {wording.size(source.size_bytes)} …")
    digest = digest_file(Path(source.path), source=source)
    journal.save_digests({source.identity: digest})
    return digest


def _answer(path: Path, found: Sequence[SentFile], others: Sequence[SentFile]) -> Iterator[str]:
    if found:
        first = found[0]
        yield f"Yes: sent {_when(first)} as {first.path}"
        yield from _places(first)
        for other in found[1:]:
            yield f"also sent {_when(other)} as {other.path}"
            yield from _places(other)
        return
    yield "No: nothing with these bytes was sent from this PC."
    if others:
        latest = others[0]
        yield f"Other bytes were sent under this path {_when(latest)}: the file has changed since."
        yield from _places(latest)
    else:
        yield f"To send it: nanoferry upload --dir {wording.visible(str(Path(os.path.abspath(path)).parent))}"  # noqa: PTH100


def _places(file: SentFile) -> Iterator[str]:
    result = file.result
    yield f"  object:  {_url(file)}"
    if result.rid:
        yield f"  record:  {result.table} {result.rid} on {file.server}, catalog {file.catalog}"
    yield f"  run:     {file.run}"


def _url(file: SentFile) -> str:
    """The object's address; a built-in catalog has a place, but its port changes."""
    if not file.result.object_url:
        return "none: the file became rows of the catalog"
    is_host = "." in file.server or ":" in file.server
    return f"https://{file.server}{file.result.object_url}" if is_host else file.result.object_url


def _when(file: SentFile) -> str:
    return f"{file.when[:16].replace('T', ' ')} UTC"


def _sent_json(file: SentFile) -> dict[str, Any]:
    return {
        "file": file.path,
        "run": file.run,
        "when": file.when,
        "server": file.server,
        "catalog": file.catalog,
        **file.result.to_json(),
    }


def _list(console: Console, what: str, found: Sequence[SentFile], limit: int) -> Exit:
    if console.json_lines:
        console.emit({"schema": "nanoferry.history/1", "found": [_sent_json(each) for each in found]})
    elif not found:
        console.say(f"No: nothing with {what} in its path was sent from this PC.")
    else:
        more = f"at least {len(found):,}" if len(found) == limit else f"{len(found):,}"
        console.say(f"Yes: {more} {'file' if len(found) == 1 else 'files'} sent.")
        console.say(*(f"  {_when(each)}  {each.path}" for each in found))
        if len(found) == limit:
            console.say("There may be more: --limit shows them.")
    return Exit.DONE if found else Exit.SOMETHING_LEFT
