"""The spec against a live catalog, as plain facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from validation.check import check_target
from validation.facts import CatalogFacts, ColumnFacts, TableFacts
from validation.model import Issue
from validation.spec.model import ByKey, RecordRule, Rule, RuleKind, Spec, SpecForm, TableName


def table(name: str, *columns: ColumnFacts, **rights: Any) -> TableFacts:
    return TableFacts(name, {column.name: column for column in columns}, **rights)


FILE = table(
    "nanoscience:File",
    ColumnFacts("RID", "ermrest_rid", nullok=False),
    ColumnFacts("Path", "text", nullok=False),
    ColumnFacts("URL", "text"),
    ColumnFacts("Status", "text", nullok=False, has_default=True),
    may_insert=True,
)


def facts(*tables: TableFacts) -> CatalogFacts:
    return CatalogFacts({one.name: one for one in tables})


@pytest.fixture
def findings(
    make_spec: Callable[..., Spec], make_rule: Callable[..., Rule]
) -> Callable[..., tuple[Issue, ...]]:
    """What a spec whose one rule has these parts finds in these tables."""

    def check(*tables: TableFacts, records: tuple[RecordRule, ...] = (), **rule: Any) -> tuple[Issue, ...]:
        return check_target(make_spec(rules=(make_rule(**rule),), records=records), facts(*tables))

    return check


Findings = Callable[..., tuple[Issue, ...]]


def test_a_fitting_spec_gives_no_finding(findings: Findings) -> None:
    assert findings(FILE, columns={"Path": "{path}", "URL": "{url}"}) == ()
    assert findings(FILE, columns={"URL": "{url}"}, identity=ByKey({"Path": "{path}"})) == ()


def test_a_missing_table_is_said_once_with_the_one_that_may_be_meant(findings: Findings) -> None:
    (found,) = findings(FILE, table=TableName("nanoscience", "Files"))
    assert (found.code, found.holds) == ("catalog.table_missing", True)
    assert "nanoscience:File" in found.message


def test_an_unknown_column_is_named_with_the_nearest(findings: Findings) -> None:
    (found,) = findings(FILE, columns={"Path": "{path}", "Ulr": "{url}", "URL": "{url}"})
    assert found.code == "catalog.column_missing"
    assert "'Ulr'" in found.message
    assert "'URL'" in found.message


def test_a_column_that_may_not_be_empty_gets_no_value(findings: Findings) -> None:
    (found,) = findings(FILE, columns={"URL": "{url}"})
    assert (found.code, found.location.field) == ("catalog.column_required", "nanoscience:File:Path")
    # what a CSV of rows will hold is not known yet
    assert findings(FILE, columns={}, kind=RuleKind.ROWS) == ()


def test_no_right_to_insert_but_unknown_rights_say_nothing(findings: Findings) -> None:
    locked = table("nanoscience:File", ColumnFacts("Path", "text"), may_insert=False)
    unknown = table("nanoscience:File", ColumnFacts("Path", "text"))
    assert [found.code for found in findings(locked)] == ["catalog.no_right"]
    assert findings(unknown) == ()


def test_parents_that_are_only_looked_up_need_no_right_and_no_values(findings: Findings) -> None:
    project = table(
        "nanoscience:Project",
        ColumnFacts("Name", "text"),
        ColumnFacts("PI", "text", nullok=False),
        may_insert=False,
    )
    looked_up = RecordRule(
        "Project", TableName("nanoscience", "Project"), {"Name": "{project}"}, create=False
    )
    made = RecordRule("Project", TableName("nanoscience", "Project"), {"Name": "{project}"})
    assert findings(FILE, project, records=(looked_up,)) == ()
    assert {found.code for found in findings(FILE, project, records=(made,))} == {
        "catalog.column_required",
        "catalog.no_right",
    }


def test_catalog_faults_stay_errors_under_a_deriva_document(
    make_spec: Callable[..., Spec], make_rule: Callable[..., Rule]
) -> None:
    spec = make_spec(form=SpecForm.DERIVA, rules=(make_rule(columns={"Nope": "1", "Path": "p"}),))
    (found,) = check_target(spec, facts(FILE))
    assert found.holds
