"""Renders a report for a person: grouped by cause, the most important first, bounded however much was found."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from validation.codes import CODES
from validation.model import Issue, Report, Scope, Severity

MOST_CAUSES = 50
MOST_PLACES = 4
"""Paths shown under one cause."""
LEAST_WIDTH = 40

_COLOURS: Mapping[Severity, str] = {Severity.ERROR: "31;1", Severity.WARNING: "33", Severity.INFO: "36"}
_HOLDS: Mapping[Scope, str] = {
    Scope.FILE: "held: each of these files",
    Scope.GROUP: "held: each of these groups of files",
    Scope.RECORD: "held: the files of these records",
    Scope.RUN: "held: everything",
}
_BREADTH: Mapping[Scope, int] = {Scope.RUN: 0, Scope.RECORD: 1, Scope.GROUP: 2, Scope.FILE: 3}
_UNITS: Mapping[Scope, tuple[str, str]] = {
    Scope.FILE: ("file", "files"),
    Scope.GROUP: ("group", "groups"),
    Scope.RECORD: ("record", "records"),
    Scope.RUN: ("finding", "findings"),
}


@dataclass(slots=True)
class _Cause:
    """Findings of one kind about one field; keeps a few places and counts the rest."""

    first: Issue
    count: int = 0
    one_message: bool = True
    places: list[str] = field(default_factory=list)

    def add(self, issue: Issue) -> None:
        """Count one finding."""
        self.count += 1
        self.one_message = self.one_message and issue.message == self.first.message
        if len(self.places) < MOST_PLACES:
            self.places.append(_place(issue))

    @property
    def order(self) -> tuple[int, int, int, str, str]:
        """Errors first, then what holds most, then what is found most often."""
        issue = self.first
        return (
            -issue.severity.rank,
            _BREADTH[issue.scope],
            -self.count,
            issue.code,
            issue.location.field,
        )


def render(report: Report, *, width: int, colour: bool = False) -> str:
    """The report as lines of at most `width` characters (paths excepted), without a final newline."""
    width = max(width, LEAST_WIDTH)
    lines = [_summary(report)]
    causes = sorted(_causes(report.issues), key=lambda cause: cause.order)
    for cause in causes[:MOST_CAUSES]:
        lines.append("")
        lines += _cause_lines(cause, width, colour=colour)
    if len(causes) > MOST_CAUSES:
        rest = sum(cause.count for cause in causes[MOST_CAUSES:])
        lines += [
            "",
            f"... and {_count(rest, 'finding', 'findings')} of {len(causes) - MOST_CAUSES} further causes",
        ]
    if report.checks_not_run:
        lines.append("")
        lines += _wrapped("Not run, so not passed: ", ", ".join(map(escaped, report.checks_not_run)), width)
    return "\n".join(lines)


def escaped(text: str) -> str:
    """The text with everything made visible that could steer a terminal or hide in it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    # Cc and Cf steer terminals and turn the writing direction, Cs are undecodable bytes of a name,
    # Zl and Zp break lines, Co and Cn have no agreed look.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character


def _summary(report: Report) -> str:
    counts = report.counts()
    parts = [
        _count(counts[Severity.ERROR], "error", "errors"),
        _count(counts[Severity.WARNING], "warning", "warnings"),
        _count(counts[Severity.INFO], "note", "notes"),
    ]
    found = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing to report"
    where = f" in {escaped(report.subject)}" if report.subject else ""
    return f"{_count(report.files_checked, 'file', 'files')} checked{where}: {found}"


def _causes(issues: Iterable[Issue]) -> list[_Cause]:
    causes: dict[tuple[str, str, str, str], _Cause] = {}
    for issue in issues:
        # What concerns the whole run differs by its message alone: six missing tables are one cause.
        field = "" if issue.scope is Scope.RUN else issue.location.field
        key = (issue.severity.value, issue.scope.value, issue.code, field)
        if key not in causes:
            causes[key] = _Cause(issue)
        causes[key].add(issue)
    return list(causes.values())


def _cause_lines(cause: _Cause, width: int, *, colour: bool) -> Iterator[str]:
    issue = cause.first
    mark = issue.severity.value.upper()
    if colour:
        mark = f"\x1b[{_COLOURS[issue.severity]}m{mark}\x1b[0m"
    title = CODES[issue.code].title if issue.code in CODES else issue.code
    units = _UNITS[issue.scope]
    yield f"{mark} {_count(cause.count, *units)}: {title} [{escaped(issue.code)}]"
    lead = "  " if cause.one_message else "  for example: "
    yield from _wrapped(lead, escaped(issue.message), width)
    if issue.remedy:
        yield from _wrapped("  -> ", escaped(issue.remedy), width)
    if issue.holds:
        yield f"  ({_HOLDS[issue.scope]})"
    shown = [place for place in dict.fromkeys(cause.places) if place and place != escaped(issue.message)]
    for place in shown:
        yield f"     {place}"
    if shown and cause.count > len(cause.places):
        yield f"     and {cause.count - len(cause.places):,} more"


def _wrapped(lead: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]


def _place(issue: Issue) -> str:
    location = issue.location
    name = location.path
    if not name and issue.group:
        name = issue.group.partition(":")[2] or issue.group
    if not name and issue.scope is Scope.RUN:
        return escaped(issue.message)
    place = escaped(name)
    if location.line is not None:
        place += f":{location.line}" + (f":{location.column}" if location.column is not None else "")
    if location.offset_bytes is not None:
        place += f" at byte {location.offset_bytes:,}"
    return place


def _count(number: int, one: str, several: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {several}"
