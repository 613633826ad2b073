"""The loop: wait until something has settled, run the engine, wait again; until somebody stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from uploader.engine.outcomes import BY_A_PERSON
from uploader.engine.run import Engine
from uploader.model.errors import Cancelled, JournalError, Retry, UploaderError
from uploader.model.events import Event, FileFinished, PlanMade, RunFinished
from uploader.model.files import Outcome
from uploader.model.ports import Clock
from uploader.watch.lookout import FolderLookout
from validation.check import Depth

LONGEST_REST_S = 60.0
"""A journal that cannot be written is tried again this often."""

_MOVED = (Outcome.NEW, Outcome.UPDATED)
_LEFT_OVER = (Outcome.HELD, Outcome.FAILED, Outcome.CANCELLED)


def watch(engine: Engine, lookout: FolderLookout, clock: Clock, *, strict: bool = False) -> Iterator[Event]:
    """The events of one run after another, and what is waited for in between; ends when the engine is stopped.

    An outage, a dead login, a full disk end nothing: it waits and goes on. Raises UploaderError only for what
    waiting cannot help (a damaged journal).
    """
    while not engine.is_stopped():
        try:
            yield from engine.stand_by(Depth.HEADERS, lookout)
            if engine.is_stopped():
                return
            lookout.set_out()
            events = engine.run(dry_run=False, strict=strict, depth=Depth.HEADERS)
            yield from _heard(events, lookout, clock)
        except UploaderError as error:
            if not passes(error):
                raise
            clock.sleep(min(lookout.broke_off(error), LONGEST_REST_S))


def _heard(events: Iterator[Event], lookout: FolderLookout, clock: Clock) -> Iterator[Event]:
    """The events of a run; what of them the lookout must know is told to it."""
    by_a_person = 0
    survey_s, began_s = 0.0, clock.monotonic()
    for event in events:
        if isinstance(event, FileFinished) and event.result.error.startswith(BY_A_PERSON):
            by_a_person += 1
            lookout.cancelled(event.result)
        elif isinstance(event, PlanMade):
            survey_s = clock.monotonic() - began_s
        elif isinstance(event, RunFinished):
            number = Counter(event.outcomes)
            lookout.came_home(
                survey_s=survey_s,
                has_moved=any(number[outcome] for outcome in _MOVED),
                has_left_over=sum(number[outcome] for outcome in _LEFT_OVER) > by_a_person,
            )
        yield event


def passes(error: UploaderError) -> bool:
    """Whether the same may go well later: whoever is left alone for a week does not give up."""
    if isinstance(error, JournalError):
        return error.retry is not Retry.NEVER
    return not isinstance(error, Cancelled)
