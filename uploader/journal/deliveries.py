"""Deliveries: how far each object and its row are, and the only moves that are allowed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uploader.journal.caches import batches, keep_digests
from uploader.journal.codec import from_blob, mapping_from_json, to_blob, to_json
from uploader.journal.connection import Database, SqlRow
from uploader.model.entries import Acknowledged, Delivery, DeliveryState, HeldDelivery
from uploader.model.errors import JournalError
from uploader.model.files import Digest, Proof, SourceFile

INTENDED, STORED, REGISTERED = DeliveryState.INTENDED, DeliveryState.STORED, DeliveryState.REGISTERED


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change of state: from any of `origins` to `goal`."""

    origins: tuple[DeliveryState, ...]
    goal: DeliveryState
    and_where: str = "1"
    """A further condition on the delivery."""

    @property
    def where(self) -> str:
        """The condition of the UPDATE that makes the move."""
        return f"state IN ({', '.join(repr(state.value) for state in self.origins)}) AND {self.and_where}"


# Every move there is. REGISTERED -> REGISTERED: the row of unchanged bytes is written again (changed-row).
MOVES: Mapping[str, tuple[Move, ...]] = {
    "intend": (Move((INTENDED, STORED, REGISTERED), INTENDED),),
    "stored": (Move((INTENDED,), STORED),),
    "registered": (
        Move((STORED, REGISTERED), REGISTERED),
        Move((INTENDED,), REGISTERED, "object_name = ''"),
    ),
    "adopt": (Move((INTENDED, STORED, REGISTERED), REGISTERED),),
    # The server has lost the object. Its URL is kept, with the digest, as the mark of that: `Delivery.is_lost`.
    "reopen": (Move((STORED, REGISTERED), INTENDED, "object_url <> ''"),),
}

_COLUMNS = (
    "delivery_id, table_name, row_key, object_name, state, source_identity, md5, sha256, size_bytes,"
    " object_url, proof, preview_url, rid, row_digest, written"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """What a delivery is known by within a target, and what it carries there."""

    target: int
    table: str
    row_key: str
    object_name: str
    source: SourceFile
    path: str
    """Where the file lies, for people who look into the history."""


def by_row_key(
    database: Database, target: int, table: str, row_keys: Sequence[str]
) -> Mapping[str, Delivery]:
    """Row key -> delivery, for those that exist."""
    found: dict[str, Delivery] = {}
    for keys in batches(row_keys):
        marks = ", ".join("?" * len(keys))
        rows = database.read(
            f"SELECT {_COLUMNS} FROM deliveries WHERE target_id = ? AND table_name = ? AND row_key IN ({marks})",  # noqa: S608
            (target, table, *keys),
        )
        found.update((one.row_key, one) for one in map(_delivery, rows))
    return found


def by_content(database: Database, target: int, digests: Sequence[str]) -> Mapping[str, Delivery]:
    """SHA-256 -> a registered delivery with these bytes (the latest made, where there are several)."""
    found: dict[str, Delivery] = {}
    for keys in batches(digests):
        marks = ", ".join("?" * len(keys))
        rows = database.read(
            f"SELECT {_COLUMNS} FROM deliveries WHERE target_id = ? AND sha256 IN ({marks}) AND sha256 <> ''"  # noqa: S608
            f" AND state = '{REGISTERED}' ORDER BY delivery_id",
            (target, *(key.decode("ascii") for key in keys)),
        )
        found.update((one.digest.sha256, one) for one in map(_delivery, rows) if one.digest)
    return found


def held(database: Database, target: int, after: int, limit: int) -> list[HeldDelivery]:
    """The next deliveries of a target by number, each with the dropped folders that held such a path."""
    rows = database.read(
        f"SELECT path, {_COLUMNS} FROM deliveries WHERE target_id = ? AND delivery_id > ?"  # noqa: S608 - our own words
        " ORDER BY delivery_id LIMIT ?",
        (target, after, limit),
    )
    return [
        HeldDelivery(_delivery(tuple(rest)), from_blob(path), _roots_with(database, target, path))
        for path, *rest in rows
    ]


def _roots_with(database: Database, target: int, path: bytes) -> tuple[str, ...]:
    rows = database.read(
        "SELECT roots.path FROM roots JOIN entries USING (root_id)"
        " WHERE target_id = ? AND root_id IN (SELECT root_id FROM roots) AND entries.path = ?",
        (target, path),
    )
    return tuple(from_blob(root) for (root,) in rows)


def reopen(database: Database, delivery_id: int) -> None:
    """The server has lost the acknowledged object: to be sent again. What the row holds stays known."""
    with database.write() as connection:
        _move(connection, "reopen", delivery_id, {"proof": Proof.NONE.value, "preview_url": ""})


def forget(database: Database, delivery_id: int) -> bool:
    """Drop a delivery of which nothing was ever acknowledged, and its jobs; whether it was there."""
    with database.write() as connection:
        row = connection.execute(
            "SELECT state, rid FROM deliveries WHERE delivery_id = ?", (delivery_id,)
        ).fetchone()
        if row != (INTENDED.value, ""):
            return False
        connection.execute("DELETE FROM jobs WHERE delivery_id = ?", (delivery_id,))
        connection.execute("DELETE FROM deliveries WHERE delivery_id = ?", (delivery_id,))
        return True


def intend(database: Database, to: Destination) -> Delivery:
    """The delivery at INTENDED for these bytes, or as it is when they are already STORED under this name."""
    with database.write() as connection:
        return _intend(connection, to)


def intend_all(database: Database, destinations: Sequence[Destination]) -> list[Delivery]:
    """`intend` for many; all of them or none."""
    with database.write() as connection:
        return [_intend(connection, to) for to in destinations]


def _intend(connection: sqlite3.Connection, to: Destination) -> Delivery:
    identity = to.source.identity
    held = _find(connection, to)
    if held is None:
        return _insert(connection, to, INTENDED)
    same = held.source_identity == identity and held.object_name == to.object_name
    if not same:
        _abandon_jobs(connection, held.delivery_id)
    if same and held.state is not REGISTERED:
        return held
    # The row that stands (rid, written, row_digest) stays known: it will be updated, not doubled.
    # A preview shows the bytes, so it outlives a new intent only when they are the same.
    keep_preview = held.preview_url if held.source_identity == identity else ""
    _move(
        connection,
        "intend",
        held.delivery_id,
        {
            "object_name": to.object_name,
            "source_identity": to_blob(identity),
            "path": to_blob(to.path),
            **_digest_columns(None),
            "object_url": _replaced(held) if held.object_name == to.object_name else "",
            "proof": Proof.NONE.value,
            "preview_url": keep_preview,
        },
    )
    return _known(connection, held.delivery_id)


def _replaced(held: Delivery) -> str:
    """The version that we sent and no row names, where new bytes take the place of those."""
    is_ours_alone = held.state is STORED and not held.rid and held.proof in (Proof.JOB_MD5, Proof.CHUNK_MD5)
    return held.object_url if is_ours_alone else held.replaces


def stored_all(database: Database, acknowledged: Sequence[Acknowledged], *, today: int) -> None:
    """The server has acknowledged these objects; their upload jobs are no longer wanted. All of them or none."""
    to_cache = {one.source_identity: one.digest for one in acknowledged if one.source_identity is not None}
    with database.write() as connection:
        for one in acknowledged:
            columns = {
                **_digest_columns(one.digest),
                "object_url": one.stored.url,
                "proof": one.stored.proof.value,
            }
            if one.preview_url:
                columns["preview_url"] = one.preview_url
            _move(connection, "stored", one.delivery_id, columns)
            _abandon_jobs(connection, one.delivery_id)
        if to_cache:
            keep_digests(connection, to_cache, today=today)


def registered(database: Database, rows: Sequence[tuple[int, str, str, Mapping[str, Any]]]) -> None:
    """(delivery id, RID, row digest, columns written): the server has acknowledged the rows; all or none."""
    with database.write() as connection:
        for delivery_id, rid, row_digest, written in rows:
            columns = {"rid": rid, "row_digest": row_digest, "written": to_json(dict(written))}
            _move(connection, "registered", delivery_id, columns)


def adopt(
    database: Database,
    to: Destination,
    digest: Digest,
    *,
    object_url: str,
    proof: Proof,
    rid: str,
    row_digest: str,
    written: Mapping[str, Any],
) -> Delivery:
    """Note a delivery that was found complete in the catalog."""
    columns = {
        "object_name": to.object_name,
        "source_identity": to_blob(to.source.identity),
        "path": to_blob(to.path),
        **_digest_columns(digest),
        "object_url": object_url,
        "proof": proof.value,
        "rid": rid,
        "row_digest": row_digest,
        "written": to_json(dict(written)),
    }
    with database.write() as connection:
        held = _find(connection, to) or _insert(connection, to, INTENDED)
        if held.source_identity != to.source.identity:
            columns["preview_url"] = ""
        _move(connection, "adopt", held.delivery_id, columns)
        _abandon_jobs(connection, held.delivery_id)
        return _known(connection, held.delivery_id)


def _move(connection: sqlite3.Connection, name: str, delivery_id: int, columns: Mapping[str, Any]) -> None:
    """Make a declared move; a delivery in any other state stays as it is and the caller is told."""
    moves = MOVES[name]
    assignments = ", ".join(f"{column} = ?" for column in ("state", *columns))
    where = " OR ".join(f"({move.where})" for move in moves)
    cursor = connection.execute(
        f"UPDATE deliveries SET {assignments} WHERE delivery_id = ? AND ({where})",  # noqa: S608 - our own words
        (moves[0].goal.value, *columns.values(), delivery_id),
    )
    if cursor.rowcount == 1:
        return
    held = connection.execute("SELECT state FROM deliveries WHERE delivery_id = ?", (delivery_id,)).fetchone()
    place = f"is {held[0]}" if held else "is not in the journal"
    raise JournalError(
        f"Delivery {delivery_id} {place} and cannot become {moves[0].goal.value}.",
        detail="The journal was left as it was.",
        remedy="This is a mistake in the program: please report it with this message.",
    )


def _abandon_jobs(connection: sqlite3.Connection, delivery_id: int) -> None:
    connection.execute(
        "UPDATE jobs SET abandoned = 1 WHERE delivery_id = ? AND abandoned = 0", (delivery_id,)
    )


def _find(connection: sqlite3.Connection, to: Destination) -> Delivery | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM deliveries WHERE target_id = ? AND table_name = ? AND row_key = ?",  # noqa: S608
        (to.target, to.table, to_blob(to.row_key)),
    ).fetchone()
    return None if row is None else _delivery(row)


def _known(connection: sqlite3.Connection, delivery_id: int) -> Delivery:
    sql = f"SELECT {_COLUMNS} FROM deliveries WHERE delivery_id = ?"  # noqa: S608 - our own words
    return _delivery(connection.execute(sql, (delivery_id,)).fetchone())


def _insert(connection: sqlite3.Connection, to: Destination, state: DeliveryState) -> Delivery:
    identity = to.source.identity
    cursor = connection.execute(
        "INSERT INTO deliveries (target_id, table_name, row_key, object_name, state, source_identity, path, proof)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            to.target,
            to.table,
            to_blob(to.row_key),
            to.object_name,
            state.value,
            to_blob(identity),
            to_blob(to.path),
            Proof.NONE.value,
        ),
    )
    delivery_id = cursor.lastrowid
    if delivery_id is None:
        raise AssertionError("SQLite gives every inserted row an id")
    return Delivery(delivery_id, to.table, to.row_key, to.object_name, state, identity)


def _digest_columns(digest: Digest | None) -> dict[str, Any]:
    if digest is None:
        return {"md5": "", "sha256": "", "size_bytes": 0}
    return {"md5": digest.md5, "sha256": digest.sha256, "size_bytes": digest.size_bytes}


def _delivery(row: SqlRow) -> Delivery:
    (delivery_id, table, row_key, object_name, state, identity, md5, sha256, size_bytes, *rest) = row
    (object_url, proof, preview_url, rid, row_digest, written) = rest
    return Delivery(
        delivery_id=delivery_id,
        table=table,
        row_key=from_blob(row_key),
        object_name=object_name,
        state=DeliveryState(state),
        source_identity=from_blob(identity),
        digest=Digest(md5, sha256, size_bytes) if md5 or sha256 else None,
        object_url=object_url,
        proof=Proof(proof),
        preview_url=preview_url,
        rid=rid,
        row_digest=row_digest,
        written=mapping_from_json(written),
    )
