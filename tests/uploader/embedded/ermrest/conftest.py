"""A catalog with three tables, and a way to ask it things as different people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from uploader.embedded.ermrest.exchange import Request
from uploader.embedded.ermrest.service import answer
from uploader.embedded.ermrest.store import CatalogStore
from uploader.embedded.identity import Client

CLIENTS = {
    "admin": Client("admin", "An Admin", (), is_admin=True),
    "writer": Client("writer", "A Writer", ("writers",)),
    "reader": Client("reader", "A Reader", ()),
    "nobody": None,
}


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[..., Reply]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CatalogStore]:
    made = CatalogStore(tmp_path / "catalogs")
    admin = CLIENTS["admin"]
    assert admin is not None
    made.create(
        admin,
        acls={
            "enumerate": ["*"],
            "select": ["*"],
            "insert": ["writers"],
            "update": ["writers"],
            "delete": ["writers"],
        },
    )
    yield made
    made.close()


@pytest.fixture
def ask_any(store: CatalogStore) -> Ask:
    """ask_any(method, path below /ermrest, document or text, as_=, headers)."""

    def ask(method: str, target: str, body: Any = None, as_: str = "writer", **headers: str) -> Reply:
        path, _, query = target.partition("?")
        raw = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        given = answer(
            store, Request(method, "/ermrest" + path, query, sent, raw.encode(), CLIENTS[as_]), "/ermrest"
        )
        return Reply(given.status, b"".join(given.body).decode(), dict(given.headers))

    return ask


@pytest.fixture
def ask(ask_any: Ask) -> Ask:
    """The same below catalog 1, which has schema `lab`: Kind <- Set <- Item."""

    def below(method: str, target: str, body: Any = None, as_: str = "writer", **headers: str) -> Reply:
        return ask_any(method, "/catalog/1" + target, body, as_, **headers)

    made = below("POST", "/schema", [LAB], "admin")
    assert made.status == 201, made.text
    return below


def column(name: str, kind: str = "text", *, nullok: bool = True, default: Any = None) -> dict[str, Any]:
    return {"name": name, "type": {"typename": kind}, "nullok": nullok, "default": default}


def reference(name: str, target: str, key: str, on_delete: str = "NO ACTION") -> dict[str, Any]:
    return {
        "foreign_key_columns": [{"column_name": name}],
        "referenced_columns": [{"schema_name": "lab", "table_name": target, "column_name": key}],
        "on_delete": on_delete,
        "on_update": "CASCADE",
    }


LAB = {
    "schema_name": "lab",
    "tables": {
        # Item comes first on purpose: what it refers to is made later in the same request.
        "Item": {
            "column_definitions": [
                column("Set", nullok=False),
                column("Path", nullok=False),
                column("Bytes", "int8"),
                column("Ratio", "float8"),
                column("Good", "boolean"),
                column("Day", "date"),
                column("Time", "timestamptz"),
                column("Data", "jsonb"),
            ],
            "keys": [{"unique_columns": ["Set", "Path"]}],
            "foreign_keys": [reference("Set", "Set", "RID", "CASCADE")],
        },
        "Set": {
            "column_definitions": [
                column("Name", nullok=False),
                column("Kind"),
                column("Level", "int4", default=3),
            ],
            "keys": [{"unique_columns": ["Name"]}],
            "foreign_keys": [reference("Kind", "Kind", "Name")],
        },
        "Kind": {
            "column_definitions": [column("Name", nullok=False), column("Note", "markdown")],
            "keys": [{"unique_columns": ["Name"]}],
        },
    },
}
