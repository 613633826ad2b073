"""The options of commands that carry folders (`upload`, `engine`), gathered in one value."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from uploader.bootstrap import Settings
from uploader.cli.options import catalog_option, folder, server_option, spec_option
from uploader.engine.limits import MOST_AT_ONCE, PATIENCE_S, Limits
from uploader.engine.pacing.bandwidth import UNLIMITED, parse_rate
from uploader.engine.pacing.schedule import Schedule
from uploader.model.control import Order
from uploader.model.errors import SettingsError

_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
FOREVER: Final = "forever"


@dataclass(frozen=True, slots=True)
class Asked:
    """What to carry, by which spec, where to, how fast, and what to leave as a receipt: all as it was typed."""

    roots: tuple[Path, ...]
    spec: str | None = None
    server: str | None = None
    catalog: str | None = None
    strict: bool = False
    receipt: Path | None = None
    limit: str | None = None
    schedule: str | None = None
    order: str | None = None
    at_once: int | None = None
    wait: str | None = None

    @property
    def settings(self) -> Settings:
        """Server, catalog and our own memory."""
        return Settings.from_environment(server=self.server, catalog=self.catalog)

    @property
    def limits(self) -> Limits:
        """The limits of the run; raises SettingsError where one cannot be read."""
        if self.schedule is not None:
            # Read here already: a wrong schedule must be known before a disk is scanned.
            Schedule.parse(self.schedule)
        return Limits(
            limit_bytes_per_s=UNLIMITED if self.limit is None else parse_rate(self.limit),
            schedule=self.schedule or "",
            most_at_once=self.at_once or MOST_AT_ONCE,
            patience_s=PATIENCE_S if self.wait is None else parse_duration(self.wait),
            order=Order(self.order) if self.order else Order.NEWEST,
        )

    def arguments(self) -> list[str]:
        """The options again: to go on after an interruption a command must name the same spec and server."""
        named = [part for root in self.roots for part in ("--dir", str(root))]
        for part in fields(self)[1:]:
            value = getattr(self, part.name)
            flag = f"--{part.name.replace('_', '-')}"
            if value is True:
                named.append(flag)
            elif value:
                named += [flag, str(value)]
        return named


def parse_duration(text: str) -> float:
    """Seconds of `30s`, `10m`, `2h`, `1.5d`; infinite for `forever`. Raises SettingsError for anything else."""
    wanted = text.strip().lower()
    if wanted == FOREVER:
        return math.inf
    match = _DURATION.fullmatch(wanted)
    unit = _SECONDS.get(match[2] or "s") if match else None
    if match is None or unit is None:
        raise SettingsError(
            f"{text!r} is not a duration.",
            detail="Nothing was read or sent.",
            remedy="Write for example 30s, 10m, 2h, 1d or forever.",
        )
    return float(match[1]) * unit


limit_option = click.option(
    "--limit", metavar="RATE", help="Send no faster than this, for example 20MB/s or 100Mbit/s."
)
schedule_option = click.option(
    "--schedule",
    metavar="TEXT",
    help="Limits by the time of day, for example '20:00-06:00 full; else 2MB/s'; with --limit the lower holds.",
)
order_option = click.option(
    "--order",
    type=click.Choice([order.value for order in Order]),
    help="Which sessions go first; default: newest. 'given': the folders in the order in which they are named.",
)

_OPTIONS = (
    click.option(
        "--dir",
        "roots",
        type=folder,
        multiple=True,
        required=True,
        metavar="DIR",
        help="Folder to carry; give it again for more folders.",
    ),
    spec_option,
    server_option,
    catalog_option,
    click.option(
        "--strict", is_flag=True, help="Send nothing if any file is held or not claimed by the spec."
    ),
    click.option(
        "--receipt",
        type=folder,
        metavar="FILE",
        help="Where to write the receipt; by default in the state folder, never in the data.",
    ),
    limit_option,
    schedule_option,
    order_option,
    click.option(
        "--at-once",
        type=click.IntRange(1, MOST_AT_ONCE),
        metavar="N",
        help=f"Send at most N files and parts at once, 1 to {MOST_AT_ONCE}; how many are best is measured.",
    ),
    click.option(
        "--wait",
        metavar="DURATION",
        help="How long to wait for a server that is away or full: 0s, 30s, 10m, 2h, forever; default: 10m.",
    ),
)


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Gives a command these options, gathered in its parameter `asked`."""

    @functools.wraps(command)
    def gathered(**values: Any) -> int:
        asked = Asked(**{part.name: values.pop(part.name) for part in fields(Asked)})
        return command(asked=asked, **values)

    for option in reversed(_OPTIONS):
        option(gathered)
    return gathered
