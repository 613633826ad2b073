"""The model resources: `/schema/…`, and annotations, comments and access lists of every part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uploader.embedded.ermrest import acl, altering, documents, growing
from uploader.embedded.ermrest.bodies import read_document
from uploader.embedded.ermrest.database import CatalogDatabase, Writing
from uploader.embedded.ermrest.errors import Refusal, conflict, malformed
from uploader.embedded.ermrest.exchange import (
    Answer,
    Request,
    entity_tag,
    is_current,
    json_answer,
    refuse_stale,
)
from uploader.embedded.ermrest.model import Acls, Model, Schema
from uploader.embedded.ermrest.model_parts import change_part, part_answer
from uploader.embedded.ermrest.places import Place, find
from uploader.embedded.ermrest.tokens import decoded

Header = Callable[[str], dict[str, Any]]
"""What a whole-model answer begins with, for the time the model last changed."""


def handle(database: CatalogDatabase, request: Request, segments: list[str], header: Header) -> Answer:
    """Answers a request for the model resource of these raw path segments; raises Refusal."""
    if request.method in {"GET", "HEAD"}:
        return _get(database, request, segments, header)
    with database.write(request.client) as writing:
        if request.method == "POST" and (name := _schema_named(segments)) not in {"", *writing.model.schemas}:
            return _add_schema(writing, request, name)
        place = find(writing.model, segments, request.client)
        refuse_stale(request.headers, entity_tag(request.client, "*", writing.previous_model))
        before = writing.model
        answer = (change_part if place.rest else _change)(writing, request, place)
        if writing.model is before and answer.status == 201:
            raise malformed("The document describes nothing.")
    return answer


def _get(database: CatalogDatabase, request: Request, segments: list[str], header: Header) -> Answer:
    with database.read() as reading:
        model, changed = reading.model, reading.model_changed
    headers = {"Vary": "cookie", "ETag": entity_tag(request.client, "*", changed)}
    acl.demand(request.client, "enumerate", _known_levels(model), "catalog")
    place = find(model, segments, request.client)
    if is_current(request.headers, headers["ETag"]):
        return Answer(304, headers=headers)
    if place.rest:
        return part_answer(model, place, request.client, headers)
    return json_answer(200, _shown(model, place, request, changed, header), headers)


def _known_levels(model: Model) -> list[Acls]:
    """All lists of the catalog in one: who may do anything anywhere may ask for the model."""
    every: dict[str, tuple[str, ...]] = {}
    parts = [model.acls, *(schema.acls for schema in model.schemas.values())]
    for acls in [*parts, *(table.acls for table in model.tables())]:
        for right, members in acls.items():
            every[right] = (*every.get(right, ()), *members)
    return [every]


def _shown(model: Model, place: Place, request: Request, changed: str, header: Header) -> Any:
    client = request.client
    if place.schema is None:
        return {**header(changed), **documents.model_document(model, client)}
    if place.table is not None:
        return _shown_of_table(documents.table_document(model, place.table, client), place)
    if place.collection == "table":
        tables = documents.visible_tables(model, place.schema, client)
        return [documents.table_document(model, table, client) for table in tables]
    return documents.schema_document(model, place.schema, client)


def _shown_of_table(whole: documents.Document, place: Place) -> Any:
    if place.column is not None:
        return documents.column_document(place.column, whole["rights"])
    if place.key is not None:
        return documents.key_document(place.key)
    if place.collection == "foreignkey":
        listed = {each.rid for each in place.foreign_keys}
        return [each for each in whole["foreign_keys"] if each["RID"] in listed]
    return {"": whole, "column": whole["column_definitions"], "key": whole["keys"]}[place.collection]


def _change(writing: Writing, request: Request, place: Place) -> Answer:
    match request.method:
        case "POST":
            return _add(writing, request, place)
        case "PUT":
            return _alter(writing, request, place)
        case "DELETE":
            return _drop(writing, request, place)
        case _:
            raise Refusal(405, f"{request.method} of a model resource")


def _demand(writing: Writing, request: Request, place: Place, right: str = "owner") -> None:
    acl.demand(request.client, right, place.levels(writing.model), place.label)


def _add(writing: Writing, request: Request, place: Place) -> Answer:
    if place.schema is None:
        return _add_many(writing, request, place)
    if place.table is None:
        if place.collection != "table":
            raise conflict(f"Requested schema {place.schema.name} already exists.")
        _demand(writing, request, place, "create")
        table = growing.add_table(writing, place.schema.name, _object(request))
        _own(writing, request, table.schema, table.name)
        table = writing.model.table(table.schema, table.name)
        return json_answer(201, documents.table_document(writing.model, table, request.client))
    _demand(writing, request, place)
    document = _object(request)
    match place.collection:
        case "column":
            made: Any = documents.column_document(growing.add_column(writing, place.table, document))
        case "key":
            made = documents.key_document(growing.add_key(writing, place.table, document))
        case "foreignkey":
            foreign_key = growing.add_foreign_key(writing, place.table, document)
            made = [documents.foreign_key_document(place.table, foreign_key)]
        case _:
            raise Refusal(405, "POST of this model resource")
    return json_answer(201, made)


def _schema_named(segments: list[str]) -> str:
    """The schema that a path ends at; empty for any other path."""
    match [segment for segment in segments if segment]:
        case ["schema", name]:
            return decoded(name)
    return ""


def _add_schema(writing: Writing, request: Request, name: str) -> Answer:
    """`POST /schema/NAME` needs no document and gives none back."""
    _demand(writing, request, Place(), "create")
    growing.add_all(writing, [{"schema_name": name}])
    _own(writing, request, name)
    return Answer(201)


def _add_many(writing: Writing, request: Request, place: Place) -> Answer:
    sent = read_document(request.body)
    parts: Any = sent
    if isinstance(sent, dict) and "schemas" in sent:
        schemas = sent["schemas"]
        if not isinstance(schemas, dict) or not all(isinstance(each, dict) for each in schemas.values()):
            raise malformed("schemas must be an object of schema documents.")
        parts = [{"schema_name": name, **each} for name, each in schemas.items()]
    elif isinstance(sent, dict):
        parts = [sent]
    if not isinstance(parts, list) or not all(isinstance(each, dict) for each in parts):
        raise malformed("A model document or a list of such documents is expected.")
    _demand(writing, request, place, "create")
    made = growing.add_all(writing, parts)
    for each in made:
        if isinstance(each, Schema):
            _own(writing, request, each.name)
    shown = []
    for each in made:
        if isinstance(each, Schema):
            schema = writing.model.schemas[each.name]
            shown.append(documents.schema_document(writing.model, schema, request.client))
        else:
            table, foreign_key = each
            if foreign_key is not None:
                shown.append(documents.foreign_key_document(table, foreign_key))
            else:
                table = writing.model.table(table.schema, table.name)
                shown.append(documents.table_document(writing.model, table, request.client))
    if isinstance(sent, dict) and "schemas" in sent:
        return json_answer(201, {"schemas": {each["schema_name"]: each for each in shown}})
    return json_answer(201, shown if isinstance(sent, list) else shown[0])


def _own(writing: Writing, request: Request, schema: str, table: str = "") -> None:
    """Who creates something without owning what it lies in becomes its owner."""
    client = request.client
    made = writing.model.table(schema, table) if table else None
    lists = acl.levels(writing.model, writing.model.schemas[schema], made)
    if client is None or acl.may(client, "owner", lists):
        return
    owner = {"owner": (client.id,)}
    if made is not None:
        altering.set_acls(writing, made, {**made.acls, **owner})
    else:
        altering.set_acls(
            writing, writing.model.schemas[schema], {**writing.model.schemas[schema].acls, **owner}
        )


def _alter(writing: Writing, request: Request, place: Place) -> Answer:
    _demand(writing, request, place)
    document = _object(request)
    client = request.client
    if place.schema is None or (place.collection and len(place.foreign_keys) != 1):
        raise Refusal(405, "PUT of this model resource")
    if place.table is None:
        schema = altering.alter_schema(writing, place.schema, document)
        return json_answer(200, documents.schema_document(writing.model, schema, client))
    if place.column is not None:
        return json_answer(
            200,
            documents.column_document(altering.alter_column(writing, place.table, place.column, document)),
        )
    if place.key is not None:
        return json_answer(
            200, documents.key_document(altering.alter_key(writing, place.table, place.key, document))
        )
    if place.foreign_keys:
        changed = altering.alter_foreign_key(writing, place.table, place.foreign_keys[0], document)
        return json_answer(200, documents.foreign_key_document(place.table, changed))
    table = altering.alter_table(writing, place.table, document)
    return json_answer(200, documents.table_document(writing.model, table, client))


def _drop(writing: Writing, request: Request, place: Place) -> Answer:
    _demand(writing, request, place)
    if place.schema is None or (place.collection and not place.foreign_keys):
        raise Refusal(405, "DELETE of this model resource")
    if place.table is None:
        growing.drop_schema(writing, place.schema)
    elif place.column is not None:
        growing.drop_column(writing, place.table, place.column)
    elif place.key is not None:
        growing.drop_key(writing, place.table, place.key)
    elif place.foreign_keys:
        for each in place.foreign_keys:
            table = writing.model.table(place.table.schema, place.table.name)
            growing.drop_foreign_key(writing, table, each)
    else:
        growing.drop_table(writing, place.table)
    return Answer(204)


def _object(request: Request) -> Mapping[str, Any]:
    document = read_document(request.body)
    if not isinstance(document, dict):
        raise malformed("The document must be a JSON object.")
    return document
