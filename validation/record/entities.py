"""Turns the friendly forms of `nanoferry.yaml` into the entities of the metadata document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from validation.sidecar import Typed


def named(key: str, value: Any) -> Any:
    """The value of a context or top-level key as the document holds it."""
    if key == "facility" and isinstance(value, Mapping):
        return _with_prefix(value, "identifier", "https://ror.org/", r"0[0-9a-z]{8}")
    return dict(value) if isinstance(value, Mapping) else value


def people(typed: Typed) -> list[dict[str, Any]]:
    """The people that were typed, the operator first; the operator's role goes without saying."""
    found: list[dict[str, Any]] = []
    operator = typed.get("operator")
    if operator:
        found.append(person(operator, ["operator"]))
    for entry in typed.get("people") or ():
        ready = person(entry, [])
        same = next((known for known in found if known.get("name") == ready.get("name")), None)
        if same is None:
            found.append(ready)
        else:
            roles = [*same.get("roles", []), *ready.get("roles", [])]
            same |= ready | {"roles": list(dict.fromkeys(roles))}
    return found


def person(entry: Mapping[str, Any], roles: list[str]) -> dict[str, Any]:
    """One person: `role` and `affiliation` in the singular are accepted, an ORCID also without its address."""
    ready = _with_prefix(entry, "orcid", "https://orcid.org/", r"\d{4}-\d{4}-\d{4}-\d{3}[\dXx]")
    given = [*_several(ready.pop("role", None)), *_several(ready.pop("roles", None))]
    spoken = [re.sub(r"[\s_]+", "-", str(role).strip()).lower() for role in given]
    if spoken or roles:
        ready["roles"] = list(dict.fromkeys([*roles, *spoken]))
    places = [*_several(ready.pop("affiliation", None)), *_several(ready.pop("affiliations", None))]
    if places:
        ready["affiliations"] = [
            _with_prefix(place, "identifier", "https://ror.org/", r"0[0-9a-z]{8}")
            if isinstance(place, Mapping)
            else {"name": str(place)}
            for place in places
        ]
    return ready


def samples(typed: Typed) -> list[dict[str, Any]]:
    """The samples that were typed; `sample` comes before those of `samples`."""
    single = typed.get("sample")
    found = [dict(single)] if single else []
    known = [entry.get("name") for entry in found]
    return found + [dict(entry) for entry in typed.get("samples") or () if entry.get("name") not in known]


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _with_prefix(entry: Mapping[str, Any], key: str, prefix: str, shape: str) -> dict[str, Any]:
    """A copy of the entry in which a bare identifier has its address before it."""
    ready = dict(entry)
    value = ready.get(key)
    if isinstance(value, str):
        bare = value.strip().removeprefix("http://").removeprefix("https://")
        bare = bare.removeprefix(prefix.removeprefix("https://"))
        if re.fullmatch(shape, bare):
            ready[key] = prefix + bare.upper() if key == "orcid" else prefix + bare
    return ready
