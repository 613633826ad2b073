"""`validation` in a new environment that holds only its own libraries (DESIGN 6.10)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def own_requirements() -> list[str]:
    """The dependencies of pyproject.toml that stand before those of the uploader."""
    text = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    mine, _, others = text.partition("# the uploader")
    assert others, "pyproject.toml says which dependencies are validation's own"
    every = tomllib.loads(text)["project"]["dependencies"]
    return [one for one in every if f'"{one}"' in mine]


def test_the_requirements_are_those_of_the_design() -> None:
    names = {re.split(r"[\[>=<]", one)[0].lower() for one in own_requirements()}
    # jsonschema checks formats only where these two are installed
    formats = {"rfc3339-validator", "rfc3986-validator"}
    design = {"jsonschema", "pyyaml", "regex", "tifffile", "imagecodecs", "pillow", "numpy", "h5py"}
    assert names - formats == design


@pytest.mark.network
@pytest.mark.long
@pytest.mark.timeout(540)
def test_it_runs_in_an_environment_that_has_nothing_else(tmp_path: Path) -> None:
    environment = tmp_path / "alone"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, timeout=120)
    python = environment / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *own_requirements()],
        check=True,
        timeout=400,
    )
    place = tmp_path / "package"
    shutil.copytree(
        CHECKOUT / "validation", place / "validation", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(CHECKOUT / "specs", place / "validation" / "_specs")
    data = tmp_path / "data"
    data.mkdir()
    (data / "nanoferry.yaml").write_text("sample: A\n", "utf-8")
    (data / "a.txt").write_text("x", "utf-8")
    done = subprocess.run(
        [python, "-m", "validation", data, "--spec", "em-session"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "path.unmatched" in done.stdout
