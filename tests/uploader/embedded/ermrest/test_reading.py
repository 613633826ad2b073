"""Filters, links, projections, aggregates, sorting and paging."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def lab(ask: Any) -> Any:
    """Kinds x and y; sets s1 (x), s2 (y), s3 (none); items in s1 and s2."""
    ask("POST", "/entity/lab:Kind", [{"Name": "x"}, {"Name": "y"}])
    sets = ask(
        "POST",
        "/entity/lab:Set",
        [
            {"Name": "s1", "Kind": "x", "Level": 1},
            {"Name": "s2", "Kind": "y", "Level": 2},
            {"Name": "s3", "Level": None},
        ],
    ).json
    items = [
        {
            "Set": sets[0]["RID"],
            "Path": "a.tif",
            "Bytes": 10,
            "Ratio": 0.5,
            "Good": True,
            "Data": {"b": 1, "a": [None]},
        },
        {"Set": sets[0]["RID"], "Path": "b.TIF", "Bytes": 20, "Good": False},
        {"Set": sets[1]["RID"], "Path": "c.ser", "Bytes": None, "Ratio": "NaN", "Day": "2024-01-02"},
    ]
    ask("POST", "/entity/lab:Item", items)
    return ask


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ("Path=a.tif", "a"),
        ("Path=any(a.tif,c.ser)", "ac"),
        ("Bytes::gt::10", "b"),
        ("Bytes::geq::10&Bytes::lt::20", "a"),
        ("Bytes::null::", "c"),
        ("!Bytes::null::", "ab"),
        ("Path=a.tif;Bytes=20", "ab"),
        ("!(Path=a.tif;Bytes=20)", ""),  # NULL is neither equal nor unequal
        ("Path::regexp::tif%24", "a"),
        ("Path::ciregexp::%5E%5Bab%5D.tif", "ab"),
        ("*::ciregexp::SER", "c"),
        ("Good=true", "a"),
        ("Good=f", "b"),
        ("Ratio=0.5", "a"),
        ("Day::leq::2024-01-02", "c"),
        ("Bytes=all(10)", "a"),
        ("Bytes::gt::any(15,5)", "ab"),
    ],
)
def test_filters(lab: Any, condition: str, paths: str) -> None:
    found = lab("GET", f"/attribute/lab:Item/{condition}/Path@sort(Path)").json
    assert "".join(row["Path"][0] for row in found) == paths


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("lab:Kind/lab:Set", ["s1", "s2"]),
        ("lab:Item/lab:Set", ["s1", "s2"]),  # two items, one set: an entity is never repeated
        ("lab:Item/(Set)", ["s1", "s2"]),
        ("lab:Kind/Name=x/(Name)", ["s1"]),
        ("lab:Kind/Name=y/(lab:Set:Kind)", ["s2"]),
        ("lab:Item/Path=c.ser/(Set)=(lab:Set:RID)", ["s2"]),
        ("S:=lab:Set/lab:Item/Bytes=20/$S", ["s1"]),
        ("S:=lab:Set/K:=lab:Kind/K:Name=y/$S", ["s2"]),
    ],
)
def test_links(lab: Any, path: str, names: list[str]) -> None:
    found = lab("GET", f"/entity/{path}@sort(Name)")
    assert [row["Name"] for row in found.json] == names, found.text


def test_projection_from_several_tables(lab: Any) -> None:
    rows = lab("GET", "/attribute/S:=lab:Set/I:=lab:Item/Path,n:=S:Name,S:Level@sort(Path)").json
    assert rows[0] == {"Path": "a.tif", "n": "s1", "Level": 1}
    wild = lab("GET", "/attribute/K:=lab:Kind/Name=x/K:*").json
    assert wild[0]["K:Name"] == "x"


def test_aggregates(lab: Any) -> None:
    target = "/aggregate/lab:Item/n:=cnt(*),b:=cnt(Bytes),d:=cnt_d(Set),lo:=min(Bytes),hi:=max(Bytes),all:=array(Bytes)"
    (row,) = lab("GET", target).json
    assert sorted(row.pop("all"), key=str) == [10, 20, None]
    assert row == {"n": 3, "b": 2, "d": 2, "lo": 10, "hi": 20}
    groups = lab("GET", "/attributegroup/S:=lab:Set/lab:Item/n:=S:Name;c:=cnt(*),r:=array(*)@sort(n)").json
    assert [(group["n"], group["c"], len(group["r"])) for group in groups] == [("s1", 2, 2), ("s2", 1, 1)]
    assert groups[0]["r"][0].keys() >= {"RID", "Path", "Data"}


def test_values_come_back_as_json(lab: Any) -> None:
    first, _, last = lab("GET", "/entity/lab:Item@sort(Path)").json
    assert (first["Good"], first["Ratio"], first["Data"]) == (True, 0.5, {"a": [None], "b": 1})
    assert (last["Ratio"], last["Day"], last["Good"]) == ("NaN", "2024-01-02", None)


def test_pages_join_without_gap_or_overlap_in_both_directions(lab: Any) -> None:
    for order in ("Level,RID", "Level::desc::,RID"):
        whole = lab("GET", f"/entity/lab:Set@sort({order})").json
        assert len(whole) == 3
        for place, row in enumerate(whole):
            level = "::null::" if row["Level"] is None else row["Level"]
            key = f"({level},{row['RID']})"
            assert lab("GET", f"/entity/lab:Set@sort({order})@after{key}").json == whole[place + 1 :]
            before = lab("GET", f"/entity/lab:Set@sort({order})@before{key}?limit=1").json
            assert before == whole[:place][-1:]


def test_null_sorts_as_the_greatest(lab: Any) -> None:
    ordered = [row["Level"] for row in lab("GET", "/entity/lab:Set@sort(Level)").json]
    assert ordered == [1, 2, None]


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/entity/lab:Item/Nope=1", 409, "Requested column Nope does not exist in table Item."),
        ("/entity/lab:Item/Bytes=abc", 400, 'Invalid int8: "abc"'),
        ("/entity/lab:Item/Path::regexp::(", 400, "URL parse error"),
        ("/entity/lab:Item/Path::regexp::%28", 400, "invalid regular expression"),
        ("/entity/lab:Kind/lab:Item", 409, "No link found"),
        ("/entity/lab:Item@sort(Nope)", 409, "Sort column Nope"),
        ("/entity/lab:Item@sort(RID)@before(1)", 400, "@before"),
        ("/entity/lab:Item?limit=x", 400, "limit"),
        ("/attribute/lab:Item/Path,Path", 409, "specified more than once"),
        ("/aggregate/lab:Set/x:=sum(Name)", 409, "has no sum"),
        ("/history/x", 501, "snapshots and history"),
        ("/entity/lab:Item/$X", 409, "alias X is not bound"),
    ],
)
def test_what_cannot_be_answered_is_said(lab: Any, target: str, status: int, text: str) -> None:
    reply = lab("GET", target)
    assert (reply.status, text in reply.text) == (status, True), reply.text


def test_a_regular_expression_that_runs_away_is_stopped(lab: Any) -> None:
    lab("POST", "/entity/lab:Kind", [{"Name": "a" * 60 + "b"}])
    reply = lab("GET", "/entity/lab:Kind/Name::regexp::%28a%7Ca%3F%29%2B%28a%2B%29%2B%24")
    assert (reply.status, "takes too long" in reply.text) == (400, True) or reply.status == 200


def test_long_urls_meet_the_same_limits_as_behind_apache(lab: Any) -> None:
    assert lab("GET", f"/entity/lab:Kind/Name={'x' * 3900}").status == 200
    assert (lab("GET", f"/entity/lab:Kind/Name={'x' * 4100}").status) == 404
    assert "<html>" in lab("GET", f"/entity/lab:Kind/Name={'x' * 8300}").text


def test_a_record_id_leads_to_its_table(lab: Any) -> None:
    rid = lab("GET", "/entity/lab:Set?limit=1").json[0]["RID"]
    assert lab("GET", f"/entity_rid/{rid}").json["table_name"] == "Set"
    assert lab("GET", "/entity_rid/9-9999").status == 404
