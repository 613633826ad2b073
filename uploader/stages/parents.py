"""The rows that files refer to (Project, Sample, Dataset): which are needed, which exist, which to create."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from uploader.model.ports import Catalog, Row
from uploader.stages.rows import canonical
from validation.codes import issue
from validation.model import Issue
from validation.spec.model import RecordRule, Spec
from validation.spec.render import names, render


@dataclass(frozen=True, slots=True)
class Reference:
    """A key column that holds the RID of another parent."""

    name: str
    key: str
    """The other parent's record key."""


@dataclass(frozen=True, slots=True)
class Need:
    """One parent row that files need, identified without asking the catalog."""

    key: str
    """`record:NAME:{…}`: the `Issue.group` of findings about it."""
    rule: RecordRule
    identity: Mapping[str, str | Reference]
    """Key column -> its value, or the parent whose RID it holds."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What the further columns use of the template values of the first file that needs it, and its `dataset`."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Names of the parents before it -> their record keys."""

    @property
    def shown(self) -> str:
        """The row in words: `Sample S-017`."""
        plain = [value for value in self.identity.values() if isinstance(value, str)]
        return f"{self.rule.name} {', '.join(plain)}"


Known: TypeAlias = dict[tuple[str, ...], tuple[Need, ...]]
"""Values that tell parents apart -> the parents, as the first file with these values gave them."""

MOST_KNOWN = 1000
"""Files come ordered by dataset: those of long ago are not asked for again."""


def needs(spec: Spec, values: Mapping[str, Any], known: Known | None = None) -> tuple[Need, ...]:
    """The parents of a file with these template values, in dependency order.

    A parent whose key has no value for this file (an optional part of the path) is left out. With `known`, files
    of one dataset share what was worked out for the first of them.
    """
    if known is None:
        return _worked_out(spec, values)
    # As text: a header may give a list.
    told_apart = tuple(repr(values.get(name)) for name in _key_names(spec))
    found = known.get(told_apart)
    if found is None:
        if len(known) >= MOST_KNOWN:
            known.clear()
        found = known[told_apart] = _worked_out(spec, values)
    return found


@lru_cache(maxsize=64)
def _key_names(spec: Spec) -> tuple[str, ...]:
    """Every value that the keys of the spec's parents use."""
    templates = [one for rule in spec.records for one in rule.key.values() if not one.startswith("@")]
    return tuple(sorted(frozenset[str]().union(*map(names, templates))))


@lru_cache(maxsize=64)
def _column_names(spec: Spec) -> Mapping[str, frozenset[str]]:
    """Record name -> every value that its further columns use, and `dataset`: a need outlives its file."""
    return {
        rule.name: frozenset({"dataset"}).union(
            *(names(template) for template in rule.columns.values() if isinstance(template, str))
        )
        for rule in spec.records
    }


def _worked_out(spec: Spec, values: Mapping[str, Any]) -> tuple[Need, ...]:
    found: list[Need] = []
    keys: dict[str, str] = {}
    for rule in spec.records:
        identity = _identity(rule, values, keys)
        if identity is None:
            continue
        parts = {
            column: value.key if isinstance(value, Reference) else value for column, value in identity.items()
        }
        used = _column_names(spec)[rule.name]
        kept = {name: value for name, value in values.items() if name in used}
        need = Need(f"record:{rule.name}:{canonical(parts)}", rule, identity, kept, dict(keys))
        keys[rule.name] = need.key
        found.append(need)
    return tuple(found)


def _identity(
    rule: RecordRule, values: Mapping[str, Any], keys: Mapping[str, str]
) -> dict[str, str | Reference] | None:
    identity: dict[str, str | Reference] = {}
    for column, template in rule.key.items():
        if template.startswith("@"):
            name = template[1:]
            if name not in keys:
                return None
            identity[column] = Reference(name, keys[name])
        else:
            value = render(template, values)
            if not value:
                return None
            identity[column] = value
    return identity


def look_up(catalog: Catalog, wanted: Iterable[Need], found: Mapping[str, Row]) -> dict[str, Row]:
    """Record key -> row for those of `wanted` that the catalog holds; asks once per batch of keys, not per row.

    `found` are the rows of parents before these (their RIDs fill references). Needs whose own parent is missing
    are missing too and are not asked for.
    """
    groups: dict[tuple[str, str, str], list[tuple[Need, dict[str, str]]]] = {}
    for need in wanted:
        key = _resolved(need, found)
        if key is None:
            continue
        asked = next(
            (name for name, value in need.identity.items() if isinstance(value, str)), next(iter(key))
        )
        rest = {name: value for name, value in key.items() if name != asked}
        groups.setdefault((str(need.rule.table), asked, canonical(rest)), []).append((need, key))
    rows: dict[str, Row] = {}
    for (table, asked, _), members in groups.items():
        first = members[0][1]
        where = {name: value for name, value in first.items() if name != asked}
        answered = catalog.rows_by_key(
            table, asked, list(dict.fromkeys(key[asked] for _, key in members)), where=where or None
        )
        by_value = {str(row.get(asked)): row for row in answered}
        for need, key in members:
            row = by_value.get(key[asked])
            if row is not None:
                rows[need.key] = row
    return rows


def resolve(catalog: Catalog, spec: Spec, wanted: Mapping[str, Need]) -> dict[str, Row]:
    """Record key -> row for every needed parent that exists, parents before children."""
    rows: dict[str, Row] = {}
    for rule in spec.records:
        rows.update(look_up(catalog, [need for need in wanted.values() if need.rule is rule], rows))
    return rows


def missing(wanted: Mapping[str, Need], rows: Mapping[str, Row]) -> list[Issue]:
    """A finding for each parent that must exist and does not; it holds the files that refer to it."""
    return [
        issue(
            "catalog.record_missing",
            f"{need.shown} is not in {need.rule.table}",
            group=need.key,
            origin="parents",
        )
        for need in wanted.values()
        if need.key not in rows and not need.rule.create
    ]


def columns_to_create(need: Need, found: Mapping[str, Row]) -> dict[str, str] | None:
    """The key columns of a parent to be created, or None while one of its own parents is missing."""
    return _resolved(need, found)


def rids_of(parents: Iterable[Need], rows: Mapping[str, Row]) -> dict[str, str]:
    """Parent name -> RID, for those that exist."""
    return {need.rule.name: str(rows[need.key]["RID"]) for need in parents if need.key in rows}


def _resolved(need: Need, found: Mapping[str, Row]) -> dict[str, str] | None:
    key: dict[str, str] = {}
    for column, value in need.identity.items():
        if isinstance(value, str):
            key[column] = value
        elif value.key in found:
            key[column] = str(found[value.key]["RID"])
        else:
            return None
    return key
