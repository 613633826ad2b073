"""Forgets cached headers and digests of files that nobody has asked for in a season and no survey names."""

from __future__ import annotations

from uploader.journal.caches import KEYS_PER_QUERY
from uploader.journal.codec import from_blob, to_blob
from uploader.journal.connection import Database
from uploader.model.files import SourceFile

KEPT_DAYS = 90
AT_A_TIME = 10_000
"""Rows looked at when a run begins: a start stays quick, and the next runs do the rest."""


def prune(database: Database, *, today: int) -> int:
    """Forget what is old and named by no entry; how many rows. What an entry still names counts as used today."""
    forgotten = 0
    for table in ("headers", "digests"):
        rows = database.read(
            f"SELECT identity FROM {table} WHERE used_day < ? ORDER BY used_day LIMIT ?",  # noqa: S608
            (today - KEPT_DAYS, AT_A_TIME),
        )
        old = {bytes(identity) for (identity,) in rows}
        if old:
            named = _named(database, old)
            with database.write() as connection:
                connection.executemany(
                    f"UPDATE {table} SET used_day = ? WHERE identity = ?",  # noqa: S608
                    [(today, identity) for identity in named],
                )
                connection.executemany(
                    f"DELETE FROM {table} WHERE identity = ?",  # noqa: S608
                    [(identity,) for identity in old - named],
                )
            forgotten += len(old) - len(named)
    return forgotten


def _named(database: Database, identities: set[bytes]) -> set[bytes]:
    """Those that an entry names: one pass over all entries, in pages, seldom enough (see `used_day`)."""
    named: set[bytes] = set()
    last = 0
    while True:
        page = database.read(
            "SELECT entry_id, path, size_bytes, mtime_ns, volume_id, file_id FROM entries"
            " WHERE entry_id > ? ORDER BY entry_id LIMIT ?",
            (last, 10 * KEYS_PER_QUERY),
        )
        for _, path, size_bytes, mtime_ns, volume_id, file_id in page:
            source = SourceFile(from_blob(path), size_bytes, mtime_ns, volume_id, from_blob(file_id))
            identity = to_blob(source.identity)
            if identity in identities:
                named.add(identity)
        if not page:
            return named
        last = page[-1][0]
