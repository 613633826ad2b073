"""The independent client's own API against the embedded server: sign-in, model, rows, objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peer_environment import Peer

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("witness"), pytest.mark.timeout(600)]


def test_it_signs_in_by_cookie_and_by_bearer_token(peer: Peer, server: Any) -> None:
    found = peer.facts("connect", server.host, server.token)
    for way in ("cookie", "bearer"):
        assert found[way]["session"]
        assert found[way]["schemas"] == found[way]["model"] == ["public"]
        assert found[way]["root namespace"] == []
    assert found["bogus"] == {"session": 404, "schemas": 401, "model": 401, "root namespace": 401}


def test_it_creates_alters_and_drops_a_model(peer: Peer, server: Any) -> None:
    found = peer.facts("model", server.host, server.token)
    assert found["tables"] == ["Kind", "Picture", "Thing", "Thing_Picture"]
    assert found["thing columns"] == {
        "RID": "ermrest_rid", "RCT": "ermrest_rct", "RMT": "ermrest_rmt", "RCB": "ermrest_rcb",
        "RMB": "ermrest_rmb", "Name": "text", "Size": "int8", "Weight": "float8", "Seen": "timestamptz",
        "Day": "date", "Live": "boolean", "Doc": "jsonb", "Notes": "markdown", "Kind": "text",
    }  # fmt: skip
    assert found["thing keys"] == [["Name"], ["RID"]]
    assert "Thing_Kind_fkey: ['Kind'] -> Kind" in found["thing foreign keys"]
    assert (found["default"], found["comment"]) == (1.5, "what it is called")
    assert found["is association"] == 2
    assert found["vocabulary columns"][5:] == ["ID", "URI", "Name", "Description", "Synonyms"]
    assert found["name of thing"] == {"name": "Things"}

    assert found["after growing"] == [["Colour", "Parent"], 3, 4]
    assert found["on delete"] == "SET NULL"
    assert found["altered column"] == ["renamed", "markdown", True]
    assert found["altered comment"] == "altered"
    assert found["applied"] == [{"*": ["Name", "Hue"]}, {"name": "Colour"}, {"navbarBrandText": "Lab"}, ["*"]]
    assert found["renamed table"] == ["Item", "Kind", "Picture", "Thing_Picture"]
    assert "Thing_Name_key" in found["key after renaming"]
    assert found["after dropping"] == [["Item", "Kind", "Picture"], False, 2, 3]
    assert found["schemas at the end"] == ["public"]
    assert found["second catalog"] == ["WWW", "public"]


def test_it_inserts_queries_updates_and_deletes_rows(peer: Peer, server: Any) -> None:
    found = peer.facts("rows", server.host, server.token)
    system = ["RCB", "RCT", "RID", "RMB", "RMT"]
    columns = ["Name", "Origin", *system]
    assert found["inserted"] == [["PbSe", "Ålesund", columns], ["Au / C; 50%", None, columns]]
    assert found["all"] == 20
    assert found["one"] == {
        "No": 3, "Sample": "PbSe", "Title": "x,y 'z' \"q\"", "Dose": 0.75,
        "Doc": {"deep": [3, None, True]}, "Taken": "2024-01-04T01:04:05+00:00",
    }  # fmt: skip
    assert found["skipped"] == ["third"]
    assert (found["duplicate"], found["no parent"], found["no key"]) == (409, 409, 409)
    assert found["batches"] == 250

    assert list(found["titles"].values()) == [[n, n + 5, n + 10, n + 15] for n in range(4)]
    assert found["null title"] == [4, 9, 14, 19]
    assert found["not null title"] == 16
    assert found["between"] == [4, 5, 6]
    assert found["either"] == [0, 1, 18, 19]
    assert found["not"] == [0, 1, 2]
    assert found["regexp"] == [1, 6, 11, 16]
    assert found["ciregexp"] == [0, 5, 10, 15]
    assert found["any of"] == [1, 2]
    assert found["all of"] == [19]
    assert found["moment"] == [18, 19]

    assert found["linked"] == [1, 3, 5]
    assert found["context"] == [["Au / C; 50%"], [0, 2, 4]]
    assert found["outer join"][0] == 501
    assert "outer joins" in found["outer join"][1]
    # One row for each sample, the last table of the path, with one of its shots.
    assert found["both tables"][0] == 2
    assert {"Shot:No", "Origin"} <= set(found["both tables"][1])
    assert found["aggregates"] == {
        "cnt": 19, "kinds": 2, "least": 0, "last": "2024-01-20T01:04:05+00:00",
        "numbers": list(range(20)), "samples": ["Au / C; 50%", "PbSe"],
    }  # fmt: skip
    assert found["grouped"] == [["Au / C; 50%", 10, 4.5], ["PbSe", 10, 4.75]]
    assert found["sorted"] == [19, 17, 15]
    assert found["nulls last"] == 7
    assert found["attributes"] == [{"No": 1, "What is it": "area #1 (a+b)", "Doc": {"deep": [1, None, True]}}]

    assert found["updated"] == [
        {"No": 1, "Title": "new", "Dose": None},
        {"No": 2, "Title": None, "Dose": 2.5},
    ]
    assert found["updated by RID"] == ["by RID"]
    assert found["left"] == 15
    assert found["parent in use"] == 409
    assert found["resolved"] == ["Shot", True]
    assert found["csv"] == "No,Title,Dose\n0,Überblick,0\n1,new,\n2,,2.5\n"


def test_it_stores_and_fetches_objects(peer: Peer, server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    found = peer.facts("objects", server.host, server.token, str(folder))
    assert found["namespaces"] == [True, False]
    assert found["same again"]
    assert found["second version"]
    assert found["first version kept"]
    assert found["equal"] == [True, False]
    assert found["chunks"] == [1, 2, 3, 4, 5, 6, None]
    assert found["large is equal"]
    assert found["head"] == {
        "Content-Length": "27262976",
        "Content-Location": True,
        "Content-MD5": True,
        "Content-SHA256": True,
    }
    assert found["empty"]
    assert found["job"] == 25 << 20
    assert found["cancelled job"] == 404
    assert found["listing"] == [f"/hatrac/lab/{name}" for name in ("day%201", "empty", "job", "new")]
    assert found["full namespace"] == 409
    assert (found["deleted"], found["deleted for ever"]) == (404, 409)
    assert found["access lists"] == 501
