"""`nanoferry serve`: start, find or stop the built-in catalog."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.bootstrap import Settings
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.invocation import command_line
from uploader.cli.options import folder, json_option
from uploader.embedded.lifecycle import Endpoint, ensure_running, running, stop


@click.command("serve")
@click.option(
    "--data", type=folder, metavar="DIR", help="Folder of the catalog's data; default: in the state folder."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; default: a free one."
)
@click.option("--public-read", is_flag=True, help="Let everybody on this machine read (demonstrations).")
@click.option("--stop", "ask_stop", is_flag=True, help="Stop the server of this folder.")
@json_option
def command(*, data: Path | None, port: int, public_read: bool, ask_stop: bool, as_json: bool) -> int:
    """Start the built-in catalog in the background, or find the one that runs; it listens on this machine only."""
    console = Console(json_lines=as_json)
    folder_of_data = data or Settings.from_environment().embedded_dir
    if ask_stop:
        was_running = stop(folder_of_data)
        console.say("The server is stopped." if was_running else f"No server runs for {folder_of_data}.")
        return Exit.DONE
    found = running(folder_of_data)
    endpoint = found or ensure_running(folder_of_data, port=port, public_read=public_read)
    if found is not None and port and not found.url.endswith(f":{port}"):
        console.note("A server already runs for this folder, on another port; stop it first to move it.")
    if as_json:
        console.emit(
            {"url": endpoint.url, "page": endpoint.page_link, "pid": endpoint.pid, "id": endpoint.server_id}
        )
    else:
        console.say(*address_lines(endpoint, folder_of_data))
    return Exit.DONE


def address_lines(endpoint: Endpoint, data_dir: Path) -> list[str]:
    """Where a running server is, how to look at it, and how to stop it."""
    return [
        f"Catalog:  {endpoint.url} (data in {data_dir})",
        f"Page:     {endpoint.page_link}",
        f"          The link opens once; `{command_line('serve', '--data', str(data_dir))}` gives a new one.",
        f"Stop it:  {command_line('serve', '--data', str(data_dir), '--stop')}",
    ]
