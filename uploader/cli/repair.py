"""`nanoferry repair`: finds what has come apart between disk, journal and server, and heals it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from uploader.bootstrap import Settings, connect
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit, after
from uploader.cli.invocation import command_line
from uploader.cli.memory import memory, running_engines
from uploader.cli.options import catalog_option, folder, json_option, server_option, spec_option
from uploader.cli.spec_choice import chosen_spec
from uploader.cli.upload import carry
from uploader.engine.repair import Ailment, Cure, Examination, Trouble, treat
from uploader.journal.opening import FILE_NAME
from uploader.journal.repair import salvage
from uploader.journal.soundness import fault_of
from uploader.journal.store import SqliteJournal
from uploader.model.errors import SettingsError
from uploader.model.ports import Catalog

SHOWN: Final = 20
"""Files named in words for each trouble; the rest is counted."""
TOLD_EVERY: Final = 2000
_RUNS_LOOKED_AT: Final = 100_000

_CURES = {
    Cure.UPLOAD: "to be uploaded",
    Cure.SEND_AGAIN: "to be sent again",
    Cure.ADOPT: "to be noted as stored",
    Cure.FORGET: "to be forgotten",
    Cure.CANCEL: "to be cancelled",
    Cure.NONE: "for a person to decide",
}
_EXAMPLES = """\b
Examples:
  nanoferry repair                        look, and say what would be done
  nanoferry repair --yes                  do it
  nanoferry repair --dir /data/session7   look only at what was sent from there
  nanoferry repair --journal              check this machine's journal
"""


@click.command("repair", epilog=_EXAMPLES)
@click.option(
    "--dir", "within", type=folder, multiple=True, metavar="DIR", help="Look only at files at or below DIR."
)
@click.option(
    "--journal", "of_journal", is_flag=True, help="Check and heal the journal itself; asks no server."
)
@click.option("--yes", is_flag=True, help="Do what the plan says; without it nothing is changed.")
@spec_option
@server_option
@catalog_option
@json_option
def command(
    *,
    within: tuple[Path, ...],
    of_journal: bool,
    yes: bool,
    spec: str | None,
    server: str | None,
    catalog: str | None,
    as_json: bool,
) -> int:
    """Compare all that was sent from here with the server and the disk, and heal what has come apart.

    It finds objects without a record, records without an object, what was begun and never finished, and upload
    jobs that nobody wants. Bytes and records are then written by an upload of the folders concerned, which also
    sends what is new there.

    Exit code 0: all is whole (again); 1: something is to be done; 2: could not run.
    """
    console = Console(json_lines=as_json)
    settings = Settings.from_environment(server=server, catalog=catalog)
    if of_journal:
        return _journal(console, settings, yes=yes)
    here = [place.absolute() for place in within]
    with memory(settings) as journal:
        if journal is None:
            console.say("Nothing was ever sent from here.")
            return Exit.DONE
        if busy := running_engines(journal):
            # Also without --yes: its files on the way would be told as troubles.
            raise SettingsError(
                f"An engine is running for {', '.join(root for one in busy for root in one.roots)}.",
                detail="What it has in hand looks unfinished; nothing was changed.",
                remedy="Wait until it has ended, or end it with `nanoferry stop`, and run this again.",
            )
        found = _examined(console, settings, journal, here, treated=yes)
    _say_plan(console, found)
    if not found or not yes:
        if found and not as_json:
            console.say("Nothing was changed. To do it, give the same command --yes.")
        return Exit.SOMETHING_LEFT if found else Exit.DONE
    return _uploaded(console, settings, found, spec)


def _journal(console: Console, settings: Settings, *, yes: bool) -> Exit:
    """Check our own memory; save what can be read of a damaged one into a new one."""
    folder_of_state = settings.state_dir
    if not (folder_of_state / FILE_NAME).is_file():
        console.say(f"There is no journal in {folder_of_state}: nothing was ever sent from here.")
        return Exit.DONE
    fault = fault_of(folder_of_state)
    saved = salvage(folder_of_state) if fault and yes else None
    if console.json_lines:
        rows = dict(saved.rows) if saved else {}
        console.emit(
            {
                "schema": "nanoferry.salvage/1",
                "fault": fault,
                "moved_to": str(saved.moved_to) if saved else "",
                "rows": rows,
            }
        )
    elif saved is not None:
        console.say(fault, saved.summary)
    elif fault:
        console.say(
            fault, "With --yes its files are moved aside, and what can be read of them is kept in a new one."
        )
    else:
        console.say(f"The journal in {folder_of_state} is sound.")
    return Exit.SOMETHING_LEFT if fault and saved is None else Exit.DONE


def _examined(
    console: Console, settings: Settings, journal: SqliteJournal, within: Sequence[Path], *, treated: bool
) -> list[Ailment]:
    """What has come apart; `treated`: with everything done about it that needs no upload."""

    def told(looked_at: int) -> None:
        if looked_at % TOLD_EVERY == 0:
            console.note(f"{looked_at:,} looked at …")

    with connect(settings) as remote:
        examination = Examination(
            journal,
            remote.store,
            remote.catalog,
            roots=_roots(journal, remote.catalog),
            within=within,
            on_page=told,
        )
        found = list(examination.ailments())
        for ailment in found if treated else ():
            treat(journal, remote.store, ailment)
    return found


def _roots(journal: SqliteJournal, catalog: Catalog) -> list[Path]:
    """Every folder that was ever carried to this catalog, the latest first."""
    runs = journal.runs(_RUNS_LOOKED_AT)
    ours = (run for run in runs if (run.server, run.catalog) == (catalog.server, catalog.catalog_id))
    return list(dict.fromkeys(Path(root) for run in ours for root in run.roots))


def _uploaded(console: Console, settings: Settings, found: Sequence[Ailment], spec: str | None) -> Exit:
    """Upload the folders that need it; the exit code of the whole repair."""
    left = Exit.SOMETHING_LEFT if any(each.cure is Cure.NONE for each in found) else Exit.DONE
    roots = _outermost({Path(each.root) for each in found if each.needs_upload})
    if not roots:
        return left
    again = ("upload", *(part for root in roots for part in ("--dir", str(root))))
    console.say("", command_line(*again))
    summary = carry(console, settings, roots, chosen_spec(spec), again=again)
    ended = after(summary)
    return left if ended is Exit.DONE else ended


def _outermost(roots: set[Path]) -> list[Path]:
    return sorted(root for root in roots if not any(other in root.parents for other in roots))


def _say_plan(console: Console, found: Sequence[Ailment]) -> None:
    if console.json_lines:
        for ailment in found:
            console.emit(ailment.to_json())
    elif not found:
        console.say("All is whole: every object has its record and every record its object.")
    else:
        console.say(*_plan_lines(found))


def _plan_lines(found: Sequence[Ailment]) -> Iterator[str]:
    for trouble in Trouble:
        for cure in Cure:
            alike = [each for each in found if (each.trouble, each.cure) == (trouble, cure)]
            if not alike:
                continue
            yield f"{trouble.value.capitalize()}: {wording.count(len(alike), 'file')} {_CURES[cure]}"
            for each in alike[:SHOWN]:
                yield f"  {each.path}"
                yield f"      {each.why}"
            if len(alike) > SHOWN:
                yield f"  … and {len(alike) - SHOWN:,} more; --json lists them all"
