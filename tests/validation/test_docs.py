"""docs/validation.md: its examples work and its tables leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from validation.check import DATASET_CHECKS, FILE_CHECKS
from validation.schema import LEVELS
from validation.sidecar import merge, read
from validation.sidecar.keys import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "validation.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_sidecars_of_the_page_are_valid_and_together_whole(tmp_path: Path) -> None:
    levels = []
    for number, text in enumerate(block for block in blocks("yaml") if block.startswith("# in")):
        path = tmp_path / str(number) / "nanoferry.yaml"
        path.parent.mkdir()
        path.write_text(text, "utf-8")
        values, issues = read(path)
        assert issues == ()
        levels.append((str(number), values))
    assert len(levels) == 2
    typed = merge(levels)
    assert typed.values["neverAcquired"] == ["7", "10-14"]
    assert typed.values["operator"] == {"name": "Grace Hopper"}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_sidecar_is_explained(key: str) -> None:
    section = PAGE.partition("## nanoferry.yaml")[2].partition("## The metadata document")[0]
    assert f"`{key}`" in section


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_explained(level: str) -> None:
    assert f"| `{level}` |" in PAGE


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("python"):
        exec(compile(block, "docs/validation.md", "exec"), {})
    said = capsys.readouterr().out
    assert "metadata.missing /persons" in said
    assert "no level yet" in said


def test_every_check_says_what_it_is() -> None:
    for _, check in (*FILE_CHECKS, *DATASET_CHECKS):
        assert check.__doc__
