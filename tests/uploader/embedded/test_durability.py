"""A server killed in the middle of anything: what it acknowledged is there, nothing half is to be seen."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from uploader.embedded import lifecycle
from uploader.embedded.endpoint import Endpoint

SAMPLE_KILLS = 4
SWEEP_KILLS = 60
CHUNK_BYTES = 256 * 1024


@contextmanager
def killable(folder: Path) -> Iterator[tuple[Endpoint, subprocess.Popen[bytes]]]:
    """A server that is our own child, so that it can be killed and waited for."""
    with subprocess.Popen([sys.executable, "-m", "uploader.embedded", "--data", str(folder)]) as process:
        try:
            while (endpoint := lifecycle.running(folder)) is None or endpoint.pid != process.pid:
                assert process.poll() is None
                threading.Event().wait(0.01)
            yield endpoint, process
        finally:
            process.kill()


@dataclass
class Told:
    """What the server acknowledged to the senders."""

    objects: dict[str, bytes] = field(default_factory=dict)
    """URL with version -> MD5."""
    chunks: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Job URL -> chunk number -> its bytes."""


def body(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def b64md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def send_until_killed(endpoint: Endpoint, told: Told, seed: int) -> None:
    """Small objects, and chunks of a job that is finished now and then, until the connection breaks."""
    rng = random.Random(seed)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {endpoint.token}"
        try:
            for number in range(10_000):
                name = f"/hatrac/kill/{seed}-{number}"
                if number % 3:
                    content = body(rng.getrandbits(32), rng.randrange(1, 300_000))
                    headers = {"Content-MD5": b64md5(content)}
                    answer = session.put(
                        f"{endpoint.url}{name}?parents=true", data=content, headers=headers, timeout=30
                    )
                    assert answer.status_code == 201, answer.text
                    told.objects[answer.text.strip()] = hashlib.md5(content).digest()
                else:
                    send_job(session, endpoint.url, name, told, rng)
        except requests.RequestException:
            return


def send_job(session: requests.Session, url: str, name: str, told: Told, rng: random.Random) -> None:
    chunks = [body(rng.getrandbits(32), CHUNK_BYTES) for _ in range(4)]
    whole = b"".join(chunks)
    document = {"chunk-length": CHUNK_BYTES, "content-length": len(whole), "content-md5": b64md5(whole)}
    job = session.post(f"{url}{name};upload?parents=true", json=document, timeout=30).text.strip()
    acknowledged = told.chunks.setdefault(job, {})
    for number in rng.sample(range(4), 4):
        answer = session.put(f"{url}{job}/{number}", data=chunks[number], timeout=30)
        assert answer.status_code == 204, answer.text
        acknowledged[number] = chunks[number]
    answer = session.post(f"{url}{job}", timeout=30)
    assert answer.status_code == 201, answer.text
    told.objects[answer.text.strip()] = hashlib.md5(whole).digest()
    del told.chunks[job]


def check_everything(endpoint: Endpoint, told: Told, folder: Path) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {endpoint.token}"
        for location, digest in told.objects.items():
            content = session.get(endpoint.url + location, timeout=30).content
            assert hashlib.md5(content).digest() == digest, location
        for name in session.get(f"{endpoint.url}/hatrac/kill", timeout=30).json():
            answer = session.get(endpoint.url + name, timeout=30)
            if answer.status_code == 200:
                # Acknowledged or not: what is to be seen is whole.
                assert b64md5(answer.content) == answer.headers["Content-MD5"], name
            else:
                assert answer.status_code == 409
        for job, chunks in told.chunks.items():
            finish_from(session, endpoint.url, job, chunks, folder)
    assert list((folder / "hatrac/incoming").iterdir()) == []


def finish_from(
    session: requests.Session, url: str, job: str, chunks: dict[int, bytes], folder: Path
) -> None:
    """The acknowledged chunks of an interrupted job are on disk, byte for byte."""
    if session.get(url + job, timeout=30).status_code == 404:
        return  # its finish got through, the answer did not: checked above as an object
    job_id = job.rpartition("/")[2]
    (file,) = (folder / "hatrac/data").rglob(job_id)
    with file.open("rb") as stored:
        for number, chunk in chunks.items():
            assert os.pread(stored.fileno(), len(chunk), number * CHUNK_BYTES) == chunk


def kill_and_check(tmp_path: Path, seed: int) -> None:
    folder, told, rng = tmp_path / "data", Told(), random.Random(seed)
    with killable(folder) as (endpoint, process):
        senders = [
            threading.Thread(target=send_until_killed, args=(endpoint, told, seed * 10 + number))
            for number in range(3)
        ]
        for sender in senders:
            sender.start()
        threading.Event().wait(rng.uniform(0.05, 0.8))
        process.kill()
        for sender in senders:
            sender.join()
    with killable(folder) as (endpoint, _):
        check_everything(endpoint, told, folder)


@pytest.mark.parametrize("seed", range(SAMPLE_KILLS))
def test_killed_while_it_receives(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SAMPLE_KILLS, SWEEP_KILLS))
def test_killed_while_it_receives_sweep(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path, seed)


def test_leftovers_are_swept_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with killable(folder):
        pass
    for place in ("incoming/half", "data/000000/orphan", "sides/orphan"):
        (folder / "hatrac" / place).parent.mkdir(exist_ok=True)
        (folder / "hatrac" / place).write_bytes(b"half")
    with killable(folder):
        assert [path for path in (folder / "hatrac").rglob("*/*") if path.is_file()] == []


def test_chunks_that_a_dead_machine_lost_are_noticed_and_can_be_sent_again(tmp_path: Path) -> None:
    folder, chunks = tmp_path / "data", [body(number, CHUNK_BYTES) for number in range(3)]
    whole = b"".join(chunks)
    with killable(folder) as (endpoint, process), requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {endpoint.token}"
        document = {"chunk-length": CHUNK_BYTES, "content-length": len(whole), "content-md5": b64md5(whole)}
        opened = session.post(f"{endpoint.url}/hatrac/lost/a;upload?parents=true", json=document, timeout=30)
        job = opened.text.strip()
        for number, chunk in enumerate(chunks):
            answer = session.put(f"{endpoint.url}{job}/{number}", data=chunk, timeout=30)
            assert answer.status_code == 204
        process.kill()
    # The index came through the power cut, the middle chunk did not.
    (file,) = (folder / "hatrac/data").rglob(job.rpartition("/")[2])
    file.write_bytes(chunks[0] + bytes(CHUNK_BYTES) + chunks[2])
    with killable(folder) as (endpoint, _), requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {endpoint.token}"
        refused = session.post(endpoint.url + job, timeout=30)
        assert refused.status_code == 409
        assert "does not match" in refused.text
        assert session.put(f"{endpoint.url}{job}/1", data=chunks[1], timeout=30).status_code == 204
        made = session.post(endpoint.url + job, timeout=30)
        assert made.status_code == 201
        assert session.get(endpoint.url + made.text.strip(), timeout=30).content == whole
