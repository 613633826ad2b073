"""Reads a `record_query_template`: a plain look-up by column values becomes ByKey, anything else stays a query."""

from __future__ import annotations

from urllib.parse import unquote

import regex

from validation.spec import placeholders
from validation.spec.model import ByKey, ByQuery
from validation.spec.render import URLENCODED

# Disjunction, negation, grouping, functions, modifiers, aliases: more than a conjunction of equalities.
_MORE = regex.compile(r"[;!()@?:]|%28|%29", regex.IGNORECASE)
_FILTER = regex.compile(r"([^=&/]+)=([^=&/]*)")


def identity_of(template: str, schema: str, table: str) -> ByKey | ByQuery:
    """What identifies the row that the query looks for."""
    try:
        columns = _columns(template, schema, table)
    except placeholders.PlaceholderError:
        columns = None
    return ByKey(columns) if columns else ByQuery(template)


def _columns(template: str, schema: str, table: str) -> dict[str, str] | None:
    steps = [step for step in template.split("/") if step]
    if len(steps) < 3 or steps[0] not in {"entity", "attribute"}:
        return None
    named = {"{target_table}", f"{schema}:{table}", "{schema}:{table}", f"{unquote(schema)}:{unquote(table)}"}
    if steps[1] not in named:
        return None
    filters = steps[2:]
    # An attribute query ends with the columns to answer with; the row is the same.
    if steps[0] == "attribute" and "=" not in filters[-1]:
        filters = filters[:-1]
    columns: dict[str, str] = {}
    for step in filters:
        for part in step.split("&"):
            found = _FILTER.fullmatch(part)
            if found is None or _MORE.search(_without_names(part)):
                return None
            column = unquote(found.group(1))
            if column in columns or "{" in column:
                return None
            columns[column] = _plain(found.group(2))
    return columns or None


def _without_names(text: str) -> str:
    return regex.sub(r"\{[^{}]*\}", "", text)


def _plain(value: str) -> str:
    """The value as a template of its own: text decoded, `{NAME_urlencoded}` meaning `{NAME}`."""
    out = []
    for piece in placeholders.parse(value):
        if isinstance(piece, str):
            out.append(unquote(piece).replace("{", "{{").replace("}", "}}"))
        else:
            form = f":{piece.format}" if piece.format else ""
            out.append(f"{{{piece.name.removesuffix(URLENCODED)}{form}}}")
    return "".join(out)
