"""The promises of shape: layers, sizes, a light start, one module that prints, nothing of this machine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("uploader", "validation")
MOST_LINES = 400
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".sh",
    ".html",
    ".js",
    ".css",
    ".svg",
    ".cfg",
    "",
}

# Pieces of the paths of people's machines, put together so that this file does not hold them.
MACHINE_PATHS = re.compile(
    "|".join([r"/ho" r"me/\w+/", r"/Us" r"ers/\w+/", r"C:\\Us" r"ers\\", r"/wo" r"rk/\w+", r"/ro" r"ot/\."])
)


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((CHECKOUT / package).rglob("*.py"))


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False, text=True
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return [CHECKOUT / name for name in listed.stdout.split("\0") if name]


def test_the_import_contracts_hold() -> None:
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"], cwd=CHECKOUT, capture_output=True, check=False, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    lengths = {
        str(path.relative_to(CHECKOUT)): len(path.read_text("utf-8").splitlines())
        for path in (CHECKOUT / folder).rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_only_the_console_prints() -> None:
    """No print, click.echo or write to a standard stream outside cli/console.py.

    Allowed are programs of their own: the command and the docs page of `validation`, the embedded server.
    """
    own_processes = (
        "validation/__main__.py",
        "validation/codes_page.py",
        "uploader/embedded/__main__.py",
    )
    allowed = {CHECKOUT / name for name in ("uploader/cli/console.py", *own_processes)}
    found = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in sources()
        if path not in allowed
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _prints(node)
    ]
    assert found == []


def _prints(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return name in ("print", "click.echo", "click.secho", "rich.print") or name.startswith(
        ("sys.stdout.write", "sys.stderr.write")
    )


def test_http_clients_of_the_standard_library_stay_in_remote() -> None:
    """import-linter cannot forbid parts of the standard library's packages, so this looks itself."""
    found = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}: {name}"
        for path in sources()
        if not path.is_relative_to(CHECKOUT / "uploader/remote")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _imported(node)
        if name in ("http.client", "urllib.request")
    ]
    assert found == []


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def test_no_committed_file_names_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}: {hit.group()}"
        for path in committed()
        if path.suffix in TEXT_SUFFIXES and path.is_file()
        for hit in MACHINE_PATHS.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    return set(done.stdout.splitlines())


HELP = """
import contextlib, io
from uploader.cli.main import run
with contextlib.redirect_stdout(io.StringIO()):
    assert run(["--help"]) == 0
"""


@pytest.mark.parametrize("code", ["import validation", HELP], ids=["import validation", "nanoferry --help"])
def test_a_light_start_loads_nothing_heavy(code: str) -> None:
    heavy = {"numpy", "PySide6", "requests", "rich", "tifffile", "h5py", "jsonschema", "starlette", "uvicorn"}
    assert _modules_after(code) & heavy == set()


@pytest.mark.skipif(os.name != "posix", reason="measures the processor time of child processes")
def test_help_comes_at_once() -> None:
    """Under 0.15 s on a quiet machine. On a busy one everything is slower, the bare interpreter too."""
    help_s = min(_processor_s([sys.executable, "-m", "uploader", "--help"]) for _ in range(5))
    bare_s = min(_processor_s([sys.executable, "-c", "pass"]) for _ in range(5))
    assert help_s < max(0.15, 8 * bare_s)


def _processor_s(command: list[str]) -> float:
    import resource

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
    return used() - before


def test_data_folders_hold_no_python_packages() -> None:
    assert [*(CHECKOUT / "specs").rglob("__init__.py"), *(CHECKOUT / "packaging").rglob("__init__.py")] == []
