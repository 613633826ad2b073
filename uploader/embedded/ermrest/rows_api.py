"""The data resources: entity, attribute, attributegroup, aggregate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import quote

from uploader.embedded.ermrest import acl, syntax
from uploader.embedded.ermrest.bodies import Rows, media_of, read_rows
from uploader.embedded.ermrest.clients import remember
from uploader.embedded.ermrest.database import CatalogDatabase, Writing
from uploader.embedded.ermrest.deleting import delete
from uploader.embedded.ermrest.errors import Refusal, conflict, malformed, not_found
from uploader.embedded.ermrest.exchange import Answer, Request, entity_tag, is_current, refuse_stale
from uploader.embedded.ermrest.formats import Media, chosen, pieces
from uploader.embedded.ermrest.inserting import InsertOptions, Written, defaulted_columns, insert
from uploader.embedded.ermrest.model import Model, Table
from uploader.embedded.ermrest.parser import parse
from uploader.embedded.ermrest.paths import compile_path
from uploader.embedded.ermrest.queries import compile_query
from uploader.embedded.ermrest.syntax import Api
from uploader.embedded.ermrest.updating import clear, update, update_inputs, upsert

_KEPT_IN_MEMORY_BYTES = 4 << 20
_READ_BYTES = 1 << 18
_VARY = "cookie,accept"


@dataclass(frozen=True, slots=True)
class RowsCall:
    """A request for rows of a catalog."""

    database: CatalogDatabase
    request: Request
    resource: syntax.Resource

    @property
    def media(self) -> Media:
        """The format of the answer; a JSON stream is answered as one."""
        headers = self.request.headers
        if "accept" not in headers and headers.get("content-type", "").startswith(Media.STREAM):
            return Media.STREAM
        return chosen(headers.get("accept", ""), self.request.query().get("accept"))

    def headers(self, changed: str) -> dict[str, str]:
        """Vary and ETag."""
        accept = self.request.headers.get("accept", "*/*")
        return {"Vary": _VARY, "ETag": entity_tag(self.request.client, accept, changed)}


def handle(database: CatalogDatabase, request: Request, api: Api, start: int) -> Answer:
    """Answers a request for the data resource that begins at `start` of the raw path; raises Refusal."""
    call = RowsCall(database, request, parse(api, request.raw_path, start))
    if request.method in {"GET", "HEAD"}:
        return _get(call)
    action = _ACTIONS.get((request.method, api))
    if action is None:
        raise Refusal(405, f"{request.method} of {api}")
    return action(call)


def _get(call: RowsCall) -> Answer:
    request = call.request
    limit = request.limit()
    with call.database.read() as reading:
        headers = call.headers(reading.changed)
        if is_current(request.headers, headers["ETag"]):
            return Answer(304, headers=headers)
        query = compile_query(reading.model, call.resource, limit, _may("select", request, reading.model))
        media = call.media
        download = request.query().get("download")
        if download:
            name = quote(f"{download}.{'csv' if media is Media.CSV else 'json'}", safe="")
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        rows = reading.session.rows(query.sql, query.values)
        body, length = _spooled(pieces(media, query.fields, rows))
    return Answer(200, body, media.value, {**headers, "Content-Length": str(length)})


def _spooled(parts: Iterable[bytes]) -> tuple[Iterable[bytes], int]:
    """The whole body, in memory or (a long one) in a temporary file, and its length.

    The reading ends before the first byte is sent: a slow client must not hold a view of the catalog.
    """
    kept: list[bytes] = []
    length = 0
    rest = iter(parts)
    for part in rest:
        kept.append(part)
        length += len(part)
        if length > _KEPT_IN_MEMORY_BYTES:
            return _in_file(kept, rest)
    return kept, length


def _in_file(kept: Iterable[bytes], rest: Iterable[bytes]) -> tuple[Iterable[bytes], int]:
    spool = TemporaryFile()  # noqa: SIM115 - closed when sent, or when a part fails
    try:
        spool.writelines(kept)
        spool.writelines(rest)
        length = spool.tell()
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return _sent_and_closed(spool), length


def _sent_and_closed(spool: IO[bytes]) -> Iterator[bytes]:
    with spool:
        while piece := spool.read(_READ_BYTES):
            yield piece


def _post_entity(call: RowsCall) -> Answer:
    request = call.request
    options = InsertOptions(
        request.column_list("defaults"), request.column_list("nondefaults"), _skips(request)
    )

    def change(writing: Writing, table: Table) -> Written:
        acl.demand_table(request.client, "insert", writing.model, table)
        rows = _rows_of(call, table, options)
        return insert(writing, table, rows, options)

    return _written(call, change)


def _put_entity(call: RowsCall) -> Answer:
    request = call.request
    options = InsertOptions(request.column_list("defaults"), request.column_list("nondefaults"))

    def change(writing: Writing, table: Table) -> Written:
        for right in ("insert", "update"):
            acl.demand_table(request.client, right, writing.model, table)
        return upsert(writing, table, _rows_of(call, table, options), options)

    return _written(call, change)


def _put_attributegroup(call: RowsCall) -> Answer:
    request = call.request

    def change(writing: Writing, table: Table) -> Written:
        acl.demand_table(request.client, "update", writing.model, table)
        keys, targets = update_inputs(writing, table, call.resource)
        names = [each.name for each in keys + targets]
        rows = read_rows(media_of(request.headers.get("content-type", "")), request.body, names, names)
        return update(writing, table, keys, targets, rows)

    return _written(call, change)


def _delete_entity(call: RowsCall) -> Answer:
    def change(writing: Writing, table: Table, rowids: Sequence[int]) -> None:
        acl.demand_table(call.request.client, "delete", writing.model, table)
        if not rowids:
            raise not_found("entities matching request path")
        delete(writing, table, rowids)

    return _erased(call, change)


def _delete_attribute(call: RowsCall) -> Answer:
    def change(writing: Writing, table: Table, rowids: Sequence[int]) -> None:
        acl.demand_table(call.request.client, "update", writing.model, table)
        columns = []
        for output in call.resource.outputs:
            if isinstance(output.source, syntax.Star) or output.source.alias or output.function:
                raise malformed("Only plain columns of the last table can be cleared.")
            columns.append(table.column(output.source.name))
        if not rowids:
            raise not_found("entities matching request path")
        clear(writing, table, columns, rowids)

    return _erased(call, change)


_ACTIONS: dict[tuple[str, Api], Callable[[RowsCall], Answer]] = {
    ("POST", Api.ENTITY): _post_entity,
    ("PUT", Api.ENTITY): _put_entity,
    ("PUT", Api.ATTRIBUTEGROUP): _put_attributegroup,
    ("DELETE", Api.ENTITY): _delete_entity,
    ("DELETE", Api.ATTRIBUTE): _delete_attribute,
}


def _written(call: RowsCall, change: Callable[[Writing, Table], Written]) -> Answer:
    media_of(call.request.headers.get("content-type", ""))
    with call.database.write(call.request.client) as writing:
        table = _single_table(writing.model, call.resource)
        refuse_stale(call.request.headers, call.headers(writing.previous)["ETag"])
        remember(writing)
        written = change(writing, table)
    headers = call.headers(writing.changed)
    body = b"".join(pieces(call.media, written.fields, written.rows))
    return Answer(200, [body], call.media.value, headers)


def _erased(call: RowsCall, change: Callable[[Writing, Table, Sequence[int]], None]) -> Answer:
    with call.database.write(call.request.client) as writing:
        refuse_stale(call.request.headers, call.headers(writing.previous)["ETag"])
        path = compile_path(writing.model, call.resource.steps, _may("select", call.request, writing.model))
        found = writing.session.rows(f"SELECT DISTINCT {path.current.sql}.rowid {path.source}", path.values)
        change(writing, path.current.table, [row[0] for row in found])
    return Answer(204, headers=call.headers(writing.changed))


def _single_table(model: Model, resource: syntax.Resource) -> Table:
    root = resource.steps[0]
    if len(resource.steps) > 1 or not isinstance(root, syntax.TableStep):
        raise conflict("Rows can only be written to a table, not to a path with links or filters.")
    return model.data_table(root.schema, root.table)


def _rows_of(call: RowsCall, table: Table, options: InsertOptions) -> Rows:
    known = [column.name for column in table.columns]
    defaulted = defaulted_columns(table, options)
    required = [name for name in known if name not in defaulted]
    media = media_of(call.request.headers.get("content-type", ""))
    return read_rows(media, call.request.body, known, required)


def _skips(request: Request) -> bool:
    action = request.query().get("onconflict", "abort")
    if action not in {"skip", "abort"}:
        raise malformed(
            f'Unknown action name in query parameter onconflict="{action}". Expected "skip" or "abort".'
        )
    return action == "skip"


def _may(right: str, request: Request, model: Model) -> Callable[[Table], None]:
    return lambda table: acl.demand_table(request.client, right, model, table)
