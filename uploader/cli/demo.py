"""`nanoferry demo`: makes an example session and carries it the whole way."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from uploader.bootstrap import Settings, connect, init_catalog
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit, after
from uploader.cli.invocation import command_line
from uploader.cli.options import folder
from uploader.cli.serve import address_lines
from uploader.cli.upload import carry
from uploader.cli.validate import show_report, survey
from uploader.demo import make_session
from uploader.embedded.lifecycle import stop
from uploader.model.errors import SettingsError


@click.command("demo")
@click.option(
    "--keep/--no-keep",
    default=True,
    show_default=True,
    help="Leave the catalog running, or remove everything.",
)
@click.option(
    "--dir",
    "directory",
    type=folder,
    metavar="DIR",
    help="Where to put session, journal and catalog; default: a folder `demo` in the state folder.",
)
def command(*, keep: bool, directory: Path | None) -> int:
    """Make an example session of about 60 pictures with some faults, check it, upload it, show where it is."""
    console = Console()
    with _place(directory, keep=keep) as place:
        # The layout of a state folder, so that NANOFERRY_STATE_DIR makes every other command use the demo's.
        state_dir = place / "state"
        settings = Settings(server="", catalog="1", state_dir=state_dir, embedded_dir=state_dir / "catalog")
        try:
            _make(console, place / "session")
            return _whole_way(console, settings, place / "session", keep=keep)
        finally:
            if not keep:
                stop(settings.embedded_dir)
                console.say("", "The catalog is stopped and everything is removed again.")


@contextmanager
def _place(directory: Path | None, *, keep: bool) -> Iterator[Path]:
    """The folder of the demo. Without `keep` it is a new one, so that nothing else can be removed with it."""
    parent = directory.absolute() if directory is not None else Settings.from_environment().state_dir / "demo"
    try:
        if keep:
            parent.mkdir(parents=True, exist_ok=True)
            yield parent
            return
        if directory is not None:
            parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="nanoferry-demo-", dir=parent if directory is not None else None))
    except OSError as error:
        raise SettingsError(
            f"The demo cannot use the folder {parent}: {error.strerror or error}.",
            detail="Nothing was made.",
            remedy="Name a writable folder with --dir.",
        ) from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make(console: Console, session: Path) -> None:
    if session.exists():
        console.say(f"1. The example session is there already: {session}")
        return
    made = make_session(session)
    number = wording.count(len(made.pictures), "picture")
    console.say(f"1. Made an example session of {number}: {session}")
    console.say(f"   with {wording.count(len(made.faults), 'fault')} on purpose:")
    for fault in made.faults:
        console.say(f"   - {fault.path.rpartition('/')[2]}: {fault.story}")


def _whole_way(console: Console, settings: Settings, session: Path, *, keep: bool) -> int:
    with connect(settings) as remote:
        created = init_catalog(remote)
        endpoint = remote.endpoint
        console.say("", f"2. Started the built-in catalog at {remote.connection.base_url}")
        made = f"{wording.count(len(created), 'part')} created" if created else "the model is there already"
        console.say(f"   {command_line('catalog', 'init')}: {made}")
    console.say("", f"3. {command_line('validate', str(session))}")
    report = survey(console, settings, [session], None)
    show_report(console, report)
    upload = ("upload", "--dir", str(session))
    console.say("", f"4. {command_line(*upload)}")
    # What the check has just told is not said twice; what only pixels show is new.
    told = {found.code for found in report.issues}
    summary = carry(console, settings, [session], None, again=upload, told=told)
    if keep and endpoint is not None:
        state = shlex.join([f"NANOFERRY_STATE_DIR={settings.state_dir}"])
        console.say("", "5. Look at it:")
        console.say(*(f"   {line}" for line in address_lines(endpoint, settings.embedded_dir)))
        console.say(f"   To try the other commands on it: export {state}")
    # The faults are part of the show: files held because of them are what a good run looks like.
    code = after(summary)
    return Exit.DONE if code is Exit.SOMETHING_LEFT and not summary.failures else code
