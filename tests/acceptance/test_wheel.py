"""The built wheel works alone: a new environment, another folder, the whole flow."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# One worker of a parallel run builds and installs once for all of these tests.
pytestmark = [pytest.mark.network, pytest.mark.timeout(600), pytest.mark.xdist_group("wheel")]


def quiet_environment(state: Path) -> dict[str, str]:
    """The environment without anything of Python or Nanoferry that the test run itself uses."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NANOFERRY_", "PYTHON", "VIRTUAL_ENV", "COV_"))
    }
    return {**kept, "NANOFERRY_STATE_DIR": str(state)}


def run(command: list[str | Path], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=500,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--outdir", out, CHECKOUT], cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a new environment that holds the wheel and what it depends on, nothing else."""
    venv = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", venv], cwd=venv)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    run([scripts / "python", "-m", "pip", "install", "--quiet", wheel], cwd=venv)
    return scripts


def test_the_top_level_is_exactly_the_two_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"uploader", "validation"}
    assert len(top) == 3


def test_the_specs_travel_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    shipped = {
        path.relative_to(CHECKOUT / "specs").as_posix()
        for path in (CHECKOUT / "specs").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert {f"validation/_specs/{name}" for name in shipped} <= inside
    assert {"uploader/py.typed", "validation/py.typed"} <= inside
    assert not {name for name in inside if name.startswith("validation/_specs/") and name.endswith(".py")}


def test_a_headless_install_pulls_no_qt(installed: Path, tmp_path: Path) -> None:
    listed = run([installed / "python", "-m", "pip", "list", "--format", "freeze"], cwd=tmp_path).lower()
    assert "nanoferry==" in listed
    assert "pyside" not in listed
    assert "pyqt" not in listed


def test_the_demo_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where else"
    elsewhere.mkdir()
    printed = run(
        [installed / "nanoferry", "demo", "--no-keep"],
        cwd=elsewhere,
        env=quiet_environment(tmp_path / "state"),
    )
    assert "Done:" in printed
    assert "Receipt:" in printed
    assert list(elsewhere.iterdir()) == [], "it leaves nothing in the folder where it was called"
