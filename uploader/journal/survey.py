"""The files of a survey: recorded as found, decided, finished; read back in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uploader.journal import history
from uploader.journal.caches import KEYS_PER_QUERY, padded
from uploader.journal.codec import (
    from_blob,
    issues_from_json,
    issues_to_json,
    mapping_from_json,
    result_from_json,
    result_to_json,
    to_blob,
    to_json,
)
from uploader.journal.connection import Database, SqlRow
from uploader.journal.runs import run_number
from uploader.model.entries import Decision, Entry, Found
from uploader.model.errors import JournalError
from uploader.model.files import Action, FileResult, Outcome, SourceFile
from validation.model import Issue

PAGE = 1000
"""Entries per read: the caller holds this many, and other threads wait this long for the lock (some 5 ms)."""

ENTRY_COLUMNS = (
    "entry_id, root_id, path, size_bytes, mtime_ns, volume_id, file_id, rule, dataset, object_path, set_key,"
    " role, issues, action, row, outcome, captures, typed_values"
)

_RECORD = """
INSERT INTO entries (target_id, root_id, run_no, path, size_bytes, mtime_ns, volume_id, file_id,
                     rule, dataset, object_path, set_key, role, issues, captures, typed_values)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (target_id, root_id, path) DO UPDATE SET
  run_no = excluded.run_no, size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,
  volume_id = excluded.volume_id, file_id = excluded.file_id, rule = excluded.rule, dataset = excluded.dataset,
  object_path = excluded.object_path, set_key = excluded.set_key, role = excluded.role, issues = excluded.issues,
  captures = excluded.captures, typed_values = excluded.typed_values,
  action = NULL, row = NULL, outcome = NULL, result = NULL
"""


def record(database: Database, run: str, target: int, root: int, found: Sequence[Found]) -> None:
    """Insert or refresh the entries of these files as seen by this run."""
    number = run_number(database, run)
    rows = [
        (
            target,
            root,
            number,
            to_blob(one.source.path),
            one.source.size_bytes,
            one.source.mtime_ns,
            one.source.volume_id,
            to_blob(one.source.file_id),
            one.rule,
            to_blob(one.dataset),
            to_blob(one.object_path),
            to_blob(one.set_key),
            one.role,
            issues_to_json(one.issues),
            to_json(dict(one.captures)) if one.captures else None,
            _values_to_json(one.captures, one.values),
        )
        for one in found
    ]
    with database.write() as connection:
        connection.executemany(_RECORD, rows)


def entries(
    database: Database,
    run: str,
    target: int,
    root: int,
    *,
    by_dataset: bool = False,
    actions: Sequence[Action] | None = None,
    undone: bool = False,
) -> Iterator[Entry]:
    """Entries of this run by path, or by dataset and path. Each page is one read, so writes go between."""
    where, values = "run_no = ?", [run_number(database, run), *(actions or ())]
    if actions is not None:
        where += f" AND action IN ({_marks(len(actions))})"
    if undone:
        where += " AND outcome IS NULL"
    return _paged(database, target, root, where, values, by_dataset=by_dataset)


def vanished(database: Database, run: str, target: int, root: int) -> Iterator[Entry]:
    """Entries of earlier runs of this root and target that this run did not see, by path."""
    return _paged(database, target, root, "run_no < ?", [run_number(database, run)], by_dataset=False)


def _paged(
    database: Database, target: int, root: int, where: str, values: Sequence[Any], *, by_dataset: bool
) -> Iterator[Entry]:
    order = "dataset, path" if by_dataset else "path"
    sql = (
        f"SELECT {ENTRY_COLUMNS} FROM entries WHERE target_id = ? AND root_id = ? AND {where}"  # noqa: S608 - our own words
        f" AND ({order}) > ({_marks(2 if by_dataset else 1)}) ORDER BY {order} LIMIT {PAGE}"
    )
    # An empty BLOB sorts below every other, and no entry has an empty path.
    last: tuple[bytes, ...] = (b"", b"") if by_dataset else (b"",)
    while True:
        page = database.read(sql, (target, root, *values, *last))
        for row in page:
            yield entry_from_row(row)
        if len(page) < PAGE:
            return
        last = (page[-1][8], page[-1][2]) if by_dataset else (page[-1][2],)


def entry_from_row(row: SqlRow) -> Entry:
    """The entry of a row of ENTRY_COLUMNS."""
    (entry_id, root_id, path, size_bytes, mtime_ns, volume_id, file_id, *rest) = row
    (rule, dataset, object_path, set_key, role, issues, action, catalog_row, outcome, captures, typed) = rest
    given = mapping_from_json(captures)
    return Entry(
        entry_id=entry_id,
        root_id=root_id,
        source=SourceFile(from_blob(path), size_bytes, mtime_ns, volume_id, from_blob(file_id)),
        rule=rule,
        dataset=from_blob(dataset),
        object_path=from_blob(object_path),
        set_key=from_blob(set_key),
        role=role,
        issues=issues_from_json(issues),
        action=Action(action) if action else None,
        row=mapping_from_json(catalog_row),
        outcome=Outcome(outcome) if outcome else None,
        captures=given,
        values={**given, **mapping_from_json(typed)},
    )


def _values_to_json(captures: Mapping[str, str], values: Mapping[str, Any]) -> str | None:
    """The values but for those that are the captured text itself; no capture lacks its value."""
    more = {name: value for name, value in values.items() if name not in captures or captures[name] != value}
    return to_json(more) if more else None


def add_issues(database: Database, additions: Sequence[tuple[int, Sequence[Issue]]]) -> None:
    """Add findings to entries; all of them or none."""
    added: dict[int, tuple[Issue, ...]] = {}
    for entry_id, issues in additions:
        added[entry_id] = (*added.get(entry_id, ()), *issues)
    known = list(added)
    with database.write() as connection:
        for start in range(0, len(known), KEYS_PER_QUERY):
            ids = known[start : start + KEYS_PER_QUERY]
            asked = padded(ids)
            held = connection.execute(
                f"SELECT entry_id, issues FROM entries WHERE entry_id IN ({_marks(len(asked))})",  # noqa: S608
                asked,
            ).fetchall()
            if len(held) != len(ids):
                raise unknown_entry()
            connection.executemany(
                "UPDATE entries SET issues = ? WHERE entry_id = ?",
                [
                    (issues_to_json((*issues_from_json(issues), *added[entry_id])), entry_id)
                    for entry_id, issues in held
                ],
            )


def decide(database: Database, decisions: Sequence[Decision]) -> None:
    """Write what the survey decided; all of them or none."""
    rows = [
        (
            one.action.value,
            issues_to_json(one.issues),
            to_json(dict(one.row)) if one.row else None,
            one.entry_id,
        )
        for one in decisions
    ]
    with database.write() as connection:
        cursor = connection.executemany(
            "UPDATE entries SET action = ?, issues = ?, row = ? WHERE entry_id = ?", rows
        )
        if cursor.rowcount != len(rows) and rows:
            raise unknown_entry()


def counts(database: Database, run: str, target: int, root: int) -> Mapping[Action, tuple[int, int]]:
    """Action -> (files, bytes); entries without a decision are not in it."""
    rows = database.read(
        "SELECT action, count(*), sum(size_bytes) FROM entries"
        " WHERE target_id = ? AND root_id = ? AND run_no = ? AND action IS NOT NULL GROUP BY action",
        (target, root, run_number(database, run)),
    )
    return {Action(action): (files, size_bytes) for action, files, size_bytes in rows}


def finish(database: Database, finished: Sequence[tuple[int, FileResult]], *, now: str) -> None:
    """Write the outcomes of entries, which leave the line; all of them or none."""
    rows = [(result.outcome.value, result_to_json(result), entry_id) for entry_id, result in finished]
    with database.write() as connection:
        cursor = connection.executemany("UPDATE entries SET outcome = ?, result = ? WHERE entry_id = ?", rows)
        if cursor.rowcount != len(rows) and rows:
            raise unknown_entry()
        connection.executemany(
            "DELETE FROM line WHERE entry_id = ?", [(entry_id,) for entry_id, _ in finished]
        )
        history.note_sent(connection, finished, now=now)


def results(database: Database, run: str) -> Iterator[FileResult]:
    """Every finished file that this run was the last to see, by root (as given to the run) and path."""
    number = run_number(database, run)
    roots = database.read(
        "SELECT target_id, root_id FROM runs JOIN run_roots USING (run_no) WHERE run_no = ? ORDER BY position",
        (number,),
    )
    for target, root in roots:
        yield from _results_of(database, number, target, root)


def _results_of(database: Database, number: int, target: int, root: int) -> Iterator[FileResult]:
    last = b""
    while True:
        page = database.read(
            "SELECT path, result FROM entries WHERE target_id = ? AND root_id = ? AND run_no = ?"
            " AND result IS NOT NULL AND path > ? ORDER BY path LIMIT ?",
            (target, root, number, last, PAGE),
        )
        for _, result in page:
            yield result_from_json(result)
        if len(page) < PAGE:
            return
        last = page[-1][0]


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def unknown_entry() -> JournalError:
    """The error for an entry that was never recorded."""
    return JournalError(
        "The journal holds no such file of the survey.",
        detail="Nothing of this step was written.",
        remedy="This is a mistake in the program: please report it with this message.",
    )
