"""Acknowledged files are journalled together, and go on only once they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from uploader.engine import noting
from uploader.engine.carry import Carried
from uploader.engine.noting import Noting
from uploader.engine.outbox import Outbox
from uploader.model.entries import Acknowledged, DeliveryState
from uploader.model.errors import JournalFull, UploaderError

DEADLINE_S = 10.0


class Noted:
    """A journal that keeps what it was told, batch by batch; `fault` is raised in place of that."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.fault: UploaderError | None = None

    def stored_all(self, acknowledged: Sequence[Acknowledged]) -> None:
        if self.fault is not None:
            raise self.fault
        self.batches.append([one.delivery_id for one in acknowledged])


class Trouble:
    """The end of a run, as an outbox keeps it."""

    def __init__(self) -> None:
        self.found = threading.Event()
        self.error: UploaderError | None = None

    def fail(self, error: UploaderError) -> None:
        self.error = error
        self.found.set()


class Desk:
    """A Noting over fakes; `on_handed` sees the numbers of the files that go on."""

    def __init__(self, in_hand: int, on_handed: Callable[[int], None] = lambda _number: None) -> None:
        self.journal, self.trouble = Noted(), Trouble()
        self.handed: list[int] = []
        self.has_handed = threading.Event()
        self._on_handed = on_handed
        self.noting = Noting(
            cast(Any, self.journal), cast(Outbox, self.trouble), cast(Any, range(in_hand)), self._hand_on
        )

    def _hand_on(self, carried: Carried) -> None:
        number = carried.cargo.delivery.delivery_id
        self._on_handed(number)
        self.handed.append(number)
        self.has_handed.set()


def stored(number: int, state: DeliveryState = DeliveryState.INTENDED) -> Carried:
    """A file whose object is in the store."""
    source = SimpleNamespace(identity=f"source {number}")
    cargo = SimpleNamespace(
        delivery=SimpleNamespace(delivery_id=number, state=state),
        candidate=SimpleNamespace(digest=None, entry=SimpleNamespace(source=source)),
    )
    return Carried(cast(Any, cargo), cast(Any, SimpleNamespace(stored=None, digest=None)))


def test_files_that_wait_go_into_the_journal_together() -> None:
    desk = Desk(in_hand=5)
    for number in range(5):
        desk.noting.put(stored(number))
    desk.noting.begin()
    desk.noting.close()
    assert desk.journal.batches == [[0, 1, 2, 3, 4]]
    assert desk.handed == [0, 1, 2, 3, 4]


def test_no_transaction_is_larger_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "MOST_TOGETHER", 2)
    desk = Desk(in_hand=5)
    for number in range(5):
        desk.noting.put(stored(number))
    desk.noting.begin()
    desk.noting.close()
    assert desk.journal.batches == [[0, 1], [2, 3], [4]]


def test_a_file_is_journalled_before_it_goes_on() -> None:
    known_then: dict[int, bool] = {}
    desk = Desk(
        in_hand=3,
        on_handed=lambda number: known_then.update(
            {number: any(number in batch for batch in desk.journal.batches)}
        ),
    )
    for number in range(3):
        desk.noting.put(stored(number))
    desk.noting.begin()
    desk.noting.close()
    assert known_then == {0: True, 1: True, 2: True}


def test_the_only_file_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "LINGER_S", 10 * DEADLINE_S)
    desk = Desk(in_hand=1)
    desk.noting.begin()
    desk.noting.put(stored(1))
    went_on = desk.has_handed.wait(DEADLINE_S)
    desk.noting.close()
    assert went_on


def test_the_end_waits_for_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "LINGER_S", 10 * DEADLINE_S)
    desk = Desk(in_hand=9)
    desk.noting.begin()
    desk.noting.put(stored(1))
    closing = threading.Thread(target=desk.noting.close)
    closing.start()
    closing.join(DEADLINE_S)
    assert not closing.is_alive()
    assert desk.journal.batches == [[1]]


def test_what_the_journal_knows_already_passes_at_once() -> None:
    desk = Desk(in_hand=1)
    desk.noting.put(stored(1, DeliveryState.STORED))
    assert (desk.handed, desk.journal.batches) == ([1], [])


def test_a_journal_that_cannot_be_written_ends_the_run_and_nothing_goes_on() -> None:
    desk = Desk(in_hand=2)
    desk.journal.fault = JournalFull("The disk under the journal is full.")
    desk.noting.begin()
    desk.noting.put(stored(1))
    assert desk.trouble.found.wait(DEADLINE_S)
    desk.noting.put(stored(2))
    desk.noting.close()
    assert desk.trouble.error is desk.journal.fault
    assert desk.handed == []
