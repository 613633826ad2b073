"""Inserts, queries, updates and deletes rows through the peer's path API. Arguments: host, token."""

import json
import sys

from deriva.core import ErmrestCatalog, format_credential
from deriva.core.datapath import (
    All,
    Any,
    Array,
    ArrayD,
    Cnt,
    CntD,
    DataPathException,
    Max,
    Min,
)
from deriva.core.ermrest_model import Column, ForeignKey, Key, Schema, Table, builtin_types
from requests import HTTPError

host, token = sys.argv[1:]
catalog = ErmrestCatalog("http", host, "1", format_credential(token=token))
lab = catalog.getCatalogModel().create_schema(Schema.define("Lab"))
lab.create_table(
    Table.define(
        "Sample",
        [
            Column.define("Name", builtin_types.text, nullok=False),
            Column.define("Origin", builtin_types.text),
        ],
        [Key.define(["Name"])],
    )
)
lab.create_table(
    Table.define(
        "Shot",
        [
            Column.define("No", builtin_types.int8, nullok=False),
            Column.define("Sample", builtin_types.text, nullok=False),
            Column.define("Title", builtin_types.text),
            Column.define("Dose", builtin_types.float8),
            Column.define("Doc", builtin_types.jsonb),
            Column.define("Taken", builtin_types.timestamptz),
        ],
        [Key.define(["No"])],
        [ForeignKey.define(["Sample"], "Lab", "Sample", ["Name"])],
    )
)

paths = catalog.getPathBuilder().schemas["Lab"]
sample, shot = paths.tables["Sample"], paths.tables["Shot"]
found: dict[str, object] = {}


def numbers(path):
    """Numbers of the shots that a path ends at, in order."""
    return sorted(row["No"] for row in path.entities())


def not_offered(act):
    """The server's words for what it does not offer."""
    try:
        act()
    except HTTPError as error:
        return [error.response.status_code, error.response.text]
    return None


def refusal(act):
    """What the peer makes of a refused request."""
    try:
        act()
    except DataPathException as error:
        return error.reason.response.status_code
    return None


inserted = list(
    sample.insert([{"Name": "PbSe", "Origin": "Ålesund"}, {"Name": "Au / C; 50%", "Origin": None}])
)
found["inserted"] = [[row["Name"], row["Origin"], sorted(row)] for row in inserted]
titles = ["Überblick", "area #1 (a+b)", "a&b=c;d/e:f", "x,y 'z' \"q\"", None]
shot.insert(
    {
        "No": number,
        "Sample": "PbSe" if number % 2 else "Au / C; 50%",
        "Title": titles[number % len(titles)],
        "Dose": None if number == 7 else number / 4,
        "Doc": {"deep": [number, None, True]},
        "Taken": f"2024-01-{number + 1:02d}T03:04:05+02:00",
    }
    for number in range(20)
)
found["all"] = len(shot.entities())
found["one"] = {
    name: value
    for name, value in shot.filter(shot.No == 3).entities()[0].items()
    if name not in ("RID", "RCT", "RMT", "RCB", "RMB")
}

found["skipped"] = [
    row["Name"] for row in sample.insert([{"Name": "PbSe"}, {"Name": "third"}], on_conflict_skip=True)
]
found["duplicate"] = refusal(lambda: sample.insert([{"Name": "PbSe"}]))
found["no parent"] = refusal(lambda: shot.insert([{"No": 99, "Sample": "nobody"}]))
found["no key"] = refusal(lambda: sample.insert([{"Origin": "nowhere"}]))
found["batches"] = len(list(sample.insert([{"Name": f"bulk {n}"} for n in range(250)], max_batch_rows=100)))

found["titles"] = {title: numbers(shot.filter(shot.Title == title)) for title in titles[:4]}
found["null title"] = numbers(shot.filter(shot.Title == None))  # noqa: E711 - the peer's way to say null
found["not null title"] = len(shot.filter(shot.Title != None).entities())  # noqa: E711
found["between"] = numbers(shot.filter((shot.No > 3) & (shot.No <= 6)))
found["either"] = numbers(shot.filter((shot.No < 2) | (shot.No >= 18)))
found["not"] = numbers(shot.filter(~(shot.No > 2)))
found["regexp"] = numbers(shot.filter(shot.Title.regexp("^area #[0-9]")))
found["ciregexp"] = numbers(shot.filter(shot.Title.ciregexp("überblick")))
found["any of"] = numbers(shot.filter(shot.No == Any(1, 2, 400)))
found["all of"] = numbers(shot.filter(shot.No > All(16, 18)))
found["moment"] = numbers(shot.filter(shot.Taken >= "2024-01-19T00:00:00Z"))

found["linked"] = numbers(sample.filter(sample.Origin == "Ålesund").link(shot).filter(shot.No < 6))
path = shot.path
path.link(sample, on=(shot.Sample == sample.Name)).filter(sample.Name == "Au / C; 50%").filter(
    path.Shot.No < 5
)
found["context"] = [
    sorted({row["Name"] for row in path.entities()}),
    sorted(row["No"] for row in path.Shot.entities()),
]
left = sample.alias("S")
outer = left.link(shot, on=(left.Name == shot.Sample), join_type="left")
found["outer join"] = not_offered(lambda: outer.entities().fetch())

found["aggregates"] = shot.aggregates(
    Cnt(shot.Dose).alias("cnt"),
    CntD(shot.Sample).alias("kinds"),
    Min(shot.Dose).alias("least"),
    Max(shot.Taken).alias("last"),
    Array(shot.No).alias("numbers"),
    ArrayD(shot.Sample).alias("samples"),
)[0]
found["aggregates"]["numbers"].sort()
found["aggregates"]["samples"].sort()
grouped = shot.groupby(shot.Sample).attributes(Cnt(shot.No).alias("n"), Max(shot.Dose).alias("most"))
found["grouped"] = sorted((row["Sample"], row["n"], row["most"]) for row in grouped)
found["sorted"] = [row["No"] for row in shot.entities().sort(shot.Sample.desc, shot.No.desc).fetch(limit=3)]
found["nulls last"] = [row["No"] for row in shot.entities().sort(shot.Dose).fetch()][-1]
found["attributes"] = list(
    shot.filter(shot.No == 1).attributes(shot.No, shot.Title.alias("What is it"), shot.Doc)
)
path = shot.path
path.link(sample)
both = path.attributes(path.Shot, path.Sample.Origin).fetch(limit=4)
found["both tables"] = [len(both), sorted(both[0])]

found["updated"] = [
    {name: row[name] for name in ("No", "Title", "Dose")}
    for row in shot.update(
        [{"No": 1, "Title": "new", "Dose": None}, {"No": 2, "Title": None, "Dose": 2.5}], ["No"]
    )
]
mine = shot.filter(shot.No == 3).entities()[0]
mine["Title"] = "by RID"
found["updated by RID"] = [row["Title"] for row in shot.update([mine], targets=["Title"])]
shot.filter(shot.No >= 15).delete()
found["left"] = len(shot.entities())
found["parent in use"] = refusal(sample.filter(sample.Name == "PbSe").delete)
resolved = catalog.resolve_rid(mine["RID"])
found["resolved"] = [resolved.table.name, resolved.rid == mine["RID"]]
found["csv"] = catalog.get(
    "/attribute/Lab:Shot/No::lt::3/No,Title,Dose@sort(No)", headers={"Accept": "text/csv"}
).content.decode("utf-8")
json.dump(found, sys.stdout)
