"""Compiles a resource to one SELECT: projection, grouping, sorting, paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from uploader.embedded.ermrest import jsontext, syntax
from uploader.embedded.ermrest.errors import conflict, malformed
from uploader.embedded.ermrest.model import Column, Model
from uploader.embedded.ermrest.paths import Allowed, CompiledPath, compile_path
from uploader.embedded.ermrest.syntax import Api, Function
from uploader.embedded.ermrest.types import BadValue, ColumnType, Stored, column_type


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an answer."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT, its values and the columns it answers."""

    sql: str
    values: tuple[Stored, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of the inner SELECT."""

    field: Field
    sql: str
    values: tuple[Stored, ...] = ()
    nullok: bool = True


@dataclass(slots=True)
class _Paging:
    sort: Sequence[syntax.SortKey]
    parts: Sequence[_Part]
    values: list[Stored] = field(default_factory=list)

    def part(self, name: str) -> tuple[int, _Part]:
        for index, part in enumerate(self.parts):
            if part.field.name == name:
                return index, part
        raise conflict(f"Sort column {name} is not among the output columns.")


def compile_query(model: Model, resource: syntax.Resource, limit: int | None, allowed: Allowed) -> Query:
    """The query that answers a resource; raises Refusal (400, 409, and what `allowed` raises)."""
    path = compile_path(model, resource.steps, allowed)
    parts, group = _projection(path, resource)
    names = [part.field.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise conflict(f'column "{name}" specified more than once')
    columns = ", ".join(f"{part.sql} AS o{index}" for index, part in enumerate(parts))
    inner = f"SELECT {columns} {path.source}{group}"
    values = [value for part in parts for value in part.values] + path.values
    sql, more = _sorted_page(inner, parts, resource, limit)
    return Query(sql, (*values, *more), tuple(part.field for part in parts))


def _projection(path: CompiledPath, resource: syntax.Resource) -> tuple[list[_Part], str]:
    row = path.current
    # Joins filter the entities, they never repeat one.
    once = f" GROUP BY {row.sql}.rowid" if len(path.instances) > 1 else ""
    if resource.api is Api.ENTITY:
        return [_column(column, f"{row.sql}.{column.sql}") for column in row.table.columns], once
    if resource.api is Api.ATTRIBUTE:
        if any(output.function for output in resource.outputs):
            raise malformed("Aggregates belong to aggregate and attributegroup.")
        return [part for output in resource.outputs for part in _plain(path, output)], once
    if resource.api is Api.AGGREGATE:
        if not all(output.function for output in resource.outputs):
            raise malformed("An aggregate resource takes only aggregate functions.")
        return [_aggregate(path, output) for output in resource.outputs], ""
    keys = [part for output in resource.group_keys for part in _plain(path, output)]
    others = [
        part
        for output in resource.outputs
        for part in ([_aggregate(path, output)] if output.function else _plain(path, output))
    ]
    return keys + others, " GROUP BY " + ", ".join(part.sql for part in keys)


def _column(column: Column, sql: str, name: str = "") -> _Part:
    return _Part(Field(name or column.name, column.type), sql, nullok=column.nullok)


def _plain(path: CompiledPath, output: syntax.Output) -> list[_Part]:
    if output.function is not None:
        raise malformed("A group key cannot be an aggregate.")
    if isinstance(output.source, syntax.Star):
        if output.name:
            raise malformed("A wildcard cannot be renamed.")
        alias = output.source.alias
        instance = path.instance(alias)
        before = f"{alias}:" if alias else ""
        return [
            _column(column, f"{instance.sql}.{column.sql}", before + column.name)
            for column in instance.table.columns
        ]
    column, sql = path.resolve(output.source)
    return [_column(column, sql, output.name)]


def _aggregate(path: CompiledPath, output: syntax.Output) -> _Part:
    function = output.function
    if isinstance(output.source, syntax.Star):
        name = output.name or str(function)
        if function in {Function.ARRAY, Function.ARRAY_D}:
            return _record_array(path, output.source, name, distinct=function is Function.ARRAY_D)
        if function is not Function.CNT or output.source.alias:
            raise malformed(f"{function}(*) is not supported.")
        return _Part(Field(name, column_type("int8")), "COUNT(*)")
    column, sql = path.resolve(output.source)
    kind, computed = _computed(function, column, sql)
    return _Part(Field(output.name or column.name, kind), computed)


def _computed(function: Function | None, column: Column, sql: str) -> tuple[ColumnType, str]:
    """Type and SQL of an aggregate over one column."""
    match function:
        case Function.CNT:
            return column_type("int8"), f"COUNT({sql})"
        case Function.CNT_D:
            return column_type("int8"), f"COUNT(DISTINCT {sql})"
        case Function.MIN | Function.MAX:
            return column.type, f"{function.value}({sql})"
        case Function.SUM | Function.AVG:
            if column.type.storage not in {"INTEGER", "REAL"} or column.type.name == "boolean":
                raise conflict(f"Column {column.name} of type {column.type.name} has no {function}.")
            whole = function is Function.SUM and column.type.storage == "INTEGER"
            return column_type("int8" if whole else "float8"), f"{function.value}({sql})"
        case _:
            distinct = "DISTINCT " if function is Function.ARRAY_D else ""
            members = f"nf_json('{column.type.name}', {sql})"
            return column_type("json"), f"'[' || group_concat({distinct}{members}) || ']'"


def _record_array(path: CompiledPath, source: syntax.Star, name: str, *, distinct: bool) -> _Part:
    instance = path.instance(source.alias)
    pieces = []
    values = []
    for index, column in enumerate(instance.table.columns):
        pieces.append(f"? || nf_json('{column.type.name}', {instance.sql}.{column.sql})")
        values.append(("," if index else "{") + jsontext.compact(column.name) + ":")
    record = " || ".join(pieces) + " || '}'"
    word = "DISTINCT " if distinct else ""
    return _Part(
        Field(name, column_type("json")), f"'[' || group_concat({word}{record}) || ']'", tuple(values)
    )


def _sorted_page(
    inner: str, parts: Sequence[_Part], resource: syntax.Resource, limit: int | None
) -> tuple[str, list[Stored]]:
    paging = _Paging(resource.sort, parts)
    conditions = []
    if resource.after is not None:
        conditions.append(_beyond(paging, resource.after, forward=True))
    if resource.before is not None:
        if resource.after is None and limit is None:
            raise malformed("Page key with @before needs @after or a limit.")
        conditions.append(_beyond(paging, resource.before, forward=False))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    backward = resource.before is not None and resource.after is None
    sql = f"SELECT * FROM ({inner}){where}{_order(paging, forward=not backward)}"  # noqa: S608 - see paths
    values = paging.values
    if limit is not None:
        sql += " LIMIT ?"
        values.append(limit)
    if backward:
        # The last rows before the key: taken backward, then turned round again.
        sql = f"SELECT * FROM ({sql}){_order(paging, forward=True)}"  # noqa: S608 - see paths
    return sql, values


def _order(paging: _Paging, *, forward: bool) -> str:
    if not paging.sort:
        return ""
    keys = []
    for key in paging.sort:
        index, part = paging.part(key.name)
        ascending = key.descending != forward
        # NULL counts as greater than every value, as in PostgreSQL.
        nulls = (" NULLS LAST" if ascending else " NULLS FIRST") if part.nullok else ""
        keys.append(f"o{index} {'ASC' if ascending else 'DESC'}{nulls}")
    return " ORDER BY " + ", ".join(keys)


def _beyond(paging: _Paging, page_key: Sequence[str | None], *, forward: bool) -> str:
    """The rows behind (or before) a page key: equal in the first keys and beyond it in the next."""
    choices = []
    stored = [
        _page_value(paging.part(key.name)[1], text) for key, text in zip(paging.sort, page_key, strict=True)
    ]
    for place, key in enumerate(paging.sort):
        terms = []
        for earlier in range(place):
            terms.append(f"o{paging.part(paging.sort[earlier].name)[0]} IS ?")
            paging.values.append(stored[earlier])
        index, part = paging.part(key.name)
        upward = key.descending != forward
        terms.append(_one_beyond(paging, f"o{index}", stored[place], upward=upward, nullok=part.nullok))
        choices.append("(" + " AND ".join(terms) + ")")
    return "(" + " OR ".join(choices) + ")"


def _one_beyond(paging: _Paging, sql: str, value: Stored, *, upward: bool, nullok: bool) -> str:
    if value is None:
        return "0" if upward else f"{sql} IS NOT NULL"
    paging.values.append(value)
    if not upward:
        return f"{sql} < ?"
    return f"({sql} > ? OR {sql} IS NULL)" if nullok else f"{sql} > ?"


def _page_value(part: _Part, text: str | None) -> Stored:
    if text is None:
        return None
    try:
        return part.field.type.store_text(text)
    except BadValue as error:
        raise malformed(f'Invalid {part.field.type.name}: "{text}"') from error
