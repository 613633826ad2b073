"""The spec against the live catalog: tables, columns, columns that may not be empty, rights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from validation.codes import issue
from validation.facts import CatalogFacts
from validation.model import Issue
from validation.spec.model import ByKey, RuleKind, Spec

SYSTEM_COLUMNS = frozenset({"RID", "RCT", "RMT", "RCB", "RMB"})


def _writes(spec: Spec) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    """(who, table, columns it writes or looks up, whether it may insert) for each record and rule.

    A table whose name the path decides (`{table}`) is known only file by file and left out.
    """
    for who, table, columns, inserts in _all_writes(spec):
        if "{" not in table:
            yield who, table, columns, inserts


def _all_writes(spec: Spec) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    for record in spec.records:
        yield f"record {record.name}", str(record.table), {**record.key, **record.columns}, record.create
    for rule in spec.rules:
        keys = rule.identity.columns if isinstance(rule.identity, ByKey) else {}
        yield f"rule {rule.id}", str(rule.table), {**keys, **rule.columns, **(rule.update or {})}, True


def tables_exist(spec: Spec, facts: CatalogFacts) -> Iterator[Issue]:
    """A finding for each table of the spec that the catalog lacks."""
    for table in sorted({table for _, table, _, _ in _writes(spec)} - set(facts.tables)):
        near = _nearest(table, facts.tables)
        yield issue(
            "catalog.table_missing",
            f"the catalog has no table {table}" + (f"; it has {near}" if near else ""),
            field=table,
            origin="tables_exist",
        )


def columns_exist(spec: Spec, facts: CatalogFacts) -> Iterator[Issue]:
    """A finding for each column of the spec that its table lacks."""
    for who, table, columns, _ in _writes(spec):
        known = facts.tables.get(table)
        if known is None:
            continue
        for column in sorted(set(columns) - set(known.columns) - SYSTEM_COLUMNS):
            near = _nearest(column, known.columns)
            yield issue(
                "catalog.column_missing",
                f"{who} writes column {column!r}, which {table} does not have"
                + (f"; did you mean {near!r}?" if near else ""),
                field=f"{table}:{column}",
                origin="columns_exist",
            )


def required_columns_filled(spec: Spec, facts: CatalogFacts) -> Iterator[Issue]:
    """A finding for each column that may not be empty, has no default and is not in the column map."""
    kinds = {f"rule {rule.id}": rule.kind for rule in spec.rules}
    for who, table, columns, inserts in _writes(spec):
        known = facts.tables.get(table)
        # The columns of a CSV or JSON of rows are known only once it is read.
        if known is None or not inserts or kinds.get(who) is RuleKind.ROWS:
            continue
        for column in known.columns.values():
            if column.nullok or column.has_default or column.name in SYSTEM_COLUMNS or column.name in columns:
                continue
            yield issue(
                "catalog.column_required",
                f"{who} gives no value to {column.name!r} ({column.type}), which {table} requires",
                field=f"{table}:{column.name}",
                origin="required_columns_filled",
            )


def rights(spec: Spec, facts: CatalogFacts) -> Iterator[Issue]:
    """A finding for each table into which this login may not insert; unknown rights are no finding."""
    for table in sorted({table for _, table, _, inserts in _writes(spec) if inserts}):
        known = facts.tables.get(table)
        if known is not None and known.may_insert is False:
            yield issue(
                "catalog.no_right",
                f"this login may not insert into {table}",
                field=table,
                origin="rights",
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like it whatever the case, or empty."""
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, n=1)
    return folded[near[0]] if near else ""
