"""Chunk sizes: by the rate, within the server's bounds and the memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.engine.pacing.chunk_size import (
    HASHED_AHEAD,
    LEAST_BYTES,
    MIB,
    MOST_BYTES,
    MOST_CHUNKS,
    ChunkSize,
)

GIB = 1024 * MIB


class Rated:
    """A controller that has measured this."""

    def __init__(self, stream_bytes_per_s: float = 0.0, permits: int = 4) -> None:
        self.stream_bytes_per_s, self.permits = stream_bytes_per_s, permits


def chunk_size(rate: float = 0.0, permits: int = 4, **room: int) -> ChunkSize:
    return ChunkSize(Rated(rate, permits), **room)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rate", "size_bytes", "chunk_mib"),
    [
        (0, GIB, 8),  # nothing measured yet
        (1e6, GIB, 5),  # a slow line: small ones, little to send again
        (24 * MIB, GIB, 12),  # half a second
        (117e6, GIB, 16),  # what the memory holds four of
        (0, 40 * GIB, 8),
        (1e6, 100 * GIB, 11),  # no more than 10,000 chunks
        (117e6, 1000 * GIB, 103),
        (117e6, 10_000 * GIB, 128),  # the server's limit comes before the number of chunks
    ],
)
def test_the_size_for_a_file(rate: float, size_bytes: int, chunk_mib: int) -> None:
    chosen = chunk_size(rate, room_bytes=128 * MIB if chunk_mib > 64 else 64 * MIB).choose(size_bytes)
    assert chosen == chunk_mib * MIB


@given(st.floats(0, 1e10), st.integers(1, 10**14), st.integers(1, 64))
def test_bounds_hold_for_any_rate_and_size(rate: float, size_bytes: int, permits: int) -> None:
    sizes = chunk_size(rate, permits)
    chosen = sizes.choose(size_bytes)
    assert LEAST_BYTES <= chosen <= MOST_BYTES
    assert chosen % MIB == 0
    in_flight = sizes.chunks_in_flight(chosen)
    assert 1 <= in_flight <= permits + HASHED_AHEAD
    assert in_flight == 1 or (in_flight + 1) * chosen <= 64 * MIB
    if size_bytes <= 64 * MIB * MOST_CHUNKS:
        assert -(-size_bytes // chosen) <= MOST_CHUNKS


def test_a_resumed_job_keeps_its_chunks_and_the_memory_its_bound() -> None:
    assert chunk_size(permits=8).chunks_in_flight(128 * MIB) == 1
    assert chunk_size(permits=8).chunks_in_flight(8 * MIB) == 7
    assert chunk_size(permits=2).chunks_in_flight(8 * MIB) == 2 + HASHED_AHEAD
