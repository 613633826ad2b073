"""Annotations, comments and access lists of catalogs, schemas, tables, columns and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uploader.embedded.ermrest import acl, altering, documents
from uploader.embedded.ermrest.bodies import read_document
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.errors import Refusal, malformed, not_found, not_implemented
from uploader.embedded.ermrest.exchange import Answer, Request, json_answer
from uploader.embedded.ermrest.model import Acls, Model
from uploader.embedded.ermrest.places import Place
from uploader.embedded.ermrest.tokens import decoded
from uploader.embedded.identity import Client


def part_answer(model: Model, place: Place, client: Client | None, headers: Mapping[str, str]) -> Answer:
    """What GET of an annotation, a comment or access lists answers; raises Refusal (401, 403, 404)."""
    kind, name = _kind_and_name(place)
    match kind:
        case "annotation":
            annotations = place.annotated(model)
            if not name:
                return json_answer(200, annotations, headers)
            if name not in annotations:
                raise not_found(f'annotation "{name}" on "{place.label}"')
            return json_answer(200, annotations[name], headers)
        case "comment":
            if place.comment is None:
                raise not_found(f'comment on "{place.label}"')
            return Answer(200, [f"{place.comment}\n".encode()], "text/plain", headers)
        case "acl":
            acl.demand(client, "owner", place.levels(model), place.label)
            acls = documents.acl_document(_acls(model, place))
            if not name:
                return json_answer(200, acls, headers)
            if name not in acls:
                raise not_found(f"ACL {name}")
            return json_answer(200, acls[name], headers)
        case _:
            raise _unknown(kind)


def change_part(writing: Writing, request: Request, place: Place) -> Answer:
    """PUT or DELETE of an annotation, a comment or access lists; raises Refusal."""
    kind, name = _kind_and_name(place)
    if kind not in {"annotation", "comment", "acl"}:
        raise _unknown(kind)
    if request.method not in {"PUT", "DELETE"}:
        raise Refusal(405, f"{request.method} of {kind}")
    acl.demand(request.client, "owner", place.levels(writing.model), place.label)
    deletes = request.method == "DELETE"
    match kind:
        case "annotation":
            annotations = dict(place.annotated(writing.model))
            if deletes:
                if name and name not in annotations:
                    raise not_found(f'annotation "{name}" on "{place.label}"')
                annotations = {key: each for key, each in annotations.items() if name and key != name}
            else:
                document = read_document(request.body)
                annotations = {**annotations, name: document} if name else _mapping(document)
            altering.describe(writing, place, {"annotations": annotations})
        case "comment":
            comment = None if deletes else _text(request)
            altering.describe(writing, place, {"comment": comment})
        case _:
            _set_acls(writing, request, place, name, deletes=deletes)
    return Answer(204)


def _set_acls(writing: Writing, request: Request, place: Place, name: str, *, deletes: bool) -> None:
    if place.column is not None or place.key is not None or place.foreign_keys:
        if not deletes:
            acl.refuse_unless_open(
                {name: read_document(request.body)} if name else read_document(request.body),
                "access lists of columns and foreign keys",
            )
        return
    acls = dict(_acls(writing.model, place))
    if deletes:
        acls = {right: members for right, members in acls.items() if name and right != name}
    elif name:
        value = read_document(request.body)
        acls.pop(name, None)
        if value is not None:
            acls[name] = acl.members(name, value)
    else:
        acls = dict(acl.from_document(read_document(request.body)))
    altering.set_acls(writing, place.table or place.schema, acls)
    after = [acls, *place.levels(writing.model)[1:]]
    if not acl.may(request.client, "owner", after):
        raise Refusal(403, f"removing your own owner access on {place.label}")


def _acls(model: Model, place: Place) -> Acls:
    if place.column is not None or place.key is not None or place.foreign_keys:
        return {}
    return (place.table or place.schema or model).acls


def _kind_and_name(place: Place) -> tuple[str, str]:
    if len(place.rest) > 2:
        raise not_found("/".join(place.rest))
    return place.rest[0], decoded(place.rest[1]) if len(place.rest) == 2 else ""


def _unknown(kind: str) -> Refusal:
    if kind == "acl_binding":
        return not_implemented("dynamic access rules (acl_binding)")
    return not_found(f"model resource {kind}")


def _mapping(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise malformed("annotations must be an object.")
    return document


def _text(request: Request) -> str:
    try:
        return request.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise malformed("a comment must be UTF-8 text") from error
