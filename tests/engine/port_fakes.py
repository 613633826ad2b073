"""An object store and a catalog in memory that keep the promises of their ports, and can be told to fail."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uploader.model.errors import ChecksumMismatch, Conflict, NotFound
from uploader.model.files import Proof, Stored
from validation.facts import CatalogFacts

Trouble = Callable[[str], None]
"""Hears the name of each call before and after it, as `put` and `put done`; may raise."""


@dataclass
class MemoryStore:
    """A Hatrac of one process."""

    objects: dict[str, list[tuple[str, bytes, dict[str, str]]]] = field(default_factory=dict)
    """Name -> versions: id, bytes, checksums in hex."""
    open_jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    trouble: Trouble = lambda _: None
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.trouble(name)

    def _publish(self, name: str, version: str, body: bytes, sums: dict[str, str]) -> Stored:
        self.objects.setdefault(name, []).append((version, body, sums))
        found = self.current(name)
        assert found is not None
        return found

    def current(self, name: str) -> Stored | None:
        if name not in self.objects:
            return None
        version, body, sums = self.objects[name][-1]
        return Stored(name, f"{name}:{version}", len(body), sums.get("md5", ""), sums.get("sha256", ""))

    def ensure_namespaces(self, names: Iterable[str]) -> None:
        self._called("ensure_namespaces")

    def head(self, name: str) -> Stored | None:
        self._called("head")
        return self.current(name)

    def put(self, name: str, body: bytes | memoryview, *, md5: bytes, only_new: bool, **_: Any) -> Stored:
        self._called("put")
        if hashlib.md5(body).digest() != md5:
            raise ChecksumMismatch("other bytes came")
        if only_new and name in self.objects:
            raise Conflict("a version exists", status=412)
        stored = self._publish(name, str(next(self._ids)), bytes(body), {"md5": md5.hex()})
        self._called("put done")
        return Stored(stored.name, stored.url, stored.size_bytes, stored.md5, proof=Proof.JOB_MD5)

    def open_job(
        self, name: str, *, size_bytes: int, chunk_bytes: int, md5: bytes | None = None, **_: Any
    ) -> str:
        self._called("open_job")
        job = f"{name};upload/J{next(self._ids)}"
        self.open_jobs[job] = {"size": size_bytes, "chunk": chunk_bytes, "md5": md5, "parts": {}}
        self._called("open_job done")
        return job

    def jobs(self, name: str) -> Sequence[str]:
        self._called("jobs")
        return [job for job in self.open_jobs if job.startswith(f"{name};upload/")]

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        self._called(f"put_chunk {index}")
        self._job(job)["parts"][index] = bytes(body)
        assert hashlib.md5(body).digest() == md5
        self._called(f"put_chunk {index} done")

    def finalise(self, job: str) -> Stored:
        self._called("finalise")
        known = self._job(job)
        body = b"".join(part for _, part in sorted(known["parts"].items()))
        if len(body) != known["size"]:
            raise Conflict("parts are missing", status=409)
        sums = {}
        if known["md5"] is not None:
            if hashlib.md5(body).digest() != known["md5"]:
                raise ChecksumMismatch("the whole is not what was told", status=409)
            sums["md5"] = known["md5"].hex()
        del self.open_jobs[job]
        stored = self._publish(job.partition(";")[0], job.rpartition("/")[2], body, sums)
        self._called("finalise done")
        return stored

    def cancel_job(self, job: str) -> None:
        self._called("cancel_job")
        self.open_jobs.pop(job, None)

    def set_checksums(self, url: str, *, md5: bytes, sha256: bytes | None) -> None:
        self._called("set_checksums")
        name, _, version = url.rpartition(":")
        for known, _, sums in self.objects[name]:
            if known == version:
                sums.setdefault("md5", md5.hex())
                sums.setdefault("sha256", sha256.hex() if sha256 else "")

    def read(self, url: str) -> Iterator[bytes]:
        name, _, version = url.rpartition(":")
        yield from (body for known, body, _ in self.objects[name] if known == version)

    def _job(self, job: str) -> dict[str, Any]:
        if job not in self.open_jobs:
            raise NotFound(f"{job} not found")
        return self.open_jobs[job]


@dataclass
class MemoryCatalog:
    """An ERMrest catalog of one process; `keys` are the unique keys of its tables."""

    keys: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refuses: Callable[[Mapping[str, Any]], Exception | None] = lambda _: None
    calls: list[str] = field(default_factory=list)
    lose_replies: int = 0
    """So many of the next writes are carried out and then fail."""
    lost: Callable[[], Exception] = lambda: ConnectionError("lost")
    server: str = "memory"
    catalog_id: str = "1"
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def facts(self) -> CatalogFacts:
        return CatalogFacts()

    def annotations(self) -> Mapping[str, Any]:
        return {}

    def rows_by_key(
        self, table: str, column: str, values: Sequence[Any], *, where: Any = None, columns: Any = None
    ) -> list[dict[str, Any]]:
        self.calls.append(f"rows_by_key {table} {column} {len(values)}")
        return [
            dict(row)
            for row in self.tables.get(table, [])
            if row.get(column) in values
            and all(row.get(name) == value for name, value in (where or {}).items())
        ]

    def rows(
        self, table: str, where: Any, *, columns: Any = None, page: int = 2000
    ) -> Iterator[dict[str, Any]]:
        self.calls.append(f"rows {table}")
        yield from (
            dict(row)
            for row in self.tables.get(table, [])
            if all(row.get(name) == value for name, value in where.items())
        )

    def query(self, path: str) -> list[dict[str, Any]]:
        """`/entity/TABLE/COLUMN=VALUE`."""
        self.calls.append(f"query {path}")
        _, _, table, condition = path.split("/", 3)
        column, _, value = condition.partition("=")
        return [dict(row) for row in self.tables.get(table, []) if str(row.get(column)) == value]

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self.calls.append(f"insert {table} {len(rows)}")
        self._judge(rows)
        held = self.tables.setdefault(table, [])
        inserted = []
        for row in rows:
            taken = any(
                all(row.get(name) == other.get(name) for name in key)
                for key in self.keys.get(table, ())
                for other in held
            )
            if not taken:
                held.append({"RID": f"R{next(self._ids)}", **row})
                inserted.append(dict(held[-1]))
        self._lose()
        return inserted

    def update(
        self, table: str, rows: Sequence[Mapping[str, Any]], *, by: Sequence[str], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        self.calls.append(f"update {table} {len(rows)} {','.join(columns)}")
        self._judge(rows)
        changed = []
        for row in rows:
            for held in self.tables.get(table, []):
                if all(held.get(name) == row[name] for name in by):
                    held.update({name: row[name] for name in columns})
                    changed.append({name: held[name] for name in (*by, *columns)})
        self._lose()
        return changed

    def _judge(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            error = self.refuses(row)
            if error is not None:
                raise error

    def _lose(self) -> None:
        if self.lose_replies:
            self.lose_replies -= 1
            raise self.lost()
