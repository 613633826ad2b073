"""What JSON Schema cannot see in a document: references, order of times, check digits, known techniques."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from validation.codes import issue
from validation.model import Issue
from validation.record.techniques import technique, techniques
from validation.rules.identifiers import orcid_fault, ror_fault

ENTITIES = ("persons", "samples", "instruments", "measurements", "steps")

REFERENCES: Mapping[str, Mapping[str, str]] = {
    "measurements": {"instrumentId": "instruments", "sampleIds": "samples", "personIds": "persons"},
    "samples": {"parents": "samples"},
    "steps": {"personIds": "persons"},
}
"""Entity list -> its property -> the entity list that the property refers to."""


def ids_are_unique(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding for each id that two entities of a document share."""
    seen: dict[str, str] = {}
    for place, entity in _entities(document):
        name = entity.get("id")
        if not isinstance(name, str):
            continue
        first = seen.setdefault(name, place)
        if first != place:
            yield issue(
                "metadata.invalid",
                f"the id {name!r} is already that of {first}",
                field=f"{place}/id",
                remedy="Give each entity of the document an id of its own.",
                origin="ids_are_unique",
            )


def references_resolve(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding for each reference to an entity that the document does not hold."""
    known = {
        kind: {
            item["id"]
            for item in _listed(document, kind)
            if isinstance(item, Mapping) and isinstance(item.get("id"), str)
        }
        for kind in ENTITIES
    }
    for kind, links in REFERENCES.items():
        for index, item in enumerate(_listed(document, kind)):
            for name, target in links.items() if isinstance(item, Mapping) else ():
                value = item.get(name)
                for wanted in value if isinstance(value, list) else [value]:
                    if isinstance(wanted, str) and wanted not in known[target]:
                        yield _dangling(f"/{kind}/{index}/{name}", wanted, target)
    makers = known["measurements"] | known["steps"]
    for index, item in enumerate(_listed(document, "files")):
        maker = item.get("producedBy") if isinstance(item, Mapping) else None
        if isinstance(maker, str) and maker not in makers:
            yield _dangling(f"/files/{index}/producedBy", maker, "measurements or steps")


def derivation_has_no_cycle(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding when a sample or a file is, through others, derived from itself."""
    for kind, key, link in (("samples", "id", "parents"), ("files", "path", "derivedFrom")):
        parents = {
            item[key]: [part for part in _listed(item, link) if isinstance(part, str)]
            for item in _listed(document, kind)
            if isinstance(item, Mapping) and isinstance(item.get(key), str)
        }
        if name := _in_a_cycle(parents):
            yield issue(
                "metadata.invalid",
                f"{name!r} is derived from itself through {link}",
                field=f"/{kind}",
                remedy=f"Remove one of the {link} entries on the way round.",
                origin="derivation_has_no_cycle",
            )


def start_before_end(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding for each time that does not exist, and each activity that ends before it starts."""
    for kind in ("measurements", "steps"):
        for index, item in enumerate(_listed(document, kind)):
            if not isinstance(item, Mapping):
                continue
            times = {}
            for name in ("startTime", "endTime"):
                written = item.get(name)
                if not isinstance(written, str) or len(written) < 19:
                    continue
                try:
                    times[name] = datetime.fromisoformat(written)
                except ValueError:
                    yield issue(
                        "metadata.invalid",
                        f"{written!r} is no point in time: there is no such date or hour",
                        field=f"/{kind}/{index}/{name}",
                        origin="start_before_end",
                    )
            start, end = times.get("startTime"), times.get("endTime")
            # Only like can be compared: a time without offset is not before or after one with.
            if start and end and (start.tzinfo is None) == (end.tzinfo is None) and start > end:
                yield issue(
                    "metadata.invalid",
                    f"it ends at {item['endTime']}, before it starts at {item['startTime']}",
                    field=f"/{kind}/{index}/endTime",
                    origin="start_before_end",
                )


def identifiers_check(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding for each ORCID or ROR of right shape whose check digit is wrong."""
    places: list[tuple[str, Any, Any]] = []
    for index, person in enumerate(_listed(document, "persons")):
        if isinstance(person, Mapping):
            places.append((f"/persons/{index}/orcid", person.get("orcid"), orcid_fault))
            places += [
                (f"/persons/{index}/affiliations/{n}/identifier", part.get("identifier"), ror_fault)
                for n, part in enumerate(_listed(person, "affiliations"))
                if isinstance(part, Mapping)
            ]
    context = document.get("context")
    facility = context.get("facility") if isinstance(context, Mapping) else None
    if isinstance(facility, Mapping):
        places.append(("/context/facility/identifier", facility.get("identifier"), ror_fault))
    for place, value, fault_of in places:
        fault = fault_of(value) if isinstance(value, str) else ""
        # A wrong shape is the schema's finding, not a second one here.
        if fault and "looks like" not in fault:
            yield issue(
                "metadata.invalid",
                f"{value!r} fails its check digit: {fault}",
                field=place,
                origin="identifiers_check",
            )


def techniques_are_known(document: Mapping[str, Any]) -> Iterator[Issue]:
    """A finding for each technique code outside the vocabulary that does not say it is local."""
    for index, item in enumerate(_listed(document, "measurements")):
        for n, part in enumerate(_listed(item, "techniques") if isinstance(item, Mapping) else ()):
            code = part.get("code") if isinstance(part, Mapping) else None
            if not isinstance(code, str) or technique(code) or part.get("scheme"):
                continue
            near = get_close_matches(code.casefold(), techniques(), n=3)
            hint = f"; nearest are {', '.join(near)}" if near else ""
            yield issue(
                "metadata.invalid",
                f"the technique {code!r} is not in the vocabulary{hint}",
                field=f"/measurements/{index}/techniques/{n}/code",
                remedy="Use a code of specs/vocabularies/techniques.yaml, or add `scheme: local` to the technique.",
                origin="techniques_are_known",
            )


DOCUMENT_RULES = (
    ids_are_unique,
    references_resolve,
    derivation_has_no_cycle,
    start_before_end,
    identifiers_check,
    techniques_are_known,
)
"""Run on every document after the schema, in this order."""


def _dangling(place: str, wanted: str, target: str) -> Issue:
    return issue(
        "metadata.dangling_reference",
        f"{wanted!r} is the id of none of the document's {target}",
        field=place,
        origin="references_resolve",
    )


def _entities(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ENTITIES:
        for index, item in enumerate(_listed(document, kind)):
            if isinstance(item, Mapping):
                yield f"/{kind}/{index}", item


def _listed(holder: Mapping[str, Any], name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []


def _in_a_cycle(parents: Mapping[str, list[str]]) -> str:
    """A member of a cycle of the graph, or empty; walks without recursion, a chain may be long."""
    done: set[str] = set()
    for start in parents:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = iter(parents[start])
        while path:
            name, below = next(reversed(path.items()))
            for parent in below:
                if parent in path:
                    return parent
                if parent in parents and parent not in done:
                    path[parent] = iter(parents[parent])
                    break
            else:
                done.add(name)
                del path[name]
    return ""
