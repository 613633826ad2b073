"""Namespaces and objects: PUT, GET, HEAD, DELETE and the list of versions."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from uploader.embedded.hatrac import changes, fields, names, queries, ranges
from uploader.embedded.hatrac.bodies import FileSink, WrongMD5, read_small, receive_into, too_large
from uploader.embedded.hatrac.exchange import Exchange
from uploader.embedded.hatrac.folder import new_id
from uploader.embedded.hatrac.records import Kind, Node, Version
from uploader.embedded.hatrac.refusal import Refusal, conflict, method_not_allowed, not_found
from uploader.embedded.hatrac.rights import Rights, not_signed_in
from uploader.embedded.hatrac.space import full_disk_is_507
from uploader.embedded.hatrac.store import MAX_BODY_BYTES, HatracStore

NAMESPACE_TYPE = "application/x-hatrac-namespace"
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Objects:
    """Answers requests about namespaces and objects."""

    store: HatracStore
    rights: Rights

    async def handle(self, exchange: Exchange) -> None:
        """Answer by method."""
        match exchange.method:
            case "PUT" if exchange.target.version is None:
                await self._put(exchange)
            case "GET" | "HEAD":
                await self._read(exchange)
            case "DELETE":
                await self._delete(exchange)
            case _:
                raise method_not_allowed()

    async def versions(self, exchange: Exchange) -> None:
        """Answer with the URLs of all versions, newest first."""
        target = exchange.target
        if exchange.method not in {"GET", "HEAD"}:
            raise method_not_allowed()
        self.rights.may_read(exchange.client, target.url)
        self._object(target.name)
        found = self.store.read(lambda index: queries.versions(index, target.name))
        await exchange.json([f"{target.url}:{version.version}" for version in found])

    async def _put(self, exchange: Exchange) -> None:
        name = exchange.target.name
        self.rights.must_write(exchange.client, names.url(names.parent(name)))
        if not name:
            raise conflict("Namespace /hatrac/ already exists.")
        if exchange.headers.get("content-type", "").partition(";")[0].strip() == NAMESPACE_TYPE:
            await read_small(exchange.receive, limit_bytes=0)
            await self.store.change(
                lambda index: changes.make_namespace(index, name, make_parents=exchange.make_parents)
            )
            await exchange.created(exchange.target.url)
            return
        version = await self._receive_object(exchange)
        await exchange.created(f"{exchange.target.url}:{version.version}")

    async def _receive_object(self, exchange: Exchange) -> Version:
        store, name, parents = self.store, exchange.target.name, exchange.make_parents
        length = exchange.content_length()
        if length > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        metadata = fields.checked(exchange.headers)
        precondition = fields.precondition(exchange.headers)
        store.read(lambda index: changes.check_object_name(index, name, make_parents=parents))
        precondition.check(store.read(lambda index: queries.current(index, name)))

        version_id = new_id()
        file = store.folder.place(version_id)
        version = Version(version_id, name, length, file, metadata)
        md5 = base64.b64decode(metadata["content-md5"]) if "content-md5" in metadata else None
        store.space.reserve(length)
        try:
            sink = FileSink(store.folder.incoming(), expected_md5=md5, becomes=store.folder.path(file))
            with full_disk_is_507():
                await receive_into(sink, exchange.receive, length, store.workers)
            # Committed last: until then nobody can see the file, and after it everybody can for good.
            await store.change(
                lambda index: changes.add_version(index, version, precondition, make_parents=parents)
            )
        except WrongMD5:
            store.space.release(length)
            # As on a real server the name is taken from now on, without content.
            await store.change(lambda index: changes.make_object(index, name, make_parents=parents))
            raise
        except Exception:
            store.space.release(length)
            store.folder.remove([file])
            raise
        return version

    async def _read(self, exchange: Exchange) -> None:
        target = exchange.target
        node = self.store.read(lambda index: queries.node(index, target.name))
        self.rights.may_read(exchange.client, target.url)
        if node is None or node.is_deleted:
            raise not_found(target.url)
        if node.kind is Kind.NAMESPACE:
            await self._list(exchange, node)
            return
        version = self._version(exchange)
        if (expected := fields.precondition(exchange.headers)).none_match is not None:
            try:
                expected.check(version)
            except Refusal:
                await exchange.begin(304, {"ETag": version.etag, "Vary": "cookie"})
                await exchange.body(b"")
                return
        await self._send(exchange, version)

    async def _list(self, exchange: Exchange, node: Node) -> None:
        if exchange.client is None:
            raise not_signed_in(exchange.target.url)
        found = await self.store.in_worker(
            lambda: self.store.read(lambda index: queries.children(index, node.name))
        )
        await exchange.json([names.url(name) for name in found])

    async def _send(self, exchange: Exchange, version: Version) -> None:
        wanted = ranges.wanted(exchange.headers, version)
        location = f"{exchange.target.url}:{version.version}"
        headers = fields.answer_headers(version, location, partial=wanted.is_partial)
        headers["Content-Length"] = str(wanted.length)
        if wanted.is_partial:
            headers["content-range"] = wanted.content_range
        if exchange.is_head or not wanted.length:
            await exchange.begin(wanted.status, headers)
            await exchange.body(b"")
            return
        await self._stream(exchange, self.store.folder.path(version.file), wanted, headers)

    async def _stream(
        self, exchange: Exchange, path: Path, wanted: ranges.Wanted, headers: dict[str, str]
    ) -> None:
        # Opened before the first byte is promised; a deletion from now on does not disturb the reader.
        handle = await self.store.in_worker(lambda: os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
        try:
            await exchange.begin(wanted.status, headers)
            os.lseek(handle, wanted.start, os.SEEK_SET)
            left = wanted.length
            while left:
                want = min(READ_BYTES, left)
                block = await self.store.in_worker(lambda want=want: os.read(handle, want))  # type: ignore[misc]
                if not block:
                    raise EOFError(f"{path} is shorter than the index says")
                left -= len(block)
                await exchange.body(block, more=left > 0)
        finally:
            os.close(handle)

    async def _delete(self, exchange: Exchange) -> None:
        target = exchange.target
        self.rights.must_write(exchange.client, target.url)
        node = self.store.read(lambda index: queries.node(index, target.name))
        if node is None or node.is_deleted:
            raise not_found(target.url)
        if not target.name:
            raise conflict("The root namespace cannot be deleted.")
        freed = 0
        if node.kind is Kind.NAMESPACE:
            await self.store.change(lambda index: changes.delete_namespace(index, target.name))
        elif target.version is not None:
            version = self._version(exchange)
            freed = await self.store.change(lambda index: changes.delete_version(index, version))
        else:
            precondition = fields.precondition(exchange.headers)
            freed = await self.store.change(
                lambda index: changes.delete_object(index, target.name, precondition)
            )
        self.store.space.release(freed)
        await self.store.remove_garbage()
        await exchange.no_content()

    def _object(self, name: str) -> Node:
        node = self.store.read(lambda index: queries.node(index, name))
        if node is None or node.is_deleted or node.kind is not Kind.OBJECT:
            raise not_found(names.url(name))
        return node

    def _version(self, exchange: Exchange) -> Version:
        return addressed_version(self.store, exchange)


def addressed_version(store: HatracStore, exchange: Exchange) -> Version:
    """The version that a URL names, or the current one; 409 while the name has no content."""
    target = exchange.target
    node = store.read(lambda index: queries.node(index, target.name))
    if node is None or node.is_deleted:
        raise not_found(target.url)
    if target.version is not None:
        found = store.read(lambda index: queries.version(index, target.name, target.version or ""))
        if found is None:
            raise not_found(f"{target.url}:{target.version}")
        return found
    found = store.read(lambda index: queries.current(index, target.name))
    if found is None:
        raise conflict(f"Object {target.url} currently has no content.")
    return found
