"""Metadata documents from paths, headers and typed values: common values only, each with its source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from validation.check import DatasetFiles, Depth, HeaderSummary, Member, Members, check_dataset
from validation.instruments.model import Header
from validation.record import Record, dataset_record, file_record
from validation.sidecar import Typed, merge
from validation.sidecar.keys import KEYS
from validation.spec.model import Match, Spec
from validation.subjects import MOST_DISTINCT_VALUES

Build = Callable[..., Record]


@pytest.fixture
def build(make_spec: Callable[..., Spec]) -> Build:
    """The record of a dataset `ds`."""

    def record(
        *,
        typed: Typed | None = None,
        captures: Sequence[Mapping[str, Any]] = ({},),
        headers: Sequence[Header] = (),
        **spec: Any,
    ) -> Record:
        summary = HeaderSummary()
        for header in headers:
            summary.add(header)
        members = [
            Member(f"{number}.tif", "frames", size_bytes=10, captures=values)
            for number, values in enumerate(captures)
        ]
        against = make_spec(**spec)
        return dataset_record(
            name="ds",
            typed=typed or Typed(),
            members=Members(against, members),
            headers=summary,
            spec=against,
        )

    return record


def test_nothing_is_invented(build: Build) -> None:
    document = build().document
    assert set(document) == {
        "schemaVersion", "profile", "identifier", "title", "dataLevel", "measurements", "content", "provenance",
    }  # fmt: skip
    assert document["measurements"] == [{"id": "measurement-1"}]
    assert document["content"] == {"fileCount": 1, "sizeBytes": 10}


def test_typed_comes_before_path_and_path_before_header(
    build: Build, make_header: Callable[..., Header]
) -> None:
    headers = [make_header(operator="SABINE", instrument_model="Auriga 60", manufacturer="Zeiss")]
    path = {"operator": "Ercius", "sample": "S1", "project": "P"}
    typed = merge([("s/nanoferry.yaml", {"operator": "Ada", "sample": "PbSe-07"})])

    def operator(record: Record) -> tuple[str, str]:
        return record.document["persons"][0]["name"], record.provenance["/persons"]

    assert operator(build(headers=headers)) == ("SABINE", "header")
    assert operator(build(headers=headers, captures=[path])) == ("Ercius", "path")
    record = build(headers=headers, captures=[path], typed=typed)
    assert operator(record) == ("Ada", "sidecar:s/nanoferry.yaml")
    assert record.document["samples"] == [{"id": "sample-1", "name": "PbSe-07"}]
    assert record.document["context"]["project"] == {"name": "P"}
    assert record.provenance["/context/project"] == "path"
    instrument = record.document["instruments"][0]
    assert instrument == {
        "id": "instrument-1", "manufacturer": "Zeiss", "model": "Auriga 60", "name": "Zeiss Auriga 60",
    }  # fmt: skip


def test_headers_give_what_they_agree_on_and_the_range_of_the_rest(
    build: Build, make_header: Callable[..., Header]
) -> None:
    headers = [
        make_header(
            accelerating_voltage_kV=10.0, magnification=mag, detector=detector, acquired=f"2026-03-30T0{hour}:00:00"
        )
        for mag, detector, hour in ((1000.0, "SE2", 9), (5000.0, "InLens", 8), (2000.0, "SE2", 7))
    ]  # fmt: skip
    (measurement,) = build(headers=headers).document["measurements"]
    assert measurement["settings"] == {
        "family": "sem",
        "acceleratingVoltage": {"value": 10.0, "unit": "kV"},
        "detector": ["InLens", "SE2"],
        "varying": {"magnification": {"minimum": 1000.0, "maximum": 5000.0, "unit": "1"}},
    }
    assert (measurement["startTime"], measurement["endTime"]) == (
        "2026-03-30T07:00:00",
        "2026-03-30T09:00:00",
    )


def test_a_typed_setting_settles_what_varies(
    build: Build, make_header: Callable[..., Header], make_typed: Callable[..., Typed]
) -> None:
    headers = [make_header(magnification=1000.0), make_header(magnification=1010.0)]
    record = build(headers=headers, typed=make_typed(settings={"magnification": 1000}))
    assert record.document["measurements"][0]["settings"] == {
        "family": "sem",
        "magnification": {"value": 1000, "unit": "1"},
    }


def test_the_path_fills_in_a_setting_that_no_header_holds(
    build: Build, make_header: Callable[..., Header]
) -> None:
    captures = [{"voltage_kV": 200, "mag_kx": "120"}]
    record = build(captures=captures, headers=[make_header("tiff-plain", magnification=119000.0)])
    assert record.document["measurements"][0]["settings"] == {
        "acceleratingVoltage": {"value": 200.0, "unit": "kV"},
        "magnification": {"value": 119000.0, "unit": "1"},
    }
    assert record.provenance["/measurements/0/settings/acceleratingVoltage"] == "path"


def test_captures_that_differ_between_files_describe_no_dataset(build: Build) -> None:
    record = build(
        captures=[{"sample": "A", "title": "x"}, {"sample": "B", "title": "x"}, {"title": "x", "note": None}]
    )
    assert "samples" not in record.document
    assert record.document["title"] == "x"


def test_friendly_forms_of_people_become_entities(build: Build, make_typed: Callable[..., Typed]) -> None:
    typed = make_typed(
        operator={"name": "Ada", "orcid": "0000-0002-1825-0097"},
        people=[
            {"name": "Ada", "role": "principal investigator"},
            {"name": "Grace", "roles": ["Data Curator"], "affiliation": "Navy"},
            "Emmy",
        ],
        facility={"name": "KIT", "identifier": "04t3en479"},
    )
    document = build(typed=typed).document
    assert document["persons"] == [
        {"id": "person-1", "name": "Ada", "orcid": "https://orcid.org/0000-0002-1825-0097",
         "roles": ["operator", "principal-investigator"]},
        {"id": "person-2", "name": "Grace", "roles": ["data-curator"], "affiliations": [{"name": "Navy"}]},
        {"id": "person-3", "name": "Emmy"},
    ]  # fmt: skip
    assert document["context"]["facility"]["identifier"] == "https://ror.org/04t3en479"


def test_every_source_points_at_a_value(
    build: Build, make_header: Callable[..., Header], make_typed: Callable[..., Typed]
) -> None:
    record = build(
        headers=[make_header(operator="x", shape=(3, 4), software="S", instrument_model="M")],
        captures=[{"sample": "A"}],
        typed=make_typed(
            project={"name": "P", "identifier": "1"}, extensions={"a/b": {"c": 1}}, purpose="other"
        ),
    )
    for place in record.provenance:
        found: Any = record.document
        for part in place.split("/")[1:]:
            found = found[int(part)] if isinstance(found, list) else found[part.replace("~1", "/")]
    assert record.document["provenance"] == record.provenance
    assert {source.partition(":")[0] for source in record.provenance.values()} == {
        "tool",
        "path",
        "header",
        "sidecar",
    }
    json.dumps(record.document)


def test_a_summary_of_headers_does_not_grow_with_files(make_header: Callable[..., Header]) -> None:
    summary = HeaderSummary()
    for number in range(1000):
        summary.add(make_header(magnification=float(number), title=f"image {number}"))
    assert all(len(field.counts) == MOST_DISTINCT_VALUES for field in summary.fields.values())
    magnification = summary.fields["magnification"]
    assert (magnification.seen, magnification.minimum, magnification.maximum) == (1000, 0.0, 999.0)
    assert summary.fields["title"].common is None


def test_the_record_of_a_file_keeps_the_vendors_tags_whole(make_header: Callable[..., Header]) -> None:
    raw = {"34118": {"AP_MAG": ["Mag = 10 K X"]}}
    header = Header(
        "tiff-zeiss", "tiff-zeiss/1", make_header(magnification=10000.0, dtype="uint8", title="t").fields, raw
    )
    match = Match("frames", {"date": "20260330"}, {"date": "2026-03-30", "note": None}, "a/b.tif", "ds")
    typed = merge([("form", {"settings": {"magnification": 9000, "own_thing": 1}})])
    document = file_record(match=match, header=header, typed=typed)
    assert document["settings"] == {"magnification": {"value": 10000.0, "unit": "1"}}
    assert document["image"] == {"dtype": "uint8"}
    assert document["header"] == {"title": "t"}
    assert document["pathValues"] == {"date": "2026-03-30"}
    assert document["typedSettings"] == {"magnification": {"value": 9000, "unit": "1"}}
    assert document["sourceMetadata"]["tags"] == raw
    json.dumps(document)


def test_the_record_of_a_file_without_header_says_what_the_path_says() -> None:
    assert file_record(match=Match("r", {"a": "1"}), header=None, typed=Typed()) == {
        "schemaVersion": "1.0", "rule": "r", "pathValues": {"a": "1"},
    }  # fmt: skip


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "orcid",
                    "role",
                    "roles",
                    "affiliation",
                    "identifier",
                    "version",
                    "magnification",
                    "detector",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(KEYS)), ODD, max_size=6))
def test_whatever_people_type_makes_a_document_and_crashes_no_check(
    make_spec: Callable[..., Spec], make_header: Callable[..., Header], values: dict[str, Any]
) -> None:
    summary = HeaderSummary()
    summary.add(make_header(magnification=10.0, detector="SE2"))
    summary.add(make_header(magnification=20.0, detector="SE2"))
    spec = make_spec(level="nffa-core")
    members = Members(spec, [Member("a", "frames", captures={"slice": 1})])
    files = DatasetFiles("ds", "", members, merge([("f", values)]), summary)
    found = check_dataset(files, spec, Depth.HEADERS)
    assert "check.crashed" not in {one.code for one in found}
    match = Match("frames", {})
    json.dumps(file_record(match=match, header=None, typed=files.typed))


def test_the_path_does_not_settle_what_varies_between_headers(
    build: Build, make_header: Callable[..., Header]
) -> None:
    headers = [make_header(magnification=1000.0), make_header(magnification=5000.0)]
    record = build(captures=[{"mag": "1000"}], headers=headers)
    assert record.document["measurements"][0]["settings"] == {
        "family": "sem",
        "varying": {"magnification": {"minimum": 1000.0, "maximum": 5000.0, "unit": "1"}},
    }
