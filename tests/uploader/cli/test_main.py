"""The outermost shell: help is quick, faults are one message, exit codes keep the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from uploader.cli import main as shell
from uploader.cli.exits import Exit
from uploader.model.errors import Cancelled, NotSignedIn
from validation.codes import issue
from validation.errors import SpecError

COMMANDS = sorted(shell.COMMANDS)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes every command raise this."""

    def install(error: BaseException) -> None:
        def command() -> None:
            raise error

        monkeypatch.setattr(
            shell.LazyGroup, "get_command", lambda self, ctx, name: click.Command(name, callback=command)
        )

    return install


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in COMMANDS)
    assert "NANOFERRY_STATE_DIR" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_has_a_line_of_help(name: str) -> None:
    def check(command: click.Command) -> None:
        assert command.help, command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name}: {parameter.name}"
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                check(inner)

    context = click.Context(shell.cli)
    found = shell.cli.get_command(context, name)
    assert found is not None
    check(found)


def test_a_fault_is_one_message_with_what_happened_kept_and_next(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(
        NotSignedIn(
            "The server refuses the login.",
            status=401,
            detail="Everything sent so far is kept.",
            remedy="Set NANOFERRY_TOKEN and run the same command again.",
        )
    )
    assert shell.run(["upload"]) == Exit.COULD_NOT_RUN
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "nanoferry: The server refuses the login.",
        "  Everything sent so far is kept.",
        "  What to do: Set NANOFERRY_TOKEN and run the same command again.",
    ]


def test_every_fault_of_a_spec_is_listed_with_its_place(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [
        issue("spec.pattern", "the pattern ends inside a group", line=7, column=12),
        issue("spec.unknown_name", "nothing supplies {smaple}", line=9),
    ]
    failing(SpecError("lab.yaml", faults))
    assert shell.run(["upload"]) == Exit.COULD_NOT_RUN
    printed = capsys.readouterr().err
    assert "lab.yaml: 2 faults in the spec" in printed
    assert "lab.yaml:7:12: the pattern ends inside a group" in printed
    assert "lab.yaml:9: nothing supplies {smaple}" in printed


def test_interrupted_before_anything_ran(failing: Callable[[BaseException], None]) -> None:
    failing(KeyboardInterrupt())
    assert shell.run(["upload"]) == Exit.INTERRUPTED
    failing(Cancelled("The check was interrupted."))
    assert shell.run(["upload"]) == Exit.INTERRUPTED


def test_a_mistake_in_the_program_is_not_mistaken_for_exit_1(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(AssertionError("this cannot be"))
    assert shell.run(["upload"]) == Exit.COULD_NOT_RUN
    assert "This is a fault in Nanoferry itself." in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["upload"], ["upload", "--nonsense"], ["--nonsense"]])
def test_wrong_use_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run(arguments) == Exit.COULD_NOT_RUN
    assert "Usage: nanoferry" in capsys.readouterr().err


def test_the_app_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run(["app"]) == Exit.COULD_NOT_RUN
    assert "pip install 'nanoferry[gui]'" in capsys.readouterr().err


def test_a_name_the_terminal_cannot_show_does_not_crash(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uploader", "inspect", "µ-Größe-\udcff.tif"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_an_interruption_before_the_engine_runs_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("uploader.cli.main.cli.main", interrupted)
    assert shell.run(["status"]) == 130
    said = capsys.readouterr().err
    assert "Interrupted." in said
    assert "run the same command again" in said


def test_what_the_system_refuses_is_no_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device", "/some/file")

    monkeypatch.setattr("uploader.cli.main.cli.main", full)
    assert shell.run(["status"]) == 2
    said = capsys.readouterr().err
    assert "No space left on device (/some/file)" in said
    assert "Traceback" not in said
