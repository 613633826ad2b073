"""Objects of any size pass through a server of small memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from uploader.embedded import lifecycle

MIB = 1 << 20
CHUNK_BYTES = 25 * MIB
BOUND_BYTES = 100 * MIB


class Zeros:
    """A body of zeros that is never held in memory as a whole."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.len = size

    def read(self, size: int = -1) -> bytes:
        taken = min(self.left, size if size >= 0 else self.left)
        self.left -= taken
        return bytes(taken)

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(MIB):
            yield block


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def up_and_down(folder: Path, size: int) -> None:
    endpoint = lifecycle.ensure_running(folder)
    try:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {endpoint.token}"
            document = {"chunk-length": CHUNK_BYTES, "content-length": size}
            job = (
                endpoint.url
                + session.post(
                    f"{endpoint.url}/hatrac/big/one;upload?parents=true", json=document, timeout=60
                ).text.strip()
            )
            for number in range(-(-size // CHUNK_BYTES)):
                body = Zeros(min(CHUNK_BYTES, size - number * CHUNK_BYTES))
                assert session.put(f"{job}/{number}", data=body, timeout=60).status_code == 204
            assert session.post(job, timeout=600).status_code == 201
            received = 0
            with session.get(f"{endpoint.url}/hatrac/big/one", stream=True, timeout=60) as answer:
                for block in answer.iter_content(MIB):
                    received += len(block)
            assert received == size
            assert (
                session.put(f"{endpoint.url}/hatrac/big/two", data=Zeros(100 * MIB), timeout=60).status_code
                == 201
            )
        assert peak_bytes(endpoint.pid) < BOUND_BYTES
    finally:
        lifecycle.stop(folder)


def test_300_mib(tmp_path: Path) -> None:
    up_and_down(tmp_path / "data", 300 * MIB)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("TMPDIR", "") == "/dev/shm", reason="would fill the memory it measures")
def test_5_gib(tmp_path: Path) -> None:
    up_and_down(tmp_path / "data", 5 << 30)
    shutil.rmtree(tmp_path / "data")  # pytest would keep 5 GiB
