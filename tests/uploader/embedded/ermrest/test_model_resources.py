"""Schemas, tables, columns, keys, annotations and access lists over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SPECS = Path(__file__).parents[4] / "specs" / "catalog"
TABLE = "/schema/lab/table/Set"


def test_the_nanoscience_model_and_its_terms_fit_an_empty_catalog(ask_any: Any) -> None:
    model = (SPECS / "nanoscience.json").read_text("utf-8")
    assert ask_any("POST", "/catalog/1/schema", model, "admin").status == 201
    for table, rows in json.loads((SPECS / "terms.json").read_text("utf-8"))["nanoscience"].items():
        assert ask_any("POST", f"/catalog/1/entity/nanoscience:{table}", rows).status == 200
    file = ask_any("GET", "/catalog/1/schema/nanoscience/table/File").json
    assert ["Dataset", "Path"] in [key["unique_columns"] for key in file["keys"]]
    assert ask_any("POST", "/catalog/1/schema", model, "admin").status == 409


def test_a_model_that_is_refused_leaves_nothing_behind(ask: Any) -> None:
    good = {"table_name": "Good", "schema_name": "lab"}
    bad = {
        "table_name": "Bad",
        "schema_name": "lab",
        "column_definitions": [{"name": "x", "type": {"typename": "money"}}],
    }
    reply = ask("POST", "/schema", [good, bad], "admin")
    assert (reply.status, "Unsupported type 'money'" in reply.text) == (400, True)
    assert ask("GET", "/schema/lab/table/Good").status == 404


def test_a_schema_is_made_by_its_name_alone(ask: Any) -> None:
    made = ask("POST", "/schema/new%20lab", None, "admin")
    assert (made.status, made.text) == (201, "")
    assert ask("GET", "/schema/new%20lab", None, "admin").json["tables"] == {}
    again = ask("POST", "/schema/new%20lab", None, "admin")
    assert (again.status, "already exists" in again.text) == (409, True)
    assert ask("POST", "/schema/another", None, "reader").status == 403
    assert ask("DELETE", "/schema/new%20lab", None, "admin").status == 204


def test_a_column_comes_and_goes(ask: Any) -> None:
    ask("POST", "/entity/lab:Set", [{"Name": "s"}])
    made = ask(
        "POST", TABLE + "/column", {"name": "New col", "type": {"typename": "int8"}, "default": 4}, "admin"
    )
    assert made.status == 201
    assert ask("GET", "/entity/lab:Set").json[0]["New col"] == 4
    changed = ask("PUT", TABLE + "/column/New%20col", {"name": "N", "type": {"typename": "text"}}, "admin")
    assert changed.json["type"] == {"typename": "text"}
    assert ask("GET", "/entity/lab:Set/N=4").json
    assert ask("DELETE", TABLE + "/column/N", None, "admin").status == 204
    assert "N" not in ask("GET", "/entity/lab:Set").json[0]
    assert ask("DELETE", TABLE + "/column/RID", None, "admin").status == 409


def test_a_renamed_table_and_column_keep_their_rows_and_references(ask: Any) -> None:
    (made,) = ask("POST", "/entity/lab:Set", [{"Name": "s"}]).json
    assert ask("PUT", TABLE, {"table_name": "Group"}, "admin").status == 200
    assert ask("PUT", "/schema/lab/table/Group/column/Name", {"name": "Title"}, "admin").status == 200
    assert ask("GET", "/entity/lab:Group/Title=s").json[0]["RID"] == made["RID"]
    assert ask("POST", "/entity/lab:Item", [{"Set": "?", "Path": "x"}]).status == 409
    item = ask("GET", "/schema/lab/table/Item").json["foreign_keys"][0]
    assert item["referenced_columns"][0]["table_name"] == "Group"
    assert ask("POST", "/entity/lab:Group", [{"Title": "s"}]).status == 409


def test_keys_and_foreign_keys_are_checked_against_the_rows_there_are(ask: Any) -> None:
    ask("POST", "/entity/lab:Set", [{"Name": "a", "Level": 1}, {"Name": "b", "Level": 1}])
    reply = ask("POST", TABLE + "/key", {"unique_columns": ["Level"]}, "admin")
    assert (reply.status, 'Key ("Level")=(1) is duplicated' in reply.text) == (409, True)
    assert ask("DELETE", TABLE + "/key/RID", None, "admin").status == 409  # Item refers to it
    assert ask("DELETE", TABLE + "/foreignkey/Kind/reference/lab:Kind/Name", None, "admin").status == 204
    ask("PUT", "/attributegroup/lab:Set/Name;Kind", [{"Name": "a", "Kind": "gone"}])
    back = {
        "foreign_key_columns": [{"column_name": "Kind"}],
        "referenced_columns": [{"schema_name": "lab", "table_name": "Kind", "column_name": "Name"}],
    }
    assert ask("POST", TABLE + "/foreignkey", back, "admin").status == 409
    assert ask("DELETE", "/schema/lab/table/Kind", None, "admin").status == 204


@pytest.mark.parametrize("place", ["", TABLE, "/schema/lab", TABLE + "/column/Name", TABLE + "/key/Name"])
def test_annotations_everywhere(ask: Any, place: str) -> None:
    tag = place + "/annotation/tag%3Ax.org%2C2020%3Athing"
    assert ask("PUT", tag, {"a": [1]}, "admin").status == 204
    assert ask("GET", tag).json == {"a": [1]}
    assert ask("PUT", tag, {"a": 2}).status == 403
    assert ask("DELETE", tag, None, "admin").status == 204
    assert ask("GET", tag).status == 404


def test_the_model_is_sent_once_while_it_does_not_change(ask: Any) -> None:
    first = ask("GET", "/schema")
    ask("POST", "/entity/lab:Kind", [{"Name": "rows do not change the model"}])
    assert ask("GET", "/schema", if_none_match=first.headers["ETag"]).status == 304
    ask("PUT", "/schema/lab/comment", "words", "admin")
    assert ask("GET", "/schema", if_none_match=first.headers["ETag"]).status == 200
    assert ask("GET", "/schema/lab/comment").text == "words\n"


def test_who_has_no_right_is_told_which(ask: Any) -> None:
    rows = [{"Name": "x"}]
    assert (ask("POST", "/entity/lab:Set", rows, "reader").text) == (
        "Access forbidden. Detail: insert access on :lab:Set\n"
    )
    assert (ask("POST", "/entity/lab:Set", rows, "nobody").text) == (
        "Access requires authentication. Detail: insert access on :lab:Set\n"
    )
    assert ask("POST", TABLE + "/column", {"name": "x", "type": {"typename": "text"}}, "writer").status == 403
    assert ask("POST", "/schema", [{"schema_name": "mine"}], "nobody").status == 401


def test_a_table_hides_behind_its_own_access_lists(ask: Any) -> None:
    lists = {"select": ["writers"], "enumerate": ["writers"]}
    assert ask("PUT", TABLE + "/acl", lists, "admin").status == 204
    assert ask("GET", "/entity/lab:Set", None, "nobody").status == 401
    assert ask("GET", "/entity/lab:Item/lab:Set", None, "reader").status == 403
    assert "Set" not in ask("GET", "/schema/lab", None, "reader").json["tables"]
    assert ask("GET", TABLE, None, "reader").status == 404
    assert ask("GET", "/entity/lab:Set", None, "writer").status == 200
    rights = ask("GET", TABLE, None, "writer").json["rights"]
    assert rights == {"update": True, "delete": True, "owner": False, "select": True, "insert": True}


def test_the_last_owner_cannot_lock_itself_out(ask: Any, ask_any: Any) -> None:
    assert ask("PUT", "/acl/owner", ["writer"], "admin").status == 204
    assert ask("PUT", "/acl/owner", [], "writer").status == 403
    assert ask("GET", "/acl", None, "writer").json["owner"] == ["writer"]


def test_dynamic_rules_and_column_lists_are_named_as_left_out(ask: Any) -> None:
    for body in ({"acl_bindings": {"x": {}}}, {"acl_bindings": {"x": False}}):
        assert ask("PUT", TABLE, body, "admin").status == 501
    assert ask("PUT", TABLE + "/column/Name/acl", {"select": ["writers"]}, "admin").status == 501
    assert ask("PUT", TABLE + "/acl_binding/x", {}, "admin").status == 501


def test_only_administrators_make_catalogs(ask_any: Any) -> None:
    assert ask_any("POST", "/catalog", {}, "writer").status == 403
    made = ask_any("POST", "/catalog", {"owner": ["writer"]}, "admin")
    assert (made.status, made.json) == (201, {"id": "2"})
    assert ask_any("GET", "/catalog/2", None, "writer").json["rights"]["owner"] is True
    assert ask_any("GET", "/catalog/9/schema").text == "Resource not found. Detail: catalog 9\n"
    assert ask_any("GET", "/catalog/..%2F1/schema").status == 404
    assert ask_any("GET", "/catalog/1@2A-3B/schema").status == 501
    assert ask_any("GET", "/").json["features"]["rid_lease"] is True
