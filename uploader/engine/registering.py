"""The one thread that writes rows of files: in batches, while the wire goes on."""

from __future__ import annotations

import logging
import queue
import threading

from uploader.engine.carry import Carried
from uploader.engine.in_hand import InHand
from uploader.engine.noting import Noting
from uploader.engine.outbox import Outbox
from uploader.engine.registrar import Registrar
from uploader.engine.task import Task
from uploader.engine.worker_errors import as_trouble
from uploader.model.errors import RemoteError, Retry, UploaderError
from uploader.model.ports import Ports

log = logging.getLogger(__name__)

WAIT_S = 0.05
IN_DOUBT_TRIES = 5
"""A batch whose answer was lost is read back and completed so many times before the run parks."""


class Registering:
    """Takes in what is stored; its rows are written a quarter of a second later at most, the last ones at once."""

    def __init__(self, task: Task, ports: Ports, outbox: Outbox, in_hand: InHand) -> None:
        self._registrar = Registrar(task, ports)
        self._outbox, self._in_hand = outbox, in_hand
        self._queue: queue.SimpleQueue[Carried | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="rows")
        self._noting = Noting(ports.journal, outbox, in_hand, self._queue.put)
        self._lost = 0

    def begin(self) -> None:
        """Start the threads."""
        self._noting.begin()
        self._thread.start()

    def put(self, carried: Carried) -> None:
        """A file whose object is stored (the journal is told first), or whose row alone is to be written."""
        self._noting.put(carried)

    def close(self) -> None:
        """Write what waits, as far as the catalog takes it, and end the threads."""
        self._noting.close()
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._take_in():
                if self._registrar.is_due(len(self._in_hand)):
                    self._flush()
            self._flush()
        except Exception as error:  # noqa: BLE001 - a surprise here ends the run, not only this thread
            self._outbox.fail(as_trouble(error))

    def _take_in(self) -> bool:
        """Take in what has come, waiting a moment for it; False once nothing more will come."""
        try:
            carried = self._queue.get(timeout=WAIT_S)
            while carried is not None:
                self._registrar.add(carried)
                if self._registrar.is_due(len(self._in_hand)):
                    return True
                carried = self._queue.get_nowait()
        except queue.Empty:
            return True
        return False

    def _flush(self) -> None:
        try:
            self._registrar.flush(self._outbox.finish)
            self._lost = 0
        except RemoteError as error:
            self._lost += 1
            if error.retry is Retry.LATER and self._lost < IN_DOUBT_TRIES and not self._outbox.is_over:
                # The rows wait on, in doubt: the next flush looks for them before it inserts.
                log.warning("rows are still to be written: %s", error.summary)
                return
            self._outbox.fail(error)
        except UploaderError as error:
            self._outbox.fail(error)
