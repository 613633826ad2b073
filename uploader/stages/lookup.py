"""Asks the catalog what it already holds: rows of files, and the look-ups a spec asks for. Never once per file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol, TypeAlias

from uploader.model.ports import Catalog, Row
from uploader.stages.describe import Candidate, checksum_columns, url_columns
from uploader.stages.rows import canonical
from validation.codes import issue
from validation.model import Issue
from validation.spec.model import ByKey, ByQuery, RuleKind
from validation.spec.render import marker_of, render

Located: TypeAlias = tuple[Candidate, Mapping[str, str]]
"""A candidate and the RIDs of its parents by name, those that exist."""

MOST_ANSWERS = 4096
"""Look-ups whose answers are kept; a spec may make one of the name of every file."""


class Notes(Protocol):
    """Where rows wait for their files: a dataset may have a million of them."""

    def note(self, notes_by_key: Iterable[tuple[str, Row]]) -> None:
        """Keep values under their keys."""

    def noted(self, keys: Sequence[str]) -> Mapping[str, Sequence[Row]]:
        """Key -> the values kept under it; keys without any are not in it."""

    def drop(self) -> None:
        """Forget all of them."""


@dataclass(slots=True)
class Lookups:
    """The spec's look-up queries and their answers; equal queries are asked once, unless there are very many."""

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
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
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


_Keyed: TypeAlias = tuple[Candidate, dict[str, Any]]
"""A candidate and its key columns."""


@dataclass(slots=True)
class HeldRows:
    """Rows of files that the catalog holds, asked for by parent where there is one, else by batches of keys."""

    catalog: Catalog
    notes: Notes
    """Where the rows of the parent at hand are."""
    _parent: str = ""
    _asked: dict[str, str] = field(default_factory=dict)
    """What was asked of the parent at hand -> its number; rules of one dataset may ask for different columns."""

    def of(self, located: Sequence[Located]) -> dict[int, Row]:
        """Entry id -> the row of that file, with at least the columns of interest.

        Files must come ordered by dataset: one parent's rows are held at a time.
        """
        found: dict[int, Row] = {}
        loose: list[_Keyed] = []
        children: list[_Keyed] = []
        for candidate, rids in located:
            if candidate.rule.kind is RuleKind.ROWS:
                continue
            if isinstance(candidate.rule.identity, ByQuery):
                row = self._by_query(candidate)
                if row is not None:
                    found[candidate.entry.entry_id] = row
                continue
            key = candidate.key_columns(rids)
            if key is not None:
                (children if _parent_column(candidate) else loose).append((candidate, key))
        for parent, members in groupby(children, key=lambda one: str(one[1][_parent_column(one[0])])):
            found.update(self._by_parent(parent, list(members)))
        found.update(self._by_values(loose))
        return found

    def _by_parent(self, parent: str, members: Sequence[_Keyed]) -> dict[int, Row]:
        """Look into the rows of one parent, read in pages the first time it comes up."""
        if parent != self._parent:
            self.notes.drop()
            self._asked, self._parent = {}, parent
        places: dict[int, str] = {}
        for candidate, key in members:
            column = _parent_column(candidate)
            rest = [name for name in key if name != column]
            wanted = columns_of_interest(candidate)
            asked = canonical([candidate.table, column, rest, wanted])
            number = self._asked.get(asked)
            if number is None:
                number = str(len(self._asked))
                rows = self.catalog.rows(candidate.table, {column: key[column]}, columns=wanted)
                self.notes.note(_placed(number, rows, rest))
                self._asked[asked] = number
            places[candidate.entry.entry_id] = _place(number, key, rest)
        held = self.notes.noted(list(places.values()))
        # Where a parent has several rows of one key the last one counts.
        return {entry_id: held[place][-1] for entry_id, place in places.items() if place in held}

    def _by_values(self, wanted: Sequence[_Keyed]) -> dict[int, Row]:
        """Look up rows by the key column that tells them apart best, in batches."""
        groups: dict[tuple[str, tuple[str, ...]], list[_Keyed]] = {}
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


def _placed(number: str, rows: Iterable[Row], columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
    for row in rows:
        yield _place(number, row, columns), row


def _place(number: str, row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """What a row, or a file's key, is known by among the answers to what was asked."""
    return number + canonical([str(row.get(column)) for column in columns])


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
