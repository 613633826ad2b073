"""Brings entries of the journal back to life: their match, header and digest, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Entry
from uploader.model.files import SourceFile
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate, describe
from validation.instruments import is_current
from validation.instruments.model import Header
from validation.record import file_record
from validation.sidecar import Typed
from validation.spec.model import Match, NoMatch


@dataclass(frozen=True, slots=True)
class Read:
    """An entry with what path, header and sidecars say of it; cheap to have once the header is cached."""

    entry: Entry
    match: Match | NoMatch
    header: Header | None
    typed: Typed


def current_headers(ports: Ports, sources: Iterable[SourceFile]) -> dict[str, Header]:
    """Source identity -> header, for those that were read by the readers and field maps of today."""
    held = ports.journal.headers([source.identity for source in sources])
    return {identity: header for identity, header in held.items() if is_current(header)}


def read_again(root: DroppedRoot, ports: Ports, batch: Sequence[Entry]) -> Iterator[Read]:
    """The entries with their matches, the headers that are cached and the sidecars of their folders, in order."""
    headers = current_headers(ports, (entry.source for entry in batch if entry.rule))
    for entry in batch:
        path = entry.source.path
        typed = root.sidecars.typed(path.rpartition("/")[0])
        yield Read(entry, _match(root, entry), headers.get(entry.source.identity), typed)


def _match(root: DroppedRoot, entry: Entry) -> Match | NoMatch:
    """The match that the first pass made, from what the journal kept of it."""
    if not entry.captures:
        return root.matcher.match(entry.source.path)
    return Match(
        entry.rule,
        entry.captures,
        entry.values,
        entry.object_path,
        entry.dataset,
        entry.role,
        entry.set_key,
    )


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
                known_parents=task.known_parents,
                identity=task.identity,
            )
        yield read.entry, candidate
