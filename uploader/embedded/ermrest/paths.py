"""Compiles a parsed path to the FROM and WHERE of a query.

Every identifier in the SQL is a letter and a number of our own making (`t0`, `c17`); every value of a caller is a
bound parameter. No text of a URL ever becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from uploader.embedded.ermrest import syntax
from uploader.embedded.ermrest.errors import conflict, malformed
from uploader.embedded.ermrest.model import Column, ForeignKey, Model, Table
from uploader.embedded.ermrest.syntax import Operator
from uploader.embedded.ermrest.types import BadValue, Stored

Allowed = Callable[[Table], None]
_COMPARE = {
    Operator.EQ: "=",
    Operator.LT: "<",
    Operator.LEQ: "<=",
    Operator.GT: ">",
    Operator.GEQ: ">=",
}
_MAX_INSTANCES = 32


@dataclass(frozen=True, slots=True)
class Instance:
    """A table as it occurs in a path; the same table may occur more than once."""

    table: Table
    sql: str
    alias: str = ""

    def column(self, name: str) -> str:
        """SQL of one of its columns; raises Refusal (409)."""
        return f"{self.sql}.{self.table.column(name).sql}"


@dataclass(slots=True)
class CompiledPath:
    """FROM and WHERE of a path, and the instance at its end."""

    model: Model
    instances: list[Instance] = field(default_factory=list)
    joins: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    values: list[Stored] = field(default_factory=list)
    """Of the conditions, in their order."""
    current: Instance = field(init=False)

    @property
    def source(self) -> str:
        """The SQL from FROM on."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"FROM {' '.join(self.joins)}{where}"

    def instance(self, alias: str) -> Instance:
        """The instance of that alias, or the current one without; raises Refusal (409)."""
        if not alias:
            return self.current
        for known in self.instances:
            if known.alias == alias:
                return known
        raise conflict(f"Table instance alias {alias} is not bound in the path.")

    def resolve(self, name: syntax.ColumnName) -> tuple[Column, str]:
        """A column and its SQL; raises Refusal (409)."""
        instance = self.instance(name.alias)
        column = instance.table.column(name.name)
        return column, f"{instance.sql}.{column.sql}"


def compile_path(model: Model, steps: Sequence[syntax.Step], allowed: Allowed) -> CompiledPath:
    """The path as SQL; `allowed` raises for a table that the caller may not read."""
    path = CompiledPath(model)
    for step in steps:
        match step:
            case syntax.TableStep():
                _table(path, step, allowed)
            case syntax.LinkStep():
                _link(path, step, allowed)
            case syntax.JoinStep():
                _join(path, step, allowed)
            case syntax.ResetStep():
                path.current = path.instance(step.alias)
            case syntax.FilterStep():
                path.conditions.append(_condition(path, step.condition))
    return path


def _add(path: CompiledPath, table: Table, alias: str, allowed: Allowed) -> Instance:
    allowed(table)
    if alias and any(known.alias == alias for known in path.instances):
        raise malformed(f"Alias {alias} is bound twice.")
    if len(path.instances) >= _MAX_INSTANCES:
        raise malformed("the path joins too many tables")
    instance = Instance(table, f"i{len(path.instances)}", alias)
    path.instances.append(instance)
    return instance


def _append(
    path: CompiledPath, table: Table, alias: str, allowed: Allowed, on: Callable[[Instance], str]
) -> None:
    instance = _add(path, table, alias, allowed)
    path.joins.append(f"JOIN {table.sql} AS {instance.sql} ON {on(instance)}")
    path.current = instance


def _table(path: CompiledPath, step: syntax.TableStep, allowed: Allowed) -> None:
    table = path.model.data_table(step.schema, step.table)
    if not path.instances:
        instance = _add(path, table, step.alias, allowed)
        path.joins.append(f"{table.sql} AS {instance.sql}")
        path.current = instance
        return
    left = path.current
    outward = [key for key in left.table.foreign_keys if key.target == (table.schema, table.name)]
    inward = [key for key in table.foreign_keys if key.target == (left.table.schema, left.table.name)]
    if not outward and not inward:
        raise conflict(f"No link found between {left.table.label[1:]} and {table.label[1:]}.")

    def on(right: Instance) -> str:
        choices = [_equal(left, key.columns, right, key.target_columns) for key in outward]
        choices += [_equal(right, key.columns, left, key.target_columns) for key in inward]
        return "(" + " OR ".join(choices) + ")"

    _append(path, table, step.alias, allowed, on)


def _equal(left: Instance, left_names: Sequence[str], right: Instance, right_names: Sequence[str]) -> str:
    pairs = zip(left_names, right_names, strict=True)
    return "(" + " AND ".join(f"{left.column(a)} = {right.column(b)}" for a, b in pairs) + ")"


def _join(path: CompiledPath, step: syntax.JoinStep, allowed: Allowed) -> None:
    left = _left_instance(path, step.left)
    if len(step.left.columns) != len(step.right.columns):
        raise malformed("A link needs as many columns on the right as on the left.")
    if not step.right.table:
        raise malformed("The right side of a link must name its table.")
    table = path.model.data_table(step.right.schema, step.right.table)
    _append(
        path,
        table,
        step.alias,
        allowed,
        lambda right: _equal(left, step.left.columns, right, step.right.columns),
    )


def _left_instance(path: CompiledPath, end: syntax.Endpoint) -> Instance:
    if not end.table:
        return path.current
    if not end.schema:
        return path.instance(end.table)
    raise malformed("The left side of a link names columns of the path, not of the catalog.")


def _link(path: CompiledPath, step: syntax.LinkStep, allowed: Allowed) -> None:
    end = step.end
    aliases = {known.alias for known in path.instances if known.alias}
    if end.schema or (end.table and end.table not in aliases):
        table = path.model.data_table(end.schema, end.table)
        left = path.current
        links = _links(table, end.columns, left.table)
        inverse = [
            (key.target_columns, key.columns)
            for key in left.table.foreign_keys
            if key.target == (table.schema, table.name) and set(key.target_columns) == set(end.columns)
        ]
        pairs = [(theirs, own) for own, theirs in links] + [(own, theirs) for theirs, own in inverse]
        table_pairs = [(table, own, theirs) for own, theirs in pairs]
    else:
        left = path.instance(end.table)
        for name in end.columns:
            left.table.column(name)
        table_pairs = _links_from(path.model, left.table, end.columns)
    if len(table_pairs) != 1:
        problem = "No link" if not table_pairs else "More than one link"
        raise conflict(f"{problem} found for columns {', '.join(end.columns)}.")
    target, left_names, right_names = table_pairs[0]
    _append(path, target, step.alias, allowed, lambda right: _equal(left, left_names, right, right_names))


def _links(
    table: Table, columns: Sequence[str], target: Table
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Own and referenced columns of the foreign keys on exactly these columns that point at `target`."""
    return [
        (key.columns, key.target_columns)
        for key in table.foreign_keys
        if set(key.columns) == set(columns) and key.target == (target.schema, target.name)
    ]


def _links_from(
    model: Model, table: Table, columns: Sequence[str]
) -> list[tuple[Table, tuple[str, ...], tuple[str, ...]]]:
    """Where these columns of a table lead: along its own foreign key, or back along one that refers to them."""
    own: list[ForeignKey] = [key for key in table.foreign_keys if set(key.columns) == set(columns)]
    if own:
        return [(model.data_table(*key.target), key.columns, key.target_columns) for key in own]
    return [
        (other, key.target_columns, key.columns)
        for other, key in model.referring(table)
        if set(key.target_columns) == set(columns)
    ]


def _condition(path: CompiledPath, condition: syntax.Condition) -> str:
    match condition:
        case syntax.Not(inner):
            return f"NOT ({_condition(path, inner)})"
        case syntax.And(parts):
            return "(" + " AND ".join(_condition(path, part) for part in parts) + ")"
        case syntax.Or(parts):
            return "(" + " OR ".join(_condition(path, part) for part in parts) + ")"
        case syntax.Predicate():
            return _predicate(path, condition)


def _predicate(path: CompiledPath, predicate: syntax.Predicate) -> str:
    if isinstance(predicate.column, syntax.Star):
        instance = path.instance(predicate.column.alias)
        parts = [
            _regexp(path, f"{instance.sql}.{column.sql}", predicate) for column in instance.table.columns
        ]
        return "(" + " OR ".join(parts) + ")"
    column, sql = path.resolve(predicate.column)
    if predicate.operator is Operator.NULL:
        return f"{sql} IS NULL"
    if predicate.operator in {Operator.REGEXP, Operator.CIREGEXP}:
        return _regexp(path, sql, predicate)
    path.values.extend(literal(column, value) for value in predicate.values)
    count = len(predicate.values)
    if predicate.operator is Operator.EQ and not predicate.every:
        return f"{sql} = ?" if count == 1 else f"{sql} IN ({', '.join('?' * count)})"
    each = f"{sql} {_COMPARE[predicate.operator]} ?"
    return "(" + (" AND " if predicate.every else " OR ").join([each] * count) + ")"


def _regexp(path: CompiledPath, sql: str, predicate: syntax.Predicate) -> str:
    path.values.extend(predicate.values)
    ignore_case = int(predicate.operator is Operator.CIREGEXP)
    each = f"nf_regexp(?, {sql}, {ignore_case})"
    return "(" + (" AND " if predicate.every else " OR ").join([each] * len(predicate.values)) + ")"


def literal(column: Column, text: str) -> Stored:
    """A value out of a URL as the column stores it; raises Refusal (400)."""
    try:
        return column.type.store_text(text)
    except BadValue as error:
        raise malformed(f'Invalid {column.type.name}: "{text}"') from error
