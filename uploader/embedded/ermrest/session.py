"""One SQLite connection with the functions and limits that queries need."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import regex

from uploader.embedded.ermrest.errors import Refusal, damaged, malformed
from uploader.embedded.ermrest.types import BadValue, Stored, column_type

QUERY_TIME_LIMIT_S = 60.0
REGEXP_TIME_LIMIT_S = 2.0
"""For all rows of one query together."""
_STEPS_BETWEEN_CLOCK_LOOKS = 20_000


class Session:
    """A connection; use it from one thread at a time."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        # Transactions are begun and ended by hand: Python's implicit ones would split a batch.
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._refusal: Refusal | None = None
        self._query_ends = 0.0
        self._regexp_left_s = 0.0
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "temp_store=MEMORY"):
            self._connection.execute(f"PRAGMA {pragma}")
        if not writes:
            self._connection.execute("PRAGMA query_only=ON")
        self._connection.create_function("nf_regexp", 3, self._regexp)
        self._connection.create_function("nf_json", 2, _json_of, deterministic=True)
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_CLOCK_LOOKS)

    def rows(self, sql: str, values: Sequence[Stored] = ()) -> Iterator[tuple[Any, ...]]:
        """Runs a statement and yields its rows; raises Refusal (400) when it takes too long."""
        self._start_clock()
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            self._raise_refusal(error)
            raise

    def run(self, sql: str, values: Sequence[Stored] = ()) -> int:
        """Runs a statement and returns the number of rows it changed."""
        self._start_clock()
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite3.Error as error:
            self._raise_refusal(error)
            raise

    def run_many(self, sql: str, batches: Iterable[Sequence[Stored]]) -> None:
        """Runs a statement once for each set of values; raises sqlite3.IntegrityError for a key that exists."""
        self._start_clock()
        try:
            self._connection.executemany(sql, batches)
        except sqlite3.Error as error:
            self._raise_refusal(error)
            raise

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def _start_clock(self) -> None:
        self._refusal = None
        self._query_ends = time.monotonic() + QUERY_TIME_LIMIT_S
        self._regexp_left_s = REGEXP_TIME_LIMIT_S

    def _raise_refusal(self, error: sqlite3.Error) -> None:
        if self._refusal is not None:
            raise self._refusal from error
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise malformed("Query run time limit exceeded.") from error
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise damaged() from error
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise Refusal(
                507,
                "the disk of the catalog is full; nothing was written. Free some space, then send it again.",
            ) from error

    def _is_late(self) -> bool:
        return time.monotonic() > self._query_ends

    def _regexp(self, pattern: str, text: Stored, ignore_case: int) -> bool | None:
        if text is None:
            return None
        began = time.monotonic()
        try:
            compiled = _compiled(pattern, ignore_case)
            found = compiled.search(str(text), timeout=max(self._regexp_left_s, 0.001))
        except TimeoutError:
            self._refusal = malformed(f'regular expression "{pattern}" takes too long')
            raise
        except regex.error as error:
            self._refusal = malformed(f"invalid regular expression: {error}")
            raise
        self._regexp_left_s -= time.monotonic() - began
        return found is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str, ignore_case: int) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)


def _json_of(type_name: str, value: Stored) -> str:
    if value is None:
        return "null"
    try:
        return column_type(type_name).to_json(value)
    except (BadValue, KeyError):  # pragma: no cover - the compiler names only types that exist
        return "null"
