"""Turns a DERIVA bulk-upload document, unchanged, into a Spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import regex

from validation.model import Severity
from validation.spec import placeholders
from validation.spec.deriva_query import identity_of
from validation.spec.deriva_versions import check_versions
from validation.spec.faults import Faults, did_you_mean
from validation.spec.json_places import Place
from validation.spec.model import ObjectRule, Rule, RuleKind, Spec, SpecForm, TableName
from validation.spec.path_entry import compile_checked
from validation.spec.patterns import DerivaPattern
from validation.spec.render import DIGEST_NAMES, FILE_NAMES, OBJECT_NAMES, URLENCODED

SCHEMA = "deriva-bulk-upload"
_PATTERNS = ("dir_pattern", "ext_pattern", "file_pattern")
_PROCESSORS = ("pre_processors", "post_processors")
_TOP = frozenset(
    {
        *("asset_mappings", "file_ext_mappings", "mime_overrides", "relative_path_validation"),
        *("strict_update_check", "version_compatibility", "version_update_url", *_PROCESSORS),
    }
)
_MAPPING = frozenset(
    {
        *("allow_empty_columns_on_update", "asset_type", "checksum_types", "column_map", *_PATTERNS),
        *("column_value_templates", "create_record_before_upload", "default_columns", "hatrac_options"),
        *("hatrac_templates", "metadata_query_templates", "record_query_template", "record_update_template"),
        *("require_record_update_template", "target_table", "url_encoding_safe_overrides", *_PROCESSORS),
    }
)
# Read by the renderer, the look-ups and the writer of rows.
_KEPT = (
    *("hatrac_options", "default_columns", "record_update_template", "require_record_update_template"),
    "allow_empty_columns_on_update",
)


def build(faults: Faults, digest: str) -> Spec | None:
    """The spec of the document, or None when `faults` now holds an error."""
    faults.check_schema(SCHEMA)
    document = faults.document.value
    _check_processors(faults, document, ())
    _check_unknown(faults, document, (), _TOP)
    check_versions(faults, document)
    mappings = document.get("asset_mappings")
    rules = []
    for index, entry in enumerate(mappings if isinstance(mappings, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        place: Place = ("asset_mappings", index)
        _check_processors(faults, entry, place)
        _check_unknown(faults, entry, place, _MAPPING)
        groups = _check_patterns(faults, entry, place)
        if faults.errors:
            continue
        rule = _rule(entry, index, document)
        _check_names(faults, rule, entry, place, groups, document)
        rules.append(rule)
    if faults.errors:
        return None
    name = PurePath(faults.document.source).stem if faults.document.source else SCHEMA
    return Spec(
        id=name or SCHEMA,
        # The form has no version of its own: its content stands for it.
        version=digest[:12],
        form=SpecForm.DERIVA,
        source=faults.document.source,
        digest=digest,
        rules=tuple(rules),
        extras={
            "relative_path_validation": _true(document.get("relative_path_validation", False)),
            "strict_update_check": _true(document.get("strict_update_check", True)),
            "version_update_url": document.get("version_update_url", ""),
        },
        issues=faults.warnings,
    )


def _check_processors(faults: Faults, entry: Mapping[str, Any], place: Place) -> None:
    for key in _PROCESSORS:
        processors = entry.get(key) or []
        for index, processor in enumerate(processors if isinstance(processors, list) else (processors,)):
            named = processor if isinstance(processor, Mapping) else {}
            name = (
                named.get("processor") or named.get("processor_name") or named.get("name") or "without a name"
            )
            kind = named.get("processor_type") or named.get("type")
            where = (*place, key, index) if isinstance(processors, list) else (*place, key)
            faults.add(
                "spec.processor",
                where,
                f"{key} names the processor {name}{f' ({kind})' if kind else ''}, which would run code",
            )


def _check_unknown(faults: Faults, entry: Mapping[str, Any], place: Place, known: frozenset[str]) -> None:
    for key in entry:
        if key not in known and not key.startswith(("$", "_")):
            faults.add(
                "spec.invalid",
                (*place, key),
                f"the entry {key!r} is not known and has no effect",
                remedy=did_you_mean(key, sorted(known)),
                severity=Severity.WARNING,
                key=True,
            )


def _check_patterns(faults: Faults, entry: Mapping[str, Any], place: Place) -> frozenset[str]:
    """The named groups of all patterns."""
    groups: set[str] = set()
    for key in _PATTERNS:
        text = entry.get(key)
        if not isinstance(text, str) or not text:
            continue
        try:
            groups |= compile_checked(text).groupindex.keys()
        except regex.error as error:
            faults.add("spec.pattern", (*place, key), f"{key}: {error}")
    return frozenset(groups)


def _rule(entry: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Rule:
    schema, table = entry.get("target_table") or ("{schema}", "{table}")
    templates = entry.get("hatrac_templates", {})
    options = entry.get("hatrac_options", {})
    is_table = entry.get("asset_type", "file") == "table"
    versioned = options.get("versioned_urls", options.get("versioned_uris", True))
    disposition = templates.get("content-disposition", "")
    query = entry.get("record_query_template", "")
    return Rule(
        id=f"mapping-{index + 1}",
        kind=RuleKind.ROWS if is_table else RuleKind.ASSET,
        pattern=DerivaPattern(
            directory=entry.get("dir_pattern", ""),
            extension=entry.get("ext_pattern", ""),
            file=entry.get("file_pattern", ""),
            relative=_true(document.get("relative_path_validation", False)),
        ),
        table=TableName(schema, table),
        columns=dict(entry.get("column_map", {})),
        identity=identity_of(query, schema, table) if query else None,
        object=None
        if is_table or "hatrac_uri" not in templates
        else ObjectRule(templates["hatrac_uri"], disposition or "{file_name}", _true(versioned)),
        lookups=tuple(entry.get("metadata_query_templates", ())),
        computed=dict(entry.get("column_value_templates", {})),
        checksums=frozenset(name.lower() for name in entry.get("checksum_types", ("md5", "sha256"))),
        record_first=_true(entry.get("create_record_before_upload", False)),
        media_types={
            "." + suffix.lower().lstrip("."): media_type
            for media_type, suffixes in document.get("mime_overrides", {}).items()
            for suffix in suffixes
        },
        safe_characters=dict(entry.get("url_encoding_safe_overrides", {})),
        extras={
            "form": SpecForm.DERIVA,
            "file_ext_mappings": document.get("file_ext_mappings", {}),
            "record_query_template": query,
            "content_disposition": bool(disposition),
            **{key: entry[key] for key in _KEPT if key in entry},
        },
    )


def _true(value: Any) -> bool:
    """The form writes truth as a boolean or as a word."""
    return value if isinstance(value, bool) else str(value).lower() in {"1", "t", "true", "y", "yes", "on"}


def _check_names(
    faults: Faults,
    rule: Rule,
    entry: Mapping[str, Any],
    place: Place,
    groups: frozenset[str],
    document: Mapping[str, Any],
) -> None:
    """Unknown names: an error where nothing could be sent, else a warning (the column stays empty)."""
    known = set(groups | FILE_NAMES)
    for properties in document.get("file_ext_mappings", {}).values():
        known |= properties.keys()
    digests = {name for name in DIGEST_NAMES if name.removesuffix("_base64") in rule.checksums}
    # A look-up may bring any column of the row it finds: what it brings is known only to the catalog.
    open_world = bool(rule.lookups)
    check = _NameCheck(faults, open_world=open_world)
    for number, template in enumerate(rule.lookups):
        check.run(
            (*place, "metadata_query_templates", number),
            template,
            known | digests,
            Severity.ERROR,
            always=True,
        )
    known |= digests
    for name, template in rule.computed.items():
        check.run((*place, "column_value_templates", name), template, known, Severity.WARNING)
        known.add(name)
    # A record that is made first may name its object.
    recorded = {"RID", *entry.get("column_map", {})} if rule.record_first else set()
    for key, template in entry.get("hatrac_templates", {}).items():
        check.run((*place, "hatrac_templates", key), template, known | recorded, Severity.ERROR)
    early = known if rule.record_first else known | OBJECT_NAMES
    check.run(
        (*place, "record_query_template"), entry.get("record_query_template", ""), early, Severity.ERROR
    )
    # The record found by the query joins the values: its columns may be used in the map, too.
    columns = entry.get("column_map", {})
    for column, template in columns.items():
        check.run(
            (*place, "column_map", column), template, known | OBJECT_NAMES | columns.keys(), Severity.WARNING
        )
    for number, template in enumerate(entry.get("target_table", ())):
        check.run((*place, "target_table", number), template, set(groups), Severity.ERROR, always=True)


class _NameCheck:
    """Checks templates for names that nothing supplies."""

    def __init__(self, faults: Faults, *, open_world: bool) -> None:
        self._faults = faults
        self._open_world = open_world

    def run(
        self,
        place: Place,
        template: str,
        known: set[str] | frozenset[str],
        severity: Severity,
        *,
        always: bool = False,
    ) -> None:
        try:
            used = placeholders.names(template)
        except placeholders.PlaceholderError as error:
            self._faults.add("spec.pattern", place, str(error))
            return
        if self._open_world and not always:
            return
        for name in sorted(used):
            plain = name.removesuffix(URLENCODED)
            if plain not in known:
                self._faults.add(
                    "spec.unknown_name",
                    place,
                    f"{{{name}}} is supplied by nothing",
                    remedy=did_you_mean(plain, sorted(known)),
                    severity=severity,
                )
