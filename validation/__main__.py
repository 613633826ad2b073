"""`python -m validation FILE|DIR...`: checks files without the uploader; exit 0 clean, 1 findings, 2 not run."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from validation.errors import SpecError, ValidationError
from validation.model import Report, Severity, worst
from validation.reporters import json as json_reporter
from validation.reporters import text as text_reporter

CLEAN, FINDINGS, COULD_NOT_RUN = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    from validation.check import Depth  # noqa: PLC0415  --help must stay quick
    from validation.examine import examine  # noqa: PLC0415
    from validation.spec.load import find, load  # noqa: PLC0415

    try:
        spec = load(find(options.spec)) if options.spec else None
        report = examine(
            options.paths,
            now=datetime.now(UTC),
            spec=spec,
            level=options.level,
            depth=Depth(options.depth),
        )
    except SpecError as error:
        _show(Report(issues=error.issues, subject=error.subject), options.format, options.output)
        return COULD_NOT_RUN
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return COULD_NOT_RUN
    except OSError as error:
        sys.stderr.write(
            f"{error.filename or 'a file'}: {error.strerror or error}. Nothing was checked; correct the path.\n"
        )
        return COULD_NOT_RUN
    _show(report, options.format, options.output)
    found = worst(report.issues)
    return FINDINGS if found and found.rank >= Severity(options.fail_on).rank else CLEAN


def _show(report: Report, form: str, output: Path | None) -> None:
    if form == "json":
        text = json_reporter.render(report)
    else:
        colour = output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
        text = text_reporter.render(report, width=shutil.get_terminal_size((100, 24)).columns, colour=colour)
    if output is not None:
        output.write_text(text + "\n", "utf-8")
    else:
        sys.stdout.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m validation",
        description="Checks instrument files, metadata documents, specs and folders. Sends nothing.",
        epilog="Exit code 0: clean; 1: findings; 2: could not run.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
    parser.add_argument(
        "--spec", default="", help="spec that folders are checked against: a file or a shipped name"
    )
    parser.add_argument(
        "--level",
        default="",
        choices=["", "capture", "nffa-core"],
        help="level that metadata documents are checked at; otherwise the one each claims",
    )
    parser.add_argument("--depth", default="headers", choices=["names", "headers"], help="how deep to look")
    parser.add_argument("--format", default="text", choices=["text", "json"], help="form of the report")
    parser.add_argument(
        "--fail-on", default="error", choices=["error", "warning"], help="what makes the exit code 1"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the report there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
