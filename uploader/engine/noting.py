"""The one thread that journals what the store has acknowledged: many files in one transaction."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from uploader.engine.carry import Carried, acknowledgement
from uploader.engine.in_hand import InHand
from uploader.engine.outbox import Outbox
from uploader.engine.worker_errors import as_trouble
from uploader.model.ports import Journal

LINGER_S = 0.02
"""How long an acknowledged file waits for others: a transaction for each would hold up the threads that send."""

MOST_TOGETHER = 64


class Noting:
    """Takes in files whose objects are stored and hands them on once the journal knows it.

    A file that the process does not live to note is found on the server by the next run, as after a lost reply.
    """

    def __init__(
        self, journal: Journal, outbox: Outbox, in_hand: InHand, hand_on: Callable[[Carried], None]
    ) -> None:
        self._journal, self._outbox, self._in_hand, self._hand_on = journal, outbox, in_hand, hand_on
        self._queue: queue.SimpleQueue[Carried | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="note")

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, carried: Carried) -> None:
        """A file whose object is stored; one that has nothing to be noted passes."""
        if acknowledgement(carried) is None:
            self._hand_on(carried)
        else:
            self._queue.put(carried)

    def close(self) -> None:
        """Note what waits and end the thread."""
        if self._thread.ident is not None:
            self._ending.set()
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            while batch := self._next_batch():
                self._note(batch)
        except Exception as error:  # noqa: BLE001 - a surprise here ends the run, not only this thread
            self._outbox.fail(as_trouble(error))

    def _next_batch(self) -> list[Carried]:
        """The files that have come, once there is one; empty when no more will come."""
        first = self._queue.get()
        if first is None:
            return []
        if self._queue.qsize() + 1 < len(self._in_hand):
            # Asleep for all of it: to wake for every file would cost as much as the transaction.
            self._ending.wait(LINGER_S)
        batch = [first]
        while len(batch) < MOST_TOGETHER and not self._queue.empty():
            carried = self._queue.get()
            if carried is None:
                self._queue.put(None)
                break
            batch.append(carried)
        return batch

    def _note(self, batch: Sequence[Carried]) -> None:
        acknowledged = [acknowledgement(carried) for carried in batch]
        try:
            self._journal.stored_all([one for one in acknowledged if one is not None])
        except Exception as error:  # noqa: BLE001 - others still come in: they are taken from the queue all the same
            self._outbox.fail(as_trouble(error))
            return
        for carried in batch:
            self._hand_on(carried)
