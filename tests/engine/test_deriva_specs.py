"""DERIVA bulk-upload documents from end to end: look-ups, identity, tables of rows, records before objects."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from ferry_world import SMALL_WIRE, World, deriva_spec, fill, layout, png

from uploader.engine import crew, run
from uploader.model.errors import Unreachable
from uploader.model.events import FileFinished
from validation.check import Depth

SYSTEM = {
    "RID": "ermrest_rid",
    "RCT": "ermrest_rct",
    "RMT": "ermrest_rmt",
    "RCB": "ermrest_rcb",
    "RMB": "ermrest_rmb",
}
FASTQ = b"@read\nACGT\n+\nIIII\n"


def table(name: str, columns: dict[str, str], *keys: Sequence[str], schema: str = "isa") -> dict[str, Any]:
    """A table of text columns (`name!` for one that may not be null) with these keys besides RID."""
    given = {column.rstrip("!"): (kind, not column.endswith("!")) for column, kind in columns.items()}
    return {
        "kind": "table",
        "schema_name": schema,
        "table_name": name,
        "column_definitions": [
            *(
                {"name": name, "type": {"typename": kind}, "nullok": name in ("RCB", "RMB")}
                for name, kind in SYSTEM.items()
            ),
            *(
                {"name": name, "type": {"typename": kind}, "nullok": nullok}
                for name, (kind, nullok) in given.items()
            ),
        ],
        "keys": [{"unique_columns": list(key)} for key in (("RID",), *keys)],
        "foreign_keys": [],
    }


def make_model(world: World, *tables: dict[str, Any], schema: str = "isa") -> None:
    document = {
        "schemas": {schema: {"schema_name": schema, "tables": {one["table_name"]: one for one in tables}}}
    }
    answer = world.ask("POST", "/ermrest/catalog/1/schema", json=document)
    assert answer.status_code in (200, 201), answer.text


ASSET = {"filename": "text", "url": "text", "byte_count": "int8", "md5": "text", "sha256": "text"}


@pytest.fixture
def facebase(world: World) -> tuple[str, str]:
    """FaceBase's tables with one dataset and one replicate; their RIDs."""
    of_replicate = {"dataset": "text", "replicate": "text", **ASSET}
    make_model(
        world,
        table("dataset", {"title": "text"}),
        table("replicate", {"dataset": "text", "experiment": "text", "biosample": "text"}),
        table("sequencing_data", of_replicate),
        table("processed_data", {**of_replicate, "mapping_assembly": "text"}),
        table("imaging_data", of_replicate),
        table("mesh_data", of_replicate),
        table("array_data", of_replicate),
        table("thumbnail", {**of_replicate, "derived_from": "text"}),
    )
    foreign_key = {
        "foreign_key_columns": [{"schema_name": "isa", "table_name": "replicate", "column_name": "dataset"}],
        "referenced_columns": [{"schema_name": "isa", "table_name": "dataset", "column_name": "RID"}],
    }
    answer = world.ask("POST", "/ermrest/catalog/1/schema/isa/table/replicate/foreignkey", json=foreign_key)
    assert answer.status_code in (200, 201), answer.text
    dataset = world.put_row("isa:dataset", {"title": "Palate"})["RID"]
    replicate = world.put_row("isa:replicate", {"dataset": dataset, "experiment": "E1", "biosample": "B1"})[
        "RID"
    ]
    return str(dataset), str(replicate)


@pytest.fixture
def facebase_tree(data: Path, facebase: tuple[str, str]) -> Path:
    folder = data / facebase[0] / facebase[1]
    fill(
        folder,
        {
            "seq/a.fastq": FASTQ,
            "seq/b copy.fastq": FASTQ,
            "proc/mm10/peaks.bed": b"chr1\t1\t2\n",
            "img/slice 1.png": png(1),
            "mesh/skull.obj": b"v 0 0 0\n",
            "thumb/slice 1.png/small.png": png(2),
        },
    )
    return data


def test_facebase_end_to_end(world: World, facebase: tuple[str, str], facebase_tree: Path) -> None:
    spec = layout("facebase")
    told = world.upload(facebase_tree, spec=spec)
    dataset, replicate = facebase
    # A thumbnail names a picture by its record, which this very run makes: it follows with the next one.
    assert told.outcomes == {"new": 5, "held": 1}
    assert world.upload(facebase_tree, spec=spec).outcomes == {"same": 5, "new": 1}
    assert world.upload(facebase_tree, spec=spec).outcomes == {"same": 6}
    assert sorted(row["filename"] for row in world.rows("isa:sequencing_data")) == ["a.fastq", "b copy.fastq"]
    (image,) = world.rows("isa:imaging_data")
    assert (image["dataset"], image["replicate"]) == (dataset, replicate)
    assert world.content(image["url"]) == png(1)
    assert image["md5"] == hashlib.md5(png(1)).hexdigest()
    assert image["byte_count"] == len(png(1))
    assert f"{image['md5']}.slice%201.png" in image["url"]
    (peaks,) = world.rows("isa:processed_data")
    assert peaks["mapping_assembly"] == "mm10"
    (thumbnail,) = world.rows("isa:thumbnail")
    assert thumbnail["derived_from"] == image["RID"]
    assert {len(versions) for versions in world.objects().values()} == {1}


def test_the_same_query_is_asked_once(
    world: World, facebase: tuple[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, replicate = facebase
    fill(data / dataset / replicate / "seq", {f"{number}.fastq": b"%d" % number for number in range(30)})
    monkeypatch.setenv("NANOFERRY_TOKEN", world.endpoint.token)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as proxy:
        world.server = proxy.url
        assert world.upload(data, spec=layout("facebase")).outcomes == {"new": 30}
        asked = [line for line in proxy.lines() if "isa:replicate" in line]
    assert len(asked) == 1


def test_a_missing_parent_holds_its_files_and_no_others(
    world: World, facebase: tuple[str, str], data: Path
) -> None:
    dataset, replicate = facebase
    fill(data, {f"{dataset}/{replicate}/seq/a.fastq": FASTQ, f"{dataset}/9-9999/seq/a.fastq": FASTQ})
    told = world.upload(data, spec=layout("facebase"))
    assert told.outcomes == {"new": 1, "held": 1}
    held = told.results[f"{dataset}/9-9999/seq/a.fastq"]
    assert [one.code for one in held.issues if one.holds] == ["catalog.record_missing"]


def mapping(**more: Any) -> dict[str, Any]:
    return {
        "asset_type": "file",
        "file_pattern": "^.*/assets/(?P<plate>[^/]+)/(?P<basename>[^/]+)$",
        "ext_pattern": "^.*[.](?P<file_ext>dat)$",
        "checksum_types": ["md5"],
        "target_table": ["isa", "asset"],
        "record_query_template": "/entity/isa:asset/md5={md5}&filename={file_name_urlencoded}",
        "column_map": {
            "filename": "{file_name}",
            "url": "{URI}",
            "byte_count": "{file_size}",
            "md5": "{md5}",
            "plate": "{plate}",
        },
        "hatrac_templates": {"hatrac_uri": "/hatrac/assets/{plate}/{md5}.{file_name_urlencoded}"},
        "hatrac_options": {"versioned_uris": True},
        **more,
    }


def spec_of(*mappings: dict[str, Any]) -> Any:
    return deriva_spec({"asset_mappings": list(mappings), "version_compatibility": [[">=1.0.0"]]})


@pytest.fixture
def assets(world: World) -> World:
    make_model(
        world,
        table("asset", {"plate": "text", **ASSET}),
        table("reading", {"well!": "text", "value": "float8"}, ("well",)),
        table("note", {"text": "text"}),
    )
    return world


def test_a_table_without_keys_gets_no_row_twice_when_a_reply_is_lost(
    assets: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has no key but RID, so the server cannot skip what is there: the rows are looked for first."""
    fill(data, {f"assets/p1/{name}.dat": name.encode() for name in "abc"})
    monkeypatch.setenv("NANOFERRY_TOKEN", assets.endpoint.token)
    with FaultProxy(assets.endpoint.url, FaultPlan([Fault(Kind.CUT_AFTER, where="POST /ermrest/")])) as proxy:
        assets.server = proxy.url
        assets.upload(data, spec=spec_of(mapping()))
        proxy.plan = FaultPlan([])
        assert not assets.upload(data, spec=spec_of(mapping())).outcomes.keys() & {
            "failed",
            "cancelled",
            "held",
        }
    assert sorted(row["filename"] for row in assets.rows("isa:asset")) == ["a.dat", "b.dat", "c.dat"]
    assert {len(versions) for versions in assets.objects().values()} == {1}


def test_a_query_that_is_no_key_identifies_the_row(assets: World, data: Path) -> None:
    query = (
        "/attribute/A:=isa:asset/md5={md5}/filename={file_name_urlencoded};filename=old/RID,md5,url,filename"
    )
    spec = spec_of(mapping(record_query_template=query))
    fill(data, {"assets/p1/a.dat": b"a", "assets/p1/b.dat": b"b"})
    assert assets.upload(data, spec=spec).outcomes == {"new": 2}
    assert assets.upload(data, spec=spec).outcomes == {"same": 2}
    assert len(assets.rows("isa:asset")) == 2


def test_the_reference_overwrites_what_differs_within_the_update_template(assets: World, data: Path) -> None:
    fill(data, {"assets/p1/a.dat": b"a"})
    assets.upload(data, spec=spec_of(mapping()))
    (row,) = assets.rows("isa:asset")
    renamed = mapping()
    renamed["column_map"] |= {"plate": "plate {plate}", "byte_count": "7"}
    renamed["record_update_template"] = "/attributegroup/isa:asset/RID;plate"
    assert assets.upload(data, spec=spec_of(renamed)).outcomes == {"updated": 1}
    (after,) = assets.rows("isa:asset")
    assert (after["RID"], after["plate"], after["byte_count"]) == (row["RID"], "plate p1", 1)


def test_a_record_before_its_object_gives_the_object_its_name(assets: World, data: Path) -> None:
    early = mapping(create_record_before_upload=True)
    early["hatrac_templates"] = {"hatrac_uri": "/hatrac/assets/{RID}/{file_name_urlencoded}"}
    fill(data, {"assets/p1/a.dat": b"a", "assets/p1/b.dat": b"b"})
    assert assets.upload(data, spec=spec_of(early)).outcomes == {"new": 2}
    for row in assets.rows("isa:asset"):
        assert row["url"].startswith(f"/hatrac/assets/{row['RID']}/{row['filename']}:")
    assert assets.upload(data, spec=spec_of(early)).outcomes == {"same": 2}


def test_a_record_whose_upload_never_ended_gets_its_object(
    assets: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = mapping(create_record_before_upload=True)
    fill(data, {"assets/p1/a.dat": b"a"})
    monkeypatch.setenv("NANOFERRY_TOKEN", assets.endpoint.token)
    refused = FaultPlan([Fault(Kind.SIGNED_OUT, where="PUT /hatrac/.*dat", per_request=None)])
    with FaultProxy(assets.endpoint.url, refused) as proxy:
        assets.server = proxy.url
        assert assets.upload(data, spec=spec_of(early)).parked is not None
        (row,) = assets.rows("isa:asset")
        assert not row["url"]
        proxy.plan = FaultPlan([])
        assets.upload(data, spec=spec_of(early))
    (after,) = assets.rows("isa:asset")
    assert after["RID"] == row["RID"]
    assert assets.content(after["url"]) == b"a"


ROWS = {
    "asset_type": "table",
    "default_columns": ["RID", "RCB", "RMB", "RCT", "RMT"],
    "file_pattern": "^.*/records/(?P<schema>[^/]+)/(?P<table>[^/]+)[.](?P<file_ext>csv|json)$",
    "ext_pattern": "^.*[.](?P<file_ext2>csv|json)$",
}


def test_tables_of_rows_are_inserted_once(assets: World, data: Path) -> None:
    fill(
        data,
        {
            "records/isa/reading.csv": b"well,value\nA1,1.5\nA2,\n",
            "records/isa/note.json": b'[{"text": "one"}, {"text": "two"}]',
        },
    )
    assert assets.upload(data, spec=spec_of(ROWS)).outcomes == {"new": 2}
    assert assets.upload(data, spec=spec_of(ROWS)).outcomes == {"same": 2}
    assert sorted((row["well"], row["value"]) for row in assets.rows("isa:reading")) == [
        ("A1", 1.5),
        ("A2", None),
    ]
    assert sorted(row["text"] for row in assets.rows("isa:note")) == ["one", "two"]
    assert assets.objects() == {}


def test_rows_in_doubt_are_recognised_by_key_or_left_to_a_person(
    assets: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(
        data,
        {"records/isa/reading.csv": b"well,value\nA1,1.5\n", "records/isa/note.json": b'[{"text": "one"}]'},
    )
    monkeypatch.setenv("NANOFERRY_TOKEN", assets.endpoint.token)
    lost = FaultPlan([Fault(Kind.CUT_AFTER, where="POST /ermrest/")])
    with FaultProxy(assets.endpoint.url, lost) as proxy:
        assets.server = proxy.url
        assets.upload(data, spec=spec_of(ROWS))
        proxy.plan = FaultPlan([])
        told = assets.upload(data, spec=spec_of(ROWS))
        assert assets.upload(data, spec=spec_of(ROWS)).outcomes["held"] == 1
    assert [row["well"] for row in assets.rows("isa:reading")] == ["A1"]
    assert [row["text"] for row in assets.rows("isa:note")] == ["one"]
    assert told.results["records/isa/note.json"].outcome == "held"
    assert "no key" in told.results["records/isa/note.json"].error


@pytest.mark.parametrize(
    ("body", "why"), [(b"well,value\nA1\n", "line 2"), (b"\xff\xfe", "UTF-8"), (b'well\n"A1\n', "malformed")]
)
def test_a_table_that_is_none_fails_alone(body: bytes, why: str, assets: World, data: Path) -> None:
    fill(data, {"records/isa/reading.csv": body, "records/isa/note.json": b'[{"text": "one"}]'})
    told = assets.upload(data, spec=spec_of(ROWS))
    assert told.outcomes == {"new": 1, "failed": 1}
    assert why in told.results["records/isa/reading.csv"].error
    assert assets.rows("isa:reading") == []


class ForgetfulCatalog:
    """Loses the reply to the first insert into a table."""

    def __init__(self, catalog: Any, table: str) -> None:
        self._catalog, self._table, self._has_lost = catalog, table, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def insert(self, table: str, rows: Any) -> Any:
        inserted = self._catalog.insert(table, rows)
        if table == self._table and not self._has_lost:
            self._has_lost = True
            lost = Unreachable("The connection broke.")
            lost.in_doubt = True
            raise lost
        return inserted


def test_files_beside_a_table_whose_insert_breaks_are_reported_all_the_same(
    assets: World, data: Path
) -> None:
    fill(data, {"records/isa/reading.csv": b"well,value\nA1,1.5\n", "assets/p1/a.dat": b"a"})
    with assets.engine(data, spec=spec_of(mapping(), ROWS)) as engine:
        catalog: Any = ForgetfulCatalog(engine._ports.catalog, "isa:reading")
        engine._ports = dataclasses.replace(engine._ports, catalog=catalog)
        results = [
            event.result
            for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS)
            if isinstance(event, FileFinished)
        ]
    assert {one.path: one.outcome.value for one in results} == {
        "assets/p1/a.dat": "new",
        "records/isa/reading.csv": "new",
    }
    assert [row["well"] for row in assets.rows("isa:reading")] == ["A1"]


def test_small_files_are_hashed_while_large_ones_are_read(
    assets: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names hold the MD5; no large one is read to its end before more than a page of small ones is there."""
    fill(data, {f"assets/p1/large{number}.dat": bytes([number]) * 5000 for number in range(6)})
    fill(data, {f"assets/p1/small{number}.dat": b"%d" % number for number in range(70)})
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    have_arrived = threading.Event()
    plain = crew.digest_file

    def digest_file(path: Path, **more: Any) -> Any:
        assert path.name.startswith("small") or have_arrived.wait(20)
        return plain(path, **more)

    monkeypatch.setattr(crew, "digest_file", digest_file)
    arrived = []
    with assets.engine(data, spec=spec_of(mapping())) as engine:
        for event in engine.run(dry_run=False, strict=False, depth=Depth.NAMES):
            if isinstance(event, FileFinished):
                assert event.result.outcome == "new"
                arrived.append(event.result.path)
                if len(arrived) == 70:
                    have_arrived.set()
    assert len(arrived) == 76
