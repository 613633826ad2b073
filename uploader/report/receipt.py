"""Writes and reads receipts (`nanoferry.receipt/1`): what is where, under which hash and record."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from uploader.model.errors import SettingsError
from uploader.model.files import FileResult, Outcome
from uploader.report.json_stream import members
from validation.model import Issue

RECEIPT_SCHEMA = "nanoferry.receipt/1"


@dataclass(frozen=True, slots=True)
class ReceiptHead:
    """What a receipt says of the run as a whole; the files follow it."""

    run: str
    started: str
    """RFC 3339, UTC."""
    finished: str
    server: str
    catalog: str
    spec_id: str
    spec_version: str
    spec_digest: str
    roots: tuple[str, ...]
    interrupted: bool = False
    issues: tuple[Issue, ...] = ()
    """Findings that belong to no single file."""

    def to_json(self) -> dict[str, Any]:
        """The members of a receipt that stand before its files."""
        return {
            "schema": RECEIPT_SCHEMA,
            "run": self.run,
            "started": self.started,
            "finished": self.finished,
            "interrupted": self.interrupted,
            "server": self.server,
            "catalog": self.catalog,
            "spec": {"id": self.spec_id, "version": self.spec_version, "digest": self.spec_digest},
            "roots": list(self.roots),
            "issues": [issue.to_json() for issue in self.issues],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ReceiptHead:
        """The head that `to_json` wrote; raises KeyError or TypeError for other documents."""
        spec = document["spec"]
        return cls(
            run=document["run"],
            started=document["started"],
            finished=document["finished"],
            server=document["server"],
            catalog=document["catalog"],
            spec_id=spec["id"],
            spec_version=spec["version"],
            spec_digest=spec["digest"],
            roots=tuple(document["roots"]),
            interrupted=document["interrupted"],
            issues=tuple(Issue.from_json(each) for each in document["issues"]),
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums at the end of a receipt."""

    files: int
    size_bytes: int
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Every outcome of the closed list, also those that no file had."""

    def to_json(self) -> dict[str, Any]:
        """The member `totals` of a receipt."""
        return {"files": self.files, "size_bytes": self.size_bytes, "outcomes": dict(self.outcomes)}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt on disk: its head, and its files as often as they are asked for."""

    path: Path
    head: ReceiptHead

    def files(self) -> Iterator[FileResult]:
        """Every file of the receipt, read while you iterate; raises SettingsError when it is damaged."""
        with _explained(self.path), self.path.open(encoding="utf-8") as source:
            for name, value in members(source, "files"):
                if name == "files":
                    yield FileResult.from_json(value)


def default_path(state_dir: Path, run: str, started: str) -> Path:
    """Where a receipt lies unless the person says otherwise: never in a data folder (DESIGN 6.9)."""
    stamp = "".join(letter for letter in started[:19] if letter.isalnum())
    return state_dir / "receipts" / f"{stamp}-{run}.json"


def write_receipt(path: Path, head: ReceiptHead, results: Iterable[FileResult]) -> Totals:
    """Write a receipt so that it is either whole or absent, readable by its owner alone.

    The results are written as they come, one per line: memory does not grow with their number.
    Raises SettingsError when the place cannot be written to.
    """
    try:
        return _write_whole(path, head, results)
    except OSError as error:
        raise SettingsError(
            f"The receipt cannot be written to {path}: {error.strerror or error}.",
            detail="What was sent is sent, and the journal knows it.",
            remedy="Make room or choose another place with --receipt, and run the same command again.",
            path=str(path),
        ) from error


def _write_whole(path: Path, head: ReceiptHead, results: Iterable[FileResult]) -> Totals:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp opens with mode 0600, beside the goal so that the rename stays in one file system.
    handle, name = tempfile.mkstemp(prefix=".receipt-", suffix=".part", dir=path.parent)
    try:
        with open(handle, "w", encoding="ascii", newline="\n") as sink:  # noqa: PTH123 - a descriptor
            totals = _write(sink, head, results)
            sink.flush()
            os.fsync(sink.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return totals


def _write(sink: TextIO, head: ReceiptHead, results: Iterable[FileResult]) -> Totals:
    outcomes: Counter[str] = Counter()
    files = size_bytes = 0
    sink.write("{\n")
    for key, value in head.to_json().items():
        sink.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
    sink.write('"files": [')
    for result in results:
        sink.write(",\n" if files else "\n")
        # ASCII escapes carry undecodable bytes of a name (lone surrogates) through unharmed.
        sink.write(json.dumps(result.to_json(), separators=(",", ":")))
        files += 1
        size_bytes += result.size_bytes
        outcomes[result.outcome.value] += 1
    totals = Totals(files, size_bytes, {outcome.value: outcomes[outcome.value] for outcome in Outcome})
    sink.write(f'\n],\n"totals": {json.dumps(totals.to_json())}\n}}\n')
    return totals


def open_receipt(path: Path) -> Receipt:
    """The receipt at that path; raises SettingsError when there is none or it is something else."""
    head: dict[str, Any] = {}
    with _explained(path), path.open(encoding="utf-8") as source:
        for name, value in members(source, "files"):
            if name == "files":
                break
            head[name] = value
        if head.get("schema") != RECEIPT_SCHEMA:
            raise ValueError(f"its schema is {head.get('schema')!r}, not {RECEIPT_SCHEMA!r}")
        return Receipt(path, ReceiptHead.from_json(head))


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    remedy = "Give the path of a receipt; `nanoferry status` lists the latest ones."
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror or error}.", remedy=remedy, path=str(path)
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path} is not a whole receipt: {error}.",
            detail="Nothing was changed.",
            remedy=remedy,
            path=str(path),
        ) from error
