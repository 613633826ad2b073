"""Headers and digests by source identity: what was read once is not read again while the file stays as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uploader.journal.codec import from_blob, header_from_blob, header_to_blob, to_blob
from uploader.journal.connection import Database
from uploader.model.files import Digest
from validation.instruments.model import Header

KEYS_PER_QUERY = 500
"""Well under SQLite's limit of variables (999 in old builds)."""


def headers(database: Database, identities: Sequence[str]) -> Mapping[str, Header]:
    """Cached headers of these source identities."""
    found: dict[str, Header] = {}
    for keys in batches(identities):
        sql = f"SELECT identity, header FROM headers WHERE identity IN ({', '.join('?' * len(keys))})"  # noqa: S608
        for key, blob in database.read(sql, keys):
            header = header_from_blob(blob)
            if header is not None:
                found[from_blob(key)] = header
    return found


def save_headers(database: Database, new: Mapping[str, Header]) -> None:
    """Keep headers by source identity; a newer one replaces the older."""
    rows = [(to_blob(identity), header_to_blob(header)) for identity, header in new.items()]
    if rows:
        with database.write() as connection:
            connection.executemany("INSERT OR REPLACE INTO headers (identity, header) VALUES (?, ?)", rows)


def digests(database: Database, identities: Sequence[str]) -> Mapping[str, Digest]:
    """Cached digests of these source identities."""
    found: dict[str, Digest] = {}
    for keys in batches(identities):
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT identity, md5, sha256, size_bytes FROM digests WHERE identity IN ({marks})"  # noqa: S608
        for key, md5, sha256, size_bytes in database.read(sql, keys):
            found[from_blob(key)] = Digest(md5, sha256, size_bytes)
    return found


def save_digests(database: Database, digests: Mapping[str, Digest]) -> None:
    """Keep digests by source identity, in one transaction."""
    rows = [
        (to_blob(identity), digest.md5, digest.sha256, digest.size_bytes)
        for identity, digest in digests.items()
    ]
    with database.write() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO digests (identity, md5, sha256, size_bytes) VALUES (?, ?, ?, ?)", rows
        )


def batches(texts: Sequence[str]) -> Iterator[list[bytes]]:
    """The keys as BLOBs, as many at a time as one query takes."""
    for start in range(0, len(texts), KEYS_PER_QUERY):
        yield [to_blob(text) for text in texts[start : start + KEYS_PER_QUERY]]
