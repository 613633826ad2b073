"""A catalog as `catalog init` would make it: the model and no rows. For runs that must not make it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uploader.model.ports import Row
from uploader.remote.catalog_facts import facts_of
from validation.facts import CatalogFacts


@dataclass(frozen=True, slots=True)
class UnmadeCatalog:
    """Answers every question as the catalog would right after it was made; takes nothing."""

    server: str
    catalog_id: str
    model: Mapping[str, Any]
    """The model document, in the form of ERMrest's `/schema`."""

    def facts(self) -> CatalogFacts:
        """Tables, columns and keys of the model."""
        return facts_of(self.model)

    def annotations(self) -> Mapping[str, Any]:
        """None yet."""
        return {}

    def rows_by_key(
        self,
        table: str,
        column: str,
        values: Sequence[Any],
        *,
        where: Row | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """No rows yet."""
        return []

    def rows(
        self,
        table: str,
        where: Row,
        *,
        columns: Sequence[str] | None = None,
        page: int = 2000,
    ) -> Iterator[dict[str, Any]]:
        """No rows yet."""
        return iter(())

    def query(self, path: str) -> list[dict[str, Any]]:
        """No rows yet."""
        return []

    def insert(self, table: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Never: the run sends nothing."""
        raise AssertionError(f"a run that sends nothing wrote {len(rows)} rows to {table}")

    def update(
        self, table: str, rows: Sequence[Row], *, by: Sequence[str], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Never: the run sends nothing."""
        raise AssertionError(
            f"a run that sends nothing updated {columns} by {by} of {len(rows)} rows in {table}"
        )
