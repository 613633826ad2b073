"""The in-memory model of a spec: what both input forms become and everything downstream reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from validation.model import Issue, Severity


class SpecForm(StrEnum):
    """Which input form a spec was written in; DESIGN 6.1 grades findings by it."""

    NANOFERRY = "nanoferry"
    DERIVA = "deriva-bulk-upload"


class UnmatchedPolicy(StrEnum):
    """What happens with files that no rule takes."""

    WARN = "warn"
    HOLD = "hold"
    IGNORE = "ignore"


class RuleKind(StrEnum):
    """What the files of a rule are."""

    ASSET = "asset"
    """An object in the store and a row that points to it."""
    ROWS = "rows"
    """A CSV or JSON file whose content is rows of a table (`asset_type: table`)."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table of the catalog."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}:{self.table}"


@dataclass(frozen=True, slots=True)
class Match:
    """A rule took the file."""

    rule: str
    """Id of the rule."""
    captures: Mapping[str, str]
    """Named parts of the path, as text, in the order of the pattern."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The same parts as their types: int, ISO date text, vocabulary term."""
    path: str = ""
    """Object path: the part below the folder that the last dataset field names; what File.Path holds."""
    dataset: str = ""
    """Rendered name of the dataset, empty where the rule names none."""
    role: str = "primary"
    """`primary`, or `companion` when a rule's companion template took it."""
    set_key: str = ""
    """Same for a primary and its companions; empty where the rule names no companions."""
    also: tuple[str, ...] = ()
    """Ids of later rules that would have taken it too."""
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No rule took the file, and why."""

    nearest: str = ""
    """Id of the rule that came furthest."""
    matched_part: str = ""
    """The part of the path that the nearest rule accepted."""
    failed_part: str = ""
    """The path part at which it failed."""
    expected: str = ""
    """What the rule wanted there, in words."""
    proposal: str = ""
    """A path that would match, or empty when none can be guessed honestly."""
    issues: tuple[Issue, ...] = ()

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        if not self.nearest:
            return "no rule of the spec comes near this path"
        return (
            f"rule {self.nearest} came nearest and failed at {self.failed_part!r}: expected {self.expected}"
        )


class PathPattern(Protocol):
    """A compiled path pattern of either form."""

    @property
    def text(self) -> str:
        """The pattern as its author wrote it."""


@dataclass(frozen=True, slots=True)
class ByKey:
    """A row is the row with these column values (column -> template)."""

    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ByQuery:
    """A row is what this ERMrest query path finds (`record_query_template` that is no plain key look-up)."""

    template: str


@dataclass(frozen=True, slots=True)
class RecordRule:
    """A parent row that files (or other records) refer to as `@name`; listed in dependency order."""

    name: str
    table: TableName
    key: Mapping[str, str]
    """Column -> template: identifies the row. `@Other` refers to an earlier record."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Further columns written when the row is created. `@record` is the dataset's document."""
    create: bool = True
    """Create the row when it is missing; otherwise a missing row holds its files."""


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """How the object of a file is named and served."""

    name: str
    """Template of the object's path in the store, beginning `/hatrac/`."""
    filename: str = "{file_name}"
    """Template of the download name (Content-Disposition)."""
    versioned_url: bool = True
    """Whether the row gets the versioned URL."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One path pattern and what to do with the files it takes.

    A rule is equal to itself alone, so that what follows from it can be worked out once and kept.
    """

    id: str
    kind: RuleKind
    pattern: PathPattern
    table: TableName
    columns: Mapping[str, Any]
    """Column -> template, literal, `@record`, `@header`, `@Record` (a parent), for the row of each file."""
    identity: ByKey | ByQuery | None
    object: ObjectRule | None = None
    dataset: str = ""
    """Template of the dataset's name."""
    companions: tuple[str, ...] = ()
    """Templates of file names that travel with the file, relative to its folder."""
    lookups: tuple[str, ...] = ()
    """ERMrest query templates whose single result row joins the values (metadata_query_templates)."""
    computed: Mapping[str, str] = field(default_factory=dict)
    """Further values from templates (column_value_templates), in order."""
    update: Mapping[str, Any] | None = None
    """Columns to write when the row exists; None: the same as `columns`."""
    checksums: frozenset[str] = frozenset({"md5", "sha256"})
    preview: bool = False
    checks: Mapping[str, Severity | None] = field(default_factory=dict)
    """Issue code -> severity to give it; None switches the check off."""
    record_first: bool = False
    """Create the row before the object (create_record_before_upload)."""
    media_types: Mapping[str, str] = field(default_factory=dict)
    """Lower-case suffix with dot -> media type, before the built-in table."""
    safe_characters: Mapping[str, str] = field(default_factory=dict)
    """Value name -> characters left bare when `NAME_urlencoded` is made."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Input-form details that only the loader, matcher or renderer of that form reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """A versioned set of rules, ready to match; equal to itself alone, like its rules."""

    id: str
    version: str
    form: SpecForm
    source: str
    """File path or URL it was read from, for people."""
    digest: str
    """SHA-256 (hex) of its text: pinned in receipts."""
    rules: tuple[Rule, ...]
    records: tuple[RecordRule, ...] = ()
    unmatched: UnmatchedPolicy = UnmatchedPolicy.WARN
    level: str = "capture"
    """Level of the metadata schema that datasets under this spec are checked at."""
    required: tuple[Mapping[str, Any], ...] = ()
    """Completeness rules of a dataset (form documented with the YAML language)."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    """Warnings found when it was loaded."""

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id; KeyError when there is none."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)
