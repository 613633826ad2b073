"""`nanoferry verify`: a receipt against disk and server, and what is safe to delete."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from uploader.bootstrap import Settings, at, connect
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.invocation import command_line
from uploader.cli.options import catalog_option, folder, json_option, server_option
from uploader.embedded.lifecycle import identity_of
from uploader.journal.store import open_journal
from uploader.model.errors import SettingsError
from uploader.model.files import Proof, SourceFile
from uploader.report.receipt import Receipt, open_receipt
from uploader.report.verify import Verdict, VerifiedFile, verify
from uploader.stages.ignore import IgnoreRules
from uploader.stages.roots import make_root
from uploader.stages.scan import scan
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME

_RUNS_LOOKED_AT = 100_000
_SHOWN = 20
"""Files named in words; the rest is counted."""


_PROOFS = {Proof.NONE.value: "not sent, or no longer stored as the receipt says"}
"""Proofs that need other words for a person."""

_UNSEEN = frozenset(
    {"source.folder_unreadable", "source.unreadable", "source.vanished", "source.ignore_unreadable"}
)
"""What the scan says of things it could not look at."""


@dataclass(slots=True)
class _Answer:
    """What has been compared so far."""

    verdict: Verdict = field(default_factory=Verdict)
    listed: set[tuple[str, str]] = field(default_factory=set)
    shown: int = 0


@click.command("verify")
@click.argument("receipt", type=folder, metavar="RECEIPT")
@click.option("--deep", is_flag=True, help="Download every object and compare its bytes.")
@server_option
@catalog_option
@json_option
def command(*, receipt: Path, deep: bool, server: str | None, catalog: str | None, as_json: bool) -> int:
    """Compare a receipt with the disk and the server and say which files are safe to delete.

    Exit code 0: every folder of the receipt may be deleted; 1: something may not; 2: could not be compared.
    """
    console = Console(json_lines=as_json)
    opened = open_receipt(receipt)
    answer = _Answer()
    with connect(_settings(opened, receipt, server, catalog)) as remote:
        _refuse_another_server(opened, remote.catalog.server)
        for file in verify(opened, remote.store, remote.catalog, deep=deep):
            _take(console, answer, file)
    unlisted = {root: list(_unlisted(root, answer.listed)) for root in opened.head.roots}
    is_safe = {
        root: not answer.verdict.faulty.get(root, 0) and not unlisted[root] for root in opened.head.roots
    }
    if as_json:
        console.emit(_answer_json(answer.verdict, unlisted, is_safe))
    else:
        console.say(*_answer_lines(answer, unlisted, is_safe))
        if not deep and answer.verdict.proofs.get(Proof.ADOPTED.value):
            console.say(f"To compare their bytes: {command_line('verify', '--deep', str(receipt))}")
    return Exit.DONE if all(is_safe.values()) else Exit.SOMETHING_LEFT


def _settings(receipt: Receipt, file: Path, server: str | None, catalog: str | None) -> Settings:
    """The server that the receipt names, unless the person names one: a UUID is a built-in catalog."""
    asked = Settings.from_environment(server=server, catalog=catalog or receipt.head.catalog)
    if asked.server:
        return asked
    if _is_uuid(receipt.head.server):
        return at(asked, _data_of(receipt, file, asked))
    if not _is_known(receipt, asked.state_dir):
        # Who hands us a receipt must not choose where the login in NANOFERRY_TOKEN goes.
        raise SettingsError(
            f"The receipt names the server {receipt.head.server}, but it is of no run of this account.",
            detail="Nothing was sent and nothing compared.",
            remedy=f"If you trust that server, name it yourself: --server {receipt.head.server}",
        )
    return Settings.from_environment(server=receipt.head.server, catalog=asked.catalog)


def _data_of(receipt: Receipt, file: Path, asked: Settings) -> Path:
    """The data folder of the receipt's built-in catalog: this account's, or the one beside the receipt.

    Looked up before anything is started: a wrong folder must not get a new, empty catalog.
    """
    # Receipts lie in STATE/receipts, the built-in catalog in STATE/catalog.
    for data_dir in (asked.embedded_dir, file.absolute().parent.parent / "catalog"):
        if identity_of(data_dir) == receipt.head.server:
            return data_dir
    raise SettingsError(
        f"The receipt is of the built-in catalog {receipt.head.server}, which is not in {asked.embedded_dir}.",
        detail="Nothing was compared.",
        remedy="Set NANOFERRY_STATE_DIR to the state folder of that upload and run this again.",
    )


def _is_known(receipt: Receipt, state_dir: Path) -> bool:
    """Whether the journal holds the run of this receipt, with the same server."""
    if not state_dir.is_dir():
        return False
    journal = open_journal(state_dir)
    try:
        runs = journal.runs(_RUNS_LOOKED_AT)
    finally:
        journal.close()
    return any((run.run, run.server) == (receipt.head.run, receipt.head.server) for run in runs)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _refuse_another_server(receipt: Receipt, server: str) -> None:
    if server != receipt.head.server:
        raise SettingsError(
            f"The receipt is of server {receipt.head.server}, but {server} was asked.",
            detail="Nothing was compared.",
            remedy="Name the receipt's server with --server, or unset NANOFERRY_SERVER.",
        )


def _take(console: Console, answer: _Answer, file: VerifiedFile) -> None:
    answer.verdict = answer.verdict.add(file)
    answer.listed.add((file.root, file.path))
    if console.json_lines:
        console.emit({"schema": "nanoferry.verified-file/1", **file.to_json()})
    elif file.faults and answer.shown < _SHOWN:
        answer.shown += 1
        console.say(f"keep  {file.path}: {' '.join(file.faults)}")


def _unlisted(root: str, listed: set[tuple[str, str]]) -> Iterator[str]:
    """Files on the disk that the receipt does not know: nothing vouches for them.

    Sidecars count as known: their values are in the records. Litter and ignored files are nobody's data.
    """
    try:
        dropped = make_root(Path(root))
    except SettingsError:
        return  # the whole folder is gone; the files say so one by one
    for found in scan(dropped, ignore=IgnoreRules()):
        if isinstance(found, Issue) and found.code in _UNSEEN:
            # Nobody knows what lies in there, so nobody may say that it is safe to delete.
            yield found.location.path or root
        if not isinstance(found, SourceFile) or found.path.rpartition("/")[2] == SIDECAR_NAME:
            continue
        if (root, found.path) not in listed:
            yield found.path


def _answer_json(
    verdict: Verdict, unlisted: dict[str, list[str]], is_safe: dict[str, bool]
) -> dict[str, object]:
    return {
        "schema": "nanoferry.verdict/1",
        "files": verdict.files,
        "safe_files": verdict.safe_files,
        "safe_bytes": verdict.safe_bytes,
        "gone_files": verdict.gone_files,
        "proofs": dict(verdict.proofs),
        "folders": [
            {
                "root": root,
                "safe_to_delete": is_safe[root],
                "files_not_secured": verdict.faulty.get(root, 0),
                "files_not_in_the_receipt": unlisted[root],
            }
            for root in is_safe
        ],
    }


def _answer_lines(answer: _Answer, unlisted: dict[str, list[str]], is_safe: dict[str, bool]) -> Iterator[str]:
    verdict = answer.verdict
    faulty = sum(verdict.faulty.values())
    if faulty > answer.shown:
        yield f"      … and {wording.count(faulty - answer.shown, 'more file')}; --json lists them all"
    for path in [path for paths in unlisted.values() for path in paths][:_SHOWN]:
        yield f"keep  {path}: It is not in the receipt."
    yield (
        f"{wording.count(verdict.safe_files, 'file')} of {verdict.files:,} safe to delete "
        f"({wording.size(verdict.safe_bytes)})"
        + (f", {wording.count(verdict.gone_files, 'file')} no longer there" if verdict.gone_files else "")
        + "."
    )
    for proof, number in sorted(verdict.proofs.items()):
        yield f"  {number:>7,}  {_PROOFS.get(proof, proof)}"
    for root, safe in is_safe.items():
        why = [
            (verdict.faulty.get(root, 0), "not secured"),
            (len(unlisted[root]), "not in the receipt"),
        ]
        reasons = ", ".join(f"{wording.count(number, 'file')} {words}" for number, words in why if number)
        yield f"May the whole folder be deleted? {'yes' if safe else 'no: ' + reasons}  {root}"
