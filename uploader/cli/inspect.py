"""`nanoferry inspect`: what one instrument file says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import folder, json_option
from uploader.model.errors import SourceUnreadable, SourceVanished

_VALUE_CHARS = 60


@click.command("inspect")
@click.argument("file", type=folder, metavar="FILE")
@click.option("--raw", is_flag=True, help="Show the vendor's own tags as well.")
@json_option
def command(*, file: Path, raw: bool, as_json: bool) -> int:
    """Show the format of a file, its values with unit and source tag, and what is wrong with it.

    With --json: one document with the vendor's own tags.
    """
    from validation.instruments.describe import describe  # noqa: PLC0415 - --help must not load readers

    console = Console(json_lines=as_json)
    _refuse_unless_file(file)
    found = describe(file)
    if as_json:
        console.emit(found)
    else:
        console.say(*_lines(found, with_raw=raw))
    return Exit.DONE


def _refuse_unless_file(path: Path) -> None:
    try:
        is_folder, is_there = path.is_dir(), path.exists()
        if is_there and not is_folder:
            path.open("rb").close()
    except OSError as error:
        raise SourceUnreadable(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Give this account the right to read it, or check the path.",
        ) from error
    if is_folder:
        raise SourceUnreadable(
            f"{path} is a folder.",
            remedy=f"Name one file in it, or check it whole: nanoferry validate {path}",
        )
    if not is_there:
        raise SourceVanished(f"There is no file {path}.", remedy="Check the spelling of the path.")


def _lines(found: Mapping[str, Any], *, with_raw: bool) -> Iterator[str]:
    size = f", {wording.size(found['size_bytes'])}" if "size_bytes" in found else ""
    yield f"{found['file']}: {found['format_title']} ({found['format']}){size}"
    rows = [(each["label"], _value(each), each["source"]) for each in found["fields"]]
    if rows:
        labels, values = (max(len(row[part]) for row in rows) for part in (0, 1))
        yield from (f"  {label:<{labels}}  {value:<{values}}  {source}" for label, value, source in rows)
    else:
        yield "  It gives no values that are known."
    for each in found["issues"]:
        yield f"  {each['severity']}: {each['message']} ({each['code']})"
        yield f"      {each['remedy']}"
    if with_raw:
        yield "Tags of the vendor:"
        yield from (
            "  " + line for line in json.dumps(found["raw"], indent=2, ensure_ascii=False).splitlines()
        )


def _value(described: Mapping[str, Any]) -> str:
    value = described["value"]
    if isinstance(value, list | tuple):
        text = " × ".join(str(part) for part in value)
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = str(value)
    unit = f" {described['unit']}" if described["unit"] else ""
    return wording.shortened(text, _VALUE_CHARS) + unit
