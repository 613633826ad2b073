"""Writes a path that a template takes, for people who have to name their files by it."""

from __future__ import annotations

from validation.spec.template import Field, Group, Literal, Part, PathTemplate


def example(template: PathTemplate) -> str:
    """A path of the template's form without its optional parts; free texts show the field's name in capitals."""
    return "/".join(_written(segment.parts) for segment in template.segments if not segment.deep)


def _written(parts: tuple[Part, ...]) -> str:
    words: list[str] = []
    for part in parts:
        match part:
            case Literal(text):
                words.append(text)
            case Field(name, kind):
                words.append(kind.example or name.upper())
            case Group(branches=branches, optional=False):
                words.append(_written(branches[0]))
            case Group():
                pass
    return "".join(words)
