"""The rows that files refer to: needed, found, missing, to be created, in dependency order."""

from __future__ import annotations

import pytest
from port_fakes import MemoryCatalog

from uploader.stages.parents import columns_to_create, look_up, missing, needs, resolve, rids_of
from validation.spec.load import find, load
from validation.spec.model import Spec

VALUES = {"project": "P", "sample": "S", "dataset": "D"}


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(find("em-session"))


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog(
        tables={
            "nanoscience:Project": [{"RID": "P1", "Name": "P"}, {"RID": "P2", "Name": "Q"}],
            "nanoscience:Sample": [
                {"RID": "S1", "Project": "P1", "Name": "S"},
                {"RID": "S2", "Project": "P2", "Name": "S"},
            ],
        }
    )


def test_parents_come_before_their_children(spec: Spec) -> None:
    assert [need.rule.name for need in needs(spec, VALUES)] == ["Project", "Sample", "Dataset"]
    assert needs(spec, VALUES)[1].shown == "Sample S"


def test_a_parent_without_a_value_is_left_out_with_its_children(spec: Spec) -> None:
    assert [need.rule.name for need in needs(spec, {"sample": "S", "dataset": "D"})] == ["Dataset"]


def test_equal_values_need_the_same_row(spec: Spec) -> None:
    one, other = needs(spec, VALUES), needs(spec, {**VALUES, "file_name": "b.tif"})
    assert [need.key for need in one] == [need.key for need in other]
    assert needs(spec, {**VALUES, "project": "Q"})[1].key != one[1].key


def test_rows_are_found_under_their_own_parent(spec: Spec, catalog: MemoryCatalog) -> None:
    wanted = {need.key: need for project in "PQ" for need in needs(spec, {**VALUES, "project": project})}
    rows = resolve(catalog, spec, wanted)
    for project, sample in (("P", "S1"), ("Q", "S2")):
        assert rids_of(needs(spec, {**VALUES, "project": project}), rows)["Sample"] == sample


def test_many_parents_cost_one_request_a_kind(spec: Spec, catalog: MemoryCatalog) -> None:
    wanted = {
        need.key: need for number in range(50) for need in needs(spec, {**VALUES, "dataset": f"D{number}"})
    }
    resolve(catalog, spec, wanted)
    assert len(catalog.calls) == 3


def test_children_of_missing_parents_are_not_asked_for(spec: Spec) -> None:
    catalog = MemoryCatalog()
    project, sample, _ = needs(spec, VALUES)
    assert look_up(catalog, [sample], {}) == {}
    assert catalog.calls == []
    assert columns_to_create(project, {}) == {"Name": "P"}
    assert columns_to_create(sample, {}) is None
    assert columns_to_create(sample, {project.key: {"RID": "P9"}}) == {"Project": "P9", "Name": "S"}


def test_only_a_parent_that_may_not_be_created_is_a_finding(spec: Spec) -> None:
    from dataclasses import replace

    wanted = {need.key: need for need in needs(spec, VALUES)}
    assert missing(wanted, {}) == []
    strict = {key: replace(need, rule=replace(need.rule, create=False)) for key, need in wanted.items()}
    found = missing(strict, {})
    assert [one.code for one in found] == ["catalog.record_missing"] * 3
    assert {one.group for one in found} == set(strict)
