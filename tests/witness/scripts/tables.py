"""Creates the tables of bulk-upload.json through the peer's model API. Arguments: host, token, dataset names."""

import sys

from deriva.core import ErmrestCatalog, format_credential
from deriva.core.ermrest_model import Column, ForeignKey, Key, Schema, Table, builtin_types

host, token, *datasets = sys.argv[1:]
catalog = ErmrestCatalog("http", host, "1", format_credential(token=token))
lab = catalog.getCatalogModel().create_schema(Schema.define("Lab"))
lab.create_table(
    Table.define(
        "Dataset",
        [Column.define("Name", builtin_types.text, nullok=False), Column.define("Year", builtin_types.int4)],
        [Key.define(["Name"])],
    )
)


def asset_table(name: str, more: list[dict[str, object]], key: list[str]) -> None:
    columns = [
        Column.define("Dataset", builtin_types.text, nullok=False),
        Column.define("File_Name", builtin_types.text, nullok=False),
        Column.define("MD5", builtin_types.text, nullok=False),
        Column.define("Length", builtin_types.int8, nullok=False),
        Column.define("URI", builtin_types.text, nullok=False),
    ]
    parent = ForeignKey.define(["Dataset"], "Lab", "Dataset", ["RID"])
    lab.create_table(Table.define(name, [*columns, *more], [Key.define(key)], [parent]))


asset_table("Picture", [Column.define("SHA256", builtin_types.text)], ["Dataset", "File_Name", "MD5"])
asset_table(
    "Result",
    [Column.define("Number", builtin_types.int4), Column.define("Label", builtin_types.text)],
    ["Dataset", "File_Name"],
)
catalog.getPathBuilder().schemas["Lab"].tables["Dataset"].insert([{"Name": name} for name in datasets])
sys.stdout.write("{}")
