"""What the checks look at: one file, one dataset, and a bounded summary of a dataset's headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from validation.instruments.model import Header, Value
from validation.sidecar import Typed
from validation.spec.model import Match, NoMatch, Rule

if TYPE_CHECKING:
    from validation.members import Members

MOST_DISTINCT_VALUES = 16
"""Per field; beyond it only the range and the fact that there were more is kept."""


class Depth(StrEnum):
    """How much of a file a check may use; each depth includes those before it."""

    NAMES = "names"
    HEADERS = "headers"
    CONTENT = "content"

    @property
    def rank(self) -> int:
        """0 for names up to 2 for content, to compare by."""
        return _RANKS[self]


_RANKS = {depth: rank for rank, depth in enumerate(Depth)}
"""Asked for every check of every file."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file as a check sees it."""

    path: str
    """Relative to the dropped folder, `/` separators."""
    size_bytes: int
    mtime_ns: int
    match: Match | NoMatch
    rule: Rule | None
    """The rule that took it; None when none did."""
    header: Header | None
    """None when no header was read (at depth names, or a format without a reader)."""
    typed: Typed
    """What the sidecars and the form say for this file's folder."""

    @property
    def captures(self) -> Mapping[str, Any]:
        """Named parts of the path, typed where the spec types them; empty when no rule took it."""
        if not isinstance(self.match, Match):
            return {}
        merged = {**self.match.captures, **self.match.values}
        return {name: value for name, value in merged.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a dataset, as far as the checks of the whole need it."""

    path: str
    """Relative to the dropped folder."""
    rule: str
    """Id of the rule that took it."""
    role: str = "primary"
    set_key: str = ""
    size_bytes: int = 0
    captures: Mapping[str, Any] = field(default_factory=dict)
    """Named parts of the path: the text, or the typed value where the spec gives one."""
    object_path: str = ""
    """`Match.path`; two members with the same one claim the same record."""


@dataclass(slots=True)
class FieldSummary:
    """The values that one field took over all headers added so far."""

    seen: int = 0
    """In how many headers the field had a value."""
    counts: dict[Value, int] = field(default_factory=dict)
    """Value -> how often, for the first `MOST_DISTINCT_VALUES` values."""
    minimum: int | float | None = None
    maximum: int | float | None = None
    more: bool = False
    """Whether there were further values than `counts` holds."""

    def add(self, value: Value) -> None:
        """Count one value."""
        self.seen += 1
        if value in self.counts or len(self.counts) < MOST_DISTINCT_VALUES:
            self.counts[value] = self.counts.get(value, 0) + 1
        else:
            self.more = True
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.minimum = value if self.minimum is None else min(self.minimum, value)
            self.maximum = value if self.maximum is None else max(self.maximum, value)

    @property
    def common(self) -> Value | None:
        """The value that every header with this field holds, or None when they differ."""
        return next(iter(self.counts)) if len(self.counts) == 1 and not self.more else None


@dataclass(slots=True)
class HeaderSummary:
    """What the headers of a dataset say together; its size does not grow with the number of files."""

    headers: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    fields: dict[str, FieldSummary] = field(default_factory=dict)
    """By field id of specs/fields.yaml."""
    earliest: str = ""
    """The earliest acquisition time as its header wrote it, compared by the clock on the wall."""
    latest: str = ""

    def add(self, header: Header) -> None:
        """Take one more header into account."""
        self.headers += 1
        self.formats[header.format] = self.formats.get(header.format, 0) + 1
        for field_id, found in header.fields.items():
            self.fields.setdefault(field_id, FieldSummary()).add(found.value)
        acquired = header.value("acquired")
        if isinstance(acquired, str) and acquired:
            # The first 19 characters are the local clock; offsets may be known for one file and not another.
            if not self.earliest or acquired[:19] < self.earliest[:19]:
                self.earliest = acquired
            if not self.latest or acquired[:19] > self.latest[:19]:
                self.latest = acquired


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """A dataset as the folder holds it: typed metadata, and what members and headers say together."""

    name: str
    folder: str
    """The dataset's folder relative to the dropped folder; empty for the dropped folder itself."""
    members: Members
    """What its files say together; `check_member` adds them one by one."""
    typed: Typed = field(default_factory=Typed)
    headers_seen: HeaderSummary = field(default_factory=HeaderSummary)

    @property
    def group(self) -> str:
        """The `Issue.group` of findings about this dataset."""
        return f"dataset:{self.name}"
