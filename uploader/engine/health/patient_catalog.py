"""A catalog that tries again: waits out outages, lets one thread write at a time, and asks who it reads as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol, TypeVar

from uploader.engine.health.host import HostHealth
from uploader.model.errors import NotSignedIn
from uploader.model.ports import Catalog, Row
from uploader.remote.retry import TRANSFER_RETRY, Repeats, RetryPolicy
from validation.facts import CatalogFacts

T = TypeVar("T")


class RepeatedCatalog(Catalog, Protocol):
    """A catalog that lets somebody else repeat its requests.

    It knows which of them may be repeated: a call may be several requests, and an insert into a table without a key
    must not be repeated as a whole after the first of them was carried out.
    """

    def repeated_by(self, repeats: Repeats) -> Catalog:
        """The same catalog, whose requests go through `repeats`."""


class PatientCatalog:
    """A Catalog over another one.

    What may have been inserted into a table without a key of its own is not repeated: the error comes back with
    `in_doubt`, and who knows how such a row is found looks for it (`stages.register`).
    """

    def __init__(
        self, catalog: RepeatedCatalog, health: HostHealth, policy: RetryPolicy = TRANSFER_RETRY
    ) -> None:
        self._catalog = catalog.repeated_by(health.repeats(policy))
        self._health = health
        # Overlapping transactions abort each other, even on different tables; parents and rows come from
        # different threads.
        self._writing = Lock()

    @property
    def server(self) -> str:
        """Identity of the server."""
        return self._catalog.server

    @property
    def catalog_id(self) -> str:
        """The catalog's id on the server."""
        return self._catalog.catalog_id

    def facts(self) -> CatalogFacts:
        """See Catalog."""
        return self._catalog.facts()

    def annotations(self) -> Mapping[str, Any]:
        """See Catalog."""
        return self._catalog.annotations()

    def rows_by_key(
        self,
        table: str,
        column: str,
        values: Sequence[Any],
        *,
        where: Row | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """See Catalog; read again when the login proves to have been dead."""
        return self._health.trusted(
            lambda: self._catalog.rows_by_key(table, column, values, where=where, columns=columns)
        )

    def rows(
        self, table: str, where: Row, *, columns: Sequence[str] | None = None, page: int = 2000
    ) -> Iterator[dict[str, Any]]:
        """See Catalog; raises NotSignedIn when the login was dead for a part of the pages."""
        lapses = self._health.lapses
        yield from self._catalog.rows(table, where, columns=columns, page=page)
        self._health.trusted(lambda: None)
        if self._health.lapses != lapses:
            raise NotSignedIn(
                "The login ended while rows were read.",
                detail="What was read may lack rows; nothing was written because of it.",
                remedy="Run the same command again.",
            )

    def query(self, path: str) -> list[dict[str, Any]]:
        """See Catalog; read again when the login proves to have been dead."""
        return self._health.trusted(lambda: self._catalog.query(path))

    def insert(self, table: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """See Catalog; one thread at a time. An error that is `in_doubt`: look for the rows first."""
        return self._alone(lambda: self._catalog.insert(table, rows))

    def update(
        self, table: str, rows: Sequence[Row], *, by: Sequence[str], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """See Catalog; one thread at a time."""
        return self._alone(lambda: self._catalog.update(table, rows, by=by, columns=columns))

    def _alone(self, write: Callable[[], T]) -> T:
        with self._writing:
            return write()
