"""Asks the catalog what it already holds: rows of files, and the look-ups a spec asks for. Never once per file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from uploader.model.ports import Catalog, Row
from uploader.stages.describe import Candidate, checksum_columns, url_columns
from uploader.stages.rows import canonical
from validation.codes import issue
from validation.model import Issue
from validation.spec.model import ByKey, ByQuery, RuleKind
from validation.spec.render import marker_of, render

Located: TypeAlias = tuple[Candidate, Mapping[str, str]]
"""A candidate and the RIDs of its parents by name, those that exist."""


@dataclass(slots=True)
class Lookups:
    """The spec's look-up queries and their answers; equal queries are asked once in a run."""

    catalog: Catalog
    _answers: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)

    def apply(self, candidate: Candidate) -> tuple[Candidate, tuple[Issue, ...]]:
        """The candidate with the answers among its values, and a finding for each query without an answer."""
        found: list[Issue] = []
        for template in candidate.rule.lookups:
            query = render(template, candidate.values, safe=candidate.rule.safe_characters)
            if query is None:
                found.append(self._missing(candidate, template, "a value it needs is missing"))
                continue
            row = self._ask(query)
            if row is None:
                found.append(self._missing(candidate, query, "the catalog holds no such record"))
            else:
                candidate = candidate.with_values(row)
        return candidate, tuple(found)

    def _ask(self, query: str) -> Mapping[str, Any] | None:
        if query not in self._answers:
            rows = self.catalog.query(query)
            self._answers[query] = rows[0] if rows else None
        return self._answers[query]

    @staticmethod
    def _missing(candidate: Candidate, query: str, why: str) -> Issue:
        return issue(
            "catalog.record_missing",
            f"{why}: {query}",
            path=candidate.entry.source.path,
            group=f"record:query:{query}",
            origin="lookup",
        )


@dataclass(slots=True)
class HeldRows:
    """Rows of files that the catalog holds, asked for by parent where there is one, else by batches of keys."""

    catalog: Catalog
    _parent: str = ""
    _rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    """What was asked of the parent at hand -> its rows; rules of one dataset may ask for different columns."""

    def of(self, located: Sequence[Located]) -> dict[int, Row]:
        """Entry id -> the row of that file, with at least the columns of interest.

        Files must come ordered by dataset: one parent's rows are held at a time.
        """
        found: dict[int, Row] = {}
        loose: list[tuple[Candidate, dict[str, Any]]] = []
        for candidate, rids in located:
            if candidate.rule.kind is RuleKind.ROWS:
                continue
            if isinstance(candidate.rule.identity, ByQuery):
                row = self._by_query(candidate)
                if row is not None:
                    found[candidate.entry.entry_id] = row
                continue
            key = candidate.key_columns(rids)
            if key is None:
                continue
            parent = _parent_column(candidate)
            if not parent:
                loose.append((candidate, key))
                continue
            row = self._by_parent(candidate, parent, key)
            if row is not None:
                found[candidate.entry.entry_id] = row
        found.update(self._by_values(loose))
        return found

    def _by_parent(self, candidate: Candidate, parent: str, key: Mapping[str, Any]) -> Row | None:
        """Look into the rows of one parent, read in pages the first time it comes up."""
        rest = [column for column in key if column != parent]
        wanted = columns_of_interest(candidate)
        if key[parent] != self._parent:
            self._rows, self._parent = {}, key[parent]
        asked = canonical([candidate.table, parent, rest, wanted])
        if asked not in self._rows:
            rows = self.catalog.rows(candidate.table, {parent: key[parent]}, columns=wanted)
            self._rows[asked] = {canonical([str(row.get(column)) for column in rest]): row for row in rows}
        return self._rows[asked].get(canonical([str(key[column]) for column in rest]))

    def _by_values(self, wanted: Sequence[tuple[Candidate, dict[str, Any]]]) -> dict[int, Row]:
        """Look up rows by the key column that tells them apart best, in batches."""
        groups: dict[tuple[str, tuple[str, ...]], list[tuple[Candidate, dict[str, Any]]]] = {}
        for candidate, key in wanted:
            columns = (*key, "", *columns_of_interest(candidate))
            groups.setdefault((candidate.table, columns), []).append((candidate, key))
        found: dict[int, Row] = {}
        for (table, _), members in groups.items():
            columns = tuple(members[0][1])
            asked = max(columns, key=lambda column: len({str(key[column]) for _, key in members}))
            values = list(dict.fromkeys(key[asked] for _, key in members))
            # What all of them share narrows the answer: a name alone may be that of thousands of other rows.
            where = {
                column: members[0][1][column]
                for column in columns
                if column != asked and len({str(key[column]) for _, key in members}) == 1
            }
            interest = columns_of_interest(members[0][0])
            rows = self.catalog.rows_by_key(table, asked, values, where=where or None, columns=interest)
            by_key = {canonical([str(row.get(column)) for column in columns]): row for row in rows}
            for candidate, key in members:
                row = by_key.get(canonical([str(key[column]) for column in columns]))
                if row is not None:
                    found[candidate.entry.entry_id] = row
        return found

    def _by_query(self, candidate: Candidate) -> Row | None:
        query = candidate.row_query
        if not query:
            return None
        rows = self.catalog.query(query)
        return rows[0] if rows else None


def whole_rows(catalog: Catalog, table: str, rids: Sequence[str]) -> dict[str, Row]:
    """RID -> the row with all its columns."""
    return {str(row["RID"]): row for row in catalog.rows_by_key(table, "RID", rids)}


def columns_of_interest(candidate: Candidate) -> list[str]:
    """The columns a decision needs of every row: key, checksums, and where the object lies."""
    identity = candidate.rule.identity
    key = tuple(identity.columns) if isinstance(identity, ByKey) else ()
    previews = tuple(name for name, template in candidate.rule.columns.items() if template == "{preview_url}")
    wanted = ("RID", *key, *checksum_columns(candidate.rule), *url_columns(candidate.rule), *previews)
    return list(dict.fromkeys(wanted))


def _parent_column(candidate: Candidate) -> str:
    """The key column that holds a parent's RID, or empty."""
    identity = candidate.rule.identity
    if not isinstance(identity, ByKey):
        return ""
    return next((column for column, template in identity.columns.items() if marker_of(template)), "")
