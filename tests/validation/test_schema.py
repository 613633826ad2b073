"""The nanoscience schema: what each level asks for, what is refused, and in which words."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from validation.instruments.fields import FieldType, fields
from validation.record.settings import ELSEWHERE, IMAGE_FIELDS, document_value
from validation.record.techniques import CORE_SETTINGS, techniques
from validation.rules.identifiers import orcid_fault, ror_fault
from validation.schema import LEVELS, check_document, reached_level
from validation.schema.words import PATTERNS
from validation.specset import data_dir

SCHEMA = json.loads((data_dir() / "metadata" / "nanoscience-1.schema.json").read_text("utf-8"))

DOCUMENT: dict[str, Any] = {
    "schemaVersion": "1.0",
    "profile": {"name": "nanoscience", "level": "nffa-core"},
    "identifier": "2026-03-30 PbSe",
    "title": "PbSe with ligands",
    "dataLevel": "raw",
    "context": {
        "accessType": "in-house-research",
        "project": {"name": "NanoPb"},
        "facility": {"name": "CNR-IOM", "identifier": "https://ror.org/00yfw2296"},
    },
    "persons": [{"id": "p1", "name": "Lovelace, Ada", "roles": ["operator"], "orcid": "https://orcid.org/0000-0002-1694-233X"}],
    "samples": [{"id": "s1", "name": "PbSe-07"}, {"id": "s2", "name": "piece", "parents": ["s1"]}],
    "instruments": [{"id": "i1", "name": "Zeiss Supra 40", "software": {"name": "SmartSEM"}}],
    "measurements": [
        {
            "id": "m1",
            "techniques": [{"code": "sem"}],
            "purpose": "exploratory",
            "instrumentId": "i1",
            "sampleIds": ["s1", "s2"],
            "personIds": ["p1"],
            "startTime": "2026-03-30T09:00:00",
            "endTime": "2026-03-30T10:00:00",
            "settings": {
                "family": "sem",
                "acceleratingVoltage": {"value": 10.0, "unit": "kV"},
                "workingDistance": {"value": 5, "unit": "mm"},
                "pixelSize": {"value": [1e-9, 1e-9], "unit": "m"},
                "detector": "SE2",
            },
        }
    ],
    "files": [{"path": "a/b.tif", "sizeBytes": 9, "sha256": "0" * 64, "producedBy": "m1"}],
    "extensions": {"org.example.anything": [1, {"goes": True}]},
}  # fmt: skip


def changed(*place: str | int, to: Any = ...) -> dict[str, Any]:
    """The document with one value replaced, or removed when nothing is given."""
    document = copy.deepcopy(DOCUMENT)
    holder: Any = document
    for part in place[:-1]:
        holder = holder[part]
    if to is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = to
    return document


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert "claims no conformance" in SCHEMA["description"]


def test_a_whole_document_reaches_the_highest_level() -> None:
    assert check_document(DOCUMENT, "nffa-core") == ()
    assert reached_level(DOCUMENT) == "nffa-core"


@pytest.mark.parametrize(
    ("place", "level", "field"),
    [
        (("identifier",), "capture", "/identifier"),
        (("title",), "capture", "/title"),
        (("dataLevel",), "capture", "/dataLevel"),
        (("context", "facility"), "capture", "/context/facility"),
        (("persons",), "capture", "/persons"),
        (("persons", 0, "roles"), "capture", "/persons/0/roles"),
        (("instruments",), "capture", "/instruments"),
        (("measurements", 0, "techniques"), "capture", "/measurements/0/techniques"),
        (("measurements", 0, "instrumentId"), "capture", "/measurements/0/instrumentId"),
        (("files",), "capture", "/files"),
        (("context", "project"), "nffa-core", "/context/project"),
        (("context", "accessType"), "nffa-core", "/context/accessType"),
        (("instruments", 0, "software"), "nffa-core", "/instruments/0/software"),
        (("measurements", 0, "purpose"), "nffa-core", "/measurements/0/purpose"),
        (("measurements", 0, "personIds"), "nffa-core", "/measurements/0/personIds"),
        (("measurements", 0, "sampleIds"), "nffa-core", "/measurements/0/sampleIds"),
        (("measurements", 0, "settings", "detector"), "nffa-core", "/measurements/0/settings/detector"),
        (("measurements", 0, "settings", "pixelSize"), "nffa-core", "/measurements/0/settings/pixelSize"),
    ],
)
def test_each_required_value_is_missed_at_its_level_and_not_below(
    place: tuple[str | int, ...], level: str, field: str
) -> None:
    document = changed(*place)
    missing = [found for found in check_document(document, level) if found.code == "metadata.missing"]
    assert [found.location.field for found in missing] == [field]
    assert missing[0].remedy
    below = LEVELS[LEVELS.index(level) - 1] if level != LEVELS[0] else ""
    assert reached_level(document) == below


def test_a_sample_may_be_absent_with_a_reason_and_one_time_is_enough() -> None:
    document = changed("measurements", 0, "sampleIds")
    document["measurements"][0]["noSampleReason"] = "calibration of the stage"
    del document["measurements"][0]["endTime"]
    assert check_document(document, "nffa-core") == ()


def test_a_varying_setting_counts_as_given() -> None:
    document = changed("measurements", 0, "settings", "workingDistance")
    settings_block = document["measurements"][0]["settings"]
    settings_block["varying"] = {"workingDistance": {"minimum": 4.9, "maximum": 5.2, "unit": "mm"}}
    assert check_document(document, "nffa-core") == ()


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        (changed("dataLevel", to="rare"), "/dataLevel", "'rare' is not one of raw"),
        (changed("dataLevl", to="raw"), "", "'dataLevl' is not a property"),
        (changed("persons", 0, "age", to=41), "/persons/0", "'age' is not a property"),
        (changed("persons", 0, "orcid", to="0000-0002-1694-233X"), "/persons/0/orcid", "must look like https"),
        (changed("persons", 0, "orcid", to="https://orcid.org/0000-0002-1694-2339"), "/persons/0/orcid", "should be X"),
        (changed("context", "facility", "identifier", to="https://ror.org/00yfw2295"), "/context/facility/identifier", "end in 96"),
        (changed("measurements", 0, "startTime", to="30.3.2026"), "/measurements/0/startTime", "must be a time such as"),
        (changed("measurements", 0, "startTime", to="2026-02-30T09:00:00"), "/measurements/0/startTime", "no such date"),
        (changed("measurements", 0, "endTime", to="2026-03-30T08:00:00"), "/measurements/0/endTime", "before it starts"),
        (changed("measurements", 0, "instrumentId", to="i9"), "/measurements/0/instrumentId", "'i9' is the id of none"),
        (changed("measurements", 0, "sampleIds", to=["s1", "s9"]), "/measurements/0/sampleIds", "'s9'"),
        (changed("files", 0, "producedBy", to="m9"), "/files/0/producedBy", "'m9'"),
        (changed("persons", 0, "id", to="s1"), "/samples/0/id", "already that of /persons/0"),
        (changed("samples", 0, "parents", to=["s2"]), "/samples", "derived from itself"),
        (changed("measurements", 0, "techniques", to=[{"code": "smem"}]), "/measurements/0/techniques/0/code", "nearest are"),
        (changed("files", 0, "path", to="../up.tif"), "/files/0/path", "without `..`"),
        (changed("files", 0, "sizeBytes", to=-1), "/files/0/sizeBytes", "limit is 0"),
        (changed("title", to="  "), "/title", "must not be blank"),
        (changed("complete", to="yes"), "/complete", "must be true or false"),
        (changed("measurements", 0, "settings", "acceleratingVoltage", "unit", to="kv"), "/measurements/0/settings/acceleratingVoltage/unit", "'kv' is not one of uV"),
        (changed("measurements", 0, "settings", "HV", to=3), "/measurements/0/settings", "'HV' is not a property"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words_at_its_place(
    document: dict[str, Any], field: str, words: str
) -> None:
    found = check_document(document, "nffa-core")
    assert any(one.location.field == field and words in one.message for one in found), found
    assert all(one.remedy for one in found)


def test_a_level_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no level 'gold'"):
        check_document(DOCUMENT, "gold")


def test_a_local_technique_may_be_outside_the_vocabulary() -> None:
    local = changed("measurements", 0, "techniques", to=[{"code": "my-own", "scheme": "local"}])
    assert check_document(local, "nffa-core") == ()


def test_a_document_with_very_many_faults_gives_a_bounded_answer() -> None:
    document = changed("files", to=[{"path": str(number)} for number in range(5000)])
    assert 1 < len(check_document(document, "capture")) <= 200


@pytest.mark.parametrize("odd", [None, 3, True, [], {}, [[]], [{}], [None], "x"])
@pytest.mark.parametrize(
    "place",
    [("id",), ("parents",), ("sampleIds",), ("techniques",), ("affiliations",), ("orcid",), ("startTime",)],
)
def test_the_rules_after_the_schema_take_any_shape(place: tuple[str], odd: Any) -> None:
    entity = {"id": "a", place[0]: odd}
    kinds = ("persons", "samples", "instruments", "measurements", "steps", "files")
    check_document({kind: [entity, odd] for kind in kinds} | {"context": odd}, "nffa-core")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*SCHEMA["properties"], "id", "name", "orcid", "techniques"]), inner
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(list(SCHEMA["properties"])), JSON))
def test_any_json_gets_an_answer_and_never_an_exception(document: dict[str, Any]) -> None:
    reached = reached_level(document)
    assert reached in ("", *LEVELS)
    assert all(found.message for found in check_document(document, "nffa-core"))


# --- the data files agree with each other


def test_every_field_of_the_table_has_its_place_in_the_schema() -> None:
    held = {
        "settings": set(SCHEMA["$defs"]["settings"]["properties"]),
        "image": set(SCHEMA["$defs"]["image"]["properties"]),
    }
    assert held["settings"] - {"family", "varying"} == {
        entry.json for name, entry in fields().items() if name not in ELSEWHERE and name not in IMAGE_FIELDS
    }
    assert held["image"] == {fields()[name].json for name in IMAGE_FIELDS}
    assert fields().keys() >= ELSEWHERE


@pytest.mark.parametrize("name", [name for name in fields() if name not in ELSEWHERE])
def test_a_value_of_every_field_in_its_unit_is_valid(name: str) -> None:
    sample: Any = {
        FieldType.NUMBER: 1.5, FieldType.INTEGER: 2, FieldType.TEXT: "x",
        FieldType.NUMBERS: (1.5, 2.5), FieldType.INTEGERS: (3, 4),
    }[fields()[name].type]  # fmt: skip
    value = document_value(fields()[name], sample)
    group = "image" if name in IMAGE_FIELDS else "settings"
    document = copy.deepcopy(DOCUMENT)
    document["measurements"][0].setdefault(group, {})[fields()[name].json] = value
    assert check_document(document, "nffa-core") == ()


@pytest.mark.parametrize(
    ("vocabulary", "place"),
    [
        ("purpose", lambda defs: defs["measurement"]["properties"]["purpose"]),
        ("accessType", lambda defs: defs["context"]["properties"]["accessType"]),
        ("dataLevel", lambda defs: defs["file"]["properties"]["dataLevel"]),
        ("role", lambda defs: defs["person"]["properties"]["roles"]["items"]),
    ],
)
def test_the_closed_lists_of_schema_and_vocabulary_agree(
    vocabulary: str, place: Callable[[Any], dict[str, Any]]
) -> None:
    words = yaml.safe_load((data_dir() / "vocabularies" / "metadata.yaml").read_text("utf-8"))
    assert [term["code"] for term in words[vocabulary]] == place(SCHEMA["$defs"])["enum"]


def test_techniques_name_terms_that_the_catalog_has() -> None:
    terms = json.loads((data_dir() / "catalog" / "terms.json").read_text("utf-8"))
    known = {term["Name"] for term in terms["nanoscience"]["Technique"]}
    assert {one.catalog for one in techniques().values() if one.catalog} <= known
    assert {name.casefold() for name in known} <= techniques().keys()


def test_the_settings_that_headers_are_asked_for_are_those_the_schema_asks_for() -> None:
    document = changed("measurements", 0, "settings", to={"family": "sem"})
    missing = [one.location.field.rpartition("/")[2] for one in check_document(document, "nffa-core")]
    assert sorted(missing) == sorted(fields()[names[0]].json for names in CORE_SETTINGS["sem"])


def test_every_pattern_in_words_is_one_of_the_schema() -> None:
    assert all(json.dumps(pattern)[1:-1] in json.dumps(SCHEMA) for pattern in PATTERNS)


@pytest.mark.parametrize("digits", ["0000-0002-1825-0097", "0000-0002-1694-233X", "0000-0003-2534-0063"])
def test_real_orcids_pass_and_any_changed_digit_fails(digits: str) -> None:
    assert orcid_fault(f"https://orcid.org/{digits}") == ""
    for at, digit in enumerate(digits):
        if digit.isdigit() and at != len(digits) - 1:
            other = f"{digits[:at]}{(int(digit) + 1) % 10}{digits[at + 1 :]}"
            assert orcid_fault(f"https://orcid.org/{other}")


@pytest.mark.parametrize("name", ["04t3en479", "00yfw2296", "02gagpf75", "05dxps055", "042nb2s44"])
def test_real_rors_pass_and_a_changed_character_fails(name: str) -> None:
    assert ror_fault(f"https://ror.org/{name}") == ""
    for at in range(1, 7):
        other = name[:at] + ("5" if name[at] != "5" else "6") + name[at + 1 :]
        assert ror_fault(f"https://ror.org/{other}")
