"""Finds who answers a request below /ermrest: the service, a catalog, its model, its rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

from uploader.embedded.ermrest import acl, documents, model_api, rids, rows_api
from uploader.embedded.ermrest.bodies import read_document
from uploader.embedded.ermrest.database import CatalogDatabase
from uploader.embedded.ermrest.errors import Refusal, malformed, not_found, not_implemented
from uploader.embedded.ermrest.exchange import (
    Answer,
    Request,
    entity_tag,
    is_current,
    json_answer,
    refusal_answer,
    too_long,
)
from uploader.embedded.ermrest.model import Table
from uploader.embedded.ermrest.store import CatalogStore
from uploader.embedded.ermrest.syntax import Api
from uploader.embedded.ermrest.tokens import decoded
from uploader.embedded.identity import Client

VERSION = "0.5.0"
"""The ERMrest whose protocol this is."""
FEATURES = {
    "trs": True,
    "tcrs": True,
    "history_control": False,
    "implicit_fkey_index": True,
    "catalog_post_input": True,
    "catalog_alias": False,
    "indexing_preferences": {"btree": True, "btree_column_list": True, "trgm": False, "gin_array": False},
    "quantified_value_lists": True,
    "quantified_rid_lists": False,
    "rid_lease": True,
    "registry_catalog": False,
    "csv_array_json": True,
}
_MODEL = frozenset({"schema", "annotation", "acl", "comment", "acl_binding"})
_LEFT_OUT = {"history": "snapshots and history", "textfacet": "text facets"}


def answer(store: CatalogStore, request: Request, prefix: str) -> Answer:
    """Answers any request whose raw path begins with `prefix` (`/ermrest`)."""
    page = too_long(request)
    if page is not None:
        return page
    try:
        return _answer(store, request, prefix)
    except Refusal as refusal:
        return refusal_answer(refusal)


def _answer(store: CatalogStore, request: Request, prefix: str) -> Answer:
    segments = request.raw_path[len(prefix) :].strip("/").split("/")
    if segments == [""]:
        _only(request, "GET", "HEAD")
        return json_answer(200, {"version": VERSION, "features": FEATURES})
    if segments[0] != "catalog":
        raise not_found("/" + "/".join(segments))
    if len(segments) == 1:
        _only(request, "POST")
        return _create(store, request)
    catalog_id, _, snapshot = segments[1].partition("@")
    database = store.get(decoded(catalog_id))
    if snapshot or "%40" in catalog_id:
        raise not_implemented("snapshots and history")
    return _in_catalog(database, request, decoded(catalog_id), segments, prefix)


def _in_catalog(
    database: CatalogDatabase, request: Request, catalog_id: str, segments: list[str], prefix: str
) -> Answer:
    rest = segments[2:]
    if not rest:
        _only(request, "GET", "HEAD")
        return _catalog(database, request, catalog_id)
    if rest[0] in _MODEL:
        return model_api.handle(database, request, rest, lambda changed: _header(catalog_id, changed))
    if rest[0] in _LEFT_OUT:
        raise not_implemented(_LEFT_OUT[rest[0]])
    if rest[0] == "entity_rid":
        _only(request, "GET", "HEAD")
        return _resolve(database, request, rest)
    if rest[0] in set(Api):
        start = len(prefix) + sum(len(segment) + 1 for segment in segments[:3]) + 1
        return rows_api.handle(database, request, Api(rest[0]), start)
    raise not_found("/" + "/".join(segments))


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refusal(405, f"{request.method} {request.raw_path}")


def _header(catalog_id: str, changed: str) -> dict[str, Any]:
    micros = dt.datetime.fromisoformat(changed) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return {
        "id": catalog_id,
        "snaptime": rids.encode(micros // dt.timedelta(microseconds=1)),
        "features": FEATURES,
    }


def _catalog(database: CatalogDatabase, request: Request, catalog_id: str) -> Answer:
    with database.read() as reading:
        model, changed = reading.model, reading.changed
    shown = {
        **_header(catalog_id, changed),
        **documents.catalog_part(model, request.client),
        "is_persistent": True,
    }
    headers = {"Vary": "cookie", "ETag": entity_tag(request.client, "*", str(shown["snaptime"]))}
    if is_current(request.headers, headers["ETag"]):
        return Answer(304, headers=headers)
    return json_answer(200, shown, headers)


def _create(store: CatalogStore, request: Request) -> Answer:
    client: Client | None = request.client
    if client is None or not client.is_admin:
        raise acl.denied(client, "create access on catalogs")
    document = read_document(request.body) if request.body else {}
    if not isinstance(document, dict):
        raise malformed("The document must be a JSON object.")
    catalog_id = document.get("id")
    if isinstance(catalog_id, list):
        raise malformed("Catalog ids are given as one text.")
    owners = document.get("owner") or []
    acl.members("owner", owners)
    acls = dict(acl.from_document(document.get("acls")))
    acls["owner"] = tuple(dict.fromkeys((*owners, *acls.get("owner", ()))))
    made = store.create(
        client,
        catalog_id=None if catalog_id is None else str(catalog_id),
        acls=acls,
        annotations=document.get("annotations"),
    )
    return json_answer(201, {"id": made}, {"Location": f"/ermrest/catalog/{made}"})


def _resolve(database: CatalogDatabase, request: Request, rest: list[str]) -> Answer:
    if len(rest) != 2:
        raise malformed("entity_rid takes one record id.")
    rid = decoded(rest[1])
    with database.read() as reading:
        for table in reading.model.tables():
            if not acl.may(request.client, "select", acl.levels(reading.model, table=table)):
                continue
            row = next(reading.session.rows(_by_rid(table), (rid,)), None)
            if row is not None:
                found = {"RID": rid, "schema_name": table.schema, "table_name": table.name, "RMT": row[0]}
                return json_answer(200, found, {"Vary": "cookie"})
    raise not_found(f"entity with RID={rid}")


def _by_rid(table: Table) -> str:
    return f"SELECT {table.column('RMT').sql} FROM {table.sql} WHERE {table.column('RID').sql} = ?"  # noqa: S608
