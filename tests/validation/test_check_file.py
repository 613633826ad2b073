"""Checks of one file: the code that each fault gives, and silence where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from validation import check
from validation.check import CheckedFile, Depth, check_file
from validation.codes import issue
from validation.instruments.model import FieldValue, Header
from validation.model import Issue, Severity
from validation.sidecar import Typed
from validation.spec.model import Match, NoMatch, Rule, Spec, SpecForm, UnmatchedPolicy

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
Run = Callable[..., tuple[Issue, ...]]


@pytest.fixture
def run(
    make_spec: Callable[..., Spec], make_rule: Callable[..., Rule], make_typed: Callable[..., Typed]
) -> Run:
    """Checks a file `a/b.tif` that has these captures, header and typed values."""

    def check_one(
        captures: Mapping[str, Any] | None = None,
        header: Header | None = None,
        *,
        typed: Mapping[str, Any] | None = None,
        match: Match | NoMatch | None = None,
        size_bytes: int = 10,
        depth: Depth = Depth.HEADERS,
        checks: Mapping[str, Severity | None] | None = None,
        **spec: Any,
    ) -> tuple[Issue, ...]:
        rule = make_rule(checks=checks or {})
        texts = {name: str(value) for name, value in (captures or {}).items()}
        match = match or Match(rule.id, texts, captures or {})
        file = CheckedFile(
            "a/b.tif",
            size_bytes,
            0,
            match,
            rule if isinstance(match, Match) else None,
            header,
            make_typed(**(typed or {})),
        )
        return check_file(file, make_spec(rules=(rule,), **spec), depth, NOW)

    return check_one


def codes(issues: tuple[Issue, ...]) -> list[str]:
    return [found.code for found in issues]


def test_a_file_that_is_as_it_should_be_gives_no_finding(
    run: Run, make_header: Callable[..., Header]
) -> None:
    header = make_header(accelerating_voltage_kV=10.0, acquired="2026-03-30T09:00:00", operator="SABINE")
    assert run({"voltage_kV": 10, "date": "2026-03-30", "operator": "Sabine"}, header) == ()


def test_an_unmatched_file_is_told_where_it_failed_and_how_to_rename_it(run: Run) -> None:
    (found,) = run(match=NoMatch("frames", "a/", "b.tif", "a date", "a/20260331.tif"))
    assert found.code == "path.unmatched"
    assert found.location.path == "a/b.tif"
    assert "'b.tif'" in found.message
    assert "'a/20260331.tif'" in found.remedy


def test_a_spec_that_ignores_unmatched_files_is_silent(run: Run) -> None:
    assert run(match=NoMatch(), unmatched=UnmatchedPolicy.IGNORE) == ()


def test_one_finding_when_the_matcher_has_already_said_it(run: Run) -> None:
    said = issue("path.ambiguous", "both", path="a/b.tif")
    assert codes(run(match=Match("frames", {}, also=("other",), issues=(said,)))) == ["path.ambiguous"]
    assert codes(run(match=Match("frames", {}, also=("other",)))) == ["path.ambiguous"]


def test_an_empty_file_is_found_once_even_if_the_reader_says_it_too(run: Run) -> None:
    header = Header("unknown", "unknown", issues=(issue("source.empty", "no bytes"),))
    assert codes(run({}, header, size_bytes=0)) == ["source.empty"]


def test_header_findings_get_the_path_of_their_file(run: Run) -> None:
    header = Header("tiff-fei", "tiff-fei/1", issues=(issue("header.truncated", "cut", offset_bytes=9),))
    (found,) = run({}, header)
    assert (found.code, found.location.path, found.location.offset_bytes) == (
        "header.truncated",
        "a/b.tif",
        9,
    )


def test_headers_are_not_looked_at_at_depth_names(run: Run, make_header: Callable[..., Header]) -> None:
    assert run({"kV": 200}, make_header(accelerating_voltage_kV=300.0), depth=Depth.NAMES) == ()


@pytest.mark.parametrize(
    ("captures", "fields"),
    [
        ({"voltage_kV": "200"}, {"accelerating_voltage_kV": 300.0}),
        ({"kV": "200kV"}, {"accelerating_voltage_kV": 300.0}),
        ({"magnification": 10000}, {"magnification": 25000.0}),
        ({"mag_kx": "10"}, {"magnification": 25000.0}),
        ({"date": "2026-03-29"}, {"acquired": "2026-03-30T23:59:00"}),
        ({"date": "20260329"}, {"acquired": "2026-03-30T23:59:00"}),
        ({"detector": "SE2"}, {"detector": "InLens"}),
        ({"instrument": "Titan"}, {"instrument_model": "Auriga 60", "manufacturer": "Zeiss"}),
    ],
)
def test_path_against_header(
    run: Run, make_header: Callable[..., Header], captures: dict[str, Any], fields: dict[str, Any]
) -> None:
    (found,) = run(captures, make_header(**fields))
    assert found.code == "header.path_conflict"
    ((_, said),) = captures.items()
    assert str(said) in found.message  # both values are named, and the tag
    assert f"tag/{found.location.field}" in found.message


@pytest.mark.parametrize(
    ("captures", "fields"),
    [
        ({"voltage_kV": "200"}, {"accelerating_voltage_kV": 199.97}),
        ({"mag_kx": "25"}, {"magnification": 25000.0}),
        ({"operator": "ercius"}, {"operator": "Peter Ercius"}),
        ({"operator": "pe"}, {"operator": "Peter Ercius"}),
        ({"date": "2026-03-29"}, {"acquired": "2026-03-30T02:10:00"}),
        ({"instrument": "zeiss_auriga"}, {"instrument_model": "Auriga 60"}),
        ({"voltage_kV": "high"}, {"accelerating_voltage_kV": 300.0}),
        ({"voltage_kV": "200"}, {}),
        ({"title": "300"}, {"accelerating_voltage_kV": 200.0}),
        ({"date": "spring"}, {"acquired": "2026-03-30T23:59:00"}),
    ],
)
def test_no_false_alarm_where_path_and_header_agree_or_say_nothing(
    run: Run, make_header: Callable[..., Header], captures: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert run(captures, make_header(**fields)) == ()


def test_another_operator_is_only_a_note(run: Run, make_header: Callable[..., Header]) -> None:
    (found,) = run({"operator": "Ercius"}, make_header(operator="FEI User"))
    assert (found.code, found.severity) == ("header.operator_differs", Severity.INFO)


def test_a_person_who_confirms_the_header_settles_the_conflict(
    run: Run, make_header: Callable[..., Header]
) -> None:
    header = make_header(accelerating_voltage_kV=300.0)
    typed = {"settings": {"accelerating_voltage_kV": 300}}
    assert run({"kV": "200"}, header, typed=typed) == ()


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"settings": {"accelerating_voltage_kV": 200}}, {"accelerating_voltage_kV": 300.0}),
        ({"settings": {"pixel_size_m": [1e-9, 1e-9]}}, {"pixel_size_m": (1e-9, 2e-9)}),
        ({"instrument": {"name": "Titan", "serialNumber": "7"}}, {"instrument_serial": "Auriga-46"}),
        ({"instrument": "Titan"}, {"instrument_model": "Auriga 60"}),
    ],
)
def test_typed_against_header_names_the_sidecar(
    run: Run, make_header: Callable[..., Header], typed: dict[str, Any], fields: dict[str, Any]
) -> None:
    (found,) = run({}, make_header(**fields), typed=typed)
    assert found.code == "header.typed_conflict"
    assert "nanoferry.yaml" in found.message


def test_values_outside_the_plausible_range_are_named_with_tag_and_range(
    run: Run, make_header: Callable[..., Header]
) -> None:
    (found,) = run({}, make_header(accelerating_voltage_kV=200_000.0))
    assert found.code == "header.out_of_range"
    assert "200000" in found.message
    assert "tag/accelerating_voltage_kV" in found.message
    assert codes(run({}, make_header(pixel_size_m=(1e-9, 5.0)))) == ["header.out_of_range"]


def test_a_sensor_that_wrote_zero_is_no_finding(run: Run, make_header: Callable[..., Header]) -> None:
    assert run({}, make_header(working_distance_mm=0.0, magnification=0)) == ()


@pytest.mark.parametrize(
    ("acquired", "expected"),
    [
        ("2027-01-01T00:00:00", ["header.future"]),
        ("2026-03-31T12:30:00Z", ["header.future"]),
        ("2026-03-31T14:05:00+02:00", []),
        ("2026-04-01T01:00:00", []),  # without an offset it may have been noon somewhere
        ("not a time", []),
    ],
)
def test_acquired_in_the_future(
    run: Run, make_header: Callable[..., Header], acquired: str, expected: list[str]
) -> None:
    assert codes(run({}, make_header(acquired=acquired))) == expected


def test_missing_settings_are_asked_for_at_nffa_core_only(
    run: Run, make_header: Callable[..., Header]
) -> None:
    header = make_header(accelerating_voltage_kV=10.0, pixel_size_m=(1e-9, 1e-9))
    (found,) = run({}, header, level="nffa-core")
    assert found.code == "header.missing_field"
    assert "working_distance_mm" in found.message
    assert "detector" in found.message
    typed = {"settings": {"working_distance_mm": 5, "detector": "SE2"}}
    assert run({}, header, level="nffa-core", typed=typed) == ()
    assert run({}, header) == ()


def test_a_spec_regrades_or_switches_off_a_check_by_code(
    run: Run, make_header: Callable[..., Header]
) -> None:
    header = make_header(accelerating_voltage_kV=300.0)
    (found,) = run({"kV": "200"}, header, checks={"header.path_conflict": Severity.ERROR})
    assert found.holds
    assert run({"kV": "200"}, header, checks={"header.path_conflict": None}) == ()


def test_under_a_deriva_document_no_header_holds_a_file(run: Run, make_header: Callable[..., Header]) -> None:
    header = make_header(accelerating_voltage_kV=300.0)
    asked = {"header.path_conflict": Severity.ERROR}
    (found,) = run({"kV": "200"}, header, checks=asked, form=SpecForm.DERIVA)
    assert found.severity is Severity.WARNING
    unreadable = Header("unknown", "unknown", issues=(issue("source.unreadable", "locked"),))
    (found,) = run({}, unreadable, form=SpecForm.DERIVA)
    assert found.holds


def test_a_check_that_crashes_is_a_finding_and_the_others_still_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explodes(file: CheckedFile, spec: Spec, now: datetime) -> list[Issue]:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(check, "FILE_CHECKS", ((Depth.NAMES, explodes), *check.FILE_CHECKS))
    crashed, empty = run({}, size_bytes=0)
    assert (crashed.code, empty.code) == ("check.crashed", "source.empty")
    assert "explodes" in crashed.message
    assert "by design" in crashed.message


def test_values_of_unforeseen_types_crash_no_check(run: Run) -> None:
    odd = Header("tiff-fei", "tiff-fei/1", {
        name: FieldValue(value, "t")
        for name, value in {
            "accelerating_voltage_kV": "300 kV", "acquired": 20260331, "operator": "", "pixel_size_m": (),
            "magnification": True, "instrument_model": "---",
        }.items()
    })  # fmt: skip
    found = run({"kV": "200", "date": 20260330, "operator": "", "instrument": "?", "mag": None}, odd)
    assert "check.crashed" not in codes(found)


@pytest.mark.parametrize(("kilovolts", "expected"), [(201, []), (203, ["header.path_conflict"])])
def test_the_measured_value_may_differ_from_the_nominal_one_by_a_hundredth(
    run: Run, make_header: Callable[..., Header], kilovolts: float, expected: list[str]
) -> None:
    header = make_header("tiff-fei", accelerating_voltage_kV=float(kilovolts))
    assert codes(run({"voltage_kV": 200}, header)) == expected
