"""Why a file is not taken, and which name would be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from validation.spec.example import example
from validation.spec.explain import explain
from validation.spec.load import find, load
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch
from validation.spec.patterns import TemplatePattern

SESSION = load(find("em-session"))
FOLDER = "P/S-017/2026-03-05_kim_SEM"


def why(path: str) -> NoMatch:
    result = explain(SESSION, "/lab", path).result
    assert isinstance(result, NoMatch)
    return result


def test_the_nearest_rule_and_the_failing_part_are_named() -> None:
    found = why(f"{FOLDER}/areaA_1.tif")
    assert (found.nearest, found.failed_part) == ("frame", "areaA_1.tif")
    assert found.expected.startswith("frame (3 digits) after 'areaA_'")
    assert found.proposal == f"{FOLDER}/areaA_001.tif"


def test_a_folder_with_another_date_form_is_proposed_anew() -> None:
    found = why("P/S-017/20260305_kim_SEM/areaA_001.tif")
    assert found.failed_part == "20260305_kim_SEM"
    assert "a date written like" in found.expected
    assert found.proposal == f"{FOLDER}/areaA_001.tif"


def test_what_lies_above_the_root_is_explained_but_never_renamed() -> None:
    found = explain(SESSION, "/lab/P/S-017/20260305_kim_SEM", "areaA_001.tif").result
    assert isinstance(found, NoMatch)
    assert (found.failed_part, found.proposal) == ("20260305_kim_SEM", "")


def test_a_folder_inside_the_dropped_one_is_blamed_before_those_above_it() -> None:
    found = explain(SESSION, "/disk/data/thesis", "S-017/12 March SEM/map.csv").result
    assert isinstance(found, NoMatch)
    assert found.failed_part == "12 March SEM"


def test_without_a_proposal_the_form_is_shown_by_an_example_that_the_rule_takes() -> None:
    for spec in map(load, map(find, ("em-session", "team1-stem", "fibsem-volume"))):
        for rule in spec.rules:
            assert isinstance(rule.pattern, TemplatePattern)
            shown = Matcher(spec, "/lab").match(example(rule.pattern.template))
            assert isinstance(shown, Match), example(rule.pattern.template)
    lines = explain(SESSION, "/lab", "thesis/S-017/12 March SEM/pic 1.tif").lines()
    assert "  takes for example: PROJECT/SAMPLE/2011-10-13_OPERATOR_em/AREA_001.tif" in lines


def test_a_path_that_has_nothing_in_common_gets_no_guess() -> None:
    found = why("x.bin")
    assert found.proposal == ""


def test_the_lines_name_rule_values_and_the_other_rules() -> None:
    lines = explain(SESSION, "/lab", f"{FOLDER}/areaA_001_15kV.tif").lines()
    assert lines[0].endswith("rule frame of em-session 1.0.0 takes it")
    assert "  voltage_kV = 15" in lines
    assert "  dataset: P S-017 2026-03-05 SEM kim" in lines


def test_the_document_is_plain_values() -> None:
    document = explain(SESSION, "/lab", f"{FOLDER}/areaA_1.tif").to_json()
    assert document["matched"] is False
    assert document["proposal"] == f"{FOLDER}/areaA_001.tif"


NAMES = st.from_regex(r"[A-Za-z0-9 _.-]{1,12}", fullmatch=True)


@settings(max_examples=150)
@given(
    st.one_of(
        st.tuples(NAMES, NAMES, NAMES, NAMES).map("/".join),
        st.tuples(
            st.sampled_from(["P", "p q"]),
            st.just("S"),
            st.from_regex(r"2026[-_.]?0[1-9][-_.]?1[0-9][-_ ]kim[-_ ](SEM|sem|TEM|xyz)", fullmatch=True),
            st.from_regex(
                r"area[A-C][-_ ][0-9]{1,4}([-_ ][0-9]{1,2}k[vV])?\.(tif|TIF|tiff|png|xyz)", fullmatch=True
            ),
        ).map("/".join),
    )
)
def test_a_proposal_always_matches(path: str) -> None:
    matcher = Matcher(SESSION, "/lab")
    result = matcher.match(path)
    if isinstance(result, NoMatch) and result.proposal:
        assert result.proposal != path
        assert isinstance(matcher.match(result.proposal), Match)
