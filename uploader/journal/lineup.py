"""The line of files to be sent: who is next, who is paused or set aside, in what order."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from uploader.journal.caches import KEYS_PER_QUERY, padded
from uploader.journal.codec import to_blob
from uploader.journal.connection import Database
from uploader.journal.runs import dissolve_line, run_number
from uploader.journal.survey import ENTRY_COLUMNS, entry_from_row, unknown_entry
from uploader.model.control import Lane, Order, Standing
from uploader.model.entries import Entry
from uploader.model.files import SourceFile

_TO_DO = "action IN ('new', 'changed-bytes', 'changed-row', 'moved')"

_OF_RUN = "+run_no = ?"
"""The plus keeps SQLite from walking the whole line of the run where a folder's few entries lead to theirs."""

_ORDERS: Mapping[Order, str] = {
    Order.NEWEST: "newest DESC, dataset, path, position",
    Order.OLDEST: "newest, dataset, path, position",
    Order.PATH: "root_path, path",
    Order.GIVEN: "position, dataset, path",
}

# The age of a session is that of its newest file, sent already or not: a second run keeps the order of the first.
_LINE_UP = f"""
INSERT INTO line (entry_id, run_no, root_id, size_bytes, turn)
WITH seen AS (
  SELECT entries.*, position, roots.path AS root_path
    FROM run_roots JOIN roots USING (root_id)
    CROSS JOIN entries ON entries.root_id = run_roots.root_id AND target_id = :target AND entries.run_no = :run_no
   WHERE run_roots.run_no = :run_no),
ages AS (SELECT dataset, max(mtime_ns) AS newest FROM seen GROUP BY dataset)
SELECT entry_id, run_no, root_id, size_bytes, row_number() OVER (ORDER BY %s)
  FROM seen JOIN ages USING (dataset) WHERE {_TO_DO} AND outcome IS NULL
"""  # noqa: S608 - our own words


def line_up(database: Database, run: str, order: Order) -> int:
    """Give every file of the run that is to be sent its turn; how many there are."""
    run_no = run_number(database, run)
    with database.write() as connection:
        (target,) = connection.execute("SELECT target_id FROM runs WHERE run_no = ?", (run_no,)).fetchone()
        dissolve_line(connection, run_no)
        connection.execute("INSERT INTO lines (run_no) VALUES (?)", (run_no,))
        connection.executemany(
            "INSERT INTO line_counts (run_no, standing, files, size_bytes) VALUES (?, ?, 0, 0)",
            [(run_no, standing.value) for standing in Standing],
        )
        cursor = connection.execute(_LINE_UP % _ORDERS[order], {"run_no": run_no, "target": target})
        return cursor.rowcount


def next_up(database: Database, run: str, lane: Lane, *, small_bytes: int, limit: int) -> list[Entry]:
    """Take the next waiting files of a lane: highest priority, then by turn."""
    run_no = run_number(database, run)
    _part_lanes(database, run_no, small_bytes)
    sql = (
        "SELECT entry_id FROM line WHERE run_no = ? AND standing = 'waiting' AND is_large = ?"
        " ORDER BY priority DESC, turn LIMIT ?"
    )
    return _taken(database, sql, (run_no, int(lane is Lane.LARGE), limit))


def aside(database: Database, run: str, limit: int) -> list[Entry]:
    """Take files that are set aside, by turn."""
    sql = "SELECT entry_id FROM line WHERE run_no = ? AND standing = 'set-aside' ORDER BY turn LIMIT ?"
    return _taken(database, sql, (run_number(database, run), limit))


def _part_lanes(database: Database, run_no: int, small_bytes: int) -> None:
    """Sort the line into its lanes; once, unless the bound changes."""
    if database.read("SELECT 1 FROM lines WHERE run_no = ? AND small_bytes = ?", (run_no, small_bytes)):
        return
    with database.write() as connection:
        connection.execute("UPDATE lines SET small_bytes = ? WHERE run_no = ?", (small_bytes, run_no))
        connection.execute(
            "UPDATE line SET is_large = size_bytes > ? WHERE run_no = ? AND is_large <> (size_bytes > ?)",
            (small_bytes, run_no, small_bytes),
        )


def _taken(database: Database, sql: str, values: Sequence[Any]) -> list[Entry]:
    if not database.read(sql, values):
        return []  # asked again and again while the last files are on their way: that writes nothing
    with database.write() as connection:
        entry_ids = [entry_id for (entry_id,) in connection.execute(sql, values)]
        connection.executemany(
            "UPDATE line SET standing = 'taken' WHERE entry_id = ?", [(entry_id,) for entry_id in entry_ids]
        )
        return _entries(connection, entry_ids)


def _entries(connection: sqlite3.Connection, entry_ids: Sequence[int]) -> list[Entry]:
    found: dict[int, Entry] = {}
    for start in range(0, len(entry_ids), KEYS_PER_QUERY):
        ids = padded(entry_ids[start : start + KEYS_PER_QUERY])
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE entry_id IN ({marks})"  # noqa: S608
        found.update((row[0], entry_from_row(row)) for row in connection.execute(sql, ids))
    return [found[entry_id] for entry_id in entry_ids]


def put_back(database: Database, entry_ids: Sequence[int], standing: Standing) -> None:
    """Let taken files wait again at their turn, or set them aside, or pause them; others stay as they are."""
    with database.write() as connection:
        connection.executemany(
            "UPDATE line SET standing = ? WHERE entry_id = ? AND standing = 'taken'",
            [(standing.value, entry_id) for entry_id in entry_ids],
        )


def waiting(database: Database, run: str) -> Mapping[Standing, tuple[int, int]]:
    """Standing -> (files, bytes); every standing is in it."""
    counts = dict.fromkeys(Standing, (0, 0))
    rows = database.read(
        "SELECT standing, files, size_bytes FROM line_counts JOIN runs USING (run_no) WHERE run = ?", (run,)
    )
    counts.update({Standing(standing): (files, size_bytes) for standing, files, size_bytes in rows})
    return counts


def pause_files(database: Database, run: str, root: int, path: str) -> int:
    """Pause what waits or is set aside at or below this path; how many."""
    return _move(database, run, root, path, "standing IN ('waiting', 'set-aside')", "standing = 'paused'")


def resume_files(database: Database, run: str, root: int, path: str) -> int:
    """Let what is paused at or below this path wait again; how many."""
    return _move(database, run, root, path, "standing = 'paused'", "standing = 'waiting'")


def prioritise(database: Database, run: str, root: int, path: str, priority: int) -> int:
    """Give what is still in the line at or below this path a priority; how many."""
    return _move(database, run, root, path, "standing <> 'taken'", "priority = ?", priority)


def _move(
    database: Database, run: str, root: int, path: str, where: str, change: str, *values: object
) -> int:
    run_no, target = _run_and_target(database, run)
    place, more = _at_or_below(target, root, path)
    with database.write() as connection:
        cursor = connection.execute(
            f"UPDATE line SET {change} WHERE {_OF_RUN} AND {where} AND {place}",  # noqa: S608 - our own words
            (*values, run_no, *more),
        )
        return cursor.rowcount


def drop_files(database: Database, run: str, root: int, path: str, limit: int) -> list[Entry]:
    """Take what nobody has in hand at or below this path out of the line, in pages, by turn."""
    run_no, target = _run_and_target(database, run)
    place, values = _at_or_below(target, root, path)
    with database.write() as connection:
        rows = connection.execute(
            f"SELECT entry_id FROM line WHERE {_OF_RUN} AND standing <> 'taken' AND {place}"  # noqa: S608
            " ORDER BY turn LIMIT ?",
            (run_no, *values, limit),
        )
        entry_ids = [entry_id for (entry_id,) in rows]
        connection.executemany("DELETE FROM line WHERE entry_id = ?", [(entry_id,) for entry_id in entry_ids])
        return _entries(connection, entry_ids)


def retry_files(database: Database, run: str, root: int, path: str) -> int:
    """Put failed and cancelled files at or below this path behind the end of the line; how many."""
    run_no, target = _run_and_target(database, run)
    place, values = _at_or_below(target, root, path)
    chosen = f"run_no = ? AND root_id = ? AND outcome IN ('failed', 'cancelled') AND {_TO_DO} AND {place}"
    with database.write() as connection:
        if not connection.execute("SELECT 1 FROM lines WHERE run_no = ?", (run_no,)).fetchone():
            return 0
        cursor = connection.execute(
            "INSERT INTO line (entry_id, run_no, root_id, size_bytes, is_large, turn)"  # noqa: S608 - our own words
            " SELECT entry_id, entries.run_no, root_id, size_bytes, size_bytes > small_bytes AND small_bytes >= 0,"
            " (SELECT coalesce(max(turn), 0) FROM line WHERE line.run_no = entries.run_no)"
            " + row_number() OVER (ORDER BY path)"
            f" FROM entries JOIN lines USING (run_no) WHERE {chosen}",
            (run_no, root, *values),
        )
        connection.execute(
            f"UPDATE entries SET outcome = NULL, result = NULL WHERE {chosen}",  # noqa: S608 - our own words
            (run_no, root, *values),
        )
        return cursor.rowcount


def replace_source(database: Database, entry_id: int, source: SourceFile) -> Entry:
    """The entry with what its file is now; its place in the line is kept, its lane may change."""
    with database.write() as connection:
        changed = connection.execute(
            "UPDATE entries SET size_bytes = ?, mtime_ns = ?, volume_id = ?, file_id = ? WHERE entry_id = ?",
            (source.size_bytes, source.mtime_ns, source.volume_id, to_blob(source.file_id), entry_id),
        ).rowcount
        if changed != 1:
            raise unknown_entry()
        connection.execute(
            "UPDATE line SET size_bytes = ?, is_large ="
            " (SELECT ? > small_bytes AND small_bytes >= 0 FROM lines WHERE lines.run_no = line.run_no)"
            " WHERE entry_id = ?",
            (source.size_bytes, source.size_bytes, entry_id),
        )
        return _entries(connection, [entry_id])[0]


def _run_and_target(database: Database, run: str) -> tuple[int, int]:
    run_no = run_number(database, run)
    ((target,),) = database.read("SELECT target_id FROM runs WHERE run_no = ?", (run_no,))
    return run_no, target


def _at_or_below(target: int, root: int, path: str) -> tuple[str, tuple[Any, ...]]:
    """Condition on `entry_id` (and `root_id`), by ranges of the index of entries by path; no LIKE to escape."""
    path = path.strip("/")
    if not path:
        return "root_id = ?", (root,)
    of_root = "SELECT entry_id FROM entries WHERE target_id = ? AND root_id = ?"
    condition = f"entry_id IN ({of_root} AND path = ? UNION ALL {of_root} AND path >= ? AND path < ?)"
    # "0" is the character behind "/".
    return condition, (target, root, to_blob(path), target, root, to_blob(f"{path}/"), to_blob(f"{path}0"))
