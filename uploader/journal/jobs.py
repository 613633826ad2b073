"""Upload jobs and their acknowledged chunks: what the server cannot tell us, we must remember."""

from __future__ import annotations

from uploader.journal.codec import from_blob, to_blob
from uploader.journal.connection import Database, SqlRow
from uploader.model.entries import Job
from uploader.model.errors import JournalError

_COLUMNS = "job_id, delivery_id, path, chunk_bytes, size_bytes, source_identity"


def wanted_job(database: Database, delivery_id: int) -> Job | None:
    """The open job of a delivery with its acknowledged chunks."""
    sql = f"SELECT {_COLUMNS} FROM jobs WHERE delivery_id = ? AND abandoned = 0"  # noqa: S608 - our own words
    rows = database.read(sql, (delivery_id,))
    return _job(database, rows[0]) if rows else None


def open_job(
    database: Database,
    delivery_id: int,
    path: str,
    *,
    chunk_bytes: int,
    size_bytes: int,
    source_identity: str,
) -> Job:
    """Note a job the server has opened; an older one of this delivery is abandoned."""
    with database.write() as connection:
        connection.execute(
            "UPDATE jobs SET abandoned = 1 WHERE delivery_id = ? AND abandoned = 0", (delivery_id,)
        )
        cursor = connection.execute(
            "INSERT INTO jobs (delivery_id, path, chunk_bytes, size_bytes, source_identity) VALUES (?, ?, ?, ?, ?)",
            (delivery_id, path, chunk_bytes, size_bytes, to_blob(source_identity)),
        )
        job_id = cursor.lastrowid
    if job_id is None:
        raise AssertionError("SQLite gives every inserted row an id")
    return Job(job_id, delivery_id, path, chunk_bytes, size_bytes, source_identity)


def chunk(database: Database, job_id: int, index: int, md5: str) -> None:
    """The server has acknowledged a chunk; refused for a closed or abandoned job and an index beyond the end."""
    changed = database.change(
        "INSERT INTO chunks (job_id, chunk_index, md5) SELECT job_id, ?, ? FROM jobs"
        " WHERE job_id = ? AND abandoned = 0 AND ? >= 0 AND ? * chunk_bytes < size_bytes"
        " ON CONFLICT (job_id, chunk_index) DO UPDATE SET md5 = excluded.md5",
        (index, md5, job_id, index, index),
    )
    if changed != 1:
        raise JournalError(
            f"Chunk {index} belongs to no open upload job (job {job_id}).",
            detail="The chunk was not noted; the chunks before it were kept.",
            remedy="This is a mistake in the program: please report it with this message.",
        )


def close_job(database: Database, job_id: int) -> None:
    """Forget a job and its chunks; one that is already forgotten is fine."""
    database.change("DELETE FROM jobs WHERE job_id = ?", (job_id,))


def stale_jobs(database: Database, target: int) -> list[Job]:
    """Jobs whose bytes are no longer wanted."""
    rows = database.read(
        f"SELECT {_COLUMNS} FROM jobs WHERE abandoned = 1 AND delivery_id IN"  # noqa: S608 - our own words
        " (SELECT delivery_id FROM deliveries WHERE target_id = ?) ORDER BY job_id",
        (target,),
    )
    return [_job(database, row) for row in rows]


def _job(database: Database, row: SqlRow) -> Job:
    job_id, delivery_id, path, chunk_bytes, size_bytes, identity = row
    chunks = database.read(
        "SELECT chunk_index, md5 FROM chunks WHERE job_id = ? ORDER BY chunk_index", (job_id,)
    )
    return Job(job_id, delivery_id, path, chunk_bytes, size_bytes, from_blob(identity), dict(chunks))
