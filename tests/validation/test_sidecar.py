"""`nanoferry.yaml`: what is read, what is refused with a line, and how levels merge."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.sidecar import Typed, merge, pointer, read
from validation.sidecar.plain_yaml import SidecarFault, load


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "nanoferry.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_shorthand_and_long_form_become_the_same(tmp_path: Path) -> None:
    short, issues = read(write(tmp_path, "project: NanoPb\noperator: Ada Lovelace\ntechnique: sem\n"))
    long, _ = read(
        write(tmp_path, "project: {name: NanoPb}\noperator: {name: Ada Lovelace}\ntechnique: [sem]\n")
    )
    assert short == long == {
        "project": {"name": "NanoPb"}, "operator": {"name": "Ada Lovelace"}, "technique": ["sem"],
    }  # fmt: skip
    assert issues == ()


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("2026-03-31", "2026-03-31"),
        ("2026-03-31T14:05:00", "2026-03-31T14:05:00"),
        ("no", "no"),
        ("0042", "0042"),
        ("12:30", "12:30"),
        ("42", "42"),
        ("1e3", "1000.0"),
    ],
)
def test_a_sample_called_like_a_date_a_number_or_no_stays_text(
    tmp_path: Path, typed: str, value: str
) -> None:
    values, issues = read(write(tmp_path, f"sample: {typed}\n"))
    assert values == {"sample": {"name": value}}
    assert issues == ()


def test_an_unknown_key_is_named_with_its_line_and_the_likely_one(tmp_path: Path) -> None:
    values, (issue,) = read(write(tmp_path, "project: A\noperater: Ada\n"))
    assert values == {"project": {"name": "A"}}
    assert (issue.code, issue.location.line) == ("sidecar.unknown_key", 2)
    assert "`operator`" in issue.message


def test_a_value_of_the_wrong_shape_is_left_out_and_said(tmp_path: Path) -> None:
    values, (issue,) = read(write(tmp_path, "title: [a, b]\nnotes: fine\n"))
    assert values == {"notes": "fine"}
    assert (issue.code, issue.location.field, issue.location.line) == ("metadata.invalid", "/title", 1)
    assert "a list" in issue.message


def test_empty_values_and_an_empty_file_say_nothing(tmp_path: Path) -> None:
    assert read(write(tmp_path, "")) == ({}, ())
    assert read(write(tmp_path, "# only a comment\n")) == ({}, ())
    assert read(write(tmp_path, "project:\nsample: ~\n")) == ({}, ())


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("project: [a\n", 2, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("- a\n- b\n", 1, "key: value"),
        ("project: A\nproject: B\n", 2, "second time"),
        ("a: &x 1\nb: *x\n", 2, "aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: !!timestamp 2020-01-01\n", 1, "tag"),
        ("{a: 1}: b\n", 1, "plain text"),
        ("a: " + "[" * 30 + "]" * 30 + "\n", 1, "deeper"),
        ("extensions: {a: " + "9" * 5000 + "}\n", 1, "not a value"),
        (b"project: caf\xe9\n", 1, "UTF-8"),
        (b"a: 1\nproject: a\x00b\n", 2, "not valid YAML"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_line(
    tmp_path: Path, text: str | bytes, line: int, words: str
) -> None:
    values, issues = read(write(tmp_path, text))
    found = [issue for issue in issues if issue.code == "sidecar.unreadable"]
    assert values == {}
    assert [issue.location.line for issue in found] == [line]
    assert words in found[0].message


def test_an_alias_bomb_costs_nothing(tmp_path: Path) -> None:
    bomb = "a: &a [x,x]\n" + "".join(
        f"{n}: &{n} [*{p},*{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    _, (issue,) = read(write(tmp_path, bomb))
    assert "aliases" in issue.message


def test_a_file_too_large_to_be_typed_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "nanoferry.yaml"
    with path.open("wb") as stream:
        stream.truncate(200 << 20)  # sparse: no 200 MB are written
    values, (issue,) = read(path)
    assert values == {}
    assert "209,715,200" in issue.message


def test_a_missing_file_is_a_finding_not_an_exception(tmp_path: Path) -> None:
    _, (issue,) = read(tmp_path / "absent" / "nanoferry.yaml")
    assert issue.code == "sidecar.unreadable"


def test_the_nearest_sidecar_wins_field_by_field() -> None:
    typed = merge(
        [
            ("nanoferry.yaml", {"project": {"name": "NanoPb", "identifier": "P1"}, "operator": "Ada"}),
            ("s1/nanoferry.yaml", {"project": {"identifier": "P2"}, "sample": "PbSe-07"}),
        ]
    )
    assert typed.values == {
        "project": {"name": "NanoPb", "identifier": "P2"},
        "operator": {"name": "Ada"},
        "sample": {"name": "PbSe-07"},
    }
    assert typed.source("project", "name") == "nanoferry.yaml"
    assert typed.source("project", "identifier") == "s1/nanoferry.yaml"
    assert typed.source("sample") == "s1/nanoferry.yaml"
    assert typed.get("project", "identifier") == "P2"
    assert typed.get("nothing", "here") is None


def test_a_list_replaces_what_a_farther_level_said() -> None:
    typed = merge([("a", {"technique": ["sem", "ebsd"]}), ("b", {"technique": "tem"})])
    assert typed.values["technique"] == ["tem"]
    assert typed.source("technique") == "b"


WORDS = st.text(string.ascii_letters + string.digits + " -/~:#é", min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_yaml_that_a_program_wrote_is_read_back(document: dict[str, Any]) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    text = yaml.dump(document, Dumper=Plain, allow_unicode=True, default_style='"') if document else ""
    read_back, lines = load(text.encode())
    assert set(read_back) == set(document)
    assert all((key,) in lines for key in document)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
def test_any_bytes_are_a_mapping_or_a_fault(data: bytes) -> None:
    try:
        values, _ = load(data)
    except SidecarFault:
        return
    assert isinstance(values, dict)


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["project", "sample", "notes", "settings"]), VALUES), max_size=4)
)
def test_every_value_of_a_merge_has_a_source(levels: list[dict[str, Any]]) -> None:
    typed = merge([(f"level-{number}", level) for number, level in enumerate(levels)])

    def leaves(value: Any, *place: str) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                leaves(part, *place, key)
        else:
            assert typed.source(*place).startswith("level-"), place

    leaves(typed.values)
    assert all(resolves(typed, place) for place in typed.sources)


def resolves(typed: Typed, place: str) -> bool:
    found: Any = typed.values
    for part in place.split("/")[1:]:
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return True


def test_pointers_escape_slash_and_tilde() -> None:
    assert pointer("a/b", "c~d", 0) == "/a~1b/c~0d/0"


def test_a_plain_value_that_replaces_a_mapping_takes_its_sources_along() -> None:
    typed = merge([("a", {"settings": {"stage": {"x": 1, "y": 2}}}), ("b", {"settings": {"stage": 5}})])
    assert typed.get("settings") == {"stage": 5}
    assert typed.sources == {"/settings/stage": "b"}
