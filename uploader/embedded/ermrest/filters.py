"""Parses the filter language: predicates with `!`, `&`, `;` and parentheses."""

from __future__ import annotations

from uploader.embedded.ermrest import syntax
from uploader.embedded.ermrest.errors import malformed, not_implemented
from uploader.embedded.ermrest.syntax import Operator
from uploader.embedded.ermrest.tokens import TEXT, Cursor

_OPERATORS = {operator.value: operator for operator in Operator}
_MAX_DEPTH = 50


def condition(cursor: Cursor, depth: int = 0) -> syntax.Condition:
    """The condition that begins here; `&` binds more closely than `;`."""
    if depth > _MAX_DEPTH:
        raise malformed("the filter is nested too deeply")
    parts = [_conjunction(cursor, depth)]
    while cursor.skip(";"):
        parts.append(_conjunction(cursor, depth))
    return parts[0] if len(parts) == 1 else syntax.Or(tuple(parts))


def _conjunction(cursor: Cursor, depth: int) -> syntax.Condition:
    parts = [_negation(cursor, depth)]
    while cursor.skip("&"):
        parts.append(_negation(cursor, depth))
    return parts[0] if len(parts) == 1 else syntax.And(tuple(parts))


def _negation(cursor: Cursor, depth: int) -> syntax.Condition:
    if cursor.skip("!"):
        return syntax.Not(_primary(cursor, depth))
    return _primary(cursor, depth)


def _primary(cursor: Cursor, depth: int) -> syntax.Condition:
    if cursor.skip("("):
        inner = condition(cursor, depth + 1)
        cursor.take(")")
        return inner
    return _predicate(cursor)


def _predicate(cursor: Cursor) -> syntax.Predicate:
    column = _column(cursor)
    token = cursor.peek()
    operator = _OPERATORS.get(token.kind)
    if token.kind == "::ts::":
        raise not_implemented("text search predicates")
    if operator is None:
        raise malformed(token.fault())
    cursor.take(token.kind)
    if isinstance(column, syntax.Star) and operator not in {Operator.REGEXP, Operator.CIREGEXP}:
        raise malformed(token.fault())
    if operator is Operator.NULL:
        return syntax.Predicate(column, operator)
    word = cursor.peek()
    if word.kind == TEXT and word.text in {"any", "all"} and cursor.peek(1).kind == "(":
        cursor.take(TEXT)
        cursor.take("(")
        values = cursor.listed(cursor.optional_text)
        cursor.take(")")
        return syntax.Predicate(column, operator, values, every=word.text == "all")
    return syntax.Predicate(column, operator, (cursor.optional_text(),))


def _column(cursor: Cursor) -> syntax.ColumnName | syntax.Star:
    if cursor.skip("*"):
        return syntax.Star()
    first = cursor.text()
    if cursor.skip(":"):
        return syntax.ColumnName(cursor.text(), first)
    return syntax.ColumnName(first)
