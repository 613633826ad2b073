"""Brings entries of the journal back to life: their match, header and digest, batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Entry
from uploader.model.files import SourceFile
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate, describe
from validation.instruments.model import Header
from validation.record import file_record
from validation.sidecar import Typed
from validation.spec.model import Match, NoMatch
from validation.specset import data_dir


@dataclass(frozen=True, slots=True)
class Read:
    """An entry with what path, header and sidecars say of it; cheap to have once the header is cached."""

    entry: Entry
    match: Match | NoMatch
    header: Header | None
    typed: Typed


def header_key(source: SourceFile) -> str:
    """Key of the header cache: the bytes, and the readers and field maps that read them."""
    return f"{source.identity}#{_readers_as_of()}"


@cache
def _readers_as_of() -> str:
    """Changes with the version of the program and with every correction a lab makes to a field map."""
    seen = hashlib.sha256(version("nanoferry").encode())
    for path in sorted((data_dir() / "instruments").glob("*.yaml")):
        seen.update(path.name.encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()[:12]


def read_again(root: DroppedRoot, ports: Ports, batch: Sequence[Entry]) -> Iterator[Read]:
    """The entries with their matches, the headers that are cached and the sidecars of their folders, in order."""
    headers = ports.journal.headers([header_key(entry.source) for entry in batch if entry.rule])
    for entry in batch:
        path = entry.source.path
        typed = root.sidecars.typed(path.rpartition("/")[0])
        yield Read(entry, root.matcher.match(path), headers.get(header_key(entry.source)), typed)


def described(
    task: Task, root: DroppedRoot, ports: Ports, batch: Sequence[Entry]
) -> Iterator[tuple[Entry, Candidate | None]]:
    """The entries with everything known of them before sending; None for those that no rule takes."""
    digests = ports.journal.digests([entry.source.identity for entry in batch if entry.rule])
    for read in read_again(root, ports, batch):
        candidate = None
        if isinstance(read.match, Match):
            candidate = describe(
                read.entry,
                root.root,
                task.spec,
                read.match,
                read.header,
                record=file_record(match=read.match, header=read.header, typed=read.typed),
                digest=digests.get(read.entry.source.identity),
            )
        yield read.entry, candidate
