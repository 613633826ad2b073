"""A part of a run in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

from uploader.engine.control.besides import AHEAD, besides


def test_other_things_are_heard_of_while_events_come_without_end() -> None:
    heard: list[int] = []
    told: list[Any] = []
    made = 0

    def part() -> Generator[Any, None, str]:
        nonlocal made
        while not heard:
            made += 1
            yield "event"
        return "done"

    def look() -> Iterator[Any]:
        heard.append(len(told))
        return iter(())

    for event in besides(part(), look, lambda: None):
        told.append(event)
        # A listener so slow that there is always another event.
        while not heard and made < len(told) + 3:
            time.sleep(0)
        assert len(told) < 3 * AHEAD
    assert 0 < heard[0] <= AHEAD
