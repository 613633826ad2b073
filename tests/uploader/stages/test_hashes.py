"""Hashes of the whole and of its parts, however the bytes come in pieces; and who may fill their memory again."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.stages.hashes import BESIDE_FROM_BYTES, MOST_NOTED, NotedParts, PartHashes, running


@given(st.binary(max_size=200), st.integers(1, 50), st.integers(1, 70))
def test_parts_are_those_of_the_bytes_whatever_the_pieces(body: bytes, chunk: int, piece: int) -> None:
    parts = PartHashes(chunk)
    with running(len(body), parts=parts) as hashes:
        for start in range(0, len(body), piece):
            hashes.update(memoryview(body)[start : start + piece])
        digest = hashes.digest()
    expected = [hashlib.md5(body[start : start + chunk]).digest() for start in range(0, len(body), chunk)]
    assert [parts.md5(index) for index in range(len(parts))] == expected
    assert (digest.md5, digest.size_bytes) == (hashlib.md5(body).hexdigest(), len(body))
    assert digest.sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size_bytes", [1000, BESIDE_FROM_BYTES], ids=["at once", "in threads"])
def test_each_hash_says_when_it_has_read_a_piece(size_bytes: int) -> None:
    body, done = bytes(range(250)) * 4, Counter[int]()
    parts = PartHashes(300)
    with running(size_bytes, parts=parts) as hashes:
        for number in range(4):
            piece = memoryview(bytearray(body[number * 250 : number * 250 + 250]))
            hashes.update(piece, partial(done.update, [number]))
        assert hashes.digest().md5 == hashlib.md5(body).hexdigest()
    assert hashes.readers == 3
    assert done == dict.fromkeys(range(4), 3)
    assert len(parts) == 4


def test_parts_are_handed_out_once_and_the_oldest_forgotten() -> None:
    noted, all_parts = NotedParts(), [PartHashes(1) for _ in range(MOST_NOTED + 1)]
    for number, parts in enumerate(all_parts):
        noted.note(number, parts)
    assert noted.take(0) is None
    assert noted.take(1) is all_parts[1]
    assert noted.take(1) is None
