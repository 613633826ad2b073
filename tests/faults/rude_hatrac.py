"""An object store in memory with the faults of a real Hatrac: short last chunks, published holes, dead names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from urllib.parse import unquote

from loopback_server import Answer, Asked, LoopbackServer, text

LIMIT_BYTES = 134_217_728
_RAW_NAME = re.compile(r"^/hatrac(/([A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+)*$")


@dataclass
class _Version:
    body: bytes
    declared_bytes: int
    metadata: dict[str, str]


@dataclass
class _Job:
    name: str
    chunk_bytes: int
    size_bytes: int
    metadata: dict[str, str]
    disk: bytearray = field(default_factory=bytearray)


class RudeHatrac:
    """Namespaces, objects and jobs by name; one login, or anonymous when the token is wrong."""

    def __init__(self, *, token: str = "secret", readable: bool = True) -> None:
        self.namespaces: set[str] = {"/hatrac", "/hatrac/lab"}
        self.objects: dict[str, dict[str, _Version]] = {}
        self.jobs: dict[str, _Job] = {}
        self._deleted: set[str] = set()
        self._token = token
        self._namespaces_readable = readable
        self._lock = threading.Lock()
        self._next = 0
        self.server = LoopbackServer(self._answer)

    def close(self) -> None:
        self.server.close()

    def body(self, url: str) -> bytes:
        """What is really on the disk of a version."""
        name, _, version = url.rpartition(":")
        return self.objects[name][version].body

    def versions(self, name: str) -> int:
        return len(self.objects.get(name, {}))

    def delete(self, name: str) -> None:
        """Delete an object: its name is dead for ever."""
        self.objects.pop(name)
        self._deleted.add(name)

    def _answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self._token}":
            if asked.path == "/authn/session":
                return text(404, "No existing login session found.\n")
            return text(401, f"Authentication required for access to {asked.path}\n")
        with self._lock:
            if asked.path == "/authn/session":
                return _json(
                    {"client": {"id": "me", "display_name": "Me"}, "expires": "2099-01-01 00:00:00+00:00"}
                )
            name, semicolon, rest = asked.path.partition(";")
            if semicolon:
                return self._sub_resource(asked, name, rest)
            if asked.method == "PUT":
                return self._put(asked, name)
            return self._get(asked, name)

    def _put(self, asked: Asked, name: str) -> Answer:
        if ":" in name:
            return Answer(405, b"<!doctype html><html lang=en><title>405 Method Not Allowed</title>")
        if not _RAW_NAME.match(name):
            return text(400, "Request malformed. Hatrac URL path names may only include some characters.\n")
        if any(len(unquote(part).encode()) > 228 for part in name.split("/")):
            return text(500, f"[Errno 36] File name too long: '{name}'")
        if len(asked.body) > LIMIT_BYTES:
            return text(
                413, f"Request body size is larger than the current limit, which is {LIMIT_BYTES} bytes."
            )
        if refused := self._parent(name, asked.query):
            return refused
        if asked.headers.get("content-type") == "application/x-hatrac-namespace":
            return self._put_namespace(name)
        if name in self.namespaces:
            return text(409, f"Namespace {name} already exists.\n")
        if name in self._deleted:
            return text(409, f"Name {name} not available.\n")
        if asked.headers.get("if-none-match") == "*" and self.objects.get(name):
            return text(412, "Resource state does not match requested preconditions.\n")
        metadata = _metadata(asked.headers)
        self.objects.setdefault(name, {})
        if refused := _compare_md5(metadata, asked.body):
            return refused
        return self._publish(name, self._new_id(), _Version(asked.body, len(asked.body), metadata))

    def _parent(self, name: str, query: str) -> Answer | None:
        parent = name.rpartition("/")[0]
        if parent in self.namespaces:
            return None
        if parent in self.objects:
            return text(409, f"Parent {parent} is not a namespace.\n")
        if "parents=true" not in query:
            return text(404, f"Resource {parent} not found.\n")
        parts = parent.split("/")
        self.namespaces |= {"/".join(parts[:n]) for n in range(2, len(parts) + 1)}
        return None

    def _put_namespace(self, name: str) -> Answer:
        if name in self.namespaces:
            return text(409, f"Namespace {name} already exists.\n")
        if name in self.objects:
            # The real server does this too: an empty version over the object.
            return self._publish(name, self._new_id(), _Version(b"", 0, {}))
        self.namespaces.add(name)
        return _made(name)

    def _get(self, asked: Asked, name: str) -> Answer:
        plain, _, version = name.partition(":")
        if plain in self.namespaces:
            if not self._namespaces_readable:
                return text(403, f"Access to {plain} forbidden.\n")
            return _json([])
        if plain not in self.objects:
            return text(404, f"Resource {plain} not found.\n")
        versions = self.objects[plain]
        if not versions:
            return text(409, f"Object {plain} currently has no content.\n")
        version = version or next(reversed(versions))
        if version not in versions:
            return text(404, f"Resource {name} not found.\n")
        found = versions[version]
        headers = {
            **found.metadata,
            "Content-Location": f"{plain}:{version}",
            "ETag": f'"{version}"',
            "accept-ranges": "bytes",
        }
        if not found.declared_bytes and asked.method == "HEAD":
            return Answer(200, b"", headers, names_length=False)
        headers["Content-Length"] = str(found.declared_bytes)
        missing = asked.method == "GET" and len(found.body) < found.declared_bytes
        return Answer(200, found.body, headers, body_sent_bytes=len(found.body) if missing else None)

    def _sub_resource(self, asked: Asked, name: str, rest: str) -> Answer:
        if rest == "upload":
            if asked.method == "POST":
                return self._open_job(asked, name)
            return _json([f"{name};upload/{job}" for job, held in self.jobs.items() if held.name == name])
        if rest.startswith("metadata/"):
            return self._set_metadata(name, rest.removeprefix("metadata/"), asked.body.decode())
        job, _, index = rest.removeprefix("upload/").partition("/")
        if job not in self.jobs:
            return text(404, f"Resource {name};upload/{job} not found.\n")
        if asked.method == "DELETE":
            del self.jobs[job]
            return Answer(204)
        return self._put_chunk(asked, self.jobs[job], int(index)) if index else self._finalise(job)

    def _open_job(self, asked: Asked, name: str) -> Answer:
        if refused := self._parent(name, asked.query):
            return refused
        if name in self._deleted:
            return text(409, f"Name {name} is not available for use.\n")
        wanted = json.loads(asked.body)
        job = self._new_id()
        self.objects.setdefault(name, {})
        metadata = {key: value for key, value in wanted.items() if not key.endswith("-length")}
        self.jobs[job] = _Job(name, wanted["chunk-length"], wanted["content-length"], metadata)
        return _made(f"{name};upload/{job}")

    def _put_chunk(self, asked: Asked, job: _Job, index: int) -> Answer:
        count = -(-job.size_bytes // job.chunk_bytes)
        if index >= count:
            return text(409, f"Uploaded chunk number {index} out of range.\n")
        if index < count - 1 and len(asked.body) != job.chunk_bytes:
            return text(
                409,
                f"Uploaded chunk byte count {len(asked.body)} does not match job chunk size {job.chunk_bytes}.\n",
            )
        start = index * job.chunk_bytes
        job.disk.extend(b"\0" * (start - len(job.disk)))
        # Written before it is checked, and the last chunk's length is not checked at all.
        job.disk[start : start + len(asked.body)] = asked.body
        return _compare_md5(_metadata(asked.headers), asked.body) or Answer(204)

    def _finalise(self, job_id: str) -> Answer:
        job = self.jobs[job_id]
        wanted = job.metadata.get("content-md5")
        if wanted is not None and base64.b64decode(wanted) != hashlib.md5(job.disk).digest():
            return text(
                409,
                f"Current uploaded content MD5 b'{hashlib.md5(job.disk).hexdigest()}' does not match expected "
                f"b'{base64.b64decode(wanted).hex()}'.\n",
            )
        del self.jobs[job_id]
        return self._publish(job.name, job_id, _Version(bytes(job.disk), job.size_bytes, job.metadata))

    def _set_metadata(self, name: str, kind: str, value: str) -> Answer:
        plain, _, version = name.partition(":")
        metadata = self.objects[plain][version].metadata
        if metadata.get(kind, value) != value:
            return text(409, f"Metadata {name};metadata/{kind} cannot be modified once set.\n")
        metadata[kind] = value
        return Answer(204)

    def _publish(self, name: str, version: str, content: _Version) -> Answer:
        self.objects[name][version] = content
        return _made(f"{name}:{version}")

    def _new_id(self) -> str:
        self._next += 1
        return base64.b32encode(hashlib.sha256(str(self._next).encode()).digest()[:16]).decode().rstrip("=")


def _metadata(headers: object) -> dict[str, str]:
    kept = ("content-md5", "content-sha256", "content-type", "content-disposition")
    return {name: headers[name] for name in kept if name in headers}  # type: ignore[index, operator]


def _compare_md5(metadata: dict[str, str], body: bytes) -> Answer | None:
    wanted = metadata.get("content-md5")
    received = hashlib.md5(body).digest()
    if wanted is None or base64.b64decode(wanted) == received:
        return None
    return text(
        400, f"Received content MD5 {received!r} does not match expected {base64.b64decode(wanted)!r}.\n"
    )


def _made(path: str) -> Answer:
    return Answer(201, f"{path}\n".encode(), {"Location": path, "Content-Type": "text/uri-list"})


def _json(document: object) -> Answer:
    return Answer(200, json.dumps(document).encode() + b"\n", {"Content-Type": "application/json"})
