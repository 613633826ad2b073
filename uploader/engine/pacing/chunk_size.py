"""How large the chunks of a file are, and how many of them are on their way at once."""

from __future__ import annotations

from uploader.engine.pacing.controller import Controller
from uploader.stages.room import ROOM_BYTES

MIB = 1024 * 1024
LEAST_BYTES = 5 * MIB
MOST_BYTES = 128 * MIB
"""The bounds of a server (DESIGN 6.12)."""
USUAL_BYTES = 8 * MIB
"""Before anything was measured."""
MOST_CHUNKS = 10_000
"""Of one file: what a server keeps in mind of a job."""
WANTED_S = 0.5
"""How long a chunk should take: twenty times the cost of a request, and little to send again when it is lost."""
HASHED_AHEAD = 2
"""Chunks of a file that are hashed, or wait for a slot, while as many as there are permits are sent."""
_LEAST_IN_ROOM = 4
"""Chunks the memory holds in any case: one is read while others are sent."""


class ChunkSize:
    """Chooses by what the controller has measured, within what the memory allows."""

    def __init__(self, controller: Controller, *, room_bytes: int = ROOM_BYTES) -> None:
        self._controller = controller
        self._room_bytes = room_bytes

    def choose(self, size_bytes: int) -> int:
        """Bytes per chunk for a new job of a file of this size; 5 to 128 MiB in whole MiB."""
        stream_bytes_per_s = self._controller.stream_bytes_per_s
        by_rate = stream_bytes_per_s * WANTED_S if stream_bytes_per_s else USUAL_BYTES
        by_memory = self._room_bytes // _LEAST_IN_ROOM
        by_count = -(-size_bytes // MOST_CHUNKS)
        # A file so large that it needs larger chunks than the memory likes has fewer of them at once.
        chosen = max(min(by_rate, by_memory), by_count)
        whole_mib = int(-(-chosen // MIB)) * MIB
        return min(max(whole_mib, LEAST_BYTES), MOST_BYTES, max(LEAST_BYTES, self._room_bytes))

    def chunks_in_flight(self, chunk_bytes: int) -> int:
        """Chunks of one file hashed or sent at once while one more is read; a resumed job has its own size."""
        in_room = max(1, self._room_bytes // chunk_bytes)
        return max(1, min(self._controller.permits + HASHED_AHEAD, in_room - 1))
