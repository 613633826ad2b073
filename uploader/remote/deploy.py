"""Brings a catalog to a model: creates what is missing, changes nothing that is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from uploader.model.errors import Conflict
from uploader.remote.catalog_facts import facts_of
from uploader.remote.ermrest import ErmrestCatalog
from validation.facts import CatalogFacts, ForeignKeyFacts, TableFacts

SPEC_TAG = "tag:nanoferry.org,2026:spec"
"""Catalog annotation that holds a spec in our YAML, as one string."""

BULK_UPLOAD_TAG = "tag:isrd.isi.edu,2019:bulk-upload"
"""Catalog annotation that holds a DERIVA bulk-upload document."""


def init_catalog(
    catalog: ErmrestCatalog,
    model_document: Mapping[str, Any],
    terms: Mapping[str, Mapping[str, Iterable[Mapping[str, Any]]]],
    annotations: Mapping[str, Any],
) -> list[str]:
    """Create what the catalog lacks of a model, its terms and annotations; returns what was created, in words.

    `model_document` has the form of ERMrest's `/schema`; `terms` is schema -> table -> rows. Running it again
    creates nothing. Raises Conflict, before anything is created, where the catalog holds a part differently.
    """
    wanted = facts_of(model_document)
    before = catalog.document(afresh=True)
    present = facts_of(before)
    _refuse_differences(wanted, present)
    created = [
        *_schemas(catalog, model_document, before["schemas"].keys()),
        *_tables(catalog, model_document, before),
        *_parts(catalog, model_document, wanted, present),
    ]
    for schema, tables in terms.items():
        for table, rows in tables.items():
            inserted = catalog.insert(f"{schema}:{table}", list(rows))
            if inserted:
                created.append(f"{len(inserted)} terms in {schema}:{table}")
    # An annotation that is there may have been edited by the catalog's owner: it stays.
    for tag in sorted(annotations.keys() - catalog.annotations().keys()):
        catalog.change_model("PUT", f"/annotation/{quote(tag, safe='')}", annotations[tag])
        created.append(f"annotation {tag}")
    return created


def spec_annotation(catalog: ErmrestCatalog) -> tuple[str, object] | None:
    """The tag and value of the spec that the catalog carries, ours before DERIVA's; None without one."""
    annotations = catalog.annotations()
    return next(
        ((tag, annotations[tag]) for tag in (SPEC_TAG, BULK_UPLOAD_TAG) if annotations.get(tag)), None
    )


def replace_spec(catalog: ErmrestCatalog, text: str) -> None:
    """Put a spec in the place of the one that the catalog carries."""
    catalog.change_model("PUT", f"/annotation/{quote(SPEC_TAG, safe='')}", text)


def _refuse_differences(wanted: CatalogFacts, present: CatalogFacts) -> None:
    differing = [
        f"{name}.{column.name} is {there.type} in place of {column.type}"
        for name, table in wanted.tables.items()
        if name in present.tables
        for column in table.columns.values()
        if (there := present.tables[name].columns.get(column.name)) is not None and there.type != column.type
    ]
    if differing:
        raise Conflict(
            f"The catalog has tables of our names that differ: {'; '.join(differing)}.",
            status=409,
            detail="Nothing was created.",
            remedy="Use an empty catalog, or bring those columns to these types first.",
        )


def _schemas(catalog: ErmrestCatalog, model: Mapping[str, Any], existing: Collection[str]) -> Iterator[str]:
    """Whole schemas go in one request: it is atomic, and the server sorts out the foreign keys."""
    missing = {name: schema for name, schema in model["schemas"].items() if name not in existing}
    if not missing:
        return
    catalog.change_model("POST", "/schema", {"schemas": missing})
    for name, schema in missing.items():
        yield f"schema {name}"
        yield from (f"table {name}:{table}" for table in schema.get("tables", {}))


def _tables(catalog: ErmrestCatalog, model: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """Tables missing in a schema that was there before; their foreign keys come with the other parts."""
    for name, schema in model["schemas"].items():
        if name not in before["schemas"]:
            continue
        existing = before["schemas"][name].get("tables", {})
        for table, document in schema.get("tables", {}).items():
            if table not in existing:
                path = f"/schema/{quote(name, safe='')}/table"
                catalog.change_model("POST", path, {**document, "foreign_keys": []})
                yield f"table {name}:{table}"


def _parts(
    catalog: ErmrestCatalog, model: Mapping[str, Any], wanted: CatalogFacts, present: CatalogFacts
) -> Iterator[str]:
    """Columns and keys missing in a table that was there, then every foreign key still missing."""
    created = facts_of(catalog.document())
    for name, table in wanted.tables.items():
        if name in present.tables:
            yield from _columns_and_keys(catalog, _document_of(model, name), table, present.tables[name])
    for name, table in wanted.tables.items():
        known = {_references(key) for key in created.tables[name].foreign_keys}
        for key, document in zip(table.foreign_keys, _document_of(model, name)["foreign_keys"], strict=True):
            if _references(key) not in known:
                catalog.change_model("POST", f"{_path_of(name)}/foreignkey", document)
                yield f"foreign key {name} ({', '.join(key.columns)}) to {key.target}"


def _columns_and_keys(
    catalog: ErmrestCatalog, document: Mapping[str, Any], wanted: TableFacts, present: TableFacts
) -> Iterator[str]:
    for column in document["column_definitions"]:
        if column["name"] not in present.columns:
            catalog.change_model("POST", f"{_path_of(wanted.name)}/column", column)
            yield f"column {wanted.name}.{column['name']}"
    known = {frozenset(key) for key in present.keys}
    for key in document["keys"]:
        if frozenset(key["unique_columns"]) not in known:
            catalog.change_model("POST", f"{_path_of(wanted.name)}/key", key)
            yield f"key {wanted.name} ({', '.join(key['unique_columns'])})"


def _references(key: ForeignKeyFacts) -> tuple[str, frozenset[tuple[str, str]]]:
    return key.target, frozenset(zip(key.columns, key.target_columns, strict=True))


def _document_of(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    schema, _, table = name.partition(":")
    document: Mapping[str, Any] = model["schemas"][schema]["tables"][table]
    return document


def _path_of(name: str) -> str:
    schema, _, table = name.partition(":")
    return f"/schema/{quote(schema, safe='')}/table/{quote(table, safe='')}"
