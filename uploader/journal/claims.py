"""Which file of a run came first to a record: scratch paper of one engine, not memory.

A temporary table: hashes come in random order, and a table of a million of them in the journal would rewrite most
of its pages with every batch. SQLite keeps it outside the journal's file, in memory while it is small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uploader.journal.caches import KEYS_PER_QUERY, padded
from uploader.journal.codec import from_blob
from uploader.journal.connection import Database
from uploader.journal.runs import run_number

_SIGN = 1 << 63

AT_A_TIME = 5000
"""Claims forgotten in one step."""

_TABLE = """
CREATE TEMP TABLE claims (
  run_no   INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  place    INTEGER NOT NULL,
  entry_id INTEGER NOT NULL,
  PRIMARY KEY (run_no, kind, place)
) WITHOUT ROWID
"""


def prepare(database: Database) -> None:
    """Make the table, for as long as this connection lasts."""
    database.change("PRAGMA temp.journal_mode = MEMORY")
    database.change(_TABLE)


def claim(
    database: Database, run: str, kind: str, places: Sequence[tuple[int, int]]
) -> Mapping[int, tuple[int, str]]:
    """(Place, entry id) -> place -> (entry id, path) of the first entry that claimed it."""
    run_no = run_number(database, run)
    asked = {_signed(place): place for place, _ in places}
    held: dict[int, tuple[int, str]] = {}
    with database.scratch() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO temp.claims (run_no, kind, place, entry_id) VALUES (?, ?, ?, ?)",
            [(run_no, kind, _signed(place), entry_id) for place, entry_id in places],
        )
        keys = list(asked)
        for start in range(0, len(keys), KEYS_PER_QUERY):
            some = padded(keys[start : start + KEYS_PER_QUERY])
            marks = ", ".join("?" * len(some))
            rows = connection.execute(
                "SELECT place, entry_id, path FROM temp.claims JOIN entries USING (entry_id)"  # noqa: S608
                f" WHERE claims.run_no = ? AND kind = ? AND place IN ({marks})",
                (run_no, kind, *some),
            )
            held.update((asked[place], (entry_id, from_blob(path))) for place, entry_id, path in rows)
    return held


def forget(database: Database, run: str) -> None:
    """The run has ended: its claims are void."""
    # Little by little: what a transaction would have to undo is held in memory.
    some = f"SELECT run_no, kind, place FROM temp.claims WHERE run_no = ? LIMIT {AT_A_TIME}"  # noqa: S608
    run_no = run_number(database, run)
    while database.change(f"DELETE FROM temp.claims WHERE (run_no, kind, place) IN ({some})", (run_no,)):  # noqa: S608
        pass


def _signed(place: int) -> int:
    """A 64-bit hash as the signed integer that SQLite holds."""
    return (place + _SIGN) % (1 << 64) - _SIGN
