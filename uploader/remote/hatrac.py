"""A Hatrac object store as the engine needs it: small objects, upload jobs, namespaces, checksums."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

from uploader.model.errors import BadReply, Conflict, NotFound
from uploader.model.files import Proof, Stored
from uploader.model.ports import Clock
from uploader.remote.http import Connection
from uploader.remote.namespaces import Namespaces
from uploader.remote.reply import Reply
from uploader.remote.retry import CATALOG_RETRY, RetryPolicy

# The server reads the whole file again to check its MD5 (1.3 s per GiB); the gateway gives up after 300 s.
_FINALISE_TIMEOUT_S = 330.0
_CHECKSUMS = ("content-md5", "content-sha256")


class HatracStore:
    """Implements `ports.ObjectStore`. Safe for several threads, namespaces excepted.

    Nothing is repeated here but what a closed pooled connection asks for: names in doubt are the engine's to
    look at (DESIGN 6.5).
    """

    def __init__(self, connection: Connection, *, clock: Clock, policy: RetryPolicy = CATALOG_RETRY) -> None:
        self._connection = connection
        self._namespaces = Namespaces(connection, clock=clock, policy=policy)

    def ensure_namespaces(self, names: Iterable[str]) -> None:
        """Create the namespaces (and parents) that are missing; call from one thread only."""
        self._namespaces.ensure(names)

    def head(self, name: str) -> Stored | None:
        """The current version of the object, or None when the name is free to write.

        `name` may carry a version. A deleted name looks free too: Hatrac tells only who writes to it.
        """
        # 409: the name was made, by a job or a refused PUT, but has no content yet.
        try:
            reply = self._connection.request("HEAD", name, accepted=(200, 409), repeatable=True)
        except NotFound:
            return None
        return _stored(name, reply) if reply.status == 200 else None

    def put(
        self,
        name: str,
        body: bytes | memoryview,
        *,
        md5: bytes,
        sha256: bytes | None = None,
        content_type: str,
        filename: str,
        only_new: bool,
    ) -> Stored:
        """Store a small object in one request; with `only_new` raises Conflict (412) if a version exists."""
        headers = {
            "Content-Type": content_type,
            "Content-MD5": _base64(md5),
            "Content-Disposition": _disposition(filename),
        }
        if sha256 is not None:
            headers["Content-SHA256"] = _base64(sha256)
        if only_new:
            headers["If-None-Match"] = "*"
        # Without the condition a repetition would make a second version; with it, one that got through says 412.
        reply = self._connection.request(
            "PUT", name, headers=headers, body=body, repeatable=only_new, paced=True
        )
        return Stored(
            name=name,
            url=_location(reply, f"{name}:"),
            size_bytes=len(body),
            md5=md5.hex(),
            sha256=sha256.hex() if sha256 else "",
            proof=Proof.JOB_MD5,
        )

    def open_job(
        self,
        name: str,
        *,
        size_bytes: int,
        chunk_bytes: int,
        content_type: str,
        filename: str,
        md5: bytes | None = None,
        sha256: bytes | None = None,
    ) -> str:
        """Open an upload job and return its path (`NAME;upload/JOB`)."""
        if chunk_bytes < 1:
            raise ValueError("a chunk holds at least one byte")
        document: dict[str, str | int] = {
            "chunk-length": chunk_bytes,
            "content-length": size_bytes,
            "content-type": content_type,
            "content-disposition": _disposition(filename),
        }
        if md5 is not None:
            document["content-md5"] = _base64(md5)
        if sha256 is not None:
            document["content-sha256"] = _base64(sha256)
        reply = self._connection.request(
            "POST",
            f"{name};upload",
            headers={"Content-Type": "application/json"},
            body=json.dumps(document).encode(),
            repeatable=False,
        )
        return _location(reply, f"{name};upload/")

    def jobs(self, name: str) -> Sequence[str]:
        """Paths of the open jobs of this name."""
        try:
            found = self._connection.json(f"{name};upload")
        except NotFound:
            return ()
        if not isinstance(found, list):
            raise _unreadable(f"{name};upload", "It should list the open jobs.")
        return tuple(str(path) for path in found)

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        """Send one chunk with its MD5; returns when the server has acknowledged it.

        The caller answers for the length: the server takes a last chunk that is too short.
        """
        self._connection.request(
            "PUT",
            f"{job}/{index}",
            headers={"Content-Type": "application/octet-stream", "Content-MD5": _base64(md5)},
            body=body,
            repeatable=True,
            paced=True,
        )

    def finalise(self, job: str) -> Stored:
        """Publish the job's object. NotFound may mean that an earlier finalise got through.

        ChecksumMismatch: the job is still open and its chunks may be sent again. An error that is `in_doubt`:
        look with `head` whether the version now bears the job's id.
        """
        reply = self._connection.request("POST", job, repeatable=False, read_timeout_s=_FINALISE_TIMEOUT_S)
        name = job.partition(";upload/")[0]
        url = _location(reply, f"{name}:")
        found = self.head(url)
        if found is None:
            raise _unreadable(url, "It was published but can't be found.")
        # Checksums set afterwards come later: what is there now stood in the job and was compared just now.
        return replace(found, proof=Proof.JOB_MD5) if found.md5 else found

    def cancel_job(self, job: str) -> None:
        """Drop the job and its chunks; a job that is already gone is fine."""
        self._connection.request("DELETE", job, accepted=(200, 204, 404), repeatable=True)

    def set_checksums(self, url: str, *, md5: bytes, sha256: bytes | None) -> None:
        """Set the write-once checksums of a version and read them back; Conflict if other ones are there."""
        wanted = {"content-md5": md5, "content-sha256": sha256}
        given = {kind: value for kind, value in wanted.items() if value is not None}
        held = self._checksums(url)
        missing = [kind for kind in given if not held[kind]]
        for kind in missing:
            # 409: set meanwhile, perhaps by us with a lost reply. Reading back tells whether it is the same.
            self._connection.request(
                "PUT",
                f"{url};metadata/{kind}",
                headers={"Content-Type": "text/plain"},
                body=_base64(given[kind]).encode(),
                accepted=(200, 201, 204, 409),
                repeatable=True,
            )
        if missing:
            held = self._checksums(url)
        for kind, value in given.items():
            if held[kind] != value.hex():
                raise Conflict(
                    f"{url} bears another {kind.removeprefix('content-')} than the file: "
                    f"{held[kind] or 'none'} in place of {value.hex()}.",
                    status=409,
                    detail="The object was published, no row points to it.",
                    remedy="Send the file again as a new version.",
                    path=url,
                )

    def _checksums(self, url: str) -> dict[str, str]:
        headers = self._connection.request("HEAD", url, repeatable=True).headers
        return {kind: _digest(headers, kind) for kind in _CHECKSUMS}

    def read(self, url: str) -> Iterator[bytes]:
        """Stream an object's bytes."""
        return self._connection.stream(url)


def _stored(name: str, reply: Reply) -> Stored:
    plain = _without_version(name)
    url = _path_in(reply.headers.get("Content-Location", ""), f"{plain}:")
    if not url:
        raise Conflict(
            f"{plain} is not an object: a namespace has this name.",
            status=409,
            remedy="Choose another object name in the spec.",
            path=plain,
        )
    # HEAD of an empty object carries no length.
    length = reply.headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise _unreadable(url, f"The length reads {length!r}.")
    md5, sha256 = (_digest(reply.headers, kind) for kind in _CHECKSUMS)
    return Stored(name=plain, url=url, size_bytes=int(length), md5=md5, sha256=sha256)


def _location(reply: Reply, start: str) -> str:
    """The path of what was made; the body repeats the header, and some proxies rewrite the header."""
    for text in (reply.headers.get("Location", ""), reply.text.strip()):
        if path := _path_in(text, start):
            return path
    raise _unreadable(start, "It did not say where it stored what we sent.")


def _path_in(text: str, start: str) -> str:
    """The path in a path or URL, when it goes on after `start`; empty otherwise. Servers may encode differently."""
    path = f"/{text.partition('://')[2].partition('/')[2]}" if "://" in text[:8] else text
    goes_on = unquote(path).startswith(unquote(start)) and len(unquote(path)) > len(unquote(start))
    return path if goes_on and path.isprintable() else ""


def _without_version(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _digest(headers: Mapping[str, str], kind: str) -> str:
    """Hex of a checksum header; Hatrac gives base64 and takes hex as well."""
    text = headers.get(kind, "").strip()
    length = {"content-md5": 16, "content-sha256": 32}[kind]
    if len(text) == length * 2:
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == length else ""


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _disposition(filename: str) -> str:
    return f"filename*=UTF-8''{quote(filename, safe='', errors='surrogateescape')}"


def _unreadable(path: str, words: str) -> BadReply:
    error = BadReply("The object store's answer can't be read.", status=200, detail=words, path=path)
    error.in_doubt = True
    return error
