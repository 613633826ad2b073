"""Folds the events of a run into one picture of it: the command line and the app show the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from uploader.model.events import (
    Event,
    FileFinished,
    FilePlanned,
    FileProgressed,
    FileSetAside,
    FileStarted,
    IssueFound,
    Parked,
    Paused,
    PlanMade,
    Resumed,
    RunFinished,
    RunStarted,
    SurveyProgressed,
    TransferPaced,
)
from uploader.model.files import FileResult, Outcome
from validation.model import Issue, Severity

RATE_WINDOW_S: Final = 20.0
"""The rate is measured over the latest seconds, so that it follows the network."""
MIN_RATE_SPAN_S: Final = 0.5
"""Below this span a rate is noise and none is given."""
EXAMPLES_KEPT: Final = 3

_NO_OUTCOMES: Final[Mapping[str, int]] = MappingProxyType({outcome.value: 0 for outcome in Outcome})


@dataclass(frozen=True, slots=True)
class IssueGroup:
    """Findings with one cause: how many, how bad, and the first few of them."""

    code: str
    severity: Severity
    count: int
    examples: tuple[Issue, ...]

    def add(self, issue: Issue) -> IssueGroup:
        """The group with one more finding."""
        examples = self.examples if len(self.examples) >= EXAMPLES_KEPT else (*self.examples, issue)
        return replace(self, count=self.count + 1, examples=examples)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file on its way."""

    size_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a run after the events so far."""

    run: str = ""
    server: str = ""
    catalog: str = ""
    spec_id: str = ""
    spec_version: str = ""
    dry_run: bool = False
    stage: str = ""
    """`scan`, `headers`, `checks`, `catalog`, then `ferry`, at last `done`; empty before the start."""
    files_found: int = 0
    files_surveyed: int = 0
    at_path: str = ""
    """The file or folder that the survey looks at."""
    planned: Mapping[str, int] = field(default_factory=dict)
    """Action -> files, once the plan is made."""
    files_to_send: int = 0
    bytes_to_send: int = 0
    held_by_strict: bool = False
    outcomes: Mapping[str, int] = field(default_factory=lambda: _NO_OUTCOMES)
    """Outcome -> files finished; every outcome is present."""
    bytes_done: int = 0
    """Bytes of the files that were sent to their end."""
    current: Mapping[tuple[str, str], Transfer] = field(default_factory=dict)
    """(Dropped folder, path) -> how far, for the files on their way."""
    issues: Mapping[tuple[str, Severity], IssueGroup] = field(default_factory=dict)
    failures: tuple[FileResult, ...] = ()
    """The first few failed files."""
    set_aside: int = 0
    """How often a file was set aside because it changed, vanished or was locked."""
    parked: Parked | None = None
    """Why nothing is sent at the moment; None again when sending goes on."""
    is_paused: bool = False
    """A person has paused everything."""
    pacing: TransferPaced | None = None
    """What the engine last said of its pace."""
    finished: RunFinished | None = None
    marks: tuple[tuple[float, int], ...] = ()
    """(seconds, bytes sent) of the latest seconds, oldest first."""

    @property
    def bytes_sent(self) -> int:
        """Bytes acknowledged so far; may go back when a part is sent again."""
        return self.bytes_done + sum(transfer.sent_bytes for transfer in self.current.values())

    @property
    def files_done(self) -> int:
        """Files that have reached an outcome."""
        return sum(self.outcomes.values())

    @property
    def files_sent(self) -> int:
        """Files whose bytes or row were written in this run."""
        return self.outcomes[Outcome.NEW] + self.outcomes[Outcome.UPDATED]

    @property
    def files_through(self) -> int:
        """Files sent to their last byte, also those whose row is still to be written."""
        waiting = sum(transfer.sent_bytes >= transfer.size_bytes for transfer in self.current.values())
        return self.files_sent + waiting

    @property
    def rate_bytes_per_s(self) -> float | None:
        """Bytes a second over the latest seconds, None while there is nothing to measure."""
        if len(self.marks) < 2:
            return None
        (start_s, start_bytes), (end_s, end_bytes) = self.marks[0], self.marks[-1]
        span_s = end_s - start_s
        return max(0.0, (end_bytes - start_bytes) / span_s) if span_s >= MIN_RATE_SPAN_S else None

    @property
    def time_left_s(self) -> float | None:
        """Seconds until everything planned is sent at the present rate, None while that is unknown."""
        rate = self.rate_bytes_per_s
        return self.bytes_left / rate if rate else None

    @property
    def bytes_left(self) -> int:
        """Bytes still to be sent; the engine knows of files that were cancelled or taken up again meanwhile."""
        if self.pacing is not None and self.finished is None:
            return self.pacing.bytes_left
        return max(0, self.bytes_to_send - self.bytes_sent)

    @property
    def held(self) -> int:
        """Files kept back by a finding or by a record that contradicts them."""
        if self.dry_run:
            return self.planned.get("held", 0) + self.planned.get("conflict", 0)
        return self.outcomes[Outcome.HELD]

    @property
    def is_complete(self) -> bool:
        """Whether everything the spec claims is registered (or, in a dry run, would be)."""
        stuck = self.held + self.outcomes[Outcome.FAILED] + self.outcomes[Outcome.CANCELLED]
        # A wait that ends by itself leaves nothing behind but the files it was too long for: those are counted.
        parked = self.parked is not None and not self.parked.goes_on_by_itself
        stopped = self.held_by_strict or parked
        if self.finished is None or self.finished.interrupted or stuck or stopped:
            return False
        # What lies in a folder that could not be opened is neither sent nor even counted.
        return not any(group.code == "source.folder_unreadable" for group in self.issues.values())


def summarise(events: Iterable[Event]) -> Summary:
    """The summary after all these events."""
    summary = Summary()
    for event in events:
        summary = fold(summary, event)
    return summary


def fold(summary: Summary, event: Event) -> Summary:  # noqa: PLR0911 - one arm per kind of event
    """The summary after one more event; kinds it does not know change nothing."""
    match event:
        case RunStarted():
            return Summary(
                run=event.run,
                server=event.server,
                catalog=event.catalog,
                spec_id=event.spec_id,
                spec_version=event.spec_version,
                dry_run=event.dry_run,
            )
        case SurveyProgressed():
            return replace(
                summary,
                stage=event.stage,
                files_found=event.files_found,
                files_surveyed=event.files_done,
                at_path=event.path,
            )
        case PlanMade():
            return replace(
                summary,
                stage="ferry",
                at_path="",
                planned=event.files,
                files_to_send=event.files_to_send,
                bytes_to_send=event.bytes_to_send,
                held_by_strict=event.held_by_strict,
            )
        case IssueFound():
            return replace(summary, issues=_grouped(summary.issues, (event.issue,)))
        case FilePlanned():
            # In a real run the same findings come again with the file's outcome.
            found = event.issues if summary.dry_run else ()
            return replace(summary, issues=_grouped(summary.issues, found)) if found else summary
        case FileStarted():
            return _moved(summary, event, Transfer(event.size_bytes, 0))
        case FileProgressed():
            return _moved(summary, event, Transfer(event.size_bytes, event.sent_bytes))
        case FileFinished():
            return _ended(summary, event)
        case FileSetAside():
            return _set_aside(summary, event)
        case RunFinished():
            return replace(
                summary, stage="done", current={}, finished=event, outcomes={**_NO_OUTCOMES, **event.outcomes}
            )
        case _:
            return _steered(summary, event)


def _steered(summary: Summary, event: Event) -> Summary:
    """After an event about how the sending goes: waits, pauses, pace."""
    match event:
        case Parked():
            # A rate over the time before and after a wait would be of neither.
            return replace(summary, parked=event, marks=(), pacing=None)
        case Paused():
            return replace(summary, is_paused=True, marks=(), pacing=None)
        case Resumed():
            return replace(summary, parked=None, is_paused=False, marks=())
        case TransferPaced():
            return replace(summary, pacing=event)
        case _:
            return summary


def _moved(summary: Summary, event: FileStarted | FileProgressed, transfer: Transfer) -> Summary:
    current = {**summary.current, (event.root, event.path): transfer}
    return _marked(replace(summary, current=current), event)


def _set_aside(summary: Summary, event: FileSetAside) -> Summary:
    file = (event.root, event.path)
    current = {known: each for known, each in summary.current.items() if known != file}
    return replace(summary, current=current, set_aside=summary.set_aside + 1)


def _ended(summary: Summary, event: FileFinished) -> Summary:
    result = event.result
    file = (result.root, result.path)
    was_on_its_way = file in summary.current
    # A small file may end without ever having been shown on its way. An update may be of the row alone.
    arrived = result.outcome is Outcome.NEW or (was_on_its_way and result.outcome is Outcome.UPDATED)
    failures = summary.failures
    if result.outcome is Outcome.FAILED and len(failures) < EXAMPLES_KEPT:
        failures = (*failures, result)
    ended = replace(
        summary,
        outcomes={**summary.outcomes, result.outcome.value: summary.outcomes[result.outcome.value] + 1},
        bytes_done=summary.bytes_done + (result.size_bytes if arrived else 0),
        current={known: each for known, each in summary.current.items() if known != file},
        issues=_grouped(summary.issues, [_placed(issue, result.path) for issue in result.issues]),
        failures=failures,
    )
    return _marked(ended, event) if arrived or was_on_its_way else ended


def _marked(summary: Summary, event: Event) -> Summary:
    now_s = datetime.fromisoformat(event.time).timestamp()
    # Ten marks a second at most: a thousand small files a second must not make this list long.
    is_crowded = len(summary.marks) >= 2 and now_s - summary.marks[-2][0] < 0.1
    kept = summary.marks[:-1] if is_crowded else summary.marks
    while len(kept) > 1 and now_s - kept[0][0] > RATE_WINDOW_S:
        kept = kept[1:]
    return replace(summary, marks=(*kept, (now_s, summary.bytes_sent)))


def _placed(issue: Issue, path: str) -> Issue:
    """The finding with its file named: what a reader finds does not know where the file lies."""
    return issue if issue.location.path else replace(issue, location=replace(issue.location, path=path))


def _grouped(
    groups: Mapping[tuple[str, Severity], IssueGroup], issues: Sequence[Issue]
) -> Mapping[tuple[str, Severity], IssueGroup]:
    if not issues:
        return groups
    grown = dict(groups)
    for issue in issues:
        key = (issue.code, issue.severity)
        known = grown.get(key)
        grown[key] = known.add(issue) if known else IssueGroup(issue.code, issue.severity, 1, (issue,))
    return grown
