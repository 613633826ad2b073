"""DERIVA bulk-upload documents load unchanged and mean what their reference client makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from validation.errors import SpecError
from validation.spec.deriva_query import identity_of
from validation.spec.load import find, load, load_document
from validation.spec.matching import Matcher
from validation.spec.model import ByKey, ByQuery, Match, NoMatch, RuleKind, Spec
from validation.spec.objects import download_name, object_name
from validation.spec.render import (
    digest_values,
    file_values,
    needs_digest,
    object_values,
    render_columns,
    table_name,
)


def mapping(**more: Any) -> dict[str, Any]:
    return {
        "dir_pattern": "^.*/(?P<sample>S-[0-9]+)/",
        "ext_pattern": "[.](?P<file_ext>tiff?)$",
        "target_table": ["lab", "image"],
        "record_query_template": "/entity/{target_table}/md5={md5}",
        "column_map": {"sample": "{sample}", "bytes": "{file_size}", "url": "{URI}", "note": "of {nobody}"},
        "hatrac_templates": {"hatrac_uri": "/hatrac/lab/{sample}/{file_name}"},
        **more,
    }


def spec_with(*mappings: dict[str, Any], **top: Any) -> Spec:
    return load_document({"asset_mappings": list(mappings), **top}, "bulk")


def values_for(spec: Spec, path: str, root: str = "/data", **more: Any) -> dict[str, Any]:
    match = Matcher(spec, root).match(path)
    assert isinstance(match, Match), match
    return file_values(
        spec.rule(match.rule), match, path=path, size_bytes=7, mtime_ns=0, media_type="image/tiff", **more
    )


def test_patterns_are_searched_in_the_absolute_path_and_groups_merged() -> None:
    match = Matcher(spec_with(mapping()), "/data/S-1").match("deep/x.TIF")
    assert isinstance(match, Match)
    assert match.captures == {"sample": "S-1", "file_ext": "TIF"}
    assert match.issues == ()


def test_a_group_bound_above_the_dropped_folder_is_a_warning_unless_paths_are_relative() -> None:
    above = Matcher(spec_with(mapping()), "/data/S-1/drop").match("x.tif")
    assert [issue.code for issue in above.issues] == ["path.above_root"]
    relative = spec_with(mapping(), relative_path_validation=True)
    assert isinstance(Matcher(relative, "/data/S-1/drop").match("x.tif"), NoMatch)


def test_the_failing_pattern_is_named() -> None:
    result = Matcher(spec_with(mapping()), "/data/S-1").match("x.png")
    assert isinstance(result, NoMatch)
    assert result.expected.startswith("ext_pattern")


def test_a_missing_value_leaves_the_column_out_and_never_writes_none() -> None:
    spec = spec_with(mapping(column_map={"a": "{sample}", "b": "{nobody}", "c": "x {opt}", "d": "lit"}))
    assert [issue.severity for issue in spec.issues] == ["warning", "warning"]
    row = render_columns(spec.rules[0].columns, {"sample": "S", "opt": None}, {})
    assert row == {"a": "S", "d": "lit"}


def test_file_ext_is_the_suffix_and_not_everything_behind_the_first_dot() -> None:
    spec = spec_with(mapping(ext_pattern="tif$"))
    values = values_for(spec, "S-1/s.2024-01-01.v2.tif")
    assert (values["file_ext"], values["base_name"]) == (".tif", "s.2024-01-01.v2")


def test_file_ext_mappings_add_values_with_or_without_dot() -> None:
    spec = spec_with(
        mapping(column_map={"f": "{format_rid}"}),
        file_ext_mappings={".TIF": {"x": 1}, "tif": {"format_rid": "1-A"}},
    )
    values = values_for(spec, "S-1/a.tif")
    assert render_columns(spec.rules[0].columns, values, {}) == {"f": "1-A"}


def test_object_names_are_sanitised_as_the_reference_does() -> None:
    spec = spec_with(mapping())
    values = values_for(spec, "S-1/a b#1.tif")
    assert object_name(spec.rules[0], values) == "/hatrac/lab/S-1/a_b_1.tif"
    kept = spec_with(mapping(hatrac_options={"sanitize_filenames": False}))
    assert object_name(kept.rules[0], values_for(kept, "S-1/a b#1.tif")) == "/hatrac/lab/S-1/a%20b%231.tif"


def test_an_escaped_name_is_not_escaped_twice_and_a_disposition_names_the_download() -> None:
    templates = {
        "hatrac_uri": "/hatrac/lab/{md5}.{file_name_urlencoded}",
        "content-disposition": "filename*=UTF-8''{file_name}",
    }
    spec = spec_with(mapping(hatrac_templates=templates))
    values = values_for(spec, "S-1/a b.tif") | digest_values("00" * 16, "")
    assert object_name(spec.rules[0], values) == f"/hatrac/lab/{'00' * 16}.a%20b.tif"
    assert download_name(spec.rules[0], values) == "a_b.tif"
    assert needs_digest(spec.rules[0])


def test_unversioned_urls_on_request() -> None:
    spec = spec_with(mapping(hatrac_options={"versioned_uris": "false"}))
    values = object_values(spec.rules[0], "/hatrac/lab/x.tif:ABC", {})
    assert values["URI"] == "/hatrac/lab/x.tif"


def test_tables_may_be_named_by_the_path() -> None:
    document = {
        "asset_type": "table",
        "default_columns": ["RID"],
        "file_pattern": "^((?!/assets/).)*/records/(?P<schema>.+?)/(?P<table>.+?)[.]",
        "ext_pattern": "^.*[.](?P<file_ext>json|csv)$",
    }
    spec = spec_with(document)
    values = values_for(spec, "records/lab/Sample.csv")
    rule = spec.rules[0]
    assert (rule.kind, rule.object) == (RuleKind.ROWS, None)
    assert str(table_name(rule, values)) == "lab:Sample"


def test_processors_are_refused_by_name() -> None:
    with pytest.raises(SpecError) as caught:
        spec_with(mapping(pre_processors=[{"processor": "RenameProcessor", "processor_type": "os.system"}]))
    (found,) = caught.value.issues
    assert found.code == "spec.processor"
    assert "RenameProcessor (os.system)" in found.message


def test_formats_and_dates_of_the_upload() -> None:
    spec = spec_with(mapping(column_map={"m": "{_upload_year_}-{_upload_month_:02d}"}))
    row = render_columns(spec.rules[0].columns, values_for(spec, "S-1/a.tif"), {})
    assert len(row["m"]) == 7


def test_unknown_entries_and_other_versions_are_warnings() -> None:
    spec = spec_with(mapping(colum_map={}), version_compatibility=[[">=99.0"]])
    assert {issue.code for issue in spec.issues} >= {"spec.invalid", "spec.version"}
    assert {issue.severity for issue in spec.issues} == {"warning"}


@pytest.mark.parametrize(
    ("template", "columns"),
    [
        (
            "/entity/{target_table}/MD5={md5}&Filename={file_name}",
            {"MD5": "{md5}", "Filename": "{file_name}"},
        ),
        (
            "/entity/{target_table}/MD5={md5}/Filename={file_name_urlencoded}",
            {"MD5": "{md5}", "Filename": "{file_name}"},
        ),
        ("/entity/lab:image/File%20Name=a%20b", {"File Name": "a b"}),
        ("/attribute/{target_table}/MD5={md5}/RID,URL", {"MD5": "{md5}"}),
        ("/entity/{target_table}/MD5={md5};SHA={sha256}", None),
        ("/entity/{target_table}/MD5=any({md5},x)", None),
        ("/entity/{target_table}/Size::gt::{file_size}", None),
        ("/entity/A:=lab:image/MD5={md5}/lab:sample/Name={sample}", None),
        ("/entity/{target_table}/MD5={md5}?limit=1", None),
        ("/entity/{target_table}", None),
    ],
)
def test_plain_conjunctions_are_keys_and_the_rest_queries(
    template: str, columns: dict[str, str] | None
) -> None:
    expected = ByQuery(template) if columns is None else ByKey(columns)
    assert identity_of(template, "lab", "image") == expected


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("1-50DP/3-1ABC/seq/r1.fastq.gz", "mapping-1"),
        ("1-50DP/3-1ABC/proc/mm10/peaks.bed", "mapping-2"),
        ("1-50DP/3-1ABC/img/a.czi", "mapping-3"),
        ("1-50DP/3-1ABC/mesh/a.obj.gz", "mapping-4"),
        ("1-50DP/3-1ABC/thumb/a.czi/small.jpg", "mapping-5"),
        ("1-50DP/3-1ABC/array/a.CEL", "mapping-6"),
        ("1-50DP/3-1ABC/img/sub/a.czi", ""),
        ("not a rid/3-1ABC/img/a.czi", ""),
    ],
)
def test_facebase_layouts(path: str, rule: str) -> None:
    match = Matcher(load(find("facebase")), "/drop").match(path)
    assert (match.rule if isinstance(match, Match) else "") == rule
    parts = path.split("/")
    older = "/".join([parts[0], "1-AAAA", "1-BBBB", *parts[1:]])
    legacy = Matcher(load(find("facebase-legacy")), "/drop").match(older)
    assert (legacy.rule if isinstance(legacy, Match) else "") == rule


def test_the_thumbnail_knows_the_picture_it_was_made_from() -> None:
    match = Matcher(load(find("facebase")), "/drop").match("1-50DP/3-1ABC/thumb/raw 1.czi/x.png")
    assert match.captures["derived_from"] == "raw 1.czi"  # type: ignore[union-attr]


def test_the_shipped_documents_are_plain_json() -> None:
    for name in ("facebase", "facebase-legacy"):
        assert json.loads(find(name).read_text("utf-8"))["asset_mappings"]


def test_mappings_are_tried_in_order_and_a_later_one_is_no_ambiguity() -> None:
    match = Matcher(spec_with(mapping(), mapping(target_table=["lab", "other"])), "/data/S-1").match("x.tif")
    assert isinstance(match, Match)
    assert (match.rule, match.also, match.issues) == ("mapping-1", (), ())
