"""Finds where moved files come from: deliveries whose file is gone and whose record names the old place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from uploader.engine.entries import described
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Delivery, DeliveryState
from uploader.model.ports import Ports
from uploader.stages.batches import batched
from uploader.stages.describe import Candidate
from uploader.stages.lookup import whole_rows
from uploader.stages.rows import differences
from validation.spec.model import ByKey

BATCH = 500


class Moves:
    """The deliveries of files that earlier runs saw in a folder and this one does not; each is given away once."""

    def __init__(self, task: Task, root: DroppedRoot, ports: Ports) -> None:
        self._task, self._root, self._ports = task, root, ports
        self._gone: dict[str, list[tuple[Delivery, tuple[str, ...]]]] | None = None
        self._given: dict[str, tuple[int, Delivery]] = {}
        """RID -> the entry of the moved file and the delivery it was moved from."""

    def origins(self, candidates: Iterable[Candidate]) -> dict[int, Delivery]:
        """Entry id -> the delivery of the same bytes under a path that is gone; one request for all of them."""
        wanted = [
            one for one in candidates if one.digest is not None and isinstance(one.rule.identity, ByKey)
        ]
        if not wanted:
            return {}
        gone = self._by_digest()
        offers = [
            (candidate, delivery, key)
            for candidate in wanted
            if candidate.digest is not None
            for delivery, key in gone.get(candidate.digest.sha256, ())
            if delivery.table == candidate.table
        ]
        standing = self._standing([(delivery, key) for _, delivery, key in offers])
        found: dict[int, Delivery] = {}
        for candidate, delivery, _ in offers:
            entry_id = candidate.entry.entry_id
            holder, _ = self._given.get(delivery.rid, (entry_id, delivery))
            if entry_id not in found and holder == entry_id and delivery.rid in standing:
                found[entry_id] = delivery
                self._given[delivery.rid] = (entry_id, delivery)
        return found

    def origin(self, rid: str) -> Delivery | None:
        """The delivery that the decision about a moved file rests on, by the RID of its record."""
        return self._given[rid][1] if rid in self._given else None

    def may_be_moved(self, size_bytes: int) -> bool:
        """Whether a file that was never hashed has the size of one that is gone: then hashing it first pays."""
        return any(
            delivery.digest is not None and delivery.digest.size_bytes == size_bytes
            for offers in self._by_digest().values()
            for delivery, _ in offers
        )

    def _by_digest(self) -> Mapping[str, Sequence[tuple[Delivery, tuple[str, ...]]]]:
        if self._gone is None:
            self._gone = {}
            for delivery, key in self._vanished():
                if delivery.digest is not None:
                    self._gone.setdefault(delivery.digest.sha256, []).append((delivery, key))
        return self._gone

    def _vanished(self) -> Iterator[tuple[Delivery, tuple[str, ...]]]:
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
                known = self._ports.journal.deliveries(self._task.target, table, list(columns_of))
                for row_key, delivery in known.items():
                    if delivery.state is DeliveryState.REGISTERED and delivery.rid:
                        yield delivery, columns_of[row_key]

    def _standing(self, offers: Sequence[tuple[Delivery, tuple[str, ...]]]) -> set[str]:
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
