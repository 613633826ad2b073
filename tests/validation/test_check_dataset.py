"""Checks of a dataset as a whole: sets, series, required members, duplicates, its metadata document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from validation.check import (
    DatasetFiles,
    Depth,
    HeaderSummary,
    Member,
    Members,
    check_dataset,
    check_member,
    grade,
)
from validation.codes import issue
from validation.instruments.model import Header
from validation.model import Issue, Severity
from validation.sidecar import Typed
from validation.spec.model import Rule, Spec

Run = Callable[..., tuple[Issue, ...]]


@pytest.fixture
def run(make_spec: Callable[..., Spec], make_typed: Callable[..., Typed]) -> Run:
    """Checks a dataset `ds` in folder `f` with these members; at depth names unless it says otherwise."""

    def check(
        members: Sequence[Member],
        *,
        depth: Depth = Depth.NAMES,
        typed: Mapping[str, Any] | None = None,
        headers: Sequence[Header] = (),
        **spec: Any,
    ) -> tuple[Issue, ...]:
        summary = HeaderSummary()
        for header in headers:
            summary.add(header)
        against = make_spec(**spec)
        files = DatasetFiles("ds", "f", Members(against), make_typed(**(typed or {})), summary)
        of_members = [found for member in members for found in check_member(files, member, against)]
        return (*of_members, *check_dataset(files, against, depth))

    return check


def slices(*numbers: int, **captures: Any) -> list[Member]:
    return [
        Member(f"f/s{n:04}.tif", "frames", captures={"slice": n, **captures}, object_path=f"s{n}")
        for n in numbers
    ]


def test_a_whole_dataset_gives_no_finding(run: Run) -> None:
    assert run(slices(1, 2, 3, 4)) == ()


def test_a_gap_names_the_missing_numbers_and_how_to_excuse_them(run: Run) -> None:
    (found,) = run(slices(1, 2, 5, 6, 8))
    assert (found.code, found.group, found.location.path) == ("group.gap", "dataset:ds", "f")
    assert "slice runs from 1 to 8" in found.message
    assert "3-4, 7 are missing" in found.message
    assert "[3-4, 7]" in found.remedy
    assert run(slices(1, 2, 5, 6, 8), typed={"neverAcquired": ["3-4", 7]}) == ()
    (rest,) = run(slices(1, 2, 5, 6, 8), typed={"neverAcquired": 4})
    assert "3, 7 are missing" in rest.message


def test_a_huge_gap_costs_nothing_and_two_files_are_no_series(run: Run) -> None:
    (found,) = run(slices(1, 2, 900_000_000))
    assert "3-899999999 are missing" in found.message
    assert run(slices(1, 9)) == ()


def test_series_are_kept_apart_by_what_else_the_path_says(run: Run) -> None:
    odd = [*slices(1, 2, 3, detector="SE"), *slices(11, 12, 13, detector="BSE")]
    assert run([Member(m.path, m.rule, captures=m.captures) for m in odd]) == ()
    restart = [*slices(1, 2, 3, 4, area="A"), *slices(1, 2, 4, area="B")]
    assert [found.code for found in run([Member(m.path, m.rule, captures=m.captures) for m in restart])] == [
        "group.gap"
    ]
    counts_on = [*slices(1, 3, 5, area="A", voltage_kV=5), *slices(2, 4, 6, area="B", voltage_kV=10)]
    assert run([Member(m.path, m.rule, captures=m.captures) for m in counts_on]) == ()
    settings = [
        Member(f"f/{n}", "frames", captures={"slice": n, "voltage_kV": n % 2}) for n in (1, 2, 3, 4, 6)
    ]
    (found,) = run(settings)
    assert "5 is missing" in found.message
    by_time = [
        Member(f"f/{n}", "frames", captures={"slice": n, "time": f"12:0{n}", "note": None}) for n in (1, 2, 4)
    ]
    assert [found.code for found in run(by_time)] == ["group.gap"]


@pytest.mark.parametrize(
    ("gaps", "severity"), [("hold", Severity.ERROR), ("warn", Severity.WARNING), ("info", Severity.INFO)]
)
def test_the_spec_names_the_series_and_how_bad_a_gap_is(run: Run, gaps: str, severity: Severity) -> None:
    members = [Member(f"f/{n}", "frames", captures={"tilt_step": n}) for n in (0, 1, 3)]
    assert run(members) == ()
    (found,) = run(members, required=({"rule": "frames", "series": "tilt_step", "gaps": gaps},))
    assert found.severity is severity


def test_a_spec_may_ignore_gaps(run: Run) -> None:
    assert run(slices(1, 2, 9), required=({"rule": "frames", "series": "slice", "gaps": "ignore"},)) == ()


SER = Member("f/a_1.ser", "tia", "primary", "tia\x1ff\x1fa", object_path="a_1.ser")
SER_2 = Member("f/a_2.ser", "tia", "primary", "tia\x1ff\x1fa", object_path="a_2.ser")
EMI = Member("f/a.EMI", "tia", "companion", "tia\x1ff\x1fa", object_path="a.emi")


@pytest.fixture
def tia(make_rule: Callable[..., Rule]) -> tuple[Rule, ...]:
    """A rule whose files travel with an EMI."""
    return (make_rule(id="tia", companions=("{time} {mode}.emi",)),)


def test_a_set_with_its_companion_is_whole(run: Run, tia: tuple[Rule, ...]) -> None:
    assert run([SER, SER_2, EMI], rules=tia) == ()


def test_a_missing_companion_holds_its_set_and_is_said_once(run: Run, tia: tuple[Rule, ...]) -> None:
    (found,) = run([SER, SER_2], rules=tia)
    assert (found.code, found.group) == ("group.companion_missing", "set:tia\x1ff\x1fa")
    assert "'f/a_1.ser' and 1 more has no '{time} {mode}.emi'" in found.message


def test_a_companion_named_after_its_file_is_asked_for_by_its_name(
    run: Run, make_rule: Callable[..., Rule]
) -> None:
    (found,) = run([SER], rules=(make_rule(id="tia", companions=("{base_name}.csv",)),))
    assert "has no 'a_1.csv' beside it" in found.message


def test_a_companion_alone_is_an_orphan(run: Run, tia: tuple[Rule, ...]) -> None:
    (found,) = run([EMI], rules=tia)
    assert (found.code, found.location.path) == ("group.companion_orphan", "f/a.EMI")


def test_a_spec_may_make_companions_optional_or_grade_them(run: Run, tia: tuple[Rule, ...]) -> None:
    assert run([SER], rules=tia, required=({"rule": "tia", "companions": "optional"},)) == ()
    strict = ({"rule": "tia", "companions": "required", "severity": "error"},)
    (found,) = run([SER], rules=tia, required=strict)
    assert found.holds


@pytest.mark.parametrize(
    ("required", "words"),
    [
        ({"rule": "seq", "min": 1}, "0 files of rule seq; at least 1 required"),
        ({"rule": "frames", "max": 2}, "3 files of rule frames; at most 2 allowed"),
        ({"any_of": ["seq", "img"]}, "0 files of rules seq, img; at least 1 required"),
        ({"any_of": ["frames", "img"], "min": 4}, "3 files of rules frames, img; at least 4 required"),
        ({"all_of": ["frames", "img"]}, "no file of rule img; files of frames, img are required"),
    ],
)
def test_a_dataset_that_lacks_members_says_which(run: Run, required: dict[str, Any], words: str) -> None:
    (found,) = run(slices(1, 2, 3), required=({**required, "severity": "info"},))
    assert (found.code, found.severity, found.group) == ("group.incomplete", Severity.INFO, "dataset:ds")
    assert found.message == f"dataset 'ds' has {words}"


@pytest.mark.parametrize(
    "required",
    [{"rule": "frames", "min": 3, "max": 3}, {"any_of": ["frames", "img"], "min": 3}, {"all_of": ["frames"]}],
)
def test_a_dataset_that_has_its_members_is_complete(run: Run, required: dict[str, Any]) -> None:
    assert run(slices(1, 2, 3), required=(required,)) == ()


def test_the_second_file_that_claims_a_record_is_held(run: Run) -> None:
    twice = [
        Member("f/a.tif", "frames", object_path="a.tif"),
        Member("g/a.tif", "frames", object_path="a.tif"),
    ]
    (found,) = run(twice)
    assert (found.code, found.location.path, found.holds) == ("group.duplicate_target", "g/a.tif", True)
    assert "'f/a.tif'" in found.message


def test_missing_metadata_names_the_line_to_type(run: Run) -> None:
    found = run([Member("f/a.tif", "frames")], depth=Depth.HEADERS)
    missing = {one.location.field: one for one in found if one.code == "metadata.missing"}
    assert set(missing) == {
        "/context",
        "/persons",
        "/instruments",
        "/measurements/0/techniques",
        "/measurements/0/instrumentId",
    }
    assert "operator:" in missing["/persons"].remedy
    assert all(one.group == "dataset:ds" for one in found)


def test_typed_and_header_values_together_reach_nffa_core(
    run: Run, make_header: Callable[..., Header]
) -> None:
    header = make_header(
        accelerating_voltage_kV=10.0, working_distance_mm=5.0, pixel_size_m=(1e-9, 1e-9), detector="SE2",
        manufacturer="Zeiss", instrument_model="Supra 40", software="SmartSEM 5",
        acquired="2026-03-30T09:00:00", shape=(768, 1024), operator="SABINE",
    )  # fmt: skip
    typed = {
        "facility": "CNR-IOM", "project": "NanoPb", "sample": "PbSe-07", "purpose": "exploratory",
        "accessType": "in-house-research", "operator": {"name": "Ada", "orcid": "0000-0002-1825-0097"},
    }  # fmt: skip
    members = [Member("f/a.tif", "frames", size_bytes=9)]
    assert run(members, depth=Depth.HEADERS, typed=typed, headers=[header], level="nffa-core") == ()
    other = make_header(**{name: part.value for name, part in header.fields.items()} | {"magnification": 5.0})
    both = [header, other]
    assert run(members, depth=Depth.HEADERS, typed=typed, headers=both, level="nffa-core") == ()


def test_a_wrong_typed_value_names_the_sidecar_it_came_from(run: Run) -> None:
    found = run(
        [Member("f/a.tif", "frames")],
        depth=Depth.HEADERS,
        typed={"operator": {"name": "Ada", "orcid": "0000-0002-1825-0098"}, "accessType": "walk-in"},
    )
    invalid = {one.location.field: one.message for one in found if one.code == "metadata.invalid"}
    assert "should be 7" in invalid["/persons/0/orcid"]
    assert "'walk-in' is not one of transnational-access" in invalid["/context/accessType"]
    assert all("sidecar:nanoferry.yaml" in message for message in invalid.values())


def test_two_instruments_in_one_dataset(run: Run, make_header: Callable[..., Header]) -> None:
    headers = [make_header(instrument_serial="1"), make_header(instrument_serial="2")]
    found = run([Member("f/a.tif", "frames")], depth=Depth.HEADERS, headers=headers)
    assert any("2 instruments" in one.message for one in found)


def test_a_level_that_does_not_exist_is_a_finding(run: Run) -> None:
    found = run([Member("f/a.tif", "frames")], depth=Depth.HEADERS, level="gold")
    assert found[0].code == "metadata.level"
    assert "'gold'" in found[0].message


def test_of_two_rules_that_grade_a_code_the_first_decides(
    make_rule: Callable[..., Rule], make_spec: Callable[..., Spec]
) -> None:
    strict = make_rule(id="strict", checks={"group.gap": Severity.ERROR})
    easy = make_rule(id="easy", checks={"group.gap": Severity.INFO})
    found = (issue("group.gap", "2 is missing", group="dataset:d"),)

    assert [one.severity for one in grade(found, make_spec(), (strict, easy))] == [Severity.ERROR]
    assert [one.severity for one in grade(found, make_spec(), (easy, strict))] == [Severity.INFO]
