"""What path templates take, and with which values (DESIGN 6.2)."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from validation.spec.load import find, load, load_text
from validation.spec.matching import Matcher, is_sidecar
from validation.spec.model import Match, NoMatch, Spec

TEAM = "TEAM_I/Ercius/2011/20111013 - PbSe with ligands/16.20.55 Scanning Acquire_0026_1.ser"
FRAME = "Perov/S-017/2026-03-05_kim_SEM/areaA_001_15kV_5000x.tif"


def took(result: Match | NoMatch) -> Match:
    assert isinstance(result, Match), result
    return result


@pytest.mark.parametrize("level", range(5))
def test_dropping_any_level_gives_the_same_captures(level: int) -> None:
    parts = TEAM.split("/")
    root, path = "/".join(["/data", *parts[:level]]), "/".join(parts[level:])
    match = took(Matcher(load(find("team1-stem")), root).match(path))
    assert match.rule == "tia-series"
    assert match.values["date"] == "2011-10-13"
    assert match.values["time"] == "16:20:55"
    assert (match.values["mode"], match.captures["acquisition"], match.values["series"]) == (
        "Scanning Acquire",
        "0026",
        1,
    )
    assert match.dataset == "TEAM_I 2011-10-13 PbSe with ligands"
    assert match.path == "16.20.55 Scanning Acquire_0026_1.ser"


def test_a_series_and_its_emi_are_one_set() -> None:
    matcher = Matcher(load(find("team1-stem")), "/data")
    first, second = took(matcher.match(TEAM)), took(matcher.match(TEAM.replace("_1.ser", "_2.ser")))
    emi = took(matcher.match(TEAM.replace("_1.ser", ".emi")))
    other = took(matcher.match(TEAM.replace("_0026_1", "_0027_1")))
    assert (first.role, emi.role) == ("primary", "companion")
    assert first.set_key == second.set_key == emi.set_key != other.set_key
    assert emi.dataset == first.dataset


def test_the_set_is_the_same_whichever_folder_was_dropped() -> None:
    spec = load(find("team1-stem"))
    folder, _, name = TEAM.rpartition("/")
    assert (
        took(Matcher(spec, f"/data/{folder}").match(name)).set_key
        == took(Matcher(spec, "/data").match(TEAM)).set_key
    )


def test_optional_parts_and_vocabularies_of_a_session() -> None:
    matcher = Matcher(load(find("em-session")), "/lab")
    full = took(matcher.match(FRAME))
    assert (full.values["voltage_kV"], full.values["magnification"]) == (15, 5000)
    assert (full.values["technique"], full.values["technique.catalog"]) == ("SEM", "SEM")
    assert full.dataset == "Perov S-017 2026-03-05 SEM kim"
    bare = took(matcher.match("Perov/S-017/2026-03-05_kim_sem/areaA_001.tiff"))
    assert bare.values["voltage_kV"] is None
    assert "voltage_kV" not in bare.captures
    assert bare.dataset == full.dataset


def test_other_files_of_a_session_go_to_the_fallback_rule_without_a_warning() -> None:
    matcher = Matcher(load(find("em-session")), "/lab")
    match = took(matcher.match("Perov/S-017/2026-03-05_kim_SEM/eds/map 1.msa"))
    assert (match.rule, match.path, match.issues) == ("data", "eds/map 1.msa", ())


def test_sidecars_are_never_matched(matcher_of: Callable[..., Matcher]) -> None:
    assert is_sidecar("a/nanoferry.yaml")
    assert isinstance(matcher_of("{name}.yaml").match("nanoferry.yaml"), NoMatch)


@pytest.mark.parametrize(
    ("anchor", "template", "path", "takes"),
    [
        ("root", "{n}.tif", "a.tif", True),
        ("root", "{n}.tif", "sub/a.tif", False),
        ("root-name", "S/{n}.tif", "a.tif", True),
        ("root-name", "P/S/{n}.tif", "a.tif", False),
        ("anywhere", "P/S/{n}.tif", "a.tif", True),
        ("anywhere", "{n}.tif", "deep/er/a.tif", True),
        ("root", "**/{n}.tif", "a.tif", True),
        ("root", "**/{n}.tif", "x/y/a.tif", True),
        ("root", "x/**/y/{n}.tif", "x/y/a.tif", True),
        ("root", "x/**/y/{n}.tif", "x/1/2/y/a.tif", True),
        ("root", "x/**/y/{n}.tif", "x/1/a.tif", False),
        ("root", "raw|proc/{n}.(tif|tiff)", "proc/a.tiff", True),
        ("root", "raw|proc/{n}.(tif|tiff)", "other/a.tiff", False),
        ("root", r"copy \(2\) {n}.tif", "copy (2) a.tif", True),
        ("root", "{d:date(%Y%m%d)}.tif", "20110230.tif", False),
        ("root", "{n}_{i:int}.tif", "a_-12.tif", True),
        ("root", "{r:rid}/{n}", "1-50DP/a.tif", True),
        ("root", "{r:rid}/{n}", "1-5ILO/a.tif", False),
        ("root", "{n}.tif", "line\nbreak #%;.tif", True),
    ],
)
def test_anchors_and_syntax(
    matcher_of: Callable[..., Matcher], anchor: str, template: str, path: str, *, takes: bool
) -> None:
    assert isinstance(matcher_of(template, anchor=anchor).match(path), Match) is takes


def test_text_is_shortest_match(matcher_of: Callable[..., Matcher]) -> None:
    match = took(matcher_of("{a}_{b}.tif").match("x_y_z.tif"))
    assert match.captures == {"a": "x", "b": "y_z"}


def test_deep_templates_begin_at_the_outermost_place(spec_of: Callable[..., Spec]) -> None:
    spec = spec_of("run_{n:int}/**/{f}", anchor="anywhere")
    outer = took(Matcher(spec, "/data").match("run_1/a/run_2/f.tif"))
    inner = took(Matcher(spec, "/data/run_1/a/run_2").match("f.tif"))
    assert outer.values["n"] == inner.values["n"] == 1


def test_unicode_forms_are_one_by_default_and_two_when_exact(spec_of: Callable[..., Spec]) -> None:
    decomposed = unicodedata.normalize("NFD", "Prüfung.tif")
    match = took(Matcher(spec_of("Prüfung.tif"), "/d").match(decomposed))
    assert match.path == "Prüfung.tif"
    assert isinstance(Matcher(spec_of("Prüfung.tif", unicode="exact"), "/d").match(decomposed), NoMatch)


def test_case_is_as_the_spec_says(matcher_of: Callable[..., Matcher]) -> None:
    assert isinstance(matcher_of("{n}.tif").match("A.TIF"), NoMatch)
    assert isinstance(matcher_of("{n}.tif", case="ignore").match("A.TIF"), Match)


def test_a_second_rule_that_fits_is_named(matcher_of: Callable[..., Matcher]) -> None:
    match = took(matcher_of("{a}.tif", "{b}.{suffix}").match("x.tif"))
    assert (match.rule, match.also) == ("r1", ("r2",))
    assert [issue.code for issue in match.issues] == ["path.ambiguous"]


def test_a_runaway_expression_is_an_issue_of_the_file() -> None:
    document = {
        "nanoferry": 1,
        "id": "t",
        "version": "1.0.0",
        "rules": [{"id": "r", "regex": r"(a|aa|a.?)+$b", "dataset": "d", "object": "/hatrac/{path}"}],
    }
    matcher = Matcher(load_text(yaml.safe_dump(document), "t"), "/d", timeout_s=0.05)
    result = matcher.match("a" * 60 + "!")
    assert [issue.code for issue in result.issues] == ["path.pattern_timeout"]


def test_matching_stays_far_below_a_millisecond_per_path() -> None:
    matcher = Matcher(load(find("em-session")), "/lab")
    paths = [f"P/S-{i % 50}/2026-03-05_kim_SEM/area{i % 7}_{i % 1000:03d}.tif" for i in range(10_000)]
    before = time.process_time()
    assert all(isinstance(matcher.match(path), Match) for path in paths)
    assert time.process_time() - before < 2


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_every_file_lands_under_a_free_template_and_keeps_its_parts(parts: list[str]) -> None:
    template = "/".join(f"{{p{index}}}" for index in range(len(parts)))
    spec = load_text(
        yaml.safe_dump(
            {
                "nanoferry": 1,
                "id": "t",
                "version": "1.0.0",
                "unicode": "exact",
                "rules": [{"id": "r", "path": template, "dataset": "d", "object": "/hatrac/{path}"}],
            }
        ),
        "t",
    )
    path = "/".join(parts)
    result = Matcher(spec, "/d").match(path)
    if parts[-1] == "nanoferry.yaml":
        return
    assert list(took(result).captures.values()) == parts
    assert took(result).path == path
