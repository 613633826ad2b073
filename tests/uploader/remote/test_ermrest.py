"""The ERMrest client against a scripted catalog: what it asks, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from loopback_server import Answer, Asked, LoopbackServer, text

from uploader.model.errors import BadReply, BadRequest, Conflict, Forbidden, Throttled, Unreachable
from uploader.remote.ermrest import ErmrestCatalog
from uploader.remote.http import Connection
from uploader.remote.row_batches import bodies, first_of_each_key

Serve = Callable[[Callable[[Asked], Answer]], LoopbackServer]

CATALOG = "/ermrest/catalog/1"
SYSTEM = [
    {"name": name, "type": {"typename": kind}, "nullok": nullok}
    for name, kind, nullok in [
        ("RID", "ermrest_rid", False),
        ("RCT", "ermrest_rct", False),
        ("RMT", "ermrest_rmt", False),
        ("RCB", "ermrest_rcb", True),
        ("RMB", "ermrest_rmb", True),
    ]
]


def column(name: str, kind: str = "text", *, nullok: bool = True, default: object = None) -> dict[str, Any]:
    return {"name": name, "type": {"typename": kind}, "nullok": nullok, "default": default}


SCHEMA: dict[str, Any] = {
    "annotations": {"tag:x": 1},
    "schemas": {
        "lab": {
            "tables": {
                "File": {
                    "rights": {"insert": True, "update": False},
                    "column_definitions": [
                        *SYSTEM,
                        column("Dataset", nullok=False),
                        column("Path", nullok=False),
                        column("Note"),
                        column("State", default="new"),
                    ],
                    "keys": [{"unique_columns": ["RID"]}, {"unique_columns": ["Dataset", "Path"]}],
                    "foreign_keys": [
                        {
                            "foreign_key_columns": [
                                {"schema_name": "lab", "table_name": "File", "column_name": "Dataset"}
                            ],
                            "referenced_columns": [
                                {"schema_name": "lab", "table_name": "Dataset", "column_name": "RID"}
                            ],
                        }
                    ],
                },
                "Log": {
                    "rights": {"insert": None},
                    "column_definitions": [*SYSTEM, column("Line")],
                    "keys": [{"unique_columns": ["RID"]}],
                },
            }
        }
    },
}


def as_json(document: object) -> Answer:
    return Answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


class Script:
    """A catalog that answers `/schema` and echoes what it is given, unless the test has put answers in line."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.schema: dict[str, Any] = SCHEMA

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == f"{CATALOG}/schema" and asked.method == "GET":
            return as_json(self.schema)
        if self.answers:
            return self.answers.pop(0)
        return as_json(json.loads(asked.body) if asked.body else [])


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def server(script: Script, serve: Serve) -> LoopbackServer:
    return serve(script)


@pytest.fixture
def catalog(server: LoopbackServer, connect: Callable[..., Connection], clock: Any) -> ErmrestCatalog:
    return ErmrestCatalog(connect(server.url), "1", clock=clock)


def written(server: LoopbackServer) -> list[tuple[str, Any]]:
    """Target below the catalog and rows of every write."""
    return [
        (asked.target.removeprefix(CATALOG), json.loads(asked.body))
        for asked in server.asked
        if asked.method in {"POST", "PUT"}
    ]


# facts -----------------------------------------------------------------------------------------


def test_the_model_is_read_once(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    table = catalog.facts().tables["lab:File"]
    assert catalog.annotations() == {"tag:x": 1}
    assert server.lines() == [f"GET {CATALOG}/schema"]
    assert table.keys == (("RID",), ("Dataset", "Path"))
    assert table.foreign_keys[0].target == "lab:Dataset"
    assert (table.may_insert, table.may_update) == (True, False)
    assert catalog.facts().tables["lab:Log"].may_insert is None
    assert table.columns["Path"].nullok is False
    assert [name for name, facts in table.columns.items() if facts.has_default] == [
        *("RID", "RCT", "RMT", "RCB", "RMB"),
        "State",
    ]


@pytest.mark.parametrize(
    "document", [[], {}, {"schemas": []}, {"schemas": {"a": {"tables": {"b": {}}}}}, {"schemas": {"a": 1}}]
)
def test_another_document_than_a_model_is_a_bad_reply(
    document: Any, catalog: ErmrestCatalog, script: Script
) -> None:
    script.schema = document
    with pytest.raises(BadReply, match="model"):
        catalog.facts()


# looking up ------------------------------------------------------------------------------------


def test_rows_are_looked_up_by_key_and_narrowed(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    catalog.rows_by_key("lab:File", "Path", ["a b.tif", "c.tif"], where={"Dataset": "D1"})
    catalog.rows_by_key("lab:File", "Path", ["x"], columns=["RID", "Path", "RID"])
    assert server.lines() == [
        f"GET {CATALOG}/entity/lab:File/Path=any(a%20b.tif,c.tif)&Dataset=D1",
        f"GET {CATALOG}/attribute/lab:File/Path=any(x)/RID,Path",
    ]


def test_rows_come_in_pages_by_rid(catalog: ErmrestCatalog, server: LoopbackServer, script: Script) -> None:
    pages = [[{"RID": "1-A"}, {"RID": "1-B"}], [{"RID": "1-C"}]]
    script.answers = [as_json(page) for page in pages]
    assert [row["RID"] for row in catalog.rows("lab:File", {"Dataset": "D1"}, page=2)] == [
        "1-A",
        "1-B",
        "1-C",
    ]
    script.answers = [as_json([])]
    assert list(catalog.rows("lab:File", {}, columns=["Path"], page=2)) == []
    assert server.lines() == [
        f"GET {CATALOG}/entity/lab:File/Dataset=D1@sort(RID)?limit=2",
        f"GET {CATALOG}/entity/lab:File/Dataset=D1@sort(RID)@after(1-B)?limit=2",
        f"GET {CATALOG}/attribute/lab:File/RID,Path@sort(RID)?limit=2",
    ]


def test_a_query_of_a_spec_is_sent_as_written(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    catalog.query("/attribute/D:=lab:Dataset/Title=a b/RID?limit=1")
    assert server.lines() == [f"GET {CATALOG}/attribute/D:=lab:Dataset/Title=a%20b/RID?limit=1"]


@pytest.mark.parametrize("body", [b'{"a": 1}', b"[1]", b"null", b"[", b"<html><title>Sign in</title>"])
def test_anything_but_rows_is_a_bad_reply(body: bytes, serve: Serve, connect: Any, clock: Any) -> None:
    server = serve(lambda asked: Answer(200, body, {"Content-Type": "application/json"}))
    catalog = ErmrestCatalog(connect(server.url), "1", clock=clock)
    with pytest.raises(BadReply):
        catalog.query("/entity/lab:File")


# inserting -------------------------------------------------------------------------------------


def test_rows_are_inserted_with_defaults_and_existing_ones_skipped(
    catalog: ErmrestCatalog, server: LoopbackServer, script: Script
) -> None:
    script.answers = [as_json([{"Dataset": "D", "Path": "b", "RID": "1-B"}])]
    rows = [{"Dataset": "D", "Path": "a"}, {"Dataset": "D", "Path": "b"}]
    assert catalog.insert("lab:File", rows) == [{"Dataset": "D", "Path": "b", "RID": "1-B"}]
    assert written(server) == [("/entity/lab:File?defaults=RID,RCT,RMT,RCB,RMB,State&onconflict=skip", rows)]


def test_a_default_is_not_asked_for_where_a_value_is_given(
    catalog: ErmrestCatalog, server: LoopbackServer
) -> None:
    catalog.insert("lab:File", [{"Dataset": "D", "Path": "a", "State": "x"}])
    assert written(server)[0][0].startswith("/entity/lab:File?defaults=RID,RCT,RMT,RCB,RMB&")


def test_no_rows_ask_nothing(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    assert catalog.insert("lab:File", []) == []
    assert catalog.update("lab:File", [], by=("RID",), columns=("Note",)) == []
    assert server.asked == []


def test_the_first_row_of_a_key_is_taken(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    rows = [{"Dataset": "D", "Path": "a", "Note": n} for n in (1, 2)]
    catalog.insert("lab:File", [*rows, {"Dataset": "D", "Path": None}, {"Dataset": "D", "Path": None}])
    assert written(server)[0][1] == [rows[0], {"Dataset": "D", "Path": None}, {"Dataset": "D", "Path": None}]


def test_of_several_keys_each_is_kept_unique() -> None:
    rows = [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}]
    assert first_of_each_key(rows, [("a",), ("b",)]) == [rows[0], rows[3]]
    # A key is its values, not their text.
    assert len(first_of_each_key([{"a": 1}, {"a": "1"}], [("a",)])) == 2


def test_big_batches_are_cut_by_rows_and_by_bytes() -> None:
    assert [len(json.loads(body)) for body in bodies([{"n": n} for n in range(2500)])] == [1000, 1000, 500]
    document = "x" * (3 * 1024 * 1024)
    assert [len(json.loads(body)) for body in bodies([{"d": document}] * 5)] == [2, 2, 1]


def test_nan_is_refused_before_anything_is_sent(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    with pytest.raises(BadRequest, match="NaN"):
        catalog.insert("lab:File", [{"Dataset": "D", "Path": "a", "Note": float("nan")}])
    assert written(server) == []


def test_an_aborted_transaction_is_repeated_with_jitter(
    catalog: ErmrestCatalog, server: LoopbackServer, script: Script, clock: Any
) -> None:
    aborted = text(503, "The service is temporarily unavailable. Detail: Transaction aborted.")
    script.answers = [aborted] * 6
    assert len(catalog.insert("lab:File", [{"Dataset": "D", "Path": "a"}])) == 1
    assert len(written(server)) == 7
    assert sum(clock.slept) < 3


def test_a_server_that_stays_busy_is_given_up_in_half_a_minute(
    catalog: ErmrestCatalog, script: Script, clock: Any
) -> None:
    script.answers = [text(503, "Transaction aborted")] * 1000
    with pytest.raises(Throttled):
        catalog.insert("lab:File", [{"Dataset": "D", "Path": "a"}])
    assert sum(clock.slept) <= 30


def test_a_lost_reply_is_repeated_only_where_a_key_keeps_it_single(
    server: LoopbackServer, connect: Callable[..., Connection], clock: Any
) -> None:
    with FaultProxy(server.url, FaultPlan([Fault(Kind.CUT_AFTER, "^POST", per_request=2)])) as proxy:
        catalog = ErmrestCatalog(connect(proxy.url), "1", clock=clock)
        assert catalog.insert("lab:File", [{"Dataset": "D", "Path": "a"}])
        assert len(written(server)) == 3
        with pytest.raises(Unreachable) as caught:
            catalog.insert("lab:Log", [{"Line": "only once"}])
    assert caught.value.in_doubt
    assert len(written(server)) == 4


def test_a_batch_is_sent_once_when_one_of_its_rows_has_no_whole_key(
    server: LoopbackServer, connect: Callable[..., Connection], clock: Any
) -> None:
    with FaultProxy(server.url, FaultPlan([Fault(Kind.CUT_AFTER, "^POST", per_request=1)])) as proxy:
        catalog = ErmrestCatalog(connect(proxy.url), "1", clock=clock)
        with pytest.raises(Unreachable):
            catalog.insert("lab:File", [{"Dataset": "D", "Path": "b"}, {"Dataset": "D"}])
    assert len(written(server)) == 1


def test_what_the_catalog_refuses_is_named(catalog: ErmrestCatalog, script: Script) -> None:
    script.answers = [text(403, "Access forbidden. Detail: insert access on :lab:File")]
    with pytest.raises(Forbidden, match="insert in lab:File"):
        catalog.insert("lab:File", [{"Dataset": "D", "Path": "a"}])
    script.answers = [text(409, 'DETAIL:  Key ("Path")=(a) already exists.')]
    with pytest.raises(Conflict, match="Path = a"):
        catalog.insert("lab:File", [{"Dataset": "D", "Path": "a"}])


# updating --------------------------------------------------------------------------------------


def test_only_the_named_columns_are_updated(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    catalog.update(
        "lab:File", [{"RID": "1-A", "Note": "n", "Path": "unchanged"}], by=("RID",), columns=("Note",)
    )
    assert written(server) == [("/attributegroup/lab:File/RID;Note", [{"RID": "1-A", "Note": "n"}])]


def test_a_column_that_finds_rows_is_not_written(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    rows = [{"Dataset": "D", "Path": "a", "Note": "n"}]
    catalog.update("lab:File", rows, by=("Dataset", "Path"), columns=("Path", "Note"))
    assert written(server)[0][0] == "/attributegroup/lab:File/Dataset,Path;Note"
    assert catalog.update("lab:File", rows, by=("Path",), columns=("Path",)) == []


def test_of_two_updates_of_a_row_the_later_is_sent(catalog: ErmrestCatalog, server: LoopbackServer) -> None:
    rows = [{"RID": rid, "Note": note} for rid, note in (("1-A", 1), ("1-B", 2), ("1-A", 3))]
    catalog.update("lab:File", rows, by=("RID",), columns=("Note",))
    assert written(server)[0][1] == [{"RID": "1-B", "Note": 2}, {"RID": "1-A", "Note": 3}]


def test_a_forgotten_value_is_a_mistake_of_the_caller_not_a_null(catalog: ErmrestCatalog) -> None:
    with pytest.raises(KeyError):
        catalog.update("lab:File", [{"RID": "1-A"}], by=("RID",), columns=("Note",))
