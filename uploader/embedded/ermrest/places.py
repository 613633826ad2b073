"""Finds the part of a model that a `/schema/…` URL names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uploader.embedded.ermrest import acl
from uploader.embedded.ermrest.errors import not_found
from uploader.embedded.ermrest.model import Acls, Annotations, Column, ForeignKey, Key, Model, Schema, Table
from uploader.embedded.ermrest.tokens import decoded
from uploader.embedded.identity import Client


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a model, or a list of parts of a table, and what stands behind it in the URL."""

    schema: Schema | None = None
    table: Table | None = None
    column: Column | None = None
    key: Key | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    collection: str = ""
    """`table`, `column`, `key` or `foreignkey`: the list and not one member."""
    rest: tuple[str, ...] = ()
    """`annotation`, `comment` or `acl` and what follows."""

    def levels(self, model: Model) -> list[Acls]:
        """The access lists that speak of it."""
        return acl.levels(model, self.schema, self.table)

    @property
    def label(self) -> str:
        """How refusals name it."""
        if self.table is not None:
            return self.table.label
        return "catalog" if self.schema is None else f":{self.schema.name}"

    def annotated(self, model: Model) -> Annotations:
        """The annotations of the part."""
        one = self.foreign_keys[0] if len(self.foreign_keys) == 1 else None
        part = self.column or self.key or one or self.table or self.schema or model
        return part.annotations

    @property
    def comment(self) -> str | None:
        """The comment of the part."""
        one = self.foreign_keys[0] if len(self.foreign_keys) == 1 else None
        part = self.column or self.key or one or self.table or self.schema
        return None if part is None else part.comment


def find(model: Model, segments: Sequence[str], client: Client | None) -> Place:
    """The place that raw path segments after the catalog name; raises Refusal (404).

    What the client may not know of does not exist for it.
    """
    rest = [segment for segment in segments if segment]
    if not rest or rest[0] != "schema" or len(rest) == 1:
        return Place(rest=tuple(rest[1:] if rest and rest[0] == "schema" else rest))
    schema = model.schema(decoded(rest[1]))
    if not acl.may(client, "enumerate", acl.levels(model, schema)):
        raise not_found(f"schema {schema.name}")
    rest = rest[2:]
    if not rest or rest[0] != "table":
        return Place(schema, rest=tuple(rest))
    if len(rest) == 1:
        return Place(schema, collection="table")
    table = model.table(schema.name, decoded(rest[1]))
    if not acl.may(client, "enumerate", acl.levels(model, table=table)):
        raise not_found(f"table {table.name} in schema {schema.name}")
    return _within(schema, table, rest[2:])


def _within(schema: Schema, table: Table, rest: Sequence[str]) -> Place:
    kind = rest[0] if rest else ""
    if kind not in {"column", "key", "foreignkey", "reference"}:
        return Place(schema, table, rest=tuple(rest))
    if len(rest) == 1 and kind != "reference":
        return Place(
            schema, table, collection=kind, foreign_keys=table.foreign_keys if kind == "foreignkey" else ()
        )
    if kind == "column":
        name = decoded(rest[1])
        column = table.find(name)
        if column is None:
            raise not_found(f"column {name} in table {table.name}")
        return Place(schema, table, column=column, rest=tuple(rest[2:]))
    if kind == "key":
        names = _names(rest[1])
        for key in table.keys:
            if set(key.columns) == set(names):
                return Place(schema, table, key=key, rest=tuple(rest[2:]))
        raise not_found(f"key {', '.join(names)} in table {table.name}")
    return _foreign_keys(schema, table, rest)


def _foreign_keys(schema: Schema, table: Table, rest: Sequence[str]) -> Place:
    """`foreignkey/a,b[/reference/S:T[/c,d]]`."""
    found = table.foreign_keys
    names = _names(rest[1])
    found = tuple(each for each in found if set(each.columns) == set(names))
    rest = rest[2:]
    if rest and rest[0] == "reference":
        if len(rest) > 1:
            parts = [decoded(part) for part in rest[1].split(":")]
            target = (parts[0], parts[1]) if len(parts) > 1 else (schema.name, parts[0])
            found = tuple(each for each in found if each.target == target)
        rest = rest[2:]
        if rest and rest[0] not in {"annotation", "comment", "acl", "acl_binding"}:
            theirs = _names(rest[0])
            found = tuple(each for each in found if set(each.target_columns) == set(theirs))
            rest = rest[1:]
    if not found:
        raise not_found(f"foreign key {', '.join(names)} in table {table.name}")
    return Place(schema, table, foreign_keys=found, collection="foreignkey", rest=tuple(rest))


def _names(segment: str) -> list[str]:
    return [decoded(name) for name in segment.split(",")]
