"""Gathers the faults of one spec with line and column, and checks it against its JSON Schema."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.schema.sound import is_sound
from validation.spec.json_places import Place
from validation.spec.located import Located
from validation.specset import data_dir

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault

_LONGEST_SHOWN = 200
_MOST_NAMED = 20


class Faults:
    """The findings about one document, in the order of its lines."""

    def __init__(self, document: Located) -> None:
        self.document = document
        self._found: list[Issue] = []

    def add(
        self,
        code: str,
        place: Place,
        message: str,
        *,
        remedy: str = "",
        severity: Severity | None = None,
        key: bool = False,
        offset: int = 0,
    ) -> None:
        """Note a finding at that place; `offset` counts characters into a value on one line."""
        line, column = self.document.position(place, key=key)
        self._found.append(
            issue(
                code,
                message,
                path=self.document.source,
                field="".join(f"/{part}" for part in place),
                line=line,
                column=None if column is None else column + offset,
                remedy=remedy,
                severity=severity,
                origin="spec",
            )
        )

    @property
    def errors(self) -> tuple[Issue, ...]:
        """What makes the spec unusable, by line."""
        return tuple(sorted((i for i in self._found if i.holds), key=_by_line))

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """What its author should know, by line."""
        return tuple(sorted((i for i in self._found if not i.holds), key=_by_line))

    def check_schema(self, schema_name: str) -> None:
        """Note every breach of the schema `specs/meta/NAME.schema.json`."""
        schema = _schema(schema_name)
        if is_sound(self.document.value, schema):
            return
        # Imported late: most specs are sound, and every start reads one.
        from jsonschema import Draft202012Validator  # noqa: PLC0415

        # That our own schemas are sound is a test's business, not that of every start.
        for fault in Draft202012Validator(schema).iter_errors(self.document.value):
            self._note(fault)

    def _note(self, fault: SchemaFault) -> None:
        place: Place = tuple(fault.absolute_path)
        if fault.validator == "additionalProperties" and isinstance(fault.instance, Mapping):
            schema = fault.schema if isinstance(fault.schema, Mapping) else {}
            known = list(schema.get("properties", {}))
            for name in fault.instance:
                if name not in known:
                    self.add(
                        "spec.invalid",
                        (*place, name),
                        f"there is no entry {name!r} here",
                        remedy=did_you_mean(name, known),
                        key=True,
                    )
            return
        message, remedy = _in_words(fault)
        self.add("spec.invalid", place, message, remedy=remedy)


def _by_line(found: Issue) -> tuple[int, int]:
    return (found.location.line or 0, found.location.column or 0)


def did_you_mean(name: str, known: list[str]) -> str:
    """A remedy that names the nearest known word, or some of them."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    shown = ", ".join(sorted(known)[:_MOST_NAMED])
    return f"Known here: {shown}{', …' if len(known) > _MOST_NAMED else ''}."


def _in_words(fault: SchemaFault) -> tuple[str, str]:
    """Message and remedy of a schema breach, without the schema's own vocabulary where it can be said better."""
    where = "/".join(str(part) for part in fault.absolute_path) or "the spec"
    shown = json.dumps(fault.instance, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    advice = str(fault.schema.get("description", "")) if isinstance(fault.schema, Mapping) else ""
    match fault.validator:
        case "required":
            # jsonschema reports each missing name by itself and quotes it first in its message.
            missing = fault.message.split("'")[1] if "'" in fault.message else fault.message
            return f"{where} lacks {missing}", "Add the entry."
        case "type":
            return f"{where} is {shown}, which is no {_listed(fault.validator_value)}", advice
        case "enum":
            return f"{where} is {shown}", f"Use one of: {_listed(fault.validator_value)}."
        case "anyOf" | "oneOf":
            return f"{where} is {shown}, which is none of the forms allowed", advice
        case _:
            return f"{where}: {fault.message[:_LONGEST_SHOWN]}", advice


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values) if isinstance(values, list) else str(values)


@cache
def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((data_dir() / "meta" / f"{name}.schema.json").read_text("utf-8"))
    return schema
