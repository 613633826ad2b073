"""Changes of the index. Each checks the state it finds inside its own transaction, so racing requests agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection

from uploader.embedded.hatrac import names, queries
from uploader.embedded.hatrac.records import Job, Kind, Version
from uploader.embedded.hatrac.refusal import conflict, not_found, precondition_failed

WRITE_ONCE = frozenset({"content-md5", "content-sha256"})


@dataclass(frozen=True, slots=True)
class Precondition:
    """`If-Match` and `If-None-Match` of a request."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None

    def check(self, current: Version | None) -> None:
        """Refuse with 412 unless the current version is as the client expects."""
        etag = None if current is None else current.etag
        if self.match is not None and (etag is None or not self.match & {etag, "*"}):
            raise precondition_failed(etag)
        if self.none_match is not None and etag is not None and self.none_match & {etag, "*"}:
            raise precondition_failed(etag)


ANY = Precondition()


def check_parent(connection: Connection, name: str, *, make_parents: bool) -> None:
    """Refuse unless the namespace above the name is there or may be made."""
    for above in reversed(names.parents(name)):
        node = queries.node(connection, above)
        if node is not None and node.is_deleted:
            if make_parents:
                raise conflict(f"Name {names.url(above)} not available.")
            raise not_found(names.url(above))
        if node is None:
            if not make_parents:
                raise not_found(names.url(above))
        elif node.kind is not Kind.NAMESPACE:
            raise conflict(f"Parent {names.url(above)} is not a namespace.")
        else:
            return


def check_object_name(connection: Connection, name: str, *, make_parents: bool) -> None:
    """Refuse unless an object version may be written under this name."""
    node = queries.node(connection, name)
    if node is None:
        names.check_new(name)
        check_parent(connection, name, make_parents=make_parents)
    elif node.is_deleted:
        raise conflict(f"Name {names.url(name)} not available.")
    elif node.kind is Kind.NAMESPACE:
        raise conflict(f"Namespace {names.url(name)} already exists.")


def make_namespace(connection: Connection, name: str, *, make_parents: bool) -> None:
    """Create a namespace."""
    node = queries.node(connection, name)
    if node is not None:
        if node.is_deleted:
            raise conflict(f"Name {names.url(name)} not available.")
        raise conflict(f"{node.kind.capitalize()} {names.url(name)} already exists.")
    names.check_new(name)
    _make_parents(connection, name, make_parents=make_parents)
    _insert_node(connection, name, Kind.NAMESPACE)


def make_object(connection: Connection, name: str, *, make_parents: bool) -> int:
    """The id of an object name, which is made without content when it is new."""
    check_object_name(connection, name, make_parents=make_parents)
    node = queries.node(connection, name)
    if node is not None:
        return node.id
    _make_parents(connection, name, make_parents=make_parents)
    return _insert_node(connection, name, Kind.OBJECT)


def add_version(
    connection: Connection, version: Version, precondition: Precondition, *, make_parents: bool
) -> None:
    """Make a stored content the current version of its object."""
    node = make_object(connection, version.name, make_parents=make_parents)
    precondition.check(queries.current(connection, version.name))
    _insert_version(connection, node, version)


def add_job(connection: Connection, job: Job, *, make_parents: bool) -> None:
    """Note an upload job."""
    node = make_object(connection, job.name, make_parents=make_parents)
    connection.execute(
        "INSERT INTO job (job, node, owner, chunk_bytes, size_bytes, file, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (job.job, node, job.owner, job.chunk_bytes, job.size_bytes, job.file, json.dumps(dict(job.metadata))),
    )


def add_chunk(connection: Connection, job: Job, number: int, side_file: str | None) -> None:
    """Note a chunk that is on disk; a side file that it replaces becomes garbage."""
    job_id = _open_job(connection, job)
    _discard(connection, "SELECT side_file FROM chunk WHERE job = ? AND number = ? AND side_file IS NOT NULL",
             (job_id, number))  # fmt: skip
    connection.execute(
        "INSERT INTO chunk (job, number, side_file) VALUES (?, ?, ?) "
        "ON CONFLICT (job, number) DO UPDATE SET side_file = excluded.side_file",
        (job_id, number, side_file),
    )


def settle_chunks(connection: Connection, job: Job) -> None:
    """The side files have been copied into the job's file and are on disk there."""
    job_id = _open_job(connection, job)
    _discard(connection, "SELECT side_file FROM chunk WHERE job = ? AND side_file IS NOT NULL", (job_id,))
    connection.execute("UPDATE chunk SET side_file = NULL WHERE job = ?", (job_id,))


def finish_job(connection: Connection, job: Job) -> Version:
    """Turn a complete job into the current version of its object; the file stays where it is."""
    job_id = _open_job(connection, job)
    connection.execute("DELETE FROM job WHERE id = ?", (job_id,))
    version = Version(job.job, job.name, job.size_bytes, job.file, job.metadata)
    _insert_version(connection, make_object(connection, job.name, make_parents=False), version)
    return version


def drop_job(connection: Connection, job: Job) -> None:
    """Forget a job, its chunks and its file."""
    job_id = _open_job(connection, job)
    _discard(connection, "SELECT side_file FROM chunk WHERE job = ? AND side_file IS NOT NULL", (job_id,))
    _discard(connection, "SELECT file FROM job WHERE id = ?", (job_id,))
    connection.execute("DELETE FROM job WHERE id = ?", (job_id,))


def delete_object(connection: Connection, name: str, precondition: Precondition) -> int:
    """Delete an object with its versions and jobs; its name is dead for ever. Returns the bytes freed."""
    precondition.check(queries.current(connection, name))
    freed = 0
    for job in queries.jobs(connection, name):
        freed += job.size_bytes
        drop_job(connection, job)
    for version in queries.versions(connection, name):
        freed += delete_version(connection, version)
    connection.execute("UPDATE node SET is_deleted = 1 WHERE name = ?", (name,))
    return freed


def delete_version(connection: Connection, version: Version) -> int:
    """Delete one version; returns the bytes freed."""
    _discard(connection, "SELECT file FROM version WHERE version = ?", (version.version,))
    gone = connection.execute("DELETE FROM version WHERE version = ?", (version.version,)).rowcount
    return version.size_bytes if gone else 0


def delete_namespace(connection: Connection, name: str) -> None:
    """Delete an empty namespace; its name is dead for ever."""
    if queries.children(connection, name):
        raise conflict(f"Namespace {names.url(name)} is not empty.")
    connection.execute("UPDATE node SET is_deleted = 1 WHERE name = ?", (name,))


def set_metadata(connection: Connection, version: Version, field: str, value: str | None) -> None:
    """Set (or, with None, remove) a metadata field; checksums can be set once."""
    found = queries.version(connection, version.name, version.version)
    resource = f"{names.url(version.name)}:{version.version};metadata/{field}"
    if found is None:
        raise not_found(f"{names.url(version.name)}:{version.version}")
    old = found.metadata.get(field)
    if field in WRITE_ONCE and old is not None and old != value:
        raise conflict(f"Metadata {resource} cannot be modified once set.")
    if value is None and old is None:
        raise not_found(resource)
    metadata: Mapping[str, str] = {**found.metadata, field: value or ""}
    if value is None:
        metadata = {key: kept for key, kept in found.metadata.items() if key != field}
    connection.execute(
        "UPDATE version SET metadata = ? WHERE version = ?", (json.dumps(dict(metadata)), version.version)
    )


def take_garbage(connection: Connection) -> list[str]:
    """Files that nothing refers to any more."""
    return [row[0] for row in connection.execute("SELECT file FROM garbage")]


def forget_garbage(connection: Connection, files: list[str]) -> None:
    """The files have been removed."""
    connection.executemany("DELETE FROM garbage WHERE file = ?", [(file,) for file in files])


def _make_parents(connection: Connection, name: str, *, make_parents: bool) -> None:
    check_parent(connection, name, make_parents=make_parents)
    for above in names.parents(name):
        if queries.node(connection, above) is None:
            names.check_new(above)
            _insert_node(connection, above, Kind.NAMESPACE)


def _insert_node(connection: Connection, name: str, kind: Kind) -> int:
    cursor = connection.execute(
        "INSERT INTO node (name, parent, kind) VALUES (?, ?, ?)", (name, names.parent(name), kind.value)
    )
    assert cursor.lastrowid is not None  # noqa: S101 - an INSERT that did not raise has one
    return cursor.lastrowid


def _insert_version(connection: Connection, node: int, version: Version) -> None:
    connection.execute(
        "INSERT INTO version (version, node, size_bytes, file, metadata) VALUES (?, ?, ?, ?, ?)",
        (version.version, node, version.size_bytes, version.file, json.dumps(dict(version.metadata))),
    )


def _open_job(connection: Connection, job: Job) -> int:
    row = connection.execute("SELECT id FROM job WHERE job = ?", (job.job,)).fetchone()
    if row is None:
        raise not_found(f"{names.url(job.name)};upload/{job.job}")
    return int(row[0])


def _discard(connection: Connection, select: str, values: tuple[object, ...]) -> None:
    connection.execute(f"INSERT INTO garbage (file) {select}", values)
