"""Look-ups in the index."""

from __future__ import annotations

import json
from sqlite3 import Connection
from typing import Any

from uploader.embedded.hatrac.records import Job, Kind, Node, Version

_VERSION = (
    "SELECT v.version, n.name, v.size_bytes, v.file, v.metadata FROM version v JOIN node n ON n.id = v.node"
)
_JOB = (
    "SELECT j.job, n.name, j.owner, j.chunk_bytes, j.size_bytes, j.file, j.metadata "
    "FROM job j JOIN node n ON n.id = j.node"
)


def node(connection: Connection, name: str) -> Node | None:
    """What a name stands for; the root namespace always exists."""
    if not name:
        return Node(0, "", Kind.NAMESPACE, is_deleted=False)
    row = connection.execute("SELECT id, name, kind, is_deleted FROM node WHERE name = ?", (name,)).fetchone()
    return None if row is None else Node(row[0], row[1], Kind(row[2]), bool(row[3]))


def children(connection: Connection, name: str) -> list[str]:
    """Names directly below a namespace, in order."""
    rows = connection.execute(
        "SELECT name FROM node WHERE parent = ? AND NOT is_deleted ORDER BY name", (name,)
    )
    return [row[0] for row in rows]


def current(connection: Connection, name: str) -> Version | None:
    """The newest version of an object."""
    return _version(
        connection.execute(f"{_VERSION} WHERE n.name = ? ORDER BY v.id DESC LIMIT 1", (name,)).fetchone()
    )


def version(connection: Connection, name: str, version_id: str) -> Version | None:
    """One version of an object."""
    return _version(
        connection.execute(f"{_VERSION} WHERE n.name = ? AND v.version = ?", (name, version_id)).fetchone()
    )


def versions(connection: Connection, name: str) -> list[Version]:
    """All versions of an object, newest first."""
    rows = connection.execute(f"{_VERSION} WHERE n.name = ? ORDER BY v.id DESC", (name,))
    return [found for row in rows if (found := _version(row)) is not None]


def job(connection: Connection, name: str, job_id: str) -> Job | None:
    """An open job of an object."""
    row = connection.execute(f"{_JOB} WHERE n.name = ? AND j.job = ?", (name, job_id)).fetchone()
    return None if row is None else _job(row)


def jobs(connection: Connection, name: str) -> list[Job]:
    """The open jobs of an object, oldest first."""
    return [_job(row) for row in connection.execute(f"{_JOB} WHERE n.name = ? ORDER BY j.id", (name,))]


def has_chunk(connection: Connection, job_id: str, number: int) -> bool:
    """True when this chunk has been acknowledged."""
    found = connection.execute(
        "SELECT 1 FROM chunk c JOIN job j ON j.id = c.job WHERE j.job = ? AND c.number = ?", (job_id, number)
    )
    return found.fetchone() is not None


def chunk_numbers(connection: Connection, job_id: str) -> set[int]:
    """Numbers of the acknowledged chunks."""
    rows = connection.execute(
        "SELECT c.number FROM chunk c JOIN job j ON j.id = c.job WHERE j.job = ?", (job_id,)
    )
    return {row[0] for row in rows}


def side_files(connection: Connection, job_id: str) -> list[tuple[int, str]]:
    """Repeated chunks that still wait beside the job's file."""
    rows = connection.execute(
        "SELECT c.number, c.side_file FROM chunk c JOIN job j ON j.id = c.job "
        "WHERE j.job = ? AND c.side_file IS NOT NULL ORDER BY c.number",
        (job_id,),
    )
    return [(row[0], row[1]) for row in rows]


def known_files(connection: Connection, files: list[str]) -> set[str]:
    """Those of the files that the index refers to."""
    marks = ",".join("?" * len(files))
    rows = connection.execute(
        f"SELECT file FROM version WHERE file IN ({marks}) UNION SELECT file FROM job WHERE file IN ({marks}) "  # noqa: S608
        f"UNION SELECT side_file FROM chunk WHERE side_file IN ({marks})",
        files * 3,
    )
    return {row[0] for row in rows}


def used_bytes(connection: Connection) -> int:
    """Bytes of all versions and of all open jobs."""
    (used,) = connection.execute(
        "SELECT (SELECT coalesce(sum(size_bytes), 0) FROM version) + (SELECT coalesce(sum(size_bytes), 0) FROM job)"
    ).fetchone()
    return int(used)


def _version(row: tuple[Any, ...] | None) -> Version | None:
    return None if row is None else Version(row[0], row[1], row[2], row[3], json.loads(row[4]))


def _job(row: tuple[Any, ...]) -> Job:
    return Job(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]))
