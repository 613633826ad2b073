"""Fills the templates of a rule: values of a file, columns of its row, parents, look-up queries."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from validation.instruments.model import Header
from validation.spec import placeholders
from validation.spec.media import file_ext
from validation.spec.model import ByKey, Match, ObjectRule, Rule, SpecForm, TableName

URLENCODED = "_urlencoded"
DIGEST_NAMES = frozenset({"md5", "sha256", "md5_base64", "sha256_base64"})
FILE_NAMES = frozenset(
    {
        *("file_name", "base_name", "file_ext", "file_size", "base_path", "source_path", "mtime", "mtime_ns"),
        *("media_type", "path", "dataset", "rule", "role", "companion_set"),
        *("target_table", "schema", "table"),
        *("_upload_year_", "_upload_month_", "_upload_day_", "_upload_time_"),
        *("_identity_id", "_identity_display_name", "_identity_full_name", "_identity_email"),
    }
)
"""Names known before a file is read."""
_FIXED_NAMES = frozenset(
    name
    for name in FILE_NAMES
    if name.startswith("_") or name in {"file_name", "file_size", "base_name", "base_path", "target_table"}
)
OBJECT_NAMES = frozenset({"URI", "URL", "url", "object_name", "preview_url", "content-disposition"})
"""Names known once the object is stored."""
SIBLING = "file:"
"""`@file:PATH` is the record of the file with that Path in the same dataset; empty until there is one."""


def names(template: str) -> frozenset[str]:
    """The names a template needs, `NAME_urlencoded` counted as NAME."""
    return frozenset(name.removesuffix(URLENCODED) for name in placeholders.names(template))


def render(template: str, values: Mapping[str, Any], *, safe: Mapping[str, str] | None = None) -> str | None:
    """The template filled in, or None when a needed value is missing; `NAME_urlencoded` encodes NAME.

    `safe` is `Rule.safe_characters`.
    """
    return placeholders.fill(template, _Encoding(values, safe or {}))


class _Encoding(Mapping[str, Any]):
    """Values by name that make `NAME_urlencoded` only when a template asks for it."""

    def __init__(self, values: Mapping[str, Any], safe: Mapping[str, str]) -> None:
        self._values = values
        self._safe = safe

    def __getitem__(self, name: str) -> Any:
        if name in self._values or not name.endswith(URLENCODED):
            return self._values[name]
        plain = name.removesuffix(URLENCODED)
        text = placeholders.written(self._values[plain])
        return None if text is None else url_encoded(text, self._safe.get(plain, ""))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@lru_cache(maxsize=4096)
def url_encoded(text: str, safe: str = "") -> str:
    """Percent-encoded for a URL; bytes that are not UTF-8 on disk keep their byte values."""
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe)


def value_of(template: Any, values: Mapping[str, Any], *, safe: Mapping[str, str] | None = None) -> Any:
    """A column's value: one placeholder alone keeps the value's type, a mixture is text, else a literal."""
    if not isinstance(template, str):
        return template
    name = placeholders.only(template)
    if name is not None and not name.endswith(URLENCODED):
        return values.get(name)
    return render(template, values, safe=safe)


def render_columns(
    columns: Mapping[str, Any],
    values: Mapping[str, Any],
    parents: Mapping[str, Any],
    *,
    specials: Mapping[str, Any] | None = None,
    safe: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The row: column -> value; a column whose value is missing is left out.

    `@NAME` is looked up in `specials` (`record`, `header`) and then in `parents` (record name -> key value);
    `@file:PATH` in `parents` under the rendered `file:PATH`; `@@text` is the text `@text`.
    """
    row: dict[str, Any] = {}
    for column, template in columns.items():
        marker = marker_of(template)
        if marker:
            name = render(marker, values, safe=safe) if marker.startswith(SIBLING) else marker
            value = (specials or {}).get(name or "", parents.get(name or ""))
        elif isinstance(template, str) and template.startswith("@@"):
            value = render(template[1:], values, safe=safe)
        else:
            value = value_of(template, values, safe=safe)
        if value is not None:
            row[column] = value
    return row


def marker_of(template: Any) -> str:
    """The name behind `@` when the template is a marker (`@record`, `@Dataset`), else empty."""
    if isinstance(template, str) and template.startswith("@") and not template.startswith("@@"):
        return template[1:]
    return ""


def file_values(
    rule: Rule,
    match: Match,
    *,
    path: str,
    size_bytes: int,
    mtime_ns: int,
    media_type: str,
    now: datetime | None = None,
    identity: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What templates may use before the file is read: its parts, its names, sizes and times.

    `path` is relative to the root; `now` is when the upload happens; `identity` is the session's client
    (`id`, `display_name`, `full_name`, `email`).
    """
    year, month, day, upload_time_s = _moment(now)
    folder, _, name = path.rpartition("/")
    values: dict[str, Any] = {
        "file_name": name,
        "file_size": size_bytes,
        "file_ext": file_ext(name, _known_suffixes(rule)),
        "source_path": path,
        "base_path": folder or ".",
        "mtime": datetime.fromtimestamp(mtime_ns / 1e9, UTC).isoformat(timespec="seconds"),
        "mtime_ns": mtime_ns,
        "media_type": media_type,
        "path": match.path,
        "dataset": match.dataset or None,
        "rule": match.rule,
        "role": match.role,
        "companion_set": match.set_key or None,
        "_upload_year_": year,
        "_upload_month_": month,
        "_upload_day_": day,
        "_upload_time_": upload_time_s,
        "_identity_id": (identity or {}).get("id", "anonymous"),
    }
    for part in ("display_name", "full_name", "email"):
        values[f"_identity_{part}"] = (identity or {}).get(part)
    # What the path says wins over what we derive, but a file's name stays the file's name: so does DERIVA's client.
    values |= {name: value for name, value in match.values.items() if name not in _FIXED_NAMES}
    if match.values.get("base_path"):
        values["base_path"] = match.values["base_path"]
    values["base_name"] = name.removesuffix(str(values.get("file_ext") or ""))
    table = table_name(rule, values)
    if table is not None:
        quoted = f"{url_encoded(table.schema)}:{url_encoded(table.table)}"
        values |= {"target_table": quoted}
        values.setdefault("schema", table.schema)
        values.setdefault("table", table.table)
    values |= _mapped_extension(rule, str(values.get("file_ext") or ""))
    return computed_values(rule, values)


def _moment(now: datetime | None) -> tuple[int, int, int, float]:
    """Year, month and day by the clock on the wall, and the seconds since 1970."""
    seconds = time.time() if now is None else now.timestamp()
    return (*_local_day(int(seconds // 60)), seconds)


@lru_cache(maxsize=64)
def _local_day(minute: int) -> tuple[int, int, int]:
    """Days begin at whole minutes, whatever the zone; asked once for thousands of files."""
    moment = datetime.fromtimestamp(minute * 60, UTC).astimezone()
    return moment.year, moment.month, moment.day


@lru_cache(maxsize=1024)
def _known_suffixes(rule: Rule) -> frozenset[str]:
    return frozenset({*rule.media_types, *(key.lower() for key in rule.extras.get("file_ext_mappings", {}))})


def _mapped_extension(rule: Rule, ext: str) -> dict[str, Any]:
    """Properties that `file_ext_mappings` gives this suffix, found with or without dot and in any case."""
    mappings: Mapping[str, Mapping[str, Any]] = rule.extras.get("file_ext_mappings", {})
    wanted = ext.lower().lstrip(".")
    for key in (ext, ext.lower(), wanted, f".{wanted}"):
        if wanted and key in mappings:
            return dict(mappings[key])
    return {}


def computed_values(rule: Rule, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with `column_value_templates` (our `values:`) added in order; call again after look-ups."""
    found = dict(values)
    for name, template in rule.computed.items():
        text = render(template, found, safe=rule.safe_characters)
        if text is not None:
            found[name] = text
    return found


def digest_values(md5: str, sha256: str) -> dict[str, Any]:
    """What templates may use once the file is hashed (hex in, hex and base64 out)."""
    values: dict[str, Any] = {}
    for name, digest in (("md5", md5), ("sha256", sha256)):
        if digest:
            values[name] = digest
            values[f"{name}_base64"] = base64.b64encode(bytes.fromhex(digest)).decode("ascii")
    return values


def header_values(header: Header) -> dict[str, Any]:
    """What templates may use of a header: `header.format`, `header.accelerating_voltage_kV` and so on."""
    values: dict[str, Any] = {
        f"header.{name}": list(found.value) if isinstance(found.value, tuple) else found.value
        for name, found in header.fields.items()
    }
    if header.format != "unknown":
        values["header.format"] = header.format
    return values


def object_values(rule: Rule, url: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of the stored object added; `url` is its versioned path."""
    bare = url.rpartition(":")[0] or url
    used = bare if rule.object is not None and not rule.object.versioned_url else url
    return computed_values(rule, {**values, "URI": used, "URL": used, "url": used, "object_name": bare})


def table_name(rule: Rule, values: Mapping[str, Any]) -> TableName | None:
    """The rule's table with names filled in (DERIVA may take them from the path); None: a part is missing."""
    if "{" not in rule.table.schema and "{" not in rule.table.table:
        return rule.table
    folded = {name.lower(): value for name, value in values.items() if value is not None}
    schema = render(rule.table.schema, values) or (render(rule.table.schema, folded))
    table = render(rule.table.table, values) or (render(rule.table.table, folded))
    return TableName(schema, table) if schema and table else None


@lru_cache(maxsize=1024)
def needs_digest(rule: Rule) -> bool:
    """Whether the hash must come before the transfer: object name, identity or a look-up uses it."""
    templates: list[str] = [*rule.lookups]
    if isinstance(rule.object, ObjectRule):
        templates += [rule.object.name, rule.object.filename]
    if isinstance(rule.identity, ByKey):
        templates += rule.identity.columns.values()
    elif rule.identity is not None:
        templates.append(rule.identity.template)
    if rule.record_first:
        # The row is written before the object: whatever it says of the digest must be known by then.
        templates += [template for template in rule.columns.values() if isinstance(template, str)]
    wanted = frozenset[str]().union(*(names(t) for t in templates if not marker_of(t)))
    for name, template in reversed(list(rule.computed.items())):
        if name in wanted:
            wanted |= names(template)
    return bool(wanted & DIGEST_NAMES)


def is_deriva(rule: Rule) -> bool:
    """Whether the rule came from a DERIVA bulk-upload document."""
    return bool(rule.extras.get("form") == SpecForm.DERIVA)
