"""Turns a document of our YAML language into a Spec, noting every fault it finds on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import regex

from validation.model import Severity
from validation.spec.faults import Faults
from validation.spec.json_places import Place
from validation.spec.model import (
    ByKey,
    ObjectRule,
    RecordRule,
    Rule,
    RuleKind,
    Spec,
    SpecForm,
    TableName,
    UnmatchedPolicy,
)
from validation.spec.path_entry import Reading, read_path, read_regex
from validation.spec.patterns import Anchor, RegexPattern, TemplatePattern
from validation.spec.semantics import check_names, check_rules
from validation.spec.standard import FILE_TABLE, dataset_record, file_columns, file_identity
from validation.spec.template import TemplateError
from validation.spec.vocabularies import Vocabulary, shipped_vocabularies, vocabulary

SCHEMA = "spec"


def build(faults: Faults, digest: str) -> Spec | None:
    """The spec of the document, or None when `faults` now holds an error."""
    faults.check_schema(SCHEMA)
    if faults.errors:
        # The rest is read as far as its form allows, so that all faults come at once.
        _read_what_can_be_read(faults)
        return None
    document = faults.document.value
    rules = _rules(faults, document)
    records = _records(document, rules)
    check_rules(faults, rules, document)
    check_names(faults, rules, records, document)
    if faults.errors:
        return None
    return Spec(
        id=document["id"],
        version=document["version"],
        form=SpecForm.NANOFERRY,
        source=faults.document.source,
        digest=digest,
        rules=rules,
        records=records,
        unmatched=UnmatchedPolicy(document.get("unmatched", "warn")),
        level=document.get("level", "capture"),
        required=tuple(document.get("required", ())),
        extras={key: document[key] for key in ("title", "description") if key in document},
        issues=faults.warnings,
    )


def _read_what_can_be_read(faults: Faults) -> None:
    document = faults.document.value
    rules = document.get("rules") if isinstance(document, Mapping) else None
    vocabularies = _vocabularies(document) if isinstance(document, Mapping) else {}
    for index, entry in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(entry, Mapping):
            _pattern(faults, entry, ("rules", index), document, vocabularies)


def _vocabularies(document: Mapping[str, Any]) -> Mapping[str, Vocabulary]:
    own = document.get("vocabularies")
    if not isinstance(own, Mapping):
        return shipped_vocabularies()
    usable = {name: terms for name, terms in own.items() if isinstance(terms, Mapping | list) and terms}
    return {**shipped_vocabularies(), **{name: vocabulary(terms) for name, terms in usable.items()}}


def _rules(faults: Faults, document: Mapping[str, Any]) -> tuple[Rule, ...]:
    vocabularies = _vocabularies(document)
    found = []
    for index, entry in enumerate(document["rules"]):
        place: Place = ("rules", index)
        pattern = _pattern(faults, entry, place, document, vocabularies)
        if pattern is not None:
            found.append(_rule(entry, pattern, document))
    return tuple(found)


def _pattern(
    faults: Faults,
    entry: Mapping[str, Any],
    place: Place,
    document: Mapping[str, Any],
    vocabularies: Mapping[str, Vocabulary],
) -> TemplatePattern | RegexPattern | None:
    path, expression = entry.get("path"), entry.get("regex")
    if isinstance(path, str) == isinstance(expression, str):
        faults.add("spec.invalid", place, "a rule has either path or regex", remedy="Keep one of the two.")
        return None
    anchor = entry.get("anchor", document.get("anchor", "root"))
    reading = Reading(
        anchor=Anchor(anchor) if isinstance(anchor, str) and anchor in set(Anchor) else Anchor.ROOT,
        ignore_case=document.get("case") == "ignore",
        nfc=document.get("unicode", "nfc") == "nfc",
        fallback=entry.get("fallback") is True,
    )
    companions = entry.get("companions", [])
    if isinstance(expression, str):
        if companions:
            faults.add("spec.invalid", (*place, "companions"), "companions need a path template, not a regex")
        try:
            return read_regex(expression, reading)
        except regex.error as error:
            faults.add("spec.pattern", (*place, "regex"), f"{error}", offset=getattr(error, "pos", None) or 0)
            return None
    texts = [text for text in companions if isinstance(text, str)] if isinstance(companions, list) else []
    where: Place = (*place, "path")
    try:
        template = read_path(str(path), reading, vocabularies)
        for number, text in enumerate(texts):
            where = (*place, "companions", number)
            template = template.with_companion(text, vocabularies)
        return template.pattern()
    except TemplateError as error:
        faults.add(error.code, where, str(error), remedy=error.remedy, offset=error.column)
        return None


def _rule(
    entry: Mapping[str, Any], pattern: TemplatePattern | RegexPattern, document: Mapping[str, Any]
) -> Rule:
    table = TableName(*entry.get("table", document.get("table", [FILE_TABLE.schema, FILE_TABLE.table])))
    kind = RuleKind(entry.get("kind", "asset"))
    standard = table == FILE_TABLE and kind is RuleKind.ASSET
    columns = {**(file_columns() if standard else {}), **entry.get("columns", {})}
    identity = entry.get("identity") or (file_identity() if standard else None)
    update = entry.get("update")
    kept = {name: template for name, template in columns.items() if template is not None}
    return Rule(
        id=entry["id"],
        kind=kind,
        pattern=pattern,
        table=table,
        columns=kept,
        identity=ByKey(dict(identity)) if identity else None,
        object=_object(entry.get("object")),
        dataset=entry.get("dataset", ""),
        companions=tuple(entry.get("companions", ())),
        lookups=tuple(entry.get("lookups", ())),
        computed=dict(entry.get("values", {})),
        update=None if update is None else {name: kept[name] for name in update if name in kept},
        checksums=frozenset(entry.get("checksums", ("md5", "sha256"))),
        preview=entry.get("preview", False),
        checks={code: _severity(word) for code, word in entry.get("checks", {}).items()},
        record_first=entry.get("record_first", False),
        media_types=dict(entry.get("media_types", {})),
        safe_characters=dict(entry.get("safe_characters", {})),
        extras={"form": SpecForm.NANOFERRY, **({"title": entry["title"]} if "title" in entry else {})},
    )


def _severity(word: str | bool) -> Severity | None:  # noqa: FBT001 - YAML reads `off` as false
    return None if word in ("off", False) else Severity(str(word))


def _object(entry: Any) -> ObjectRule | None:
    if entry is None:
        return None
    if isinstance(entry, str):
        return ObjectRule(entry)
    return ObjectRule(entry["name"], entry.get("filename", "{file_name}"), entry.get("versioned", True))


def _records(document: Mapping[str, Any], rules: tuple[Rule, ...]) -> tuple[RecordRule, ...]:
    """The records as written, with `{dataset}` in them meaning the dataset of the file's rule."""
    written = tuple(
        RecordRule(
            name=entry["name"],
            table=TableName(*entry["table"]),
            key=dict(entry["key"]),
            columns=dict(entry.get("columns", {})),
            create=entry.get("create", True),
        )
        for entry in document.get("records", ())
    )
    if written or not any(rule.dataset for rule in rules):
        return written
    return (dataset_record("{dataset}"),)
