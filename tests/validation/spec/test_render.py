"""Templates filled in: values keep their types, gaps stay gaps, names stay in their folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.instruments.model import FieldValue, Header
from validation.model import Issue
from validation.spec.media import file_ext, media_type
from validation.spec.model import Match, Spec
from validation.spec.objects import object_name
from validation.spec.placeholders import PlaceholderError, parse
from validation.spec.render import (
    digest_values,
    file_values,
    header_values,
    names,
    needs_digest,
    object_values,
    render,
    render_columns,
)

SpecOf = Callable[..., Spec]


def test_a_missing_value_gives_nothing_at_all() -> None:
    assert render("{a} {b}", {"a": 1, "b": None}) is None
    assert render("{a} {b}", {"a": 1, "b": 0}) == "1 0"


def test_one_placeholder_keeps_its_type() -> None:
    row = render_columns({"n": "{n}", "t": "{n} kV", "l": "{l}", "x": 5}, {"n": 15, "l": [1, 2]}, {})
    assert row == {"n": 15, "t": "15 kV", "l": [1, 2], "x": 5}


def test_markers_name_documents_parents_and_sibling_files() -> None:
    columns = {"M": "@record", "D": "@Dataset", "S": "@file:slices/{f}", "H": "@@home", "U": "@Unknown"}
    row = render_columns(
        columns, {"f": "a.tif"}, {"Dataset": "1-A", "file:slices/a.tif": "1-B"}, specials={"record": {"k": 1}}
    )
    assert row == {"M": {"k": 1}, "D": "1-A", "S": "1-B", "H": "@home"}


def test_urlencoded_names_and_their_exceptions() -> None:
    assert names("{a_urlencoded}{b}") == {"a", "b"}
    assert render("{a_urlencoded}", {"a": "x y/z"}) == "x%20y%2Fz"
    assert render("{a_urlencoded}", {"a": "x y/z"}, safe={"a": "/"}) == "x%20y/z"


@pytest.mark.parametrize("template", ["{", "}", "{a[0]}", "{}", "{a!r}", "{a:{b}}", "{a:9999999d}"])
def test_templates_that_reach_too_far_are_refused(template: str) -> None:
    with pytest.raises(PlaceholderError):
        parse(template)


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(template: str) -> None:
    try:
        parse(template)
    except PlaceholderError:
        return
    assert render(template, {}) is None or "{" not in template.replace("{{", "")


def values_of(spec: Spec, path: str, captures: dict[str, Any] | None = None) -> dict[str, Any]:
    match = Match("r1", captures or {}, path=path, dataset="d")
    return file_values(
        spec.rules[0], match, path=path, size_bytes=7, mtime_ns=1_700_000_000_000_000_000, media_type="x/y"
    )


def test_the_standard_row_of_a_file(spec_of: SpecOf) -> None:
    rule = spec_of("{n}.tif").rules[0]
    header = Header("tiff-fei", "r/1", fields={"accelerating_voltage_kV": FieldValue(15.0, "tag")})
    values = (
        values_of(spec_of("{n}.tif"), "a.tif") | header_values(header) | digest_values("00" * 16, "11" * 32)
    )
    row = render_columns(
        rule.columns,
        object_values(rule, "/hatrac/t/a.tif:V1", values),
        {"Dataset": "1-D"},
        specials={"record": {}},
    )
    assert row["Bytes"] == 7
    assert row["Accelerating_Voltage_kV"] == 15.0
    assert (row["Dataset"], row["Path"], row["URL"]) == ("1-D", "a.tif", "/hatrac/t/a.tif:V1")
    assert row["Format"] == "tiff-fei"
    assert "Magnification" not in row


def test_object_names_encode_every_segment(spec_of: SpecOf) -> None:
    spec = spec_of("{n}.tif")
    assert (
        object_name(spec.rules[0], values_of(spec, "x y/a:b;c#d%e.tif"))
        == "/hatrac/t/x%20y/a%3Ab%3Bc%23d%25e.tif"
    )


@pytest.mark.parametrize("path", ["../x.tif", "a/../../x.tif", "./x.tif", "a//x.tif", "n" * 240 + ".tif"])
def test_object_names_that_escape_or_do_not_fit_are_findings(spec_of: SpecOf, path: str) -> None:
    spec = spec_of("{n}.tif")
    assert isinstance(object_name(spec.rules[0], values_of(spec, path)), Issue)


def test_only_the_path_may_bring_folders_into_an_object_name(spec_of: SpecOf) -> None:
    spec = spec_of("{n}.tif", rule={"object": "/hatrac/{header.detector}/{path}"})
    values = values_of(spec, "a.tif")
    assert isinstance(object_name(spec.rules[0], values), Issue)
    assert isinstance(object_name(spec.rules[0], {**values, "header.detector": "../x"}), Issue)
    assert object_name(spec.rules[0], {**values, "header.detector": "SE2"}) == "/hatrac/SE2/a.tif"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=30))
def test_object_names_decode_to_what_they_were(name: str) -> None:
    from validation.spec.load import load_text

    spec = load_text(
        'nanoferry: 1\nid: t\nversion: "1.0.0"\nrules:\n  - {id: r1, path: "{n}", dataset: d, object: "/hatrac/{path}"}\n',
        "t",
    )
    found = object_name(spec.rules[0], values_of(spec, name))
    if name in (".", ".."):
        assert isinstance(found, Issue)
    else:
        assert isinstance(found, str)
        assert unquote(found) == f"/hatrac/{name}"


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        ({"object": "/hatrac/{path}"}, False),
        ({"object": "/hatrac/{md5}"}, True),
        ({"object": "/hatrac/{key}", "values": {"key": "{sha256}"}}, True),
        ({"columns": {"MD5": "{md5}"}}, False),
        ({"columns": {"MD5": "{md5}"}, "record_first": True}, True),
        ({"identity": {"MD5": "{md5}"}}, True),
        ({"lookups": ["/entity/a:b/MD5={md5}"]}, True),
    ],
)
def test_when_the_hash_must_come_first(spec_of: SpecOf, rule: dict[str, Any], *, needed: bool) -> None:
    assert needs_digest(spec_of("{n}.tif", rule=rule).rules[0]) is needed


@pytest.mark.parametrize(
    ("name", "suffix", "media"),
    [
        ("a.tif", ".tif", "image/tiff"),
        ("s.2024-01-01.v2.tif", ".tif", "image/tiff"),
        ("a.OME.TIFF", ".OME.TIFF", "image/tiff"),
        ("a.nii.gz", ".nii.gz", "image/x-nifti"),
        ("a.csv.gz", ".csv.gz", "application/gzip"),
        ("v1.2.gz", ".gz", "application/gzip"),
        ("README", "", "application/octet-stream"),
        (".hidden", "", "application/octet-stream"),
        ("a.dm3", ".dm3", "application/x-gatan-dm3"),
        ("a.own", ".own", "lab/own"),
        ("end.", "", "application/octet-stream"),
    ],
)
def test_suffixes_and_media_types(spec_of: SpecOf, name: str, suffix: str, media: str) -> None:
    rule = spec_of("{n}", rule={"media_types": {".own": "lab/own"}}).rules[0]
    assert file_ext(name) == suffix
    assert media_type(rule, f"x/{name}") == media
