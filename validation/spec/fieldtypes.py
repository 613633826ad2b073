"""The types a field of a path template may have: what each matches, what it means and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import regex

from validation.spec.vocabularies import Vocabulary

_DIRECTIVES = {
    "Y": r"[0-9]{4}",
    "y": r"[0-9]{2}",
    "m": r"(?:0[1-9]|1[0-2])",
    "d": r"(?:0[1-9]|[12][0-9]|3[01])",
    "j": r"[0-3][0-9]{2}",
    "H": r"(?:[01][0-9]|2[0-3])",
    "M": r"[0-5][0-9]",
    "S": r"[0-5][0-9]",
    "f": r"[0-9]{1,6}",
}
_DATE_PARTS = frozenset("Yymdj")
_TIME_PARTS = frozenset("HMSf")
_LOOSE_DATE = r"[0-9]{4}[-_. ]?[0-9]{2}[-_. ]?[0-9]{2}"
_LOOSE_TIME = r"[0-9]{2}[-_. h]?[0-9]{2}(?:[-_. m]?[0-9]{2})?"
_RID = r"[0-9A-HJKMNP-TV-Z]{1,4}(?:-[0-9A-HJKMNP-TV-Z]{4})*"
_EXAMPLE = datetime(2011, 10, 13, 16, 20, 55)  # noqa: DTZ001 - a clock reading in a file name has no zone


class FieldTypeError(ValueError):
    """A type or its argument is not part of the language; the text says what is."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type with its argument, ready to match, to read and to write."""

    name: str
    pattern: str
    """Regular expression of exactly what it matches."""
    loose: str
    """What people write instead, for proposals."""
    words: str
    """What it wants, for an explanation."""
    argument: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)
    """Written form -> term, for vocabularies."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Term -> what else its vocabulary says of it."""

    @property
    def open_ended(self) -> bool:
        """Whether nothing but the neighbours bounds it."""
        return self.name == "text"

    @property
    def example(self) -> str:
        """A text that it takes; empty for a free text."""
        match self.name:
            case "int":
                return "1"
            case "digits":
                return "1".rjust(int(self.argument), "0")
            case "date" | "time":
                return _EXAMPLE.strftime(self.argument)
            case "rid":
                return "1-0ABC"
            case "vocab":
                return next(iter(self.terms.values()), "")
            case _:
                return ""

    def value(self, text: str) -> Any:
        """The typed value: int, ISO date or time, vocabulary term, else the text. ValueError: not one."""
        match self.name:
            case "int":
                return int(text)
            case "date":
                moment = datetime.strptime(text, self.argument)  # noqa: DTZ007 - no zone in a file name
                return moment.date().isoformat()
            case "time":
                return datetime.strptime(text, self.argument).time().isoformat()  # noqa: DTZ007
            case "vocab":
                return self.terms.get(text) or self._term(text)
            case _:
                return text

    def _term(self, text: str) -> str:
        folded = text.casefold()
        for written, term in self.terms.items():
            if written.casefold() == folded:
                return term
        raise ValueError(f"{text!r} is not a term of {self.argument}")

    def rewritten(self, text: str) -> str:
        """The text as this type wants it, from what `loose` matched. ValueError: that cannot be guessed."""
        match self.name:
            case "digits":
                width = int(self.argument)
                number = text.lstrip("0").rjust(width, "0") if len(text) != width else text
                if len(number) != width:
                    raise ValueError(f"{text} has more than {width} digits")
                return number
            case "date":
                digits = regex.sub(r"[^0-9]", "", text)
                return datetime.strptime(digits, "%Y%m%d").strftime(self.argument)  # noqa: DTZ007
            case "time":
                digits = regex.sub(r"[^0-9]", "", text).ljust(6, "0")
                return datetime.strptime(digits, "%H%M%S").strftime(self.argument)  # noqa: DTZ007
            case "rid":
                return text.upper()
            case _:
                return text


def directives(date_format: str) -> list[str]:
    """The letters of the `%` directives in a date or time format."""
    return [found.group(1) for found in regex.finditer(r"%(.)", date_format.replace("%%", ""))]


def field_type(name: str, argument: str, vocabularies: Mapping[str, Vocabulary]) -> FieldType:
    """The type of that name and argument; raises FieldTypeError."""
    match name:
        case "text" | "int" | "rid" if argument:
            raise FieldTypeError(f"the type {name} takes no argument")
        case "text":
            return FieldType("text", r"[^/]+?", r"[^/]+?", "some text")
        case "int":
            # Possessive: a number is the whole run of digits, whatever stands behind it.
            return FieldType("int", r"-?[0-9]++", r"-?[0-9]++", "a whole number")
        case "rid":
            return FieldType("rid", _RID, rf"(?i:{_RID})", "a record id such as 1-0ABC")
        case "digits":
            return _digits(argument)
        case "date" | "time":
            return _moment(name, argument)
        case "vocab":
            return _vocab(argument, vocabularies)
        case _:
            raise FieldTypeError(
                f"there is no type {name}; use text, int, digits(n), date(format), time(format), "
                "vocab(name) or rid"
            )


def _digits(argument: str) -> FieldType:
    if not regex.fullmatch(r"[1-9][0-9]?", argument):
        raise FieldTypeError("digits needs a count from 1 to 99, as in digits(4)")
    words = "1 digit" if argument == "1" else f"{argument} digits"
    return FieldType("digits", rf"[0-9]{{{argument}}}", r"[0-9]+", words, argument)


def _moment(name: str, argument: str) -> FieldType:
    allowed = _DATE_PARTS if name == "date" else _TIME_PARTS
    found = directives(argument)
    unknown = sorted({part for part in found if part not in allowed})
    if unknown:
        raise FieldTypeError(f"{name} does not know %{unknown[0]}; use {_percent(allowed)}")
    if len(found) != len(set(found)):
        raise FieldTypeError(f"{name}({argument}) names a directive twice")
    parts = set(found)
    if name == "date" and not (parts & {"Y", "y"} and ({"m", "d"} <= parts or "j" in parts)):
        raise FieldTypeError("date needs year, month and day, as in date(%Y-%m-%d)")
    if name == "time" and "H" not in parts:
        raise FieldTypeError("time needs at least the hour, as in time(%H.%M.%S)")
    if "/" in argument:
        raise FieldTypeError(f"{name}({argument}) may not span folders")
    pieces = regex.split(r"%(.)", argument)
    pattern = "".join(
        _DIRECTIVES[piece] if index % 2 else regex.escape(piece) for index, piece in enumerate(pieces)
    )
    words = f"a {name} written like {_EXAMPLE.strftime(argument)}"
    return FieldType(name, pattern, _LOOSE_DATE if name == "date" else _LOOSE_TIME, words, argument)


def _percent(letters: frozenset[str]) -> str:
    return ", ".join(f"%{letter}" for letter in sorted(letters))


def _vocab(argument: str, vocabularies: Mapping[str, Vocabulary]) -> FieldType:
    known = vocabularies.get(argument)
    if known is None:
        names = ", ".join(sorted(vocabularies)) or "none"
        raise FieldTypeError(f"there is no vocabulary {argument!r}; known are: {names}")
    # The longest first: else STEM would be read as STE plus M where STE is a term too.
    written = sorted(known.terms, key=lambda word: (-len(word), word))
    pattern = f"(?i:{'|'.join(regex.escape(word) for word in written)})"
    shown = list(dict.fromkeys(known.terms.values()))
    words = f"a term of {argument} ({', '.join(shown[:8])}{', …' if len(shown) > 8 else ''})"
    return FieldType("vocab", pattern, pattern, words, argument, known.terms, known.details)
