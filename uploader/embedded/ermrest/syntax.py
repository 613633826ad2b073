"""What a data URL says, as frozen values: the path of tables, links and filters, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column, of the instance called `alias` or of the current one."""

    name: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Star:
    """All columns of an instance (`*`, `A:*`)."""

    alias: str = ""


class Operator(StrEnum):
    """How a filter compares."""

    EQ = "="
    LT = "::lt::"
    LEQ = "::leq::"
    GT = "::gt::"
    GEQ = "::geq::"
    REGEXP = "::regexp::"
    CIREGEXP = "::ciregexp::"
    NULL = "::null::"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One comparison; with several values it holds for any (or every) one of them."""

    column: ColumnName | Star
    operator: Operator
    values: tuple[str, ...] = ()
    every: bool = False
    """`all(…)` instead of `any(…)`."""


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Every condition holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition holds."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = Predicate | Not | And | Or


@dataclass(frozen=True, slots=True)
class TableStep:
    """A table: the root of a path, or linked to the current instance along a foreign key."""

    table: str
    schema: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A list of columns in a link: of the current instance, of an alias or table, or of a table by full name."""

    columns: tuple[str, ...]
    table: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True)
class LinkStep:
    """A link chosen by one of its ends: `(S:T:column)`."""

    end: Endpoint
    alias: str = ""


@dataclass(frozen=True, slots=True)
class JoinStep:
    """A link spelt out: `(a)=(S:T:b)`."""

    left: Endpoint
    right: Endpoint
    alias: str = ""


@dataclass(frozen=True, slots=True)
class ResetStep:
    """`$A`: go on from an earlier instance."""

    alias: str


@dataclass(frozen=True, slots=True)
class FilterStep:
    """Only rows for which the condition holds."""

    condition: Condition


Step: TypeAlias = TableStep | LinkStep | JoinStep | ResetStep | FilterStep


class Function(StrEnum):
    """What an aggregate computes."""

    CNT = "cnt"
    CNT_D = "cnt_d"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    AVG = "avg"
    ARRAY = "array"
    ARRAY_D = "array_d"


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answer."""

    source: ColumnName | Star
    name: str = ""
    """The name it is given; empty: that of its source."""
    function: Function | None = None


@dataclass(frozen=True, slots=True)
class SortKey:
    """An output column to sort by."""

    name: str
    descending: bool = False


class Api(StrEnum):
    """How the rows of a path are answered."""

    ENTITY = "entity"
    ATTRIBUTE = "attribute"
    ATTRIBUTEGROUP = "attributegroup"
    AGGREGATE = "aggregate"


@dataclass(frozen=True, slots=True)
class Resource:
    """A whole data URL below the catalog, without its query."""

    api: Api
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...] = ()
    """The projection; for attributegroup what stands after `;`."""
    group_keys: tuple[Output, ...] = ()
    sort: tuple[SortKey, ...] = ()
    before: tuple[str | None, ...] | None = None
    after: tuple[str | None, ...] | None = None
