"""Bringing a catalog to a model: everything on an empty one, the missing parts on another, nothing twice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from loopback_server import Answer, Asked, LoopbackServer

from uploader.model.errors import Conflict
from uploader.remote.deploy import BULK_UPLOAD_TAG, SPEC_TAG, init_catalog, spec_annotation
from uploader.remote.ermrest import ErmrestCatalog
from uploader.remote.http import Connection


def table(schema: str, name: str, columns: list[str], refers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "schema_name": schema,
        "table_name": name,
        "column_definitions": [
            {"name": column, "type": {"typename": "text"}, "nullok": True} for column in ("RID", *columns)
        ],
        "keys": [{"unique_columns": ["RID"]}, {"unique_columns": [columns[0]]}],
        "foreign_keys": [
            {
                "foreign_key_columns": [{"schema_name": schema, "table_name": name, "column_name": column}],
                "referenced_columns": [{"schema_name": schema, "table_name": target, "column_name": "Name"}],
            }
            for column, target in (refers or {}).items()
        ],
    }


MODEL: dict[str, Any] = {
    "schemas": {
        "lab": {
            "schema_name": "lab",
            "tables": {
                # On purpose before the table that it refers to.
                "File": table("lab", "File", ["Path", "Technique"], {"Technique": "Technique"}),
                "Technique": table("lab", "Technique", ["Name", "Label"]),
            },
        }
    }
}
TERMS = {"lab": {"Technique": [{"Name": "SEM"}, {"Name": "TEM"}]}}
ANNOTATIONS = {SPEC_TAG: "nanoferry: 1\n"}


class ModelServer:
    """The model resources of an ERMrest, in memory, strict about order."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"annotations": {}, "schemas": {"public": {"tables": {}}}}
        self.rows: dict[str, list[Any]] = {}

    def __call__(self, asked: Asked) -> Answer:
        parts = [unquote(part) for part in asked.path.removeprefix("/ermrest/catalog/1/").split("/")]
        given = json.loads(asked.body) if asked.body else None
        match [asked.method, *parts]:
            case ["GET", "schema"]:
                return self._json(self.document)
            case ["POST", "schema"]:
                self.document["schemas"].update(copy.deepcopy(given["schemas"]))
            case ["POST", "schema", schema, "table"]:
                assert given["foreign_keys"] == []
                self.document["schemas"][schema]["tables"][given["table_name"]] = given
            case ["POST", "schema", schema, "table", name, kind]:
                part = {"column": "column_definitions", "key": "keys", "foreignkey": "foreign_keys"}[kind]
                self.document["schemas"][schema]["tables"][name][part].append(given)
            case ["PUT", "annotation", tag]:
                self.document["annotations"][tag] = given
                return Answer(204)
            case ["POST", "entity", name]:
                held = self.rows.setdefault(name, [])
                new = [row for row in given if row not in held]
                held.extend(new)
                return self._json(new)
        return Answer(201, json.dumps(given).encode())

    def _json(self, document: object) -> Answer:
        return Answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def line(server: ModelServer, serve: Callable[[Callable[[Asked], Answer]], LoopbackServer]) -> LoopbackServer:
    return serve(server)


@pytest.fixture
def catalog(line: LoopbackServer, connect: Callable[..., Connection], clock: Any) -> ErmrestCatalog:
    return ErmrestCatalog(connect(line.url), "1", clock=clock)


def test_an_empty_catalog_gets_everything_and_says_so(catalog: ErmrestCatalog, server: ModelServer) -> None:
    assert init_catalog(catalog, MODEL, TERMS, ANNOTATIONS) == [
        "schema lab",
        "table lab:File",
        "table lab:Technique",
        "2 terms in lab:Technique",
        f"annotation {SPEC_TAG}",
    ]
    assert server.document["schemas"]["lab"] == MODEL["schemas"]["lab"]
    assert spec_annotation(catalog) == (SPEC_TAG, "nanoferry: 1\n")


def test_a_second_time_creates_and_changes_nothing(catalog: ErmrestCatalog, server: ModelServer) -> None:
    init_catalog(catalog, MODEL, TERMS, ANNOTATIONS)
    before = copy.deepcopy(server.document)
    assert init_catalog(catalog, MODEL, TERMS, {SPEC_TAG: "another"}) == []
    assert server.document == before


def test_what_is_missing_is_added_and_the_rest_left_alone(
    catalog: ErmrestCatalog, server: ModelServer
) -> None:
    partial = copy.deepcopy(MODEL["schemas"]["lab"])
    del partial["tables"]["Technique"]
    file = partial["tables"]["File"]
    theirs = {"name": "Theirs", "type": {"typename": "int4"}}
    file["column_definitions"] = [*file["column_definitions"][:2], theirs]
    file["keys"], file["foreign_keys"] = file["keys"][:1], []
    server.document["schemas"]["lab"] = partial
    assert init_catalog(catalog, MODEL, {}, {}) == [
        "table lab:Technique",
        "column lab:File.Technique",
        "key lab:File (Path)",
        "foreign key lab:File (Technique) to lab:Technique",
    ]
    assert "Theirs" in {column["name"] for column in file["column_definitions"]}
    assert init_catalog(catalog, MODEL, {}, {}) == []


def test_a_schema_without_tables_is_filled(catalog: ErmrestCatalog, server: ModelServer) -> None:
    server.document["schemas"]["lab"] = {"schema_name": "lab", "tables": {}}
    created = init_catalog(catalog, MODEL, TERMS, {})
    assert created[:2] == ["table lab:File", "table lab:Technique"]
    assert "foreign key lab:File (Technique) to lab:Technique" in created


def test_a_table_of_another_shape_stops_it_before_anything_is_created(
    catalog: ErmrestCatalog, server: ModelServer, line: LoopbackServer
) -> None:
    other = copy.deepcopy(MODEL["schemas"]["lab"])
    other["tables"]["File"]["column_definitions"][1]["type"]["typename"] = "int4"
    server.document["schemas"]["lab"] = other
    with pytest.raises(Conflict, match=r"lab:File\.Path is int4 in place of text"):
        init_catalog(catalog, MODEL, TERMS, ANNOTATIONS)
    assert all(asked.method == "GET" for asked in line.asked)


def test_our_spec_is_taken_before_derivas(catalog: ErmrestCatalog, server: ModelServer) -> None:
    assert spec_annotation(catalog) is None
    server.document["annotations"] = {BULK_UPLOAD_TAG: {"asset_mappings": []}}
    catalog.document(afresh=True)
    assert spec_annotation(catalog) == (BULK_UPLOAD_TAG, {"asset_mappings": []})
    server.document["annotations"][SPEC_TAG] = "nanoferry: 1"
    catalog.document(afresh=True)
    assert spec_annotation(catalog) == (SPEC_TAG, "nanoferry: 1")
