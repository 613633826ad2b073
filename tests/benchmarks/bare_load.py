"""The limit: the same bytes in bare PUTs over the ferry's own HTTP stack, by so many threads. No rows, no journal.

Bodies and their MD5s are in memory before the clock starts. Reads a plan as JSON from stdin, writes figures as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from uploader.bootstrap import SystemClock
from uploader.remote.credentials import Credentials
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Put:
    """One request that is ready to go."""

    path: str
    body: bytes | memoryview
    headers: dict[str, str]


def main() -> None:
    """Send what the plan says."""
    plan = json.load(sys.stdin)
    connection = Connection(plan["url"], Credentials(token=plan["token"]), pool_size=plan["workers"])
    store = HatracStore(connection, clock=SystemClock())
    store.ensure_namespaces([plan["namespace"]])
    send = {"files": files, "chunks": chunks, "hash-then-chunks": hash_then_chunks}[plan["what"]]
    figures = send(plan, connection, store)
    json.dump(figures, sys.stdout)


def files(plan: dict[str, Any], connection: Connection, _store: HatracStore) -> dict[str, float]:
    """Whole files, a request each."""
    found = sorted(path for path in Path(plan["tree"]).rglob("*") if path.is_file())[: plan["files"]]
    puts = [_file(f"{plan['namespace']}/{quote(path.name)}", path.read_bytes()) for path in found]
    with _clock() as figures:
        _send(puts, connection, plan["workers"])
    return figures


def chunks(plan: dict[str, Any], connection: Connection, store: HatracStore) -> dict[str, float]:
    """One file in the chunks of an upload job, whose digests nobody knows."""
    body = memoryview(_only_file(plan["tree"]).read_bytes())
    prepared = _chunks(body, plan["chunk_bytes"])
    with _clock() as figures:
        _job(plan, prepared, len(body), connection, store)
    return figures


def hash_then_chunks(plan: dict[str, Any], connection: Connection, store: HatracStore) -> dict[str, float]:
    """First both hashes of the file, side by side; then its chunks."""
    path = _only_file(plan["tree"])
    body = memoryview(path.read_bytes())
    prepared = _chunks(body, plan["chunk_bytes"])
    with _clock() as figures:
        found: dict[str, bytes] = {}
        threads = [
            threading.Thread(target=lambda kind=kind: found.update({kind: _hash(path, kind)}))
            for kind in ("md5", "sha256")
        ]
        _run(threads)
        figures["hashing_s"] = time.perf_counter() - figures["started_s"]
        _job(plan, prepared, len(body), connection, store, md5=found["md5"], sha256=found["sha256"])
    return figures


def _job(
    plan: dict[str, Any],
    prepared: Sequence[tuple[memoryview, dict[str, str]]],
    size_bytes: int,
    connection: Connection,
    store: HatracStore,
    **digests: bytes,
) -> None:
    job = store.open_job(
        f"{plan['namespace']}/one.bin",
        size_bytes=size_bytes,
        chunk_bytes=plan["chunk_bytes"],
        content_type="application/octet-stream",
        filename="one.bin",
        **digests,
    )
    puts = [Put(f"{job}/{index}", body, headers) for index, (body, headers) in enumerate(prepared)]
    _send(puts, connection, plan["workers"])
    store.finalise(job)


def _file(name: str, body: bytes) -> Put:
    filename = name.rpartition("/")[2]
    headers = {"Content-Disposition": f"filename*=UTF-8''{filename}", "If-None-Match": "*"}
    return Put(name, body, {**headers, **_headers(body)})


def _chunks(body: memoryview, chunk_bytes: int) -> list[tuple[memoryview, dict[str, str]]]:
    parts = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
    return [(part, _headers(part)) for part in parts]


def _headers(body: bytes | memoryview) -> dict[str, str]:
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    return {"Content-Type": "application/octet-stream", "Content-MD5": base64.b64encode(md5).decode()}


def _hash(path: Path, kind: str) -> bytes:
    running, buffer = hashlib.new(kind, usedforsecurity=False), memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(buffer):
            running.update(buffer[:size])
    return running.digest()


def _only_file(tree: str) -> Path:
    return next(path for path in Path(tree).rglob("*") if path.is_file())


def _send(puts: Sequence[Put], connection: Connection, workers: int) -> None:
    waiting: queue.SimpleQueue[Put] = queue.SimpleQueue()
    for put in puts:
        waiting.put(put)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for put in _taken(waiting):
                connection.request("PUT", put.path, headers=put.headers, body=put.body, repeatable=True)
        except BaseException as error:
            errors.append(error)

    _run([threading.Thread(target=work) for _ in range(workers)])
    if errors:
        raise errors[0]


def _taken(waiting: queue.SimpleQueue[Put]) -> Iterator[Put]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


def _run(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _clock() -> Iterator[dict[str, float]]:
    """Figures that hold the time and processor time of the block once it has ended."""
    cpu_s: Callable[[], float] = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])  # noqa: E731
    cpu_before, started = cpu_s(), time.perf_counter()
    figures = {"started_s": started}
    yield figures
    figures["wall_s"] = time.perf_counter() - started
    figures["cpu_s"] = cpu_s() - cpu_before


if __name__ == "__main__":
    main()
