"""`nanoferry spec`: work with specs."""

from __future__ import annotations

import click

from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import json_option
from validation.errors import SpecError
from validation.model import Issue


@click.group("spec")
def command() -> None:
    """Work with specs: the files that say which folders and names go where."""


@command.command("check")
@click.argument("file", metavar="FILE")
@json_option
def check(*, file: str, as_json: bool) -> int:
    """Check a spec (a file, or the name of a shipped one) and list every fault with line and remedy.

    Exit code 0: the spec can be used; 1: it has faults; 2: it cannot be read.
    """
    from validation.spec.load import find, load  # noqa: PLC0415 - --help must not pay for it

    console = Console(json_lines=as_json)
    path = find(file)
    try:
        spec = load(path)
    except SpecError as error:
        _tell(console, file, error.issues)
        console.say(f"{file}: {wording.count(len(error.issues), 'finding')}; the spec cannot be used.")
        return Exit.SOMETHING_LEFT
    _tell(console, file, spec.issues)
    console.say(
        f"{file}: {spec.id} {spec.version} ({spec.form.value}), {wording.count(len(spec.rules), 'rule')}, "
        f"{wording.count(len(spec.records), 'record')}; the spec can be used."
    )
    return Exit.DONE


@command.command("list")
@json_option
def shipped_specs(*, as_json: bool) -> int:
    """List the specs that come with Nanoferry."""
    from validation.spec.load import load, shipped  # noqa: PLC0415

    console = Console(json_lines=as_json)
    for name, path in sorted(shipped().items()):
        spec = load(path)
        if as_json:
            console.emit({"name": name, "version": spec.version, "form": spec.form.value, "path": str(path)})
        else:
            console.say(f"{name:<20} {spec.version:<8} {wording.count(len(spec.rules), 'rule')}  {path}")
    return Exit.DONE


def _tell(console: Console, subject: str, issues: tuple[Issue, ...]) -> None:
    for issue in issues:
        if console.json_lines:
            console.emit(issue.to_json())
            continue
        place = ":".join(str(part) for part in (subject, issue.location.line, issue.location.column) if part)
        console.say(f"{place}: {issue.severity.value}: {issue.message} ({issue.code})")
        console.say(f"    → {issue.remedy}")
