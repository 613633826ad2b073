"""Reading and hashing a file once, and noticing when it is not what the scan saw."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader.model.errors import (
    Cancelled,
    ChunkDiffers,
    SourceChanged,
    SourceError,
    SourceUnreadable,
    SourceVanished,
)
from uploader.model.files import Digest, SourceFile
from uploader.stages.digest import READ_BYTES, ChunkReader, digest_file, open_source, read_whole


def planted(folder: Path, content: bytes) -> tuple[Path, SourceFile]:
    path = folder / "image.tif"
    path.write_bytes(content)
    state = path.stat()
    return path, SourceFile("s/image.tif", state.st_size, state.st_mtime_ns, "v", str(state.st_ino))


def digest_of(content: bytes) -> Digest:
    return Digest(hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest(), len(content))


def chunks_of(path: Path, source: SourceFile, chunk_bytes: int = 10, **more: object) -> ChunkReader:
    return ChunkReader(path, source=source, chunk_bytes=chunk_bytes, **more)  # type: ignore[arg-type]


READERS: list[Callable[..., object]] = [
    lambda path, source, **more: digest_file(path, source=source, **more),
    lambda path, source, **more: read_whole(path, source=source, **more),
    lambda path, source, **more: list(chunks_of(path, source, 7, **more)),
]


@pytest.fixture(params=READERS, ids=["digest_file", "read_whole", "chunks"])
def read(request: pytest.FixtureRequest) -> Callable[..., object]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("size", [0, 1, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES])
def test_both_hashes_in_one_pass(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path, source = planted(tmp_path, content)

    assert digest_file(path, source=source) == digest_of(content)
    body, digest = read_whole(path, source=source)
    assert bytes(body) == content
    assert digest == digest_of(content)


def test_progress_grows_to_the_size(tmp_path: Path) -> None:
    path, source = planted(tmp_path, bytes(2 * READ_BYTES + 5))
    seen: list[int] = []

    digest_file(path, source=source, progress=seen.append)

    assert seen == [READ_BYTES, 2 * READ_BYTES, 2 * READ_BYTES + 5]


def test_reading_stops_when_asked(tmp_path: Path) -> None:
    path, source = planted(tmp_path, bytes(3 * READ_BYTES))
    seen: list[int] = []

    with pytest.raises(Cancelled, match=r"image\.tif"):
        digest_file(path, source=source, progress=seen.append, stop=lambda: bool(seen))
    assert seen == [READ_BYTES]
    with pytest.raises(Cancelled):
        list(chunks_of(path, source, stop=lambda: True))


def changed_size(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def changed_time(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replaced(path: Path) -> None:
    """By another file with the same size and time: only the inode tells."""
    state = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"y" * state.st_size)
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)


def made_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def made_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


CHANGES = [changed_size, changed_time, replaced, made_folder, made_link]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since_the_scan_is_not_read(
    tmp_path: Path, read: Callable[..., object], change: Callable[[Path], None]
) -> None:
    path, source = planted(tmp_path, b"x" * 20)
    change(path)

    with pytest.raises(SourceChanged) as caught:
        read(path, source)
    assert (caught.value.path, caught.value.retry) == ("s/image.tif", "later")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_noticed(
    tmp_path: Path, read: Callable[..., object], change: Callable[[Path], None]
) -> None:
    path, source = planted(tmp_path, b"x" * 20)

    def open_then_change(opened: Path) -> BinaryIO:
        stream = open_source(opened)
        change(path)
        return stream

    with pytest.raises(SourceChanged):
        read(path, source, open_file=open_then_change)


def test_a_file_cut_short_while_it_is_read_is_noticed(tmp_path: Path, read: Callable[..., object]) -> None:
    path, source = planted(tmp_path, b"x" * 20)

    with pytest.raises(SourceChanged):
        read(path, source, open_file=lambda opened: io.BytesIO(b"x" * 15))


def test_a_file_that_is_gone_is_named(tmp_path: Path, read: Callable[..., object]) -> None:
    path, source = planted(tmp_path, b"x")
    path.unlink()

    with pytest.raises(SourceVanished, match=r"s/image\.tif is no longer there"):
        read(path, source)


class Failing(io.BytesIO):
    """A disk with a bad block behind the first bytes."""

    def readinto(self, buffer: object) -> int:
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(memoryview(buffer)[:5])  # type: ignore[arg-type]


def test_a_read_error_in_the_middle_is_a_source_error(tmp_path: Path, read: Callable[..., object]) -> None:
    path, source = planted(tmp_path, b"x" * 20)

    with pytest.raises(SourceUnreadable, match="Input/output error"):
        read(path, source, open_file=lambda opened: Failing(b"x" * 20))


def test_a_file_we_may_not_open_says_what_to_do(tmp_path: Path, read: Callable[..., object]) -> None:
    path, source = planted(tmp_path, b"x")

    def refuse(opened: Path) -> BinaryIO:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(SourceUnreadable) as caught:
        read(path, source, open_file=refuse)
    assert "right to read it" in caught.value.remedy


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_disk(tmp_path: Path) -> None:
    path, source = planted(tmp_path, b"x")

    def broken(done: int) -> None:
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal") as caught:
        digest_file(path, source=source, progress=broken)
    assert not isinstance(caught.value, SourceError)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), chunk_bytes=st.integers(1, 64))
def test_chunks_make_up_the_file(tmp_path: Path, content: bytes, chunk_bytes: int) -> None:
    path, source = planted(tmp_path, content)
    reader = chunks_of(path, source, chunk_bytes)
    assert not reader.finished

    parts = [(chunk.index, bytes(chunk.body), chunk.md5()) for chunk in reader]

    expected = [content[start : start + chunk_bytes] for start in range(0, len(content), chunk_bytes)]
    assert parts == [(index, part, hashlib.md5(part).digest()) for index, part in enumerate(expected)]
    assert reader.finished
    assert reader.digest == digest_of(content)


def test_a_file_that_no_longer_has_its_known_hash_is_noticed_at_its_end(tmp_path: Path) -> None:
    path, source = planted(tmp_path, b"as it was")
    known = digest_of(b"as it was")
    same = chunks_of(path, source, known=known)
    assert len(list(same)) == 1
    assert same.digest == known

    path.write_bytes(b"as it is.")  # same size; and the time of change is put back, as some programs do
    os.utime(path, ns=(source.mtime_ns, source.mtime_ns))
    other = chunks_of(path, source, known=known)
    with pytest.raises(SourceChanged):
        list(other)
    assert not other.finished


def test_a_known_hash_that_somebody_else_compares_is_not_computed_again(tmp_path: Path) -> None:
    path, source = planted(tmp_path, b"as it is.")
    known = digest_of(b"as it was")
    reader = chunks_of(path, source, known=known, is_checked_elsewhere=True)
    assert [bytes(chunk.body) for chunk in reader] == [b"as it is."]
    assert reader.digest == known


def test_acknowledged_chunks_are_checked_and_marked(tmp_path: Path) -> None:
    content = bytes(range(35))
    path, source = planted(tmp_path, content)
    known = {index: hashlib.md5(content[index * 10 : index * 10 + 10]).hexdigest() for index in (0, 3)}

    reader = chunks_of(path, source, acknowledged=known)

    assert [chunk.acknowledged for chunk in reader] == [True, False, False, True]
    assert reader.digest == digest_of(content)


def test_an_acknowledged_chunk_that_differs_is_named(tmp_path: Path) -> None:
    path, source = planted(tmp_path, bytes(35))
    reader = chunks_of(path, source, acknowledged={0: hashlib.md5(bytes(10)).hexdigest(), 2: "0" * 32})

    with pytest.raises(ChunkDiffers, match="part 2") as caught:
        list(reader)

    assert caught.value.index == 2
    assert isinstance(caught.value, SourceChanged)
    assert not reader.finished


def test_the_digest_of_a_half_read_file_is_not_given(tmp_path: Path) -> None:
    path, source = planted(tmp_path, bytes(35))
    reader = chunks_of(path, source)
    next(iter(reader))

    with pytest.raises(RuntimeError, match="to its end"):
        _ = reader.digest


def test_a_chunk_that_is_still_held_is_never_written_over(tmp_path: Path) -> None:
    content = bytes(range(100))
    path, source = planted(tmp_path, content)

    held = [chunk.body[2:] for chunk in chunks_of(path, source)]  # slices: the chunks themselves are let go

    assert [bytes(part) for part in held] == [content[start + 2 : start + 10] for start in range(0, 100, 10)]


def test_chunks_on_their_way_in_other_threads_stay_whole(tmp_path: Path) -> None:
    content = os.urandom(64 * 4096)
    path, source = planted(tmp_path, content)

    def sent(body: memoryview, md5: bytes) -> bool:
        return all(hashlib.md5(body).digest() == md5 for _ in range(20))

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(sent, chunk.body, chunk.md5()) for chunk in chunks_of(path, source, 4096)]

    assert all(future.result() for future in futures)


def test_memory_is_that_of_the_chunks_at_hand(tmp_path: Path) -> None:
    path, source = planted(tmp_path, b"")
    with path.open("r+b") as file:
        file.truncate(64 * READ_BYTES)
    state = path.stat()
    source = SourceFile("big", state.st_size, state.st_mtime_ns, "v", str(state.st_ino))

    tracemalloc.start()
    try:
        for _chunk in chunks_of(path, source, 2 * READ_BYTES):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 7 * READ_BYTES
