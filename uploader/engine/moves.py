"""Finds where moved files come from: deliveries whose file is gone and whose record names the old place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from uploader.engine.entries import described
from uploader.engine.run_notes import RunNotes
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Delivery, DeliveryState
from uploader.model.ports import Ports
from uploader.stages.batches import batched
from uploader.stages.describe import Candidate
from uploader.stages.lookup import whole_rows
from uploader.stages.rows import differences
from validation.compact import HashTable
from validation.spec.model import ByKey

BATCH = 500

_Offer: TypeAlias = tuple[Delivery, tuple[str, ...]]
"""A registered delivery whose file is gone, and the columns that make its key."""


class Moves:
    """The deliveries of files that earlier runs saw in a folder and this one does not; each is given away once.

    A whole session may have moved: what is known of a million of them stands in the journal's notes.
    """

    def __init__(self, task: Task, root: DroppedRoot, ports: Ports) -> None:
        self._task, self._root, self._ports = task, root, ports
        self._gone = RunNotes(ports.journal, task.run, f"gone {root.root_id}")
        """SHA-256 -> table, row key and key columns of deliveries whose file is gone."""
        self._sizes: HashTable | None = None
        """Sizes of files that are gone; None until somebody has looked which these are."""
        self._given = RunNotes(ports.journal, task.run, f"given {root.root_id}")
        """RID -> the entry of the moved file, and the delivery it was moved from."""

    def origins(self, candidates: Iterable[Candidate]) -> dict[int, Delivery]:
        """Entry id -> the delivery of the same bytes under a path that is gone; one request for all of them."""
        wanted = [
            (one, one.digest.sha256)
            for one in candidates
            if one.digest is not None and isinstance(one.rule.identity, ByKey)
        ]
        if not wanted or not len(self._gone_sizes()):
            return {}
        gone = self._offered([sha256 for _, sha256 in wanted])
        offers = [
            (candidate, delivery, key)
            for candidate, sha256 in wanted
            for delivery, key in gone.get(sha256, ())
            if delivery.table == candidate.table
        ]
        standing = self._standing([(delivery, key) for _, delivery, key in offers])
        holders = {
            rid: int(notes[0]["entry"])
            for rid, notes in self._given.noted([delivery.rid for _, delivery, _ in offers]).items()
        }
        found: dict[int, Delivery] = {}
        for candidate, delivery, _ in offers:
            entry_id = candidate.entry.entry_id
            holder = holders.get(delivery.rid, entry_id)
            if entry_id not in found and holder == entry_id and delivery.rid in standing:
                found[entry_id] = delivery
                if delivery.rid not in holders:
                    holders[delivery.rid] = entry_id
                    place = {"entry": entry_id, "table": delivery.table, "row_key": delivery.row_key}
                    self._given.note([(delivery.rid, place)])
        return found

    def origin(self, rid: str) -> Delivery | None:
        """The delivery that the decision about a moved file rests on, by the RID of its record."""
        for place in self._given.noted([rid]).get(rid, ())[:1]:
            return self._deliveries(place["table"], [place["row_key"]]).get(place["row_key"])
        return None

    def may_be_moved(self, size_bytes: int) -> bool:
        """Whether a file that was never hashed has the size of one that is gone: then hashing it first pays."""
        return size_bytes in self._gone_sizes()

    def _offered(self, digests: Sequence[str]) -> Mapping[str, Sequence[_Offer]]:
        """SHA-256 -> the deliveries of these bytes whose file is gone."""
        noted = self._gone.noted(digests)
        keys: dict[str, list[str]] = {}
        for place in chain.from_iterable(noted.values()):
            keys.setdefault(place["table"], []).append(place["row_key"])
        known = {table: self._deliveries(table, row_keys) for table, row_keys in keys.items()}
        return {
            sha256: [
                (delivery, tuple(place["key"]))
                for place in places
                if (delivery := known[place["table"]].get(place["row_key"])) is not None
            ]
            for sha256, places in noted.items()
        }

    def _deliveries(self, table: str, row_keys: Sequence[str]) -> Mapping[str, Delivery]:
        return self._ports.journal.deliveries(self._task.target, table, row_keys)

    def _gone_sizes(self) -> HashTable:
        if self._sizes is None:
            sizes = HashTable()
            self._gone.note(self._counted(sizes))
            self._sizes = sizes
        return self._sizes

    def _counted(self, sizes: HashTable) -> Iterator[tuple[str, Mapping[str, object]]]:
        """What is gone, for the notes; the sizes are put down on the way."""
        for delivery, key in self._vanished():
            if delivery.digest is not None:
                sizes.claim(delivery.digest.size_bytes)
                place = {"table": delivery.table, "row_key": delivery.row_key, "key": key}
                yield delivery.digest.sha256, place

    def _vanished(self) -> Iterator[_Offer]:
        """Registered deliveries of files that are really gone, with the columns that make their key."""
        entries = self._ports.journal.vanished(self._task.run, self._task.target, self._root.root_id)
        for batch in batched(entries, BATCH):
            # A folder that could not be read this time is no folder that was moved.
            gone = [entry for entry in batch if not os.path.lexists(self._root.root.path / entry.source.path)]
            keys: dict[str, dict[str, tuple[str, ...]]] = {}
            for _, candidate in described(self._task, self._root, self._ports, gone):
                if candidate is not None and isinstance(candidate.rule.identity, ByKey) and candidate.row_key:
                    columns = tuple(candidate.rule.identity.columns)
                    keys.setdefault(candidate.table, {})[candidate.row_key] = columns
            for table, columns_of in keys.items():
                for row_key, delivery in self._deliveries(table, list(columns_of)).items():
                    if delivery.state is DeliveryState.REGISTERED and delivery.rid:
                        yield delivery, columns_of[row_key]

    def _standing(self, offers: Sequence[_Offer]) -> set[str]:
        """RIDs of the records that still name the place their file was moved from.

        A record that was moved before belongs to the file that it names now.
        """
        rids: dict[str, list[str]] = {}
        for delivery, _ in offers:
            rids.setdefault(delivery.table, []).append(delivery.rid)
        rows = {
            rid: row
            for table, wanted in rids.items()
            for rid, row in whole_rows(self._ports.catalog, table, list(dict.fromkeys(wanted))).items()
        }
        return {
            delivery.rid
            for delivery, key in offers
            if (row := rows.get(delivery.rid)) is not None
            and not differences(delivery.written, row, [name for name in key if name in delivery.written])
        }
