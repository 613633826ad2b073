"""The command `nanoferry`: a table of commands that are loaded when they are asked for."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Final

import click

from uploader.cli.console import prepare_streams, show_crash, show_fault
from uploader.cli.exits import Exit
from uploader.model.errors import Cancelled, UploaderError
from validation.errors import ValidationError

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "upload": ("upload:command", "Carry folders into the catalog; what is there already is not sent again."),
    "watch": ("watch:command", "Carry what comes into folders, until it is stopped."),
    "validate": ("validate:command", "Check a folder and say what is wrong; sends nothing."),
    "explain": ("explain:command", "Say which rule takes a path, or where the nearest rule failed."),
    "inspect": ("inspect:command", "Show what one instrument file says of itself."),
    "verify": ("verify:command", "Compare a receipt with disk and server: what is safe to delete?"),
    "status": ("status:command", "Show running engines, the server, the login and the latest runs."),
    "follow": ("follow:command", "Watch a running engine until it ends."),
    "pause": ("pause:command", "Hold back files, a folder or everything."),
    "resume": ("resume:command", "Let paused files go on."),
    "cancel": ("cancel:command", "Leave files out of a running run."),
    "retry": ("retry:command", "Try failed and cancelled files again."),
    "prioritise": ("prioritise:command", "Send some files before the others."),
    "limit": ("limit:command", "Limit how fast running engines send."),
    "stop": ("stop:command", "End running engines cleanly."),
    "engine": ("engine:command", "Host an engine for another program; says one line when it is up."),
    "history": ("history:command", "Have I sent this file? And what became of the latest runs."),
    "repair": ("repair:command", "Heal what has come apart: objects without records and the reverse."),
    "serve": ("serve:command", "Start, find or stop the built-in catalog."),
    "catalog": ("catalog:command", "Prepare a catalog."),
    "spec": ("spec:command", "Work with specs."),
    "demo": ("demo:command", "Make an example session and carry it the whole way."),
    "app": ("app:command", "Open the desktop app."),
}
"""Name -> where the command is, and its line in --help: so that --help imports none of them."""

_EPILOG = """\b
Environment:
  NANOFERRY_SERVER     address of the server, as --server
  NANOFERRY_CATALOG    catalog on that server, as --catalog
  NANOFERRY_TOKEN      bearer token of the login
  NANOFERRY_COOKIE     value of the webauthn cookie, instead of a token
  NANOFERRY_STATE_DIR  folder of journal, receipts and the built-in catalog

\b
Exit codes: 0 all done, 1 finished but something was held or failed,
2 could not run, 130 interrupted.
"""


_KEPT = "Everything that the server has acknowledged is kept, and your files were not touched."


class LazyGroup(click.Group):
    """A group that imports a command only when it runs or its own --help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table: from the most used on."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        found = getattr(_imported(f"uploader.cli.{module}"), attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"uploader.cli.{module}:{attribute} is no command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


def _imported(module: str) -> ModuleType:
    # What an import makes stays: looking for garbage in it meanwhile would take a twentieth of a short run.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if was_collecting:
            gc.enable()


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nanoferry", message="nanoferry %(version)s")
def cli() -> None:
    """Carry instrument data from microscopes into a scientific data catalog."""


def run(arguments: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one per kind of fault
    """Run one command line and give its exit code; a fault becomes one message, never a traceback."""
    prepare_streams()
    try:
        result = cli.main(args=arguments, prog_name="nanoferry", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Exit.COULD_NOT_RUN
    except (click.Abort, KeyboardInterrupt):
        show_fault(Cancelled("Interrupted.", detail=_KEPT, remedy="To go on, run the same command again."))
        return Exit.INTERRUPTED
    except Cancelled as error:
        show_fault(error)
        return Exit.INTERRUPTED
    except (UploaderError, ValidationError) as error:
        show_fault(error)
        return Exit.COULD_NOT_RUN
    except BrokenPipeError:
        # The reader of our output has left (`| head`); stdout must not be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.SOMETHING_LEFT
    except OSError as error:
        show_fault(_of_the_system(error))
        return Exit.COULD_NOT_RUN
    except Exception:  # noqa: BLE001 - a mistake in the program must not look like exit code 1
        show_crash()
        return Exit.COULD_NOT_RUN
    return result if isinstance(result, int) else Exit.DONE


def _of_the_system(error: OSError) -> UploaderError:
    """What the operating system refused, where no step has better words for it."""
    about = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    return UploaderError(
        f"The system refused something: {error.strerror or error}{about}.",
        detail=_KEPT,
        remedy="Make room or give the right that is missing, and run the same command again.",
    )


def main() -> None:
    """Entry point of the console script."""
    code = run()
    # All is closed; that nothing is left is not worth a look through everything that was imported.
    gc.freeze()
    sys.exit(code)
