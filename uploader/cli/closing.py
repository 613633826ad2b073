"""What is said when a run has ended: what became of the files, what was found, what to do next."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from uploader.cli import wording
from uploader.cli.invocation import command_line
from uploader.model.files import Outcome
from uploader.report.summary import IssueGroup, Summary
from validation.codes import CODES
from validation.model import Severity

_OUTCOMES = {
    Outcome.NEW: "uploaded",
    Outcome.UPDATED: "updated",
    Outcome.SAME: "already there",
    Outcome.HELD: "held",
    Outcome.UNMATCHED: "not claimed by the spec",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "left for the next run",
}
_ACTIONS = {
    "new": "would be uploaded",
    "changed-bytes": "would be uploaded again",
    "changed-row": "would have their record updated",
    "moved": "would have their record moved",
    "same": "are already there",
    "conflict": "contradict a record",
    "held": "would be held",
    "unmatched": "are not claimed by the spec",
}


def closing_lines(summary: Summary, again: Sequence[str], *, told: Container[str] = ()) -> list[str]:
    """The last words of an upload. `again`: the arguments it was called with; `told`: codes shown before."""
    return [*_what_happened(summary), *_findings(summary, told), *_what_next(summary, again)]


def _what_happened(summary: Summary) -> Iterator[str]:
    finished = summary.finished
    if finished is None or finished.could_not_run:
        yield "The run could not be done; nothing was sent."
        return
    if summary.dry_run:
        yield "Dry run: nothing was sent."
        for action, number in summary.planned.items():
            if number:
                yield f"  {number:>7,}  {_ACTIONS.get(action, action)}"
        yield f"  To send: {wording.size(summary.bytes_to_send)}"
        return
    head = "Interrupted" if finished.interrupted else "Stopped" if _gave_up(summary) else "Done"
    sent = f"{wording.size(finished.sent_bytes)} sent in {wording.duration(finished.duration_s)}"
    yield f"{head}: {sent}."
    for outcome, words in _OUTCOMES.items():
        if summary.outcomes[outcome]:
            yield f"  {summary.outcomes[outcome]:>7,}  {words}"
    if not summary.files_done:
        yield "  The folder holds no files to send."


def _gave_up(summary: Summary) -> bool:
    """Whether the run ended for what it waits for no longer: no server, no login, no room."""
    return summary.parked is not None and not summary.parked.goes_on_by_itself and not summary.is_complete


def _findings(summary: Summary, told: Container[str]) -> Iterator[str]:
    groups = sorted(
        (
            group
            for group in summary.issues.values()
            if group.severity is not Severity.INFO and group.code not in told
        ),
        key=lambda group: (-group.severity.rank, -group.count, group.code),
    )
    if groups:
        yield "Findings:"
    for group in groups:
        yield from _group(group, "--json" if summary.dry_run else "the receipt")


def _group(group: IssueGroup, lists_all: str) -> Iterator[str]:
    title = CODES[group.code].title if group.code in CODES else group.code
    yield f"  {group.severity.value:<7}  {group.count:,} × {title} ({group.code})"
    for issue in group.examples:
        path = issue.location.path
        place = f"{path}: " if path and not issue.message.startswith(path) else ""
        yield f"             {place}{issue.message}"
    if group.count > len(group.examples):
        yield f"             … and {group.count - len(group.examples):,} more; {lists_all} lists them all"
    yield f"             → {group.examples[0].remedy}"


def _what_next(summary: Summary, again: Sequence[str]) -> Iterator[str]:
    finished = summary.finished
    if summary.parked is not None and not summary.is_complete:
        if _gave_up(summary):
            yield f"Sending stopped: {summary.parked.cause} {summary.parked.remedy}".rstrip()
        else:
            yield f"It was waiting: {summary.parked.cause}"
    if finished is not None and (finished.interrupted or _gave_up(summary)):
        yield "Everything the server has acknowledged is kept."
        yield f"To go on, run the same command again: {command_line(*again)}"
    if finished is not None and finished.interrupted:
        if finished.receipt:
            yield f"Receipt so far: {wording.visible(finished.receipt)}"
        return
    if summary.held_by_strict:
        yield "--strict: something is held or unmatched, so nothing was sent. Correct it, or run without --strict."
    elif not summary.dry_run and summary.held + summary.outcomes[Outcome.FAILED]:
        yield "Correct what was found and run the same command again: only what is missing is sent."
    if finished is not None and finished.receipt:
        yield f"Receipt: {wording.visible(finished.receipt)}"
        yield f"Safe to delete? {command_line('verify', finished.receipt)}"
