"""One failing and one passing example for every code that the checks of this package give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import validation
from validation.check import (
    CheckedFile,
    DatasetFiles,
    Depth,
    HeaderSummary,
    Member,
    Members,
    check_dataset,
    check_file,
    check_member,
    check_target,
)
from validation.examine import examine
from validation.facts import CatalogFacts, ColumnFacts, TableFacts
from validation.model import Issue
from validation.schema import check_document
from validation.spec.model import Match, NoMatch

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
AREAS = (
    "check.py",
    "documents.py",
    "examine.py",
    "folder.py",
    "schema.py",
    "sidecar.py",
    "sidecar_keys.py",
    "rules/*.py",
)

Case = Callable[[Any], Iterable[Issue]]


def of_file(captures: Mapping[str, Any] | None = None, /, *, level: str = "capture", **fields: Any) -> Case:
    """Findings about a file with these captures and header fields."""

    def run(bench: Any) -> Iterable[Issue]:
        rule = bench.rule()
        match = Match(rule.id, captures or {}, also=fields.get("also", ()))
        size = fields.get("size_bytes", 1)
        parts = {name: value for name, value in fields.items() if name not in {"also", "size_bytes", "typed"}}
        typed = bench.typed(**fields.get("typed", {}))
        file = CheckedFile("a.tif", size, 0, match, rule, bench.header(**parts), typed)
        return check_file(file, bench.spec(level=level), Depth.HEADERS, NOW)

    return run


def unmatched(path: str) -> Case:
    """Findings about a file that no rule takes."""
    return lambda bench: check_file(
        CheckedFile(path, 1, 0, NoMatch(), None, None, bench.typed()), bench.spec(), Depth.NAMES, NOW
    )


def of_dataset(*members: Member, **spec: Any) -> Case:
    """Findings about a dataset of these members."""

    def run(bench: Any) -> Iterable[Issue]:
        rules = (bench.rule(companions=("{n}.emi",)),)
        against = bench.spec(rules=rules, **spec)
        dataset = DatasetFiles("ds", "f", Members(against), bench.typed(), HeaderSummary())
        of_members = [found for member in members for found in check_member(dataset, member, against)]
        return (*of_members, *check_dataset(dataset, against, Depth.HEADERS if spec else Depth.NAMES))

    return run


def of_text(name: str, text: str) -> Case:
    """Findings about a file with this name and text."""

    def run(bench: Any) -> Iterable[Issue]:
        path = bench.folder / name
        path.write_text(text, "utf-8")
        return examine([path], now=NOW).issues

    return run


def of_references(**document: Any) -> Case:
    """Findings about a document."""
    return lambda _: check_document(document, "capture")


def of_target(*columns: ColumnFacts, table: str = "nanoscience:File", may_insert: bool = True) -> Case:
    """Findings about the standard spec against a catalog with one table."""
    known = TableFacts(table, {one.name: one for one in columns}, may_insert=may_insert)
    return lambda bench: check_target(bench.spec(), CatalogFacts({table: known}))


def slices(*numbers: int) -> list[Member]:
    return [Member(f"f/{n}", "frames", captures={"slice": n}) for n in numbers]


def crashes(bench: Any) -> Iterable[Issue]:
    """A check that meets a value it cannot have foreseen: here, a spec whose rules are no rules."""
    against = bench.spec(required=({"rule": "frames", "min": "three"},))
    dataset = DatasetFiles("ds", "f", Members(against, slices(1)), bench.typed(), HeaderSummary())
    return check_dataset(dataset, against, Depth.NAMES)


def unreadable_folder(bench: Any) -> Iterable[Issue]:
    """A folder that went away between being named and being listed."""
    from validation.check import Depth
    from validation.folder import check_folder

    return check_folder(bench.folder / "gone", None, Depth.NAMES, NOW).issues


def vanishes(bench: Any) -> Iterable[Issue]:
    """A file that goes away after its folder was listed."""
    from validation import folder

    (bench.folder / "a.tif").write_bytes(b"x")
    listed = [("", "a.tif"), ("", "gone.tif")]
    bench.patch.setattr(folder, "_files", lambda root, issues: iter(listed))
    return folder.check_folder(bench.folder, None, Depth.NAMES, NOW).issues


PATH = ColumnFacts("Path", "text", nullok=False)
PRIMARY = Member("f/a_1.ser", "frames", "primary", "set")
COMPANION = Member("f/a.emi", "frames", "companion", "set")

EXAMPLES: dict[str, tuple[Case, Case]] = {
    "path.unmatched": (unmatched("a/x.docx"), unmatched("a/nanoferry.yaml")),
    "path.ambiguous": (of_file(also=("other",)), of_file()),
    "source.empty": (of_file(size_bytes=0), of_file(size_bytes=1)),
    "source.unreadable": (vanishes, lambda bench: examine([bench.folder], now=NOW).issues),
    "source.folder_unreadable": (unreadable_folder, lambda bench: examine([bench.folder], now=NOW).issues),
    "header.path_conflict": (
        of_file({"kV": "200"}, accelerating_voltage_kV=300.0),
        of_file({"kV": "300"}, accelerating_voltage_kV=300.0),
    ),
    "header.operator_differs": (
        of_file({"operator": "Ada"}, operator="FEI User"),
        of_file({"operator": "Ada"}, operator="ada"),
    ),
    "header.typed_conflict": (
        of_file(typed={"settings": {"magnification": 10}}, magnification=20.0),
        of_file(typed={"settings": {"magnification": 20}}, magnification=20.0),
    ),
    "header.missing_field": (
        of_file(level="nffa-core", detector="SE2"),
        of_file(level="capture", detector="SE2"),
    ),
    "header.out_of_range": (of_file(accelerating_voltage_kV=1e6), of_file(accelerating_voltage_kV=20.0)),
    "header.future": (of_file(acquired="2031-01-01T00:00:00"), of_file(acquired="2025-01-01T00:00:00")),
    "sidecar.unreadable": (of_text("nanoferry.yaml", "a: ["), of_text("nanoferry.yaml", "title: a")),
    "sidecar.unknown_key": (of_text("nanoferry.yaml", "titel: a"), of_text("nanoferry.yaml", "title: a")),
    "metadata.unreadable": (of_text("d.json", "{"), of_text("d.json", '{"schemaVersion": "1.0"}')),
    "metadata.missing": (of_references(title="a"), lambda bench: check_document(bench.document, "nffa-core")),
    "metadata.invalid": (of_references(title=3), lambda bench: check_document(bench.document, "nffa-core")),
    "metadata.level": (
        of_dataset(*slices(1), level="gold"),
        of_dataset(*slices(1), level="capture"),
    ),
    "metadata.dangling_reference": (
        of_references(measurements=[{"id": "m", "instrumentId": "i"}]),
        of_references(measurements=[{"id": "m", "instrumentId": "i"}], instruments=[{"id": "i", "name": "n"}]),
    ),
    "group.companion_missing": (of_dataset(PRIMARY), of_dataset(PRIMARY, COMPANION)),
    "group.companion_orphan": (of_dataset(COMPANION), of_dataset(PRIMARY, COMPANION)),
    "group.gap": (of_dataset(*slices(1, 2, 4)), of_dataset(*slices(1, 2, 3))),
    "group.incomplete": (
        of_dataset(*slices(1), required=({"rule": "frames", "min": 2},)),
        of_dataset(*slices(1), required=({"rule": "frames", "min": 1},)),
    ),
    "group.duplicate_target": (
        of_dataset(Member("a", "frames", object_path="x"), Member("b", "frames", object_path="x")),
        of_dataset(Member("a", "frames", object_path="x"), Member("b", "frames", object_path="y")),
    ),
    "catalog.table_missing": (of_target(PATH, table="nanoscience:Files"), of_target(PATH)),
    "catalog.column_missing": (of_target(ColumnFacts("Pfad", "text")), of_target(PATH)),
    "catalog.column_required": (of_target(PATH, ColumnFacts("Owner", "text", nullok=False)), of_target(PATH)),
    "catalog.no_right": (of_target(PATH, may_insert=False), of_target(PATH)),
    "check.crashed": (crashes, of_dataset(*slices(1))),
}  # fmt: skip


@pytest.fixture
def bench(
    make_spec: object,
    make_rule: object,
    make_header: object,
    make_typed: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SimpleNamespace:
    """What the examples are built with."""
    document = {
        "schemaVersion": "1.0", "profile": {"name": "nanoscience", "level": "nffa-core"},
        "identifier": "a", "title": "a", "dataLevel": "raw",
        "context": {"facility": {"name": "f"}, "project": {"name": "p"}, "accessType": "other"},
        "persons": [{"id": "p", "name": "n", "roles": ["operator"]}],
        "instruments": [{"id": "i", "name": "n", "software": {"name": "s"}}],
        "measurements": [{
            "id": "m", "techniques": [{"code": "eds"}], "purpose": "other", "instrumentId": "i",
            "noSampleReason": "r", "personIds": ["p"], "startTime": "2026-01-01T00:00:00",
        }],
        "content": {"fileCount": 1, "sizeBytes": 1},
    }  # fmt: skip
    return SimpleNamespace(
        spec=make_spec,
        rule=make_rule,
        header=make_header,
        typed=make_typed,
        folder=tmp_path,
        document=document,
        patch=monkeypatch,
    )


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_failing_example_gives_the_code_and_the_passing_one_does_not(code: str, bench: Any) -> None:
    fails, passes = EXAMPLES[code]
    found = [one for one in fails(bench) if one.code == code]
    bench.patch.undo()
    assert found
    assert all(one.message and one.remedy and one.origin for one in found)
    assert code not in {one.code for one in passes(bench)}


def test_every_code_that_the_checks_give_has_an_example() -> None:
    package = Path(validation.__file__).parent
    given: set[str] = set()
    for area in AREAS:
        for module in package.glob(area):
            given |= set(re.findall(r'issue\(\s*"([a-z]+\.[a-z_]+)"', module.read_text("utf-8")))
    assert given - EXAMPLES.keys() == set()
