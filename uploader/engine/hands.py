"""Threads that share one queue: started one by one as work comes in, up to what is allowed at that moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Hands(Generic[T]):
    """Does something with each thing put in, in order of arrival; `do` must not raise."""

    def __init__(self, name: str, do: Callable[[T], None], most: Callable[[], int]) -> None:
        self._name, self._do, self._most = name, do, most
        self._queue: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def waiting(self) -> int:
        """Things that no thread has begun with."""
        return self._queue.qsize()

    def put(self, thing: T) -> None:
        """Take in one more thing; call from one thread only."""
        with self._lock:
            self._under_way += 1
            is_short = self._under_way > len(self._threads)
        self._queue.put((thing,))
        if is_short and len(self._threads) < self._most():
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads once the queue is empty, and wait for them."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._do(item[0])
            with self._lock:
                self._under_way -= 1
