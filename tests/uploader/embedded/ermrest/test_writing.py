"""Rows in, changed and out again: all of a batch or nothing, told in the server's own words."""

from __future__ import annotations

from typing import Any

import pytest

SETS = "/entity/lab:Set"
ITEMS = "/entity/lab:Item"
CONFLICT = "Request conflicts with state of server. Detail: "
MALFORMED = "Request malformed. Detail: "


@pytest.fixture
def two_sets(ask: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask("POST", SETS, [{"Name": "one"}, {"Name": "two", "Level": 5}]).json
    return rows


def test_an_insert_answers_whole_rows_and_takes_defaults(two_sets: list[dict[str, Any]]) -> None:
    one, two = two_sets
    assert one["RID"] < two["RID"]
    assert one["RCB"] == one["RMB"] == "writer"
    # A column that any row names is taken from every row, as the real server does.
    assert (one["Level"], two["Level"]) == (None, 5)


def test_a_column_no_row_names_gets_its_default(ask: Any) -> None:
    assert ask("POST", SETS, [{"Name": "x"}]).json[0]["Level"] == 3


@pytest.mark.parametrize(
    ("target", "rows", "status", "text"),
    [
        (SETS, [{"Name": "one"}, {"Name": "new"}], 409, 'duplicate key value violates unique constraint "Set_Name_key"\nDETAIL:  Key ("Name")=(one) already exists.'),
        (SETS, [{"Name": "new"}, {"Name": "new"}], 400, MALFORMED + "Multiple input rows share the same unique key information."),
        (SETS + "?onconflict=skip", [{"Name": "new"}, {"Name": "new"}], 400, "share the same unique key"),
        (SETS + "?onconflict=update", [{"Name": "new"}], 400, 'Unknown action name in query parameter onconflict="update". Expected "skip" or "abort".'),
        (SETS, [{"Name": "new"}, {}], 409, 'null value in column "Name" of relation "input_data_'),
        (SETS, [{"Name": "new"}, {"Name": "b", "Level": "x"}], 400, 'Bad JSON array input. ERROR:  invalid input syntax for type integer: "x"'),
        (SETS, [{"Name": "new"}, {"Name": "b", "Kind": "none"}], 409, 'violates foreign key constraint "Set_Kind_fkey"\nDETAIL:  Key ("Kind")=(none) is not present in table "Kind".'),
        (SETS, {"Name": "new"}, 400, "cannot call json_array_elements on a non-array"),
        (SETS, '[{"Name": "new"}, {"Name": NaN}]', 400, 'DETAIL:  Token "NaN" is invalid.'),
        (SETS, '[{"Name": "new"}, {"Name": "a\\u0000b"}]', 400, "\\u0000 cannot be converted to text."),
        (SETS, '[{"Name": "new"}, {"Name": "\\ud800"}]', 400, "surrogate"),
        (SETS + "?defaults=Nope", [{"Name": "new"}], 409, CONFLICT + "Requested column Nope does not exist in table Set."),
        ("/entity/lab:Nope", [{"Name": "new"}], 409, CONFLICT + "Table Nope does not exist in schema lab."),
        (SETS + "?nondefaults=RID", [{"Name": "new", "RID": "7-AAAA"}], 403, "insert access on column \"RID\" with non-leased value '7-AAAA'"),
        (SETS + "?nondefaults=RMT", [{"Name": "new", "RMT": "2024-01-01"}], 403, "insert access on :lab:Set:RMT"),
        (SETS + "/Name=one", [{"Name": "new"}], 409, "not to a path"),
    ],
)  # fmt: skip
def test_a_refused_batch_leaves_nothing_behind(
    ask: Any, two_sets: Any, target: str, rows: Any, status: int, text: str
) -> None:
    reply = ask("POST", target, rows)
    assert (reply.status, text in reply.text) == (status, True), reply.text
    assert ask("GET", SETS + "/Name=new").json == []


def test_skip_answers_only_what_was_inserted(ask: Any, two_sets: Any) -> None:
    reply = ask("POST", SETS + "?onconflict=skip", [{"Name": "two"}, {"Name": "three"}])
    assert [row["Name"] for row in reply.json] == ["three"]
    assert ask("POST", SETS + "?onconflict=skip", [{"Name": "two"}]).text == "[]\n"


def test_unknown_json_columns_are_dropped_and_unknown_csv_columns_are_not(ask: Any) -> None:
    assert ask("POST", "/entity/lab:Kind", [{"Name": "a", "Nope": 1}]).status == 200
    reply = ask("POST", "/entity/lab:Kind", "Name,Nope\nb,1\n", content_type="text/csv")
    assert (reply.status, reply.text) == (409, CONFLICT + "CSV column Nope not recognized.\n")
    assert ask("POST", "/entity/lab:Kind", "a", content_type="text/plain").status == 415


def test_csv_and_json_lines_go_in_and_come_out(ask: Any) -> None:
    made = ask(
        "POST",
        "/entity/lab:Kind",
        'Name,Note\na,"x, ""y"""\nb,\n',
        content_type="text/csv",
        accept="text/csv",
    )
    assert made.headers["Vary"] == "cookie,accept"
    assert ask("GET", "/attribute/lab:Kind/Name,Note@sort(Name)?accept=csv").text == (
        'Name,Note\na,"x, ""y"""\nb,\n'
    )
    lines = ask(
        "POST", "/entity/lab:Kind", '{"Name":"c"}\n{"Name":"d"}\n', content_type="application/x-json-stream"
    )
    assert len(lines.text.splitlines()) == 2


def test_update_by_key_answers_the_rows_changed(ask: Any, two_sets: Any) -> None:
    reply = ask(
        "PUT",
        "/attributegroup/lab:Set/Name;Level",
        [{"Name": "one", "Level": 9}, {"Name": "none", "Level": 1}],
    )
    assert reply.json == [{"Name": "one", "Level": 9}]
    (row,) = ask("GET", SETS + "/Name=one").json
    assert row["RMT"] > row["RCT"]


def test_a_renaming_update_matches_the_old_values(ask: Any, two_sets: Any) -> None:
    target = "/attributegroup/lab:Set/o0:=Name,o1:=Level;n0:=Name,n1:=Level"
    change = {"o0": "two", "o1": 5, "n0": "zwei", "n1": 6}
    assert ask("PUT", target, [change]).json == [change]
    assert ask("PUT", target, [change]).json == []
    # A NULL among the old values finds nothing.
    assert ask("PUT", target, [{"o0": "one", "o1": None, "n0": "x", "n1": 1}]).json == []


@pytest.mark.parametrize(
    ("target", "rows", "status", "text"),
    [
        ("Name;Name", [{"Name": "one"}], 409, 'column "Name" specified more than once'),
        ("Name;RID", [{"Name": "one", "RID": "1"}], 403, "update access on :lab:Set:RID"),
        ("RID;Name", [{"RID": "?", "Name": "two"}], 409, 'Key ("Name")=(two) already exists.'),
        ("Name;Level", [{"Name": "one"}, {"Name": "one"}], 400, "share the same unique key"),
        ("Name;Kind", [{"Name": "one", "Kind": "none"}], 409, "is not present in table"),
        ("RID;Name", [{"RID": "?", "Name": None}], 409, 'null value in column "Name" of relation "Set"'),
        ("RID;Nope", [{"RID": "?"}], 409, "Requested column Nope does not exist in table Set."),
    ],
)
def test_an_update_that_breaks_a_rule_changes_nothing(
    ask: Any, two_sets: Any, target: str, rows: list[dict[str, Any]], status: int, text: str
) -> None:
    before = ask("GET", SETS).json
    sent = [{**row, "RID": two_sets[0]["RID"]} if row.get("RID") == "?" else row for row in rows]
    reply = ask("PUT", f"/attributegroup/lab:Set/{target}", sent)
    assert (reply.status, text in reply.text) == (status, True), reply.text
    assert ask("GET", SETS).json == before


def test_put_entity_updates_what_exists_and_inserts_the_rest(ask: Any, two_sets: Any) -> None:
    old, new = ask("PUT", SETS, [{"Name": "one", "Level": 7}, {"Name": "three", "Level": 8}]).json
    assert (old["RID"], old["Level"], new["Level"]) == (two_sets[0]["RID"], 7, 8)
    assert ask("PUT", SETS, [{"Name": "one", "Level": 1}]).json == [{"Name": "one", "Level": 1}]


def test_a_changed_key_is_followed_by_those_who_refer_to_it(ask: Any) -> None:
    ask("POST", "/entity/lab:Kind", [{"Name": "k"}])
    ask("POST", SETS, [{"Name": "s", "Kind": "k"}])
    ask("PUT", "/attributegroup/lab:Kind/o:=Name;n:=Name", [{"o": "k", "n": "kk"}])
    assert ask("GET", SETS + "/Name=s").json[0]["Kind"] == "kk"


def test_delete_obeys_foreign_keys(ask: Any) -> None:
    ask("POST", "/entity/lab:Kind", [{"Name": "k"}])
    (made,) = ask("POST", SETS, [{"Name": "s", "Kind": "k"}]).json
    ask("POST", ITEMS, [{"Set": made["RID"], "Path": name} for name in ("a", "b")])
    refused = ask("DELETE", "/entity/lab:Kind/Name=k")
    assert refused.status == 409
    assert 'still referenced from table "Set"' in refused.text
    assert ask("DELETE", SETS + "/Name=s").status == 204
    assert ask("GET", ITEMS).json == []
    gone = ask("DELETE", SETS + "/Name=s")
    assert (gone.status, gone.text) == (404, "Resource not found. Detail: entities matching request path\n")


def test_delete_attribute_empties_columns(ask: Any, two_sets: Any) -> None:
    assert ask("DELETE", "/attribute/lab:Set/Name=two/Level").status == 204
    assert ask("GET", SETS + "/Level::null::&Name=two").json


def test_a_precondition_that_no_longer_holds_is_refused(ask: Any, two_sets: Any) -> None:
    tag = ask("GET", SETS).headers["ETag"]
    assert ask("GET", SETS, if_none_match=tag).status == 304
    ask("POST", SETS, [{"Name": "three"}])
    assert ask("GET", SETS, if_none_match=tag).status == 200
    assert ask("DELETE", SETS, if_match=tag).status == 412


def test_an_owner_brings_record_ids_and_new_ones_stay_clear_of_them(ask: Any) -> None:
    made = ask("POST", "/entity/lab:Kind?nondefaults=RID", [{"RID": "1-0002", "Name": "a"}], "admin").json
    assert made[0]["RID"] == "1-0002"
    assert ask("POST", "/entity/lab:Kind", [{"Name": "b"}]).json[0]["RID"] > "1-0002"


def test_a_writer_uses_a_lease(ask: Any) -> None:
    (lease,) = ask("POST", "/entity/public:ERMrest_RID_Lease", [{"ID": "x"}]).json
    row = {"RID": lease["RID"], "Name": "a"}
    assert ask("POST", "/entity/lab:Kind?nondefaults=RID", [row]).json[0]["RID"] == lease["RID"]
