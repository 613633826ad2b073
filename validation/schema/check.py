"""Checks metadata documents against the nanoscience schema and says in words what is wrong and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from validation.codes import issue
from validation.model import Issue
from validation.rules.references import DOCUMENT_RULES
from validation.schema.words import remedy, words
from validation.sidecar import pointer
from validation.specset import data_dir

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError as Violation

LEVELS: tuple[str, ...] = ("capture", "nffa-core")
"""Each asks for all that those before it ask for."""

MOST_ISSUES = 200
"""Of one document; a document with more faults than that is not a metadata document."""


def check_document(document: Mapping[str, Any], level: str) -> tuple[Issue, ...]:
    """Everything that keeps the document from the level; findings carry a JSON pointer and a remedy."""
    if level not in LEVELS:
        raise ValueError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
    profile = document.get("profile")
    claimed = {**profile, "level": level} if isinstance(profile, Mapping) else {"level": level}
    subject = _plain({**document, "profile": {"name": "nanoscience", **claimed}})
    found: list[Issue] = []
    seen: set[tuple[str, str]] = set()
    for violation in _validator().iter_errors(subject):
        for finding in _findings(violation, level):
            mark = (finding.location.field, finding.message)
            if mark not in seen:
                seen.add(mark)
                found.append(finding)
        if len(found) >= MOST_ISSUES:
            break
    for rule in DOCUMENT_RULES:
        found += rule(subject)
    return tuple(found[:MOST_ISSUES])


def reached_level(document: Mapping[str, Any]) -> str:
    """The highest level that the document meets; empty when it does not even meet the first."""
    reached = ""
    for level in LEVELS:
        if check_document(document, level):
            break
        reached = level
    return reached


@cache
def _validator() -> Draft202012Validator:
    # Imported late: `import validation` must stay light.
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415

    text = (data_dir() / "metadata" / "nanoscience-1.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text), format_checker=FormatChecker())


def _findings(violation: Violation, level: str) -> Iterator[Issue]:
    """One violation in words; a choice that fails is explained by what each way would need."""
    place = [str(part) if not isinstance(part, int) else part for part in violation.absolute_path]
    match violation.validator:
        case "required":
            for name in _absent(violation):
                yield _missing([*place, name], level)
        case "anyOf" if violation.context and _all_required(violation.context):
            # A setting may also be listed as varying; that is how a tool says it, not what a person types.
            ways = [name for part in violation.context for name in _absent(part) if name != "varying"]
            yield _missing([*place, ways[0]], level, " or ".join(dict.fromkeys(ways)))
        case "minItems" if violation.instance == []:
            yield _missing(place, level)
        case _:
            yield issue(
                "metadata.invalid",
                words(violation),
                field=pointer(*place),
                remedy=remedy(place),
                origin="schema",
            )


def _all_required(context: Sequence[Violation]) -> bool:
    return all(part.validator == "required" for part in context)


def _absent(violation: Violation) -> list[str]:
    wanted: Any = violation.validator_value
    held: Any = violation.instance
    return [name for name in wanted if name not in held]


def _missing(place: Sequence[str | int], level: str, names: str = "") -> Issue:
    name = names or str(place[-1])
    holder = pointer(*place[:-1])
    where = f" of {holder}" if holder else ""
    return issue(
        "metadata.missing",
        f"{name}{where} is missing; level {level} asks for it",
        field=pointer(*place),
        remedy=remedy(place),
        origin="schema",
    )


def _plain(value: Any) -> Any:
    """The value with plain dictionaries and lists, which is all that jsonschema takes for JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
