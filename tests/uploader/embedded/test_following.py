"""The files of upload jobs are hashed while their chunks arrive, in whatever order; only whole files give a hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uploader.embedded.hatrac.following import MOST_JOBS, Following
from uploader.embedded.hatrac.records import Job

CHUNK = 1000
CONTENT = random.Random(7).randbytes(CHUNK * 20 + 17)
WHOLE = hashlib.md5(CONTENT).digest()


def job_of(name: str, size_bytes: int = len(CONTENT)) -> Job:
    return Job(name, f"lab/{name}", "kim", CHUNK, size_bytes, f"data/{name}", {"content-md5": "declared"})


@pytest.fixture
def following() -> Iterator[Following]:
    followed = Following()
    yield followed
    followed.close()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def arrive(following: Following, job: Job, path: Path, numbers: list[int]) -> Callable[[], set[int]]:
    """Write chunks and report them, as the server does."""
    present: set[int] = set()
    for number in numbers:
        with path.open("r+b") as file:
            file.seek(number * CHUNK)
            file.write(CONTENT[number * CHUNK : (number + 1) * CHUNK])
        present.add(number)
        following.arrived(job, path, number, lambda: set(present))
    return lambda: present


@pytest.mark.parametrize("seed", range(6))
def test_chunks_in_any_order_give_the_hash_of_the_whole(following: Following, empty: Path, seed: int) -> None:
    numbers = random.Random(seed).sample(range(21), 21)
    arrive(following, job_of("a"), empty, numbers)
    assert following.settled(job_of("a"), empty) == WHOLE


def test_chunks_of_an_earlier_process_are_read_from_the_file(tmp_path: Path, following: Following) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT[: 15 * CHUNK])
    before = set(range(15))
    for number in range(15, 21):
        with path.open("ab") as file:
            file.write(CONTENT[number * CHUNK : (number + 1) * CHUNK])
        following.arrived(job_of("a"), path, number, lambda number=number: before | {number})  # type: ignore[misc]
    assert following.settled(job_of("a"), path) == WHOLE


def test_a_file_nobody_followed_is_read_whole(tmp_path: Path, following: Following) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert following.settled(job_of("a"), path) == WHOLE


def test_bytes_that_were_replaced_are_hashed_anew(following: Following, empty: Path) -> None:
    arrive(following, job_of("a"), empty, list(range(21)))
    following.forget(job_of("a"))
    other = CONTENT[:5] + b"corrected" + CONTENT[14:]
    empty.write_bytes(other)
    assert following.settled(job_of("a"), empty) == hashlib.md5(other).digest()


def test_a_file_that_was_removed_meanwhile_disturbs_nobody(following: Following, empty: Path) -> None:
    arrive(following, job_of("a"), empty, [0, 1])
    empty.unlink()
    following.arrived(job_of("a"), empty, 2, set)
    following.forget(job_of("a"))
    following.close()
    assert not empty.exists()


def test_a_file_shorter_than_its_job_has_no_hash_of_the_whole(following: Following, empty: Path) -> None:
    arrive(following, job_of("a"), empty, list(range(20)))
    assert following.settled(job_of("a"), empty) != WHOLE


def test_jobs_that_nobody_finishes_are_forgotten_the_oldest_first(following: Following, empty: Path) -> None:
    arrive(following, job_of("oldest"), empty, list(range(21)))
    for number in range(MOST_JOBS):
        following.arrived(job_of(f"job {number}", 0), empty, 0, set)
    assert following.settled(job_of("oldest"), empty) == WHOLE
