"""Folds the events of a run into one picture of it: the command line and the app show the same numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from uploader.model.control import Verb
from uploader.model.events import (
    CommandTaken,
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
MARKS_EVERY_S: Final = 0.1
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


def summarise(events: Iterable[Event], before: Summary | None = None) -> Summary:
    """The summary after all these events; `before` holds what has happened until then."""
    folding = Folding(before)
    for event in events:
        folding.take(event)
    return folding.summary()


class Folding:
    """Takes the events of a run one by one, at a cost that does not grow with the files on their way.

    A summary is made only when somebody looks: hundreds of files a second end, and nobody reads that fast.
    """

    def __init__(self, before: Summary | None = None) -> None:
        self._begin(before or Summary())

    def _begin(self, known: Summary) -> None:
        self._known = known
        """What seldom changes; the parts below are newer than its own."""
        self._outcomes = dict(known.outcomes)
        self._bytes_done = known.bytes_done
        self._current = dict(known.current)
        self._moving_bytes = sum(transfer.sent_bytes for transfer in self._current.values())
        self._issues = dict(known.issues)
        self._marks = deque(known.marks)

    @property
    def stage(self) -> str:
        """As `Summary.stage`."""
        return self._known.stage

    @property
    def bytes_to_send(self) -> int:
        """As `Summary.bytes_to_send`."""
        return self._known.bytes_to_send

    @property
    def bytes_sent(self) -> int:
        """As `Summary.bytes_sent`."""
        return self._bytes_done + self._moving_bytes

    def summary(self) -> Summary:
        """Everything so far; later events do not change it."""
        return replace(
            self._known,
            outcomes=dict(self._outcomes),
            bytes_done=self._bytes_done,
            current=dict(self._current),
            issues=dict(self._issues),
            marks=tuple(self._marks),
        )

    def take(self, event: Event) -> None:
        """One more event; kinds that are not known change nothing."""
        match event:
            case FileFinished():
                self._ended(event)
            case FileStarted():
                self._moved(event, 0)
            case FileProgressed():
                self._moved(event, event.sent_bytes)
            case FileSetAside():
                self._leave((event.root, event.path))
                self._known = replace(self._known, set_aside=self._known.set_aside + 1)
            case FilePlanned():
                # In a real run the same findings come again with the file's outcome.
                if self._known.dry_run:
                    self._group(event.issues)
            case IssueFound():
                self._group((event.issue,))
            case RunStarted():
                self._begin(_of_run(event))
            case RunFinished():
                self._current.clear()
                self._moving_bytes = 0
                self._outcomes = {**_NO_OUTCOMES, **event.outcomes}
                self._known = replace(self._known, stage="done", finished=event)
            case _:
                self._known = _steered(self._known, event)
                if isinstance(event, Parked | Paused | Resumed):
                    # A rate over the time before and after a wait would be of neither.
                    self._marks.clear()

    def _moved(self, event: FileStarted | FileProgressed, sent_bytes: int) -> None:
        file = (event.root, event.path)
        before = self._current.get(file)
        self._current[file] = Transfer(event.size_bytes, sent_bytes)
        self._moving_bytes += sent_bytes - (before.sent_bytes if before is not None else 0)
        self._mark(event)

    def _leave(self, file: tuple[str, str]) -> bool:
        """The file is no longer on its way; whether it was."""
        transfer = self._current.pop(file, None)
        if transfer is None:
            return False
        self._moving_bytes -= transfer.sent_bytes
        return True

    def _ended(self, event: FileFinished) -> None:
        result = event.result
        outcome = result.outcome
        was_on_its_way = self._leave((result.root, result.path))
        # A small file may end without ever having been shown on its way. An update may be of the row alone.
        arrived = outcome is Outcome.NEW or (was_on_its_way and outcome is Outcome.UPDATED)
        self._outcomes[outcome.value] += 1
        if arrived:
            self._bytes_done += result.size_bytes
        if result.issues:
            self._group([_placed(issue, result.path) for issue in result.issues])
        if outcome is Outcome.FAILED and len(self._known.failures) < EXAMPLES_KEPT:
            self._known = replace(self._known, failures=(*self._known.failures, result))
        if arrived or was_on_its_way:
            self._mark(event)

    def _mark(self, event: Event) -> None:
        now_s = datetime.fromisoformat(event.time).timestamp()
        marks = self._marks
        # Ten marks a second at most: a thousand small files a second must not make this list long.
        if len(marks) >= 2 and now_s - marks[-2][0] < MARKS_EVERY_S:
            marks.pop()
        while len(marks) > 1 and now_s - marks[0][0] > RATE_WINDOW_S:
            marks.popleft()
        marks.append((now_s, self.bytes_sent))

    def _group(self, issues: Sequence[Issue]) -> None:
        for issue in issues:
            key = (issue.code, issue.severity)
            known = self._issues.get(key)
            self._issues[key] = known.add(issue) if known else IssueGroup(*key, 1, (issue,))


def _of_run(event: RunStarted) -> Summary:
    """The summary of a run that has just begun."""
    return Summary(
        run=event.run,
        server=event.server,
        catalog=event.catalog,
        spec_id=event.spec_id,
        spec_version=event.spec_version,
        dry_run=event.dry_run,
    )


def _steered(known: Summary, event: Event) -> Summary:  # noqa: PLR0911 - one arm per kind of event
    """After an event about the run as a whole: how far the survey is, the plan, waits, pauses, pace."""
    match event:
        case SurveyProgressed():
            return replace(
                known,
                stage=event.stage,
                files_found=event.files_found,
                files_surveyed=event.files_done,
                at_path=event.path,
            )
        case PlanMade():
            return replace(
                known,
                stage="ferry",
                at_path="",
                planned=event.files,
                files_to_send=event.files_to_send,
                bytes_to_send=event.bytes_to_send,
                held_by_strict=event.held_by_strict,
            )
        case Parked():
            return replace(known, parked=event, pacing=None)
        case Paused():
            return replace(known, is_paused=True, pacing=None)
        case Resumed():
            return replace(known, parked=None, is_paused=False)
        case TransferPaced():
            return replace(known, pacing=event)
        case CommandTaken(verb=Verb.LIMIT) if known.pacing is not None:
            # The old limit no longer holds; the next measurement says which one does.
            return replace(known, pacing=replace(known.pacing, limit_bytes_per_s=0))
        case _:
            return known


def _placed(issue: Issue, path: str) -> Issue:
    """The finding with its file named: what a reader finds does not know where the file lies."""
    return issue if issue.location.path else replace(issue, location=replace(issue.location, path=path))
