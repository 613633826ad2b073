"""The shipped layouts on the folders they are meant for."""

from __future__ import annotations

import pytest

from validation.model import Severity
from validation.spec.load import find, load
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch


@pytest.mark.parametrize(
    ("path", "rule", "object_path"),
    [
        ("P/S/volume_001/slices/vol_0001.tif", "slices", "slices/vol_0001.tif"),
        (
            "P/S/volume_001/slices/my prefix_with_parts_0001.TIFF",
            "slices",
            "slices/my prefix_with_parts_0001.TIFF",
        ),
        ("P/S/volume_001/whole.mrc", "stack", "whole.mrc"),
        ("P/S/volume_001/labels/round_2/vol_0001.tif", "labels", "labels/round_2/vol_0001.tif"),
        ("P/S/volume_001/logs/milling.log", "notes", "logs/milling.log"),
        ("P/S/volume_1/slices/vol_0001.tif", "", ""),
        ("P/S/volume_001/labels/round_x/vol_0001.tif", "", ""),
    ],
)
def test_fibsem_volumes(path: str, rule: str, object_path: str) -> None:
    match = Matcher(load(find("fibsem-volume")), "/drop").match(path)
    if not rule:
        assert isinstance(match, NoMatch)
        return
    assert isinstance(match, Match)
    assert (match.rule, match.path, match.dataset) == (rule, object_path, "P S volume 001")
    assert match.issues == ()


def test_labels_name_their_round_and_the_slice_they_were_made_from() -> None:
    columns = load(find("fibsem-volume")).rule("labels").columns
    assert columns["Annotation_Round"] == "{annotation_round}"
    assert columns["Derived_From"] == "@file:slices/{file_name}"
    assert columns["Role"] == "label"


def test_completeness_rules_are_kept_as_they_are_written() -> None:
    assert load(find("fibsem-volume")).required == (
        {"any_of": ["slices", "stack"], "min": 1},
        {"rule": "slices", "series": "slice", "gaps": "warn"},
    )
    assert load(find("team1-stem")).required[0] == {"rule": "tia-series", "companions": "required"}


def test_a_session_has_project_sample_and_dataset_as_parents() -> None:
    spec = load(find("em-session"))
    assert [record.name for record in spec.records] == ["Project", "Sample", "Dataset"]
    assert all(record.create for record in spec.records)
    assert spec.rule("frame").checks == {"header.path_conflict": Severity.ERROR}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("16.20.55 Scanning Acquire_0026_1.ser", "tia-series"),
        ("16.20.55 Scanning Acquire_0026.emi", "tia-series"),
        ("overview.tif", "notes"),
        ("exports/line profile.csv", "notes"),
        ("16.20.55 Scanning Acquire_26_1.ser", ""),
    ],
)
def test_team_one(name: str, rule: str) -> None:
    folder = "TEAM_I/Ercius/2011/20111013 - PbSe with ligands"
    match = Matcher(load(find("team1-stem")), "/drop").match(f"{folder}/{name}")
    assert (match.rule if isinstance(match, Match) else "") == rule
