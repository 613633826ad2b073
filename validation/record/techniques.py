"""The vocabulary of techniques, and which family of settings a file or dataset belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from validation.instruments.model import Header
from validation.sidecar import Typed
from validation.specset import data_dir, plain_yaml

CORE_SETTINGS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "sem": (
        ("accelerating_voltage_kV",),
        ("working_distance_mm",),
        ("pixel_size_m", "field_of_view_m"),
        ("detector",),
    ),
    "tem": (("accelerating_voltage_kV",),),
}
"""Family -> the settings that level nffa-core asks for; of each tuple one is enough."""

FORMAT_TECHNIQUES: Mapping[str, str] = {"tiff-zeiss": "sem"}
"""Formats that only one technique writes. Others (FEI's TIFF: electron or ion beam) say nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Technique:
    """One term of the vocabulary."""

    code: str
    label: str
    family: str
    """`sem`, `tem` or `generic`."""
    iri: str = ""
    catalog: str = ""
    """Name of the term in the catalog's Technique table; empty when it has none."""

    def to_json(self) -> dict[str, str]:
        """The technique as the metadata document names it."""
        document = {"code": self.code, "label": self.label}
        if self.iri:
            document |= {"iri": self.iri, "scheme": "CHMO"}
        return document


@cache
def techniques() -> Mapping[str, Technique]:
    """Every technique by each of its spellings in lower case: code, alias and catalog term."""
    text = (data_dir() / "vocabularies" / "techniques.yaml").read_text("utf-8")
    found: dict[str, Technique] = {}
    for term in plain_yaml(text)["terms"]:
        known = Technique(
            term["code"], term["label"], term["family"], term.get("iri", ""), term.get("catalog", "")
        )
        for spelling in (known.code, *term.get("aliases", ())):
            found[str(spelling).casefold()] = known
    for known in tuple(found.values()):
        if known.catalog:
            found.setdefault(known.catalog.casefold(), known)
    return MappingProxyType(found)


def technique(word: str) -> Technique | None:
    """The technique that the word names, in any of its spellings, or None."""
    return techniques().get(word.strip().replace("_", "-").casefold())


def technique_of_header(formats: Sequence[str], active_beam: Any) -> Technique | None:
    """The technique that the format itself proves, or None."""
    proven = {FORMAT_TECHNIQUES.get(name) for name in formats}
    if proven == {"sem"} or (set(formats) == {"tiff-fei"} and active_beam == "EBeam"):
        return techniques()["sem"]
    return None


def family_of_file(captures: Mapping[str, Any], typed: Typed, header: Header | None) -> str:
    """`sem`, `tem` or `generic`: by what people typed, else by the path, else by the file's format."""
    words = [*(typed.get("technique") or ()), str(captures.get("technique", ""))]
    for word in words:
        if known := technique(str(word)):
            return known.family
    if header is not None and (known := technique_of_header([header.format], header.value("active_beam"))):
        return known.family
    return "generic"
