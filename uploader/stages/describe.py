"""Puts together all that is known of a file before it is sent: template values, parents, key, row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from uploader.model.entries import Entry
from uploader.model.files import Digest, Root
from uploader.stages.parents import Known, Need, needs
from uploader.stages.rows import canonical
from validation.instruments.model import Header
from validation.spec.media import media_type
from validation.spec.model import ByKey, ByQuery, Match, Rule, RuleKind, Spec
from validation.spec.render import (
    computed_values,
    digest_values,
    file_values,
    header_values,
    marker_of,
    names,
    object_values,
    render,
    render_columns,
    table_name,
)

AFTER_STORING = frozenset({"URI", "URL", "url", "object_name", "preview_url"})
"""Values that exist once the object is stored; columns with them say nothing about the file itself."""

URL_TEMPLATES = frozenset({"{URI}", "{URL}", "{url}"})

MOMENT = frozenset(
    {"_upload_year_", "_upload_month_", "_upload_day_", "_upload_time_"}
    | {"_identity_id", "_identity_display_name", "_identity_full_name", "_identity_email"}
)
"""Values of the upload, not of the file: a column with them never makes a row differ."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that a rule took, with everything its templates may use so far."""

    entry: Entry
    root: Root
    rule: Rule
    match: Match
    header: Header | None
    media_type: str
    values: Mapping[str, Any]
    parents: tuple[Need, ...]
    record: Mapping[str, Any] = field(default_factory=dict)
    """The file's metadata document (`@record`)."""
    digest: Digest | None = None
    _worked_out: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The row key once somebody asked for it: the passes of a survey ask several times."""

    @property
    def table(self) -> str:
        """`schema:table` of the row, names taken from the path filled in; empty when a part is missing."""
        table = self.rule.table
        if "{" not in table.schema + table.table:
            return str(table)
        named = table_name(self.rule, self.values)
        return "" if named is None else str(named)

    @property
    def row_key(self) -> str:
        """Canonical identity of the row at its target; empty while it depends on a digest not yet known."""
        if "row_key" not in self._worked_out:
            self._worked_out["row_key"] = self._row_key()
        return self._worked_out["row_key"]

    def _row_key(self) -> str:
        identity = None if self.rule.kind is RuleKind.ROWS else self.rule.identity
        if isinstance(identity, ByQuery):
            return self.row_query
        if identity is None:
            # Where the file lies in its volume, so that overlapping folders name it alike.
            folder = self.root.inside or self.root.path.as_posix()
            path = f"{folder.rstrip('/')}/{self.entry.source.path}"
            return canonical({"path": path, "volume": self.root.volume_id})
        keys = {need.rule.name: need.key for need in self.parents}
        parts: dict[str, str] = {}
        for column, template in identity.columns.items():
            marker = marker_of(template)
            value = keys.get(marker) if marker else render(template, self.values)
            if value is None:
                return ""
            parts[column] = value
        return canonical(parts)

    @property
    def row_query(self) -> str:
        """The query that finds the row, where the spec gives one; empty while a value of it is missing."""
        if not isinstance(self.rule.identity, ByQuery):
            return ""
        return render(self.rule.identity.template, self.values, safe=self.rule.safe_characters) or ""

    @property
    def held_url(self) -> str:
        """The object's URL as the catalog's row holds it; empty when it holds none."""
        row = self.entry.row
        return next((str(row[column]) for column in url_columns(self.rule) if row.get(column)), "")

    def key_columns(self, rids: Mapping[str, str]) -> dict[str, Any] | None:
        """The row's key as the catalog holds it, or None while a parent or a value is missing."""
        if not isinstance(self.rule.identity, ByKey):
            return None
        key = render_columns(self.rule.identity.columns, self.values, rids)
        return key if len(key) == len(self.rule.identity.columns) else None

    def hashed(self, digest: Digest) -> Candidate:
        """The same file with its digest known, and the values that depend on it."""
        values = {**self.values, **digest_values(digest.md5, digest.sha256)}
        return replace(self, values=computed_values(self.rule, values), digest=digest)

    def with_values(self, more: Mapping[str, Any]) -> Candidate:
        """The same file with the results of look-ups among its values."""
        return replace(self, values=computed_values(self.rule, {**self.values, **more}))


def describe(
    entry: Entry,
    root: Root,
    spec: Spec,
    match: Match,
    header: Header | None,
    *,
    record: Mapping[str, Any],
    digest: Digest | None,
    known_parents: Known | None = None,
    identity: Mapping[str, str] | None = None,
) -> Candidate:
    """Everything that path, disk, header and cache say of a file; `identity` is the session's client."""
    rule = spec.rule(match.rule)
    kind = media_type(rule, entry.source.path)
    values = file_values(
        rule,
        match,
        path=entry.source.path,
        size_bytes=entry.source.size_bytes,
        mtime_ns=entry.source.mtime_ns,
        media_type=kind,
        identity=identity,
    )
    if header is not None:
        values |= header_values(header)
    candidate = Candidate(
        entry, root, rule, match, header, kind, values, needs(spec, values, known_parents), record=record
    )
    return candidate if digest is None else candidate.hashed(digest)


def row_of(
    candidate: Candidate, rids: Mapping[str, str], columns: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The row as far as it is known; columns whose value is missing are left out."""
    header = {} if candidate.header is None else _plain(candidate.header)
    return render_columns(
        candidate.rule.columns if columns is None else columns,
        candidate.values,
        rids,
        specials={"record": candidate.record, "header": header},
        safe=candidate.rule.safe_characters,
    )


def lasting_row(candidate: Candidate, rids: Mapping[str, str]) -> dict[str, Any]:
    """The columns that speak of the file itself: neither of the moment of upload nor of where the object lies."""
    return row_of(candidate, rids, _lasting_columns(candidate.rule))


@lru_cache(maxsize=1024)
def _lasting_columns(rule: Rule) -> dict[str, Any]:
    return columns_without(rule, AFTER_STORING | MOMENT)


def columns_without(rule: Rule, banned: frozenset[str]) -> dict[str, Any]:
    """The rule's columns whose templates need none of these values, computed ones followed to their sources."""
    tainted = set(banned)
    for name, template in rule.computed.items():
        if names(template) & tainted:
            tainted.add(name)
    return {
        column: template
        for column, template in rule.columns.items()
        if not isinstance(template, str) or marker_of(template) or not names(template) & tainted
    }


def columns_to_update(rule: Rule, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns of `row` that may be written over an existing one: all, unless the spec names them."""
    if rule.update is not None:
        return tuple(name for name in rule.update if name in row)
    # DERIVA's form gives the address of the update, `/attributegroup/SCHEMA:TABLE/KEY;COLUMN,COLUMN`.
    template = str(rule.extras.get("record_update_template", ""))
    if not template.startswith("/attributegroup/"):
        return tuple(row)
    _, _, named = template.rpartition("/")[2].partition(";")
    wanted = {unquote(name.partition(":=")[2] or name) for name in named.split(",") if name}
    return tuple(name for name in row if name in wanted) if wanted else tuple(row)


@lru_cache(maxsize=1024)
def checksum_columns(rule: Rule) -> tuple[str, ...]:
    """Columns that hold the file's MD5 or SHA-256 in hex and nothing else."""
    return tuple(column for column, template in rule.columns.items() if template in ("{md5}", "{sha256}"))


@lru_cache(maxsize=1024)
def url_columns(rule: Rule) -> tuple[str, ...]:
    """Columns that say where the object lies."""
    return tuple(
        column
        for column, template in rule.columns.items()
        if isinstance(template, str) and template in URL_TEMPLATES
    )


def lacks_object(rule: Rule, row: Mapping[str, Any] | None) -> bool:
    """Whether a row that should say where its object lies says nothing."""
    columns = url_columns(rule) if rule.object is not None else ()
    return row is not None and bool(columns) and not any(row.get(column) for column in columns)


def stored_row(candidate: Candidate, rids: Mapping[str, str], url: str, preview_url: str) -> dict[str, Any]:
    """The whole row, once the object is stored under the versioned `url`."""
    values = object_values(candidate.rule, url, candidate.values) if url else dict(candidate.values)
    if preview_url:
        values["preview_url"] = preview_url
    return row_of(replace(candidate, values=values), rids)


def _plain(header: Header) -> dict[str, Any]:
    return {
        name: list(found.value) if isinstance(found.value, tuple) else found.value
        for name, found in header.fields.items()
    }
