"""What is known of a file before it is sent: table, key, row; and what the catalog is asked about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from port_fakes import MemoryCatalog

from uploader.model.entries import Entry
from uploader.model.files import Digest, Root, SourceFile
from uploader.stages.describe import (
    Candidate,
    checksum_columns,
    columns_to_update,
    describe,
    lacks_object,
    lasting_row,
    row_of,
    stored_row,
)
from uploader.stages.lookup import HeldRows, Lookups, columns_of_interest
from validation.spec.load import load_document
from validation.spec.matching import Matcher
from validation.spec.model import Match, Spec

ROOT = Root(Path("/data/root"), "volume", "/root")
DIGEST = Digest("a" * 32, "b" * 64, 10)


def spec_of(**more: Any) -> Spec:
    mapping = {
        "asset_type": "file",
        "file_pattern": "^.*/(?P<plate>[^/]+)/(?P<basename>[^/]+)$",
        "ext_pattern": "^.*[.](?P<file_ext>dat|csv)$",
        "target_table": ["isa", "asset"],
        "record_query_template": "/entity/isa:asset/plate={plate}&filename={file_name_urlencoded}",
        "column_map": {
            "filename": "{file_name}",
            "url": "{URI}",
            "md5": "{md5}",
            "plate": "{plate}",
            "when": "{stamp}",
        },
        "column_value_templates": {"stamp": "y{_upload_year_}"},
        "hatrac_templates": {"hatrac_uri": "/hatrac/{plate}/{file_name_urlencoded}"},
        **more,
    }
    return load_document({"asset_mappings": [mapping]}, "test")


def candidate(
    path: str = "p1/a b.dat", *, entry_id: int = 1, spec: Spec | None = None, **row: Any
) -> Candidate:
    spec = spec or spec_of()
    match = Matcher(spec, ROOT.path.as_posix()).match(path)
    assert isinstance(match, Match)
    entry = Entry(entry_id, 1, SourceFile(path, 10, 1), row=row)
    return describe(entry, ROOT, spec, match, None, record={}, digest=None)


def test_the_key_is_known_without_the_catalog() -> None:
    assert candidate().table == "isa:asset"
    assert candidate().row_key == '{"filename":"a b.dat","plate":"p1"}'


def test_a_key_that_needs_the_digest_is_unknown_until_there_is_one() -> None:
    spec = spec_of(record_query_template="/entity/isa:asset/md5={md5}")
    one = candidate(spec=spec)
    assert one.row_key == ""
    assert one.hashed(DIGEST).row_key == f'{{"md5":"{DIGEST.md5}"}}'


def test_a_lasting_row_speaks_neither_of_the_moment_nor_of_the_object() -> None:
    assert lasting_row(candidate().hashed(DIGEST), {}) == {
        "filename": "a b.dat",
        "md5": DIGEST.md5,
        "plate": "p1",
    }


def test_a_stored_row_has_everything() -> None:
    row = stored_row(candidate().hashed(DIGEST), {}, "/hatrac/p1/a%20b.dat:V1", "")
    assert row["url"] == "/hatrac/p1/a%20b.dat:V1"
    assert row["when"].startswith("y2")


def test_what_a_row_may_be_updated_with() -> None:
    row = {"filename": "a", "md5": "b", "plate": "c"}
    assert columns_to_update(spec_of().rules[0], row) == ("filename", "md5", "plate")
    told = spec_of(record_update_template="/attributegroup/isa:asset/RID;plate,m:=md5").rules[0]
    assert columns_to_update(told, row) == ("md5", "plate")
    ours = replace(spec_of().rules[0], update={"plate": "{plate}", "gone": "x"})
    assert columns_to_update(ours, row) == ("plate",)


def test_a_row_without_an_address_lacks_its_object() -> None:
    rule = spec_of().rules[0]
    assert lacks_object(rule, {"RID": "1"})
    assert not lacks_object(rule, {"url": "/hatrac/a:1"})
    assert not lacks_object(rule, None)
    assert not lacks_object(replace(rule, columns={"md5": "{md5}"}), {"RID": "1"})


def test_checksums_are_columns_that_hold_nothing_else() -> None:
    rule = replace(spec_of().rules[0], columns={"a": "{md5}", "b": "x{md5}", "c": "{sha256}"})
    assert checksum_columns(rule) == ("a", "c")


def test_a_row_file_is_known_by_its_place_in_the_volume_through_any_folder() -> None:
    spec = spec_of(asset_type="table")
    outer = candidate("sub/p1/a.csv", spec=spec)
    inner = replace(
        candidate("p1/a.csv", spec=spec), root=Root(ROOT.path / "sub", ROOT.volume_id, f"{ROOT.inside}/sub")
    )
    assert outer.row_key == inner.row_key != ""


class NoNotes:
    """Rows without a parent are found in their answer: nothing is noted."""

    def note(self, notes_by_key: Iterable[tuple[str, Any]]) -> None:
        raise AssertionError

    def noted(self, keys: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        raise AssertionError

    def drop(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("count", [1, 7])
def test_rows_of_files_are_asked_for_by_the_column_that_tells_them_apart(count: int) -> None:
    rows = [{"RID": f"R{number}", "plate": "p1", "filename": f"{number}.dat"} for number in range(count)]
    catalog = MemoryCatalog(tables={"isa:asset": [*rows, {"RID": "X", "plate": "p2", "filename": "0.dat"}]})
    files = [candidate(f"p1/{number}.dat", entry_id=number) for number in range(count)]
    found = HeldRows(catalog, NoNotes()).of([(one, {}) for one in files])
    assert {entry_id: row["RID"] for entry_id, row in found.items()} == {n: f"R{n}" for n in range(count)}
    assert len(catalog.calls) == 1
    assert columns_of_interest(files[0]) == ["RID", "plate", "filename", "md5", "url"]


def test_equal_look_ups_are_asked_once_and_a_missing_answer_names_its_query() -> None:
    spec = spec_of(metadata_query_templates=["/entity/isa:plate/name={plate}"])
    catalog = MemoryCatalog(tables={"isa:plate": [{"RID": "P1", "name": "p1", "lab": "L"}]})
    lookups = Lookups(catalog)
    for number in range(5):
        found, issues = lookups.apply(candidate(f"p1/{number}.dat", spec=spec))
        assert (found.values["lab"], issues) == ("L", ())
    _, (why,) = lookups.apply(candidate("p9/a.dat", spec=spec))
    assert why.code == "catalog.record_missing"
    assert why.holds
    assert "name=p9" in why.message
    assert len(catalog.calls) == 2


def test_specs_may_name_who_is_signed_in() -> None:
    spec = spec_of(column_map={"owner": "{_identity_id}", "by": "{_identity_display_name}"})
    match = Matcher(spec, ROOT.path.as_posix()).match("p1/a.dat")
    assert isinstance(match, Match)
    described = describe(
        Entry(1, 1, SourceFile("p1/a.dat", 10, 1)),
        ROOT,
        spec,
        match,
        None,
        record={},
        digest=None,
        identity={"id": "https://auth.example/u7", "display_name": "Kim"},
    )
    assert row_of(described, {}) == {"owner": "https://auth.example/u7", "by": "Kim"}
    assert lasting_row(described, {}) == {}, "another person's re-run must not look like a change"
