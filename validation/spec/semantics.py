"""What a schema cannot say of a spec in our YAML: ids, references, and names that nothing supplies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import regex

from validation.codes import CODES
from validation.spec import placeholders
from validation.spec.faults import Faults, did_you_mean
from validation.spec.json_places import Place
from validation.spec.model import RecordRule, Rule
from validation.spec.patterns import RegexPattern, TemplatePattern
from validation.spec.render import (
    DIGEST_NAMES,
    FILE_NAMES,
    OBJECT_NAMES,
    SIBLING,
    URLENCODED,
    marker_of,
)
from validation.spec.standard import header_names
from validation.spec.takers import dataset_fields

_SPECIALS = frozenset({"record", "header"})


def pattern_names(rule: Rule) -> frozenset[str]:
    """The names that the rule's path gives, entries of vocabulary terms included."""
    if isinstance(rule.pattern, TemplatePattern):
        names = set()
        for name, kind in rule.pattern.fields.items():
            names.add(name)
            names.update(f"{name}.{entry}" for details in kind.details.values() for entry in details)
        return frozenset(names)
    if isinstance(rule.pattern, RegexPattern):
        return frozenset(regex.compile(rule.pattern.text).groupindex)
    return frozenset()


def check_rules(faults: Faults, rules: tuple[Rule, ...], document: Mapping[str, Any]) -> None:
    """Note ids that stand twice, references to nothing, and rules that can never take a file."""
    _unique(faults, "rules", "id", document)
    _unique(faults, "records", "name", document)
    ids = {entry["id"] for entry in document["rules"]}
    for index, entry in enumerate(document.get("required", ())):
        _check_completeness(faults, ("required", index), entry, ids, rules)
    seen: dict[tuple[str, str], str] = {}
    for place, entry, rule in _placed(rules, document):
        _check_grades(faults, place, entry)
        _check_update(faults, place, entry, rule)
        anchor = getattr(rule.pattern, "anchor", "")
        first = seen.setdefault((str(anchor), rule.pattern.text), rule.id)
        if first != rule.id:
            faults.add(
                "spec.ambiguous",
                (*place, "path" if "path" in entry else "regex"),
                f"rule {first} has the same path, so {rule.id} never takes a file",
                remedy="Remove one of the two, or make the first one stricter.",
            )


def _placed(
    rules: tuple[Rule, ...], document: Mapping[str, Any]
) -> Iterator[tuple[Place, Mapping[str, Any], Rule]]:
    """Each readable rule with its entry; a rule whose path was faulty is left out."""
    waiting = list(rules)
    for index, entry in enumerate(document["rules"]):
        if waiting and waiting[0].id == entry["id"]:
            yield ("rules", index), entry, waiting.pop(0)


def _unique(faults: Faults, section: str, key: str, document: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(document.get(section, ())):
        if entry[key] in seen:
            faults.add(
                "spec.invalid",
                (section, index, key),
                f"{section} has {entry[key]} twice",
                remedy="Give the second one another name.",
            )
        seen.add(entry[key])


def _check_completeness(
    faults: Faults, place: Place, entry: Mapping[str, Any], ids: set[str], rules: tuple[Rule, ...]
) -> None:
    forms = [key for key in ("rule", "any_of", "all_of") if key in entry]
    if len(forms) != 1:
        faults.add(
            "spec.invalid",
            place,
            "a completeness rule speaks of one of rule, any_of, all_of",
            remedy="Keep one.",
        )
    named = [entry["rule"]] if "rule" in entry else []
    for rule_id in (*named, *entry.get("any_of", ()), *entry.get("all_of", ())):
        if rule_id not in ids:
            faults.add(
                "spec.unknown_name",
                place,
                f"there is no rule {rule_id}",
                remedy=did_you_mean(rule_id, sorted(ids)),
            )
    if "rule" not in entry and {"series", "gaps", "companions"} & entry.keys():
        faults.add("spec.invalid", place, "series, gaps and companions need rule", remedy="Name the rule.")
    if "gaps" in entry and "series" not in entry:
        faults.add(
            "spec.invalid", place, "gaps needs series", remedy="Name the numbered field, as in series: slice."
        )
    if "series" in entry:
        names = next((pattern_names(rule) for rule in rules if rule.id == entry.get("rule")), None)
        if names is not None and entry["series"] not in names:
            faults.add(
                "spec.unknown_name",
                (*place, "series"),
                f"rule {entry['rule']} has no field {entry['series']}",
                remedy=did_you_mean(entry["series"], sorted(names)),
            )
    if entry.get("companions") == "required" and not any(
        rule.companions for rule in rules if rule.id == entry.get("rule")
    ):
        faults.add("spec.invalid", (*place, "companions"), f"rule {entry.get('rule')} names no companions")


def _check_grades(faults: Faults, place: Place, entry: Mapping[str, Any]) -> None:
    for code in entry.get("checks", {}):
        if code not in CODES:
            faults.add(
                "spec.unknown_name",
                (*place, "checks", code),
                f"there is no check {code}",
                remedy=did_you_mean(code, list(CODES)),
                key=True,
            )


def _check_update(faults: Faults, place: Place, entry: Mapping[str, Any], rule: Rule) -> None:
    for number, column in enumerate(entry.get("update", ())):
        if column not in rule.columns:
            faults.add(
                "spec.unknown_name",
                (*place, "update", number),
                f"rule {rule.id} writes no column {column}",
                remedy=did_you_mean(column, sorted(rule.columns)),
            )


def check_names(
    faults: Faults, rules: tuple[Rule, ...], records: tuple[RecordRule, ...], document: Mapping[str, Any]
) -> None:
    """Note every template that uses a name which the path, the file or a look-up does not give by then."""
    parents = {record.name for record in records}
    any_path: set[str] = set()
    for place, entry, rule in _placed(rules, document):
        scope = _Scope(faults, rule)
        any_path |= scope.path
        scope.check_fields(place, entry)
        scope.check_dataset(place, entry)
        for name, template in entry.get("values", {}).items():
            scope.check((*place, "values", name), template, scope.early | DIGEST_NAMES | header_names())
            scope.computed.add(name)
        for number, template in enumerate(entry.get("lookups", ())):
            scope.check((*place, "lookups", number), template, scope.early | DIGEST_NAMES)
        _check_object(scope, place, entry)
        for section in ("columns", "identity"):
            known = scope.early | DIGEST_NAMES | header_names()
            for column, template in entry.get(section, {}).items():
                late = OBJECT_NAMES if section == "columns" else frozenset[str]()
                scope.check_column((*place, section, column), template, known | late, parents)
        _check_standard_parents(faults, place, rule, parents)
    _check_records(faults, records, frozenset(any_path), document)


def _check_object(scope: _Scope, place: Place, entry: Mapping[str, Any]) -> None:
    written = entry.get("object")
    known = scope.early | DIGEST_NAMES | header_names()
    named = written if isinstance(written, Mapping) else {"name": written} if written else {}
    for key in ("name", "filename"):
        if key in named:
            where = (*place, "object", key) if isinstance(written, Mapping) else (*place, "object")
            scope.check(where, named[key], known)
            if key == "name" and not named[key].startswith("/"):
                scope.faults.add(
                    "spec.invalid",
                    where,
                    "the object's name does not begin with /",
                    remedy="Begin with the store's path, as in /hatrac/…",
                )


class _Scope:
    """The names that templates of one rule may use."""

    def __init__(self, faults: Faults, rule: Rule) -> None:
        self.faults = faults
        self.rule = rule
        self.path = pattern_names(rule)
        self.computed: set[str] = set()

    @property
    def early(self) -> frozenset[str]:
        """Known before the file is read."""
        return self.path | FILE_NAMES | self.computed

    def check(self, place: Place, template: str, known: frozenset[str]) -> None:
        try:
            used = placeholders.names(template)
        except placeholders.PlaceholderError as error:
            self.faults.add("spec.pattern", place, str(error))
            return
        # A look-up may bring any column of the row it finds: its names are known only to the catalog.
        if self.rule.lookups and place[2] != "lookups":
            return
        for name in sorted(used):
            plain = name.removesuffix(URLENCODED)
            if plain not in known:
                self.faults.add(
                    "spec.unknown_name",
                    place,
                    f"{{{name}}} is supplied by nothing",
                    remedy=did_you_mean(plain, sorted(known)),
                )

    def check_column(self, place: Place, template: Any, known: frozenset[str], parents: set[str]) -> None:
        if not isinstance(template, str):
            return
        marker = marker_of(template)
        if not marker:
            self.check(place, template.removeprefix("@"), known)
        elif marker.startswith(SIBLING):
            self.check(place, marker, self.early)
        elif marker not in _SPECIALS | parents and not (marker == "Dataset" and self.rule.dataset):
            self.faults.add(
                "spec.unknown_name",
                place,
                f"@{marker} names no record",
                remedy=did_you_mean(marker, sorted(_SPECIALS | parents)),
            )

    def check_fields(self, place: Place, entry: Mapping[str, Any]) -> None:
        """A field may not take a name that means something else already."""
        for name in sorted(
            self.path & (FILE_NAMES - {"file_ext", "schema", "table"} | DIGEST_NAMES | OBJECT_NAMES)
        ):
            self.faults.add(
                "spec.invalid",
                (*place, "path" if "path" in entry else "regex"),
                f"the field {name} has the name of a value that every file has",
                remedy="Give the field another name.",
            )

    def check_dataset(self, place: Place, entry: Mapping[str, Any]) -> None:
        """The dataset must follow from the path alone, also from a companion's."""
        if "dataset" not in entry:
            return
        self.check((*place, "dataset"), entry["dataset"], self.path)
        if not isinstance(self.rule.pattern, TemplatePattern):
            return
        try:
            wanted = dataset_fields(entry["dataset"])
        except placeholders.PlaceholderError:
            return
        for number, companion in enumerate(self.rule.pattern.companions):
            absent = sorted((wanted & set(self.rule.pattern.fields)) - companion.template.fields().keys())
            if absent:
                self.faults.add(
                    "spec.invalid",
                    (*place, "companions", number),
                    f"the companion's path does not say {', '.join(absent)}, which the dataset's name needs",
                    remedy="Name the dataset by folders, or let the companion name the field, too.",
                )


def _check_standard_parents(faults: Faults, place: Place, rule: Rule, parents: set[str]) -> None:
    """A standard file row belongs to a dataset: some entry must name it."""
    if rule.columns.get("Dataset") == "@Dataset" and not rule.dataset and "Dataset" not in parents:
        faults.add(
            "spec.invalid",
            place,
            f"rule {rule.id} writes to {rule.table} but names no dataset",
            remedy="Add `dataset: …`, or a record called Dataset.",
        )
    if rule.object is None and rule.kind == "asset":
        faults.add(
            "spec.invalid",
            place,
            f"rule {rule.id} names no object",
            remedy="Add `object: /hatrac/…/{path}`, or `kind: rows` for tables.",
        )
    if rule.identity is None and rule.kind == "asset":
        faults.add(
            "spec.invalid",
            place,
            f"rule {rule.id} says of no column that it identifies the row",
            remedy="Add `identity: {Column: template}`.",
        )


def _check_records(
    faults: Faults, records: tuple[RecordRule, ...], path: frozenset[str], document: Mapping[str, Any]
) -> None:
    earlier: set[str] = set()
    known = path | FILE_NAMES | header_names()
    for index, record in enumerate(records if "records" in document else ()):
        for section, mapping in (("key", record.key), ("columns", record.columns)):
            for column, template in mapping.items():
                place: Place = ("records", index, section, column)
                marker = marker_of(template)
                if not isinstance(template, str):
                    continue
                if marker:
                    allowed = earlier | (_SPECIALS if section == "columns" else set())
                    if marker not in allowed:
                        faults.add(
                            "spec.unknown_name",
                            place,
                            f"@{marker} is no earlier record",
                            remedy="List the record before this one.",
                        )
                    continue
                _check_record_names(faults, place, template, known)
        earlier.add(record.name)


def _check_record_names(faults: Faults, place: Place, template: str, known: frozenset[str]) -> None:
    try:
        used = placeholders.names(template)
    except placeholders.PlaceholderError as error:
        faults.add("spec.pattern", place, str(error))
        return
    for name in sorted(used - known):
        faults.add(
            "spec.unknown_name",
            place,
            f"{{{name}}} is supplied by no rule's path",
            remedy=did_you_mean(name, sorted(known)),
        )
