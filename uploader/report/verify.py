"""Compares a receipt with the disk and the server, and says which files are safe to delete (DESIGN 6.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, Final

from uploader.model.errors import Conflict, NotFound
from uploader.model.files import FileResult, Outcome, Proof, Stored
from uploader.model.ports import Catalog, ObjectStore
from uploader.report.receipt import Receipt

_BATCH: Final = 100
_WORKERS: Final = 8
_DELIVERED: Final = frozenset({Outcome.NEW, Outcome.UPDATED, Outcome.SAME})
_CHECKED_BY_SERVER: Final = frozenset({Proof.JOB_MD5, Proof.CHUNK_MD5, Proof.DOWNLOAD})
"""An adopted object's MD5 may be somebody's statement: only a download vouches for it."""
_ADOPTED: Final = (
    "It was on the server before; only its stated md5 was compared: `nanoferry verify --deep` reads it."
)
_UNCHECKED: Final = "The server never checked these bytes: `nanoferry verify --deep` compares them."


class DiskState(StrEnum):
    """What the disk says of a file of the receipt."""

    SAME = "same bytes"
    CHANGED = "changed since"
    GONE = "no longer there"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """One file of a receipt, compared."""

    path: str
    root: str
    size_bytes: int
    disk: DiskState
    proof: Proof
    """What vouches for the stored bytes; NONE when the server does not hold them."""
    faults: tuple[str, ...] = ()
    """Why it is not safe to delete, one sentence each; empty for a safe file."""

    @property
    def is_safe(self) -> bool:
        """Whether the file on this disk may be deleted."""
        return not self.faults and self.disk is DiskState.SAME

    @property
    def is_secured(self) -> bool:
        """Whether nothing would be lost without the file: safe to delete, or deleted already."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """One line of `nanoferry verify --json`."""
        return {
            "path": self.path,
            "root": self.root,
            "size_bytes": self.size_bytes,
            "disk": self.disk.value,
            "proof": self.proof.value,
            "safe_to_delete": self.is_safe,
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for the folders of a receipt."""

    files: int = 0
    safe_files: int = 0
    safe_bytes: int = 0
    gone_files: int = 0
    proofs: Mapping[str, int] = field(default_factory=dict)
    """Proof -> files that rest on it."""
    faulty: Mapping[str, int] = field(default_factory=dict)
    """Dropped folder -> files in it that are not secured; a folder without any may be deleted."""

    def add(self, file: VerifiedFile) -> Verdict:
        """The verdict after one more file."""
        faulty = dict(self.faulty)
        faulty[file.root] = faulty.get(file.root, 0) + (0 if file.is_secured else 1)
        return replace(
            self,
            files=self.files + 1,
            safe_files=self.safe_files + int(file.is_safe),
            safe_bytes=self.safe_bytes + (file.size_bytes if file.is_safe else 0),
            gone_files=self.gone_files + int(file.disk is DiskState.GONE),
            proofs={**self.proofs, file.proof.value: self.proofs.get(file.proof.value, 0) + 1},
            faulty=faulty,
        )

    @property
    def is_clean(self) -> bool:
        """Whether every file is secured."""
        return not any(self.faulty.values())


def verify(
    receipt: Receipt, store: ObjectStore, catalog: Catalog, *, deep: bool = False
) -> Iterator[VerifiedFile]:
    """Each file of the receipt against the disk, its object and its row; `deep` downloads the objects.

    Raises the RemoteError tree when the server cannot be asked: no answer is not an answer.
    """
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="verify") as pool:
        for batch in _batches(receipt.files()):
            rows = _rows(catalog, batch)
            checks = pool.map(
                lambda result, rows=rows: _verify_one(result, receipt.head.roots, store, rows, deep=deep),
                batch,
            )
            yield from checks


def _batches(results: Iterable[FileResult]) -> Iterator[list[FileResult]]:
    source = iter(results)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _rows(catalog: Catalog, batch: Sequence[FileResult]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(table, RID) -> row, for the rows that are there: one look-up per table and batch."""
    wanted: dict[str, list[str]] = {}
    for result in batch:
        if result.outcome in _DELIVERED and result.rid and result.table:
            wanted.setdefault(result.table, []).append(result.rid)
    return {
        (table, str(row["RID"])): row
        for table, rids in wanted.items()
        for row in catalog.rows_by_key(table, "RID", rids)
    }


def _verify_one(
    result: FileResult,
    roots: Sequence[str],
    store: ObjectStore,
    rows: Mapping[tuple[str, str], Mapping[str, Any]],
    *,
    deep: bool,
) -> VerifiedFile:
    root = result.root or (roots[0] if len(roots) == 1 else "")
    if result.outcome not in _DELIVERED:
        disk, proof = _stat(Path(root, result.path), result), Proof.NONE
        faults = [f"It was not sent: {result.outcome.value}."]
    else:
        disk = _compare(Path(root, result.path), result)
        proof, faults = _check_object(result, store, deep=deep)
        faults += _check_row(result, rows.get((result.table, result.rid)))
        if disk is DiskState.CHANGED:
            faults.append("The file changed since: upload it again.")
        if disk is DiskState.UNREADABLE:
            faults.append("The file cannot be read, so its bytes were not compared.")
    return VerifiedFile(result.path, root, result.size_bytes, disk, proof, tuple(faults))


def _stat(path: Path, result: FileResult) -> DiskState:
    """The cheap look: it can prove a change, never the absence of one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return DiskState.GONE
    except OSError:
        return DiskState.UNREADABLE
    return DiskState.SAME if found.st_size == result.size_bytes else DiskState.CHANGED


def _compare(path: Path, result: FileResult) -> DiskState:
    """The size first, because it is cheap; then always the digest, because the size proves nothing."""
    state = _stat(path, result)
    if state is not DiskState.SAME:
        return state
    kind, wanted = ("sha256", result.sha256) if result.sha256 else ("md5", result.md5)
    try:
        with path.open("rb") as source:
            found = hashlib.file_digest(source, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return DiskState.GONE
    except OSError:
        return DiskState.UNREADABLE
    return DiskState.SAME if wanted and found == wanted else DiskState.CHANGED


def _check_object(result: FileResult, store: ObjectStore, *, deep: bool) -> tuple[Proof, list[str]]:
    if not result.object_url:
        return Proof.NONE, ["Only its rows are in the catalog; the file itself is not stored."]
    fault = _contradiction(_head(store, result.object_url), result)
    proof = result.proof
    if deep and not fault:
        proof = Proof.DOWNLOAD
        if _download(store, result) != (result.sha256 or result.md5):
            fault = "The downloaded object has other bytes than the receipt says."
    if fault:
        return Proof.NONE, [fault]
    if proof in _CHECKED_BY_SERVER:
        return proof, []
    return proof, [_ADOPTED if proof is Proof.ADOPTED else _UNCHECKED]


def _head(store: ObjectStore, url: str) -> Stored | None:
    try:
        return store.head(url)
    except (NotFound, Conflict):
        return None


def _contradiction(stored: Stored | None, result: FileResult) -> str:
    if stored is None:
        return "The server no longer holds the object."
    if stored.size_bytes != result.size_bytes:
        return f"The stored object has {stored.size_bytes} bytes, the receipt says {result.size_bytes}."
    if not stored.md5 or stored.md5 != result.md5:
        return f"The stored object has md5 {stored.md5 or '(none)'}, the receipt says {result.md5}."
    return ""


def _download(store: ObjectStore, result: FileResult) -> str:
    digest = hashlib.new("sha256" if result.sha256 else "md5", usedforsecurity=False)
    for block in store.read(result.object_url):
        digest.update(block)
    return digest.hexdigest()


def _check_row(result: FileResult, row: Mapping[str, Any] | None) -> list[str]:
    if not result.rid:
        return ["It has no record in the catalog."]
    if row is None:
        return [f"Record {result.rid} is no longer in {result.table or 'the catalog'}."]
    held = {value for value in row.values() if isinstance(value, str)}
    name = result.object_url.rpartition(":")[0]
    named = any(value.endswith((result.object_url, name)) for value in held) if name else True
    if named or held & {result.md5, result.sha256} - {""}:
        return []
    return [f"Record {result.rid} names another object."]
