"""ERMrest addresses: encoding of names and values, filters, and look-ups cut to what the web server takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from uploader.model.errors import BadRequest
from uploader.remote.answers import LONGEST_PATH


def encoded(value: Any) -> str:
    """A literal as ERMrest reads it in a path: every reserved character percent-encoded."""
    return quote(_literal(value), safe="")


def table_path(table: str) -> str:
    """`schema:table` with both names encoded; a name may itself hold a colon behind the first one."""
    schema, colon, name = table.partition(":")
    if not (schema and colon and name):
        raise ValueError(f"a table is named schema:table, not {table!r}")
    return f"{quote(schema, safe='')}:{quote(name, safe='')}"


def equals(column: str, value: Any) -> str:
    """One filter: the column equals the value, or is null for None."""
    name = quote(column, safe="")
    return f"{name}::null::" if value is None else f"{name}={encoded(value)}"


def filters(where: Mapping[str, Any]) -> str:
    """All of the columns equal their values; empty without columns."""
    return "&".join(equals(column, value) for column, value in where.items())


def projection(columns: Sequence[str] | None) -> tuple[str, str]:
    """The resource (`entity` or `attribute`) and the end of the path for these columns, or for all."""
    if columns is None:
        return "entity", ""
    return "attribute", "/" + ",".join(quote(column, safe="") for column in dict.fromkeys(columns))


def look_ups(
    base: str, column: str, values: Sequence[Any], where: Mapping[str, Any], end: str = ""
) -> Iterator[str]:
    """Paths `base/column=any(…)&where` + `end`, none longer than the server takes, that name every value once."""
    tail = f"{'&' if where else ''}{filters(where)}{end}"
    head = f"{base}/{quote(column, safe='')}=any("
    room = LONGEST_PATH - len(head) - len(tail) - 1
    batch: list[str] = []
    used = 0
    for value in dict.fromkeys(_literal(value) for value in values if value is not None):
        text = quote(value, safe="")
        # any() has no way to write an empty member.
        if not text:
            yield _checked(f"{base}/{equals(column, '')}{tail}")
            continue
        if batch and used + len(text) > room:
            yield _checked(f"{head}{','.join(batch)}){tail}")
            batch, used = [], 0
        batch.append(text)
        used += len(text) + 1
    if batch:
        yield _checked(f"{head}{','.join(batch)}){tail}")
    if any(value is None for value in values):
        yield _checked(f"{base}/{equals(column, None)}{tail}")


def spec_path(path: str) -> str:
    """A path as a spec writes it, made sendable: spaces and non-ASCII encoded, what is encoded left alone."""
    return quote(path if path.startswith("/") else f"/{path}", safe="/%:;,=&()@!$*+~'?")


def _checked(path: str) -> str:
    if len(path) > LONGEST_PATH:
        raise BadRequest(
            f"A look-up of {len(path)} characters is longer than the server takes ({LONGEST_PATH}).",
            detail="Nothing was asked.",
            remedy="Shorten the names of files and folders.",
            path=path[:200],
        )
    return path


def _literal(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
