"""Files taken against the spec, sidecars gathered on the way; folders inside folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader.model.entries import Found
from uploader.stages.ignore import IgnoreRules
from uploader.stages.match import Sidecars, find, held_by_policy
from uploader.stages.roots import make_root, outermost
from validation.model import Issue
from validation.spec.load import find as find_spec
from validation.spec.load import load
from validation.spec.matching import Matcher
from validation.spec.model import Spec, UnmatchedPolicy

SESSION = "P/S/2025-03-11_rossi_SEM"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(find_spec("em-session"))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def found_in(folder: Path, spec: Spec, sidecars: Sidecars) -> list[Found | Issue]:
    root = make_root(folder)
    return list(find(root, spec, Matcher(spec, root.path.as_posix()), IgnoreRules(), sidecars))


def test_files_come_with_their_rule_and_sidecars_do_not_come(tmp_path: Path, spec: Spec) -> None:
    folder = tmp_path / SESSION
    write(folder, notes_dot_txt="x", odd="x", nanoferry_dot_yaml="operator: {name: Anna}\n")
    sidecars = Sidecars()
    files = {
        one.source.path: one.rule for one in found_in(tmp_path, spec, sidecars) if isinstance(one, Found)
    }
    assert files == {f"{SESSION}/notes.txt": "data", f"{SESSION}/odd": ""}
    assert list(sidecars.levels) == [SESSION]


def test_the_nearest_sidecar_wins_field_by_field(tmp_path: Path, spec: Spec) -> None:
    write(tmp_path, nanoferry_dot_yaml="operator: {name: Top}\ntitle: Whole\n")
    write(tmp_path / SESSION, nanoferry_dot_yaml="operator: {name: Near}\n", notes_dot_txt="x")
    sidecars = Sidecars()
    # Dropping the session alone still finds what lies above it.
    found_in(tmp_path / SESSION, spec, sidecars)
    near, top = sidecars.typed(""), Sidecars()
    found_in(tmp_path, spec, top)
    assert near.values["operator"] == top.typed(SESSION).values["operator"]
    assert near.values["title"] == "Whole"
    assert top.typed("").values["operator"] != near.values["operator"]


def test_a_broken_sidecar_holds_its_folder(tmp_path: Path, spec: Spec) -> None:
    write(tmp_path / SESSION, nanoferry_dot_yaml="operator: [\n")
    (why,) = (one for one in found_in(tmp_path, spec, Sidecars()) if isinstance(one, Issue))
    assert why.group == f"folder:{SESSION}"
    assert why.location.path == f"{SESSION}/nanoferry.yaml"
    assert why.holds


@pytest.mark.parametrize(("unmatched", "held"), [(0, 0), (1, 1), (3, 1)])
def test_unmatched_files_hold_all_only_where_the_spec_says_so(unmatched: int, held: int, spec: Spec) -> None:
    from dataclasses import replace

    assert held_by_policy(spec, unmatched) == ()
    strict = replace(spec, unmatched=UnmatchedPolicy.HOLD)
    assert len(held_by_policy(strict, unmatched)) == held


def test_folders_inside_others_are_covered_by_them(tmp_path: Path) -> None:
    for name in ("a/b/c", "ab"):
        (tmp_path / name).mkdir(parents=True)
    roots = [make_root(tmp_path / name) for name in ("a/b", "a", "ab", "a/b/c")]
    assert [root.path.name for root in outermost(roots)] == ["a", "ab"]
