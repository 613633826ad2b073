"""Damaged specs: whatever stands where, the loader answers with a spec or with faults."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from validation.errors import SpecError
from validation.spec.load import find, load_document, load_text
from validation.spec.matching import Matcher

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("{}[]()|*/\\:@a1.%", max_size=8),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.none(), st.text("ab{}", max_size=3)), max_size=2),
    st.dictionaries(
        st.sampled_from(["id", "path", "processor", "x"]), st.text("ab{}", max_size=3), max_size=2
    ),
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(deeper for key, part in items for deeper in places(part, (*place, key)))]


def damaged(document: dict[str, Any], place: tuple[Any, ...], junk: Any, *, drop: bool) -> dict[str, Any]:
    document = copy.deepcopy(document)
    part: Any = document
    for key in place[:-1]:
        part = part[key]
    if drop:
        del part[place[-1]]
    else:
        part[place[-1]] = junk
    return document


@pytest.mark.parametrize("name", ["em-session", "team1-stem", "fibsem-volume", "facebase"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_one_damaged_entry_gives_faults_or_a_spec_that_runs(name: str, data: st.DataObject) -> None:
    document = yaml.safe_load(find(name).read_text("utf-8"))
    place = data.draw(st.sampled_from([place for place in places(document) if place]))
    broken = damaged(document, place, data.draw(JUNK), drop=data.draw(st.booleans()))
    text = json.dumps(broken) if name == "facebase" else yaml.safe_dump(broken, allow_unicode=True)
    with suppress(SpecError):
        spec = load_text(text, "damaged")
        Matcher(spec, "/drop/P/S").match("2026-03-05_kim_SEM/areaA_1.tif")
    with suppress(SpecError):
        load_document(broken, "annotation")
