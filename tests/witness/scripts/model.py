"""Creates, alters and drops parts of a model through the peer's model API. Arguments: host, token."""

import json
import sys

from deriva.core import DerivaServer, format_credential
from deriva.core.ermrest_model import Column, ForeignKey, Key, Schema, Table, builtin_types

host, token = sys.argv[1:]
server = DerivaServer("http", host, format_credential(token=token))
catalog = server.connect_ermrest("1")
found: dict[str, object] = {}


def fresh():
    """The model as the server has it now, nothing of it remembered."""
    return server.connect_ermrest("1").getCatalogModel()


model = catalog.getCatalogModel()
lab = model.create_schema(Schema.define("Lab A", comment="a schema with a space"))
kinds = lab.create_table(Table.define_vocabulary("Kind", "LAB:{RID}", comment="what a thing is"))
things = lab.create_table(
    Table.define(
        "Thing",
        column_defs=[
            Column.define("Name", builtin_types.text, nullok=False, comment="what it is called"),
            Column.define("Size", builtin_types.int8),
            Column.define("Weight", builtin_types.float8, default=1.5),
            Column.define("Seen", builtin_types.timestamptz),
            Column.define("Day", builtin_types.date),
            Column.define("Live", builtin_types.boolean, default=True),
            Column.define("Doc", builtin_types.jsonb),
            Column.define("Notes", builtin_types.markdown),
            Column.define("Kind", builtin_types.text),
        ],
        key_defs=[Key.define(["Name"], constraint_names=[["Lab A", "Thing_Name_key"]])],
        fkey_defs=[
            ForeignKey.define(
                ["Kind"], "Lab A", "Kind", ["Name"], constraint_names=[["Lab A", "Thing_Kind_fkey"]]
            )
        ],
        annotations={"tag:misd.isi.edu,2015:display": {"name": "Things"}},
    )
)
files = lab.create_table(
    Table.define_asset("Lab A", "Picture", column_defs=[Column.define("Angle", builtin_types.float4)])
)
links = lab.create_table(Table.define_association([("Thing", things), ("Picture", files)]))
now = fresh().schemas["Lab A"]
found["tables"] = sorted(now.tables)
found["thing columns"] = {column.name: column.type.typename for column in now.tables["Thing"].columns}
found["thing keys"] = sorted(
    sorted(column.name for column in key.unique_columns) for key in now.tables["Thing"].keys
)
found["thing foreign keys"] = sorted(
    f"{fkey.name[1]}: {[c.name for c in fkey.columns]} -> {fkey.pk_table.name}"
    for fkey in now.tables["Thing"].foreign_keys
)
found["default"] = now.tables["Thing"].columns["Weight"].default
found["comment"] = now.tables["Thing"].columns["Name"].comment
found["is association"] = now.tables[links.name].is_association()
found["vocabulary columns"] = [column.name for column in now.tables["Kind"].columns]
found["name of thing"] = now.tables["Thing"].annotations["tag:misd.isi.edu,2015:display"]

things.create_column(Column.define("Colour", builtin_types.text, comment="late"))
things.create_column(Column.define("Parent", builtin_types.text))
things.create_fkey(ForeignKey.define(["Parent"], "Lab A", "Thing", ["RID"], on_delete="SET NULL"))
things.create_key(Key.define(["Size", "Colour"]))
now = fresh().schemas["Lab A"].tables["Thing"]
found["after growing"] = [
    sorted(c.name for c in now.columns if c.name in ("Colour", "Parent")),
    len(now.keys),
    len(now.foreign_keys),
]
found["on delete"] = next(f.on_delete for f in now.foreign_keys if f.columns[0].name == "Parent")

things.columns["Colour"].alter(name="Hue", comment="renamed", type=builtin_types.markdown)
things.columns["Name"].alter(nullok=True)
kinds.alter(comment="altered")
things.annotations["tag:isrd.isi.edu,2016:visible-columns"] = {"*": ["Name", "Hue"]}
things.columns["Hue"].annotations["tag:misd.isi.edu,2015:display"] = {"name": "Colour"}
model.annotations["tag:isrd.isi.edu,2019:chaise-config"] = {"navbarBrandText": "Lab"}
things.acls["select"] = ["*"]
model.apply()
now = fresh()
thing = now.schemas["Lab A"].tables["Thing"]
found["altered column"] = [
    thing.columns["Hue"].comment,
    thing.columns["Hue"].type.typename,
    thing.columns["Name"].nullok,
]
found["altered comment"] = now.schemas["Lab A"].tables["Kind"].comment
found["applied"] = [
    thing.annotations["tag:isrd.isi.edu,2016:visible-columns"],
    thing.columns["Hue"].annotations["tag:misd.isi.edu,2015:display"],
    now.annotations["tag:isrd.isi.edu,2019:chaise-config"],
    thing.acls["select"],
]

things.alter(table_name="Item")
now = fresh().schemas["Lab A"]
found["renamed table"] = sorted(now.tables)
found["key after renaming"] = sorted(key.name[1] for key in now.tables["Item"].keys if key.name)
model = fresh()
item = model.schemas["Lab A"].tables["Item"]
item.columns["Doc"].drop()
next(f for f in item.foreign_keys if f.columns[0].name == "Parent").drop()
next(k for k in item.keys if {c.name for c in k.unique_columns} == {"Size", "Hue"}).drop()
model.schemas["Lab A"].tables[links.name].drop()
now = fresh().schemas["Lab A"]
found["after dropping"] = [
    sorted(now.tables),
    "Doc" in now.tables["Item"].columns.elements,
    len(now.tables["Item"].keys),
    len(now.tables["Item"].foreign_keys),
]
fresh().schemas["Lab A"].drop(cascade=True)
found["schemas at the end"] = sorted(fresh().schemas)

second = server.create_ermrest_catalog(name="second")
second.getCatalogModel().configure_baseline_catalog()
found["second catalog"] = sorted(server.connect_ermrest(second.catalog_id).getCatalogModel().schemas)
json.dump(found, sys.stdout)
