"""An ERMrest catalog as the engine needs it: batched look-ups, rows in atomic batches, facts read once."""

from __future__ import annotations

import copy
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from uploader.model.errors import BadReply
from uploader.model.ports import Clock, Row
from uploader.remote.catalog_facts import SYSTEM_COLUMNS, facts_of
from uploader.remote.ermrest_paths import encoded, filters, look_ups, projection, spec_path, table_path
from uploader.remote.http import Connection
from uploader.remote.retry import CATALOG_RETRY, Repeats, RetryPolicy, retrying
from uploader.remote.row_batches import bodies, first_of_each_key, is_whole, own_keys
from validation.facts import CatalogFacts, TableFacts

_T = TypeVar("_T")
_JSON = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "gzip"}


class ErmrestCatalog:
    """Implements `ports.Catalog`.

    By itself it repeats what passes for half a minute; an engine repeats in its own way (`repeated_by`).
    """

    def __init__(
        self, connection: Connection, catalog_id: str, *, clock: Clock, policy: RetryPolicy = CATALOG_RETRY
    ) -> None:
        self._connection = connection
        self._catalog_id = catalog_id
        self._base = f"/ermrest/catalog/{quote(catalog_id, safe='')}"
        self._repeats: Repeats = _by_itself(policy, clock)
        self._document: Mapping[str, Any] | None = None
        self._facts: CatalogFacts | None = None
        self._reading = threading.Lock()

    def repeated_by(self, repeats: Repeats) -> ErmrestCatalog:
        """The same catalog, with what is known of its model, whose requests go through `repeats`."""
        twin = copy.copy(self)
        twin._repeats = repeats  # noqa: SLF001 - a twin of our own
        return twin

    @property
    def server(self) -> str:
        """Identity of the server: its host, or the UUID of an embedded one."""
        return self._connection.identity

    @property
    def catalog_id(self) -> str:
        """The catalog's id on the server."""
        return self._catalog_id

    def document(self, *, afresh: bool = False) -> Mapping[str, Any]:
        """The whole `/schema` document, from one request that is kept for the run."""
        with self._reading:
            if self._document is None or afresh:
                found = self._retried(lambda: self._connection.json(f"{self._base}/schema"))
                if not isinstance(found, dict):
                    raise BadReply(
                        "The catalog's model can't be read.", status=200, path=f"{self._base}/schema"
                    )
                self._document, self._facts = found, None
            return self._document

    def facts(self) -> CatalogFacts:
        """Tables, columns, keys and rights, from one request that is kept for the run."""
        document = self.document()
        if self._facts is None:
            self._facts = facts_of(document)
        return self._facts

    def annotations(self) -> Mapping[str, Any]:
        """The catalog's annotations."""
        found = self.document().get("annotations")
        return found if isinstance(found, dict) else {}

    def rows_by_key(
        self,
        table: str,
        column: str,
        values: Sequence[Any],
        *,
        where: Row | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows (or only these columns of them) whose `column` is any of `values` and which equal `where`."""
        resource, end = projection(columns)
        base = f"{self._base}/{resource}/{table_path(table)}"
        return [row for path in look_ups(base, column, values, where or {}, end) for row in self._get(path)]

    def rows(
        self, table: str, where: Row, *, columns: Sequence[str] | None = None, page: int = 2000
    ) -> Iterator[dict[str, Any]]:
        """All rows (or only these columns, RID always among them) that equal `where`, in pages by RID."""
        resource, end = projection(None if columns is None else ("RID", *columns))
        condition = f"/{filters(where)}" if where else ""
        base = f"{self._base}/{resource}/{table_path(table)}{condition}{end}@sort(RID)"
        after = ""
        while True:
            found = self._get(f"{base}{after}", query=f"limit={page}")
            yield from found
            if len(found) < page:
                return
            after = f"@after({encoded(found[-1]['RID'])})"

    def query(self, path: str) -> list[dict[str, Any]]:
        """Rows of an ERMrest path as a spec writes it (`/entity/…`, `/attribute/…`)."""
        address, _, query = spec_path(path).partition("?")
        return self._get(f"{self._base}{address}", query=query)

    def insert(self, table: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Insert rows and return those really inserted; rows whose key exists are skipped (match by key).

        Of rows with the same key the first is taken. A batch of at most 1,000 rows is written whole or not at all.
        """
        if not rows:
            return []
        table_facts = self.facts().tables.get(table)
        keys = own_keys(table_facts) if table_facts else ()
        # Skipping existing keys makes a repetition harmless, but only for rows that have one.
        repeatable = bool(keys) and all(any(is_whole(row, key) for key in keys) for row in rows)
        defaults = ",".join(quote(name, safe="") for name in _left_to_the_server(table_facts, rows))
        return self._write(
            "POST",
            f"{self._base}/entity/{table_path(table)}",
            f"defaults={defaults}&onconflict=skip",
            first_of_each_key(rows, keys),
            repeatable=repeatable,
        )

    def update(
        self, table: str, rows: Sequence[Row], *, by: Sequence[str], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Update `columns` of the rows that the `by` columns find; returns the rows changed.

        A row that none is found for is no error to the server: compare the counts. With `RMT` among `by`, only
        rows that nobody has changed since are updated. A column in both lists finds rows and stays as it is.
        """
        targets = [column for column in columns if column not in by]
        if not rows or not targets:
            return []
        names = [",".join(quote(column, safe="") for column in group) for group in (by, targets)]
        # Of two updates of one row the later is meant; the server refuses a batch that holds both.
        latest = first_of_each_key(list(reversed(rows)), [tuple(by)])
        return self._write(
            "PUT",
            f"{self._base}/attributegroup/{table_path(table)}/{names[0]};{names[1]}",
            "",
            [{column: row[column] for column in (*by, *targets)} for row in reversed(latest)],
            repeatable=True,
        )

    def change_model(self, method: str, path: str, document: Any) -> None:
        """POST or PUT a document below the catalog (`/schema/…`, `/annotation/…`); what facts knew is forgotten."""
        body = json.dumps(document, allow_nan=False).encode("ascii")
        self._retried(
            lambda: self._connection.request(
                method, f"{self._base}{path}", headers=_JSON, body=body, repeatable=method == "PUT"
            ),
            repeat_in_doubt=method == "PUT",
            writes=True,
        )
        with self._reading:
            self._document = self._facts = None

    def _get(self, path: str, *, query: str = "") -> list[dict[str, Any]]:
        return _rows(self._retried(lambda: self._connection.json(path, query=query)), path)

    def _write(
        self, method: str, path: str, query: str, rows: Sequence[Row], *, repeatable: bool
    ) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for body in bodies(rows):
            send = functools.partial(
                self._connection.request,
                method,
                path,
                query=query,
                headers=_JSON,
                body=body,
                repeatable=repeatable,
            )
            reply = self._retried(send, repeat_in_doubt=repeatable, writes=True)
            written.extend(_rows(reply.json(), path))
        return written

    def _retried(
        self, request: Callable[[], _T], *, repeat_in_doubt: bool = True, writes: bool = False
    ) -> _T:
        return self._repeats(request, repeat_in_doubt=repeat_in_doubt, writes=writes)


def _by_itself(policy: RetryPolicy, clock: Clock) -> Repeats:
    def repeated(request: Callable[[], _T], *, repeat_in_doubt: bool = True, writes: bool = False) -> _T:
        return retrying(request, policy=policy, clock=clock, repeat_in_doubt=repeat_in_doubt)

    return repeated


def _rows(document: Any, path: str) -> list[dict[str, Any]]:
    if isinstance(document, list) and all(isinstance(row, dict) for row in document):
        return document
    error = BadReply("The catalog's answer is not a list of rows.", status=200, path=path)
    error.in_doubt = True
    raise error


def _left_to_the_server(table: TableFacts | None, rows: Sequence[Row]) -> list[str]:
    """Columns that the server fills: its own, and those with a default that no row mentions."""
    given = {column for row in rows for column in row}
    others = table.columns.values() if table else ()
    return [
        *SYSTEM_COLUMNS,
        *(
            column.name
            for column in others
            if column.has_default and column.name not in given and column.name not in SYSTEM_COLUMNS
        ),
    ]
