"""Files whose content is rows: what is read, what is refused, what happens in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from port_fakes import MemoryCatalog

from uploader.model.entries import Entry
from uploader.model.errors import Conflict, SourceUnreadable
from uploader.model.files import Root, SourceFile
from uploader.stages.describe import Candidate, describe
from uploader.stages.table_rows import insert_rows, read_rows
from validation.facts import CatalogFacts, TableFacts
from validation.spec.load import load_document
from validation.spec.matching import Matcher
from validation.spec.model import Match

SPEC = load_document(
    {
        "asset_mappings": [
            {
                "asset_type": "table",
                "file_pattern": "^.*/(?P<schema>[^/]+)/(?P<table>[^/.]+)[.].*$",
                "ext_pattern": "",
            }
        ]
    },
    "test",
)


def candidate_of(folder: Path, name: str, body: bytes) -> Candidate:
    path = folder / "isa" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)
    state = path.stat()
    source = SourceFile(f"isa/{name}", state.st_size, state.st_mtime_ns)
    match = Matcher(SPEC, folder.as_posix()).match(source.path)
    assert isinstance(match, Match)
    return describe(Entry(1, 1, source), Root(folder), SPEC, match, None, record={}, digest=None)


@pytest.fixture
def table_file(tmp_path: Path) -> Callable[[str, bytes], Candidate]:
    return lambda name, body: candidate_of(tmp_path, name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("t.csv", b"a,b\n1,\n"),
        ("t.csv", "\ufeffa,b\r\n1,\r\n".encode()),
        ("t.json", b'[{"a": "1", "b": null}]'),
        ("t.json", b'{"a": "1", "b": null}'),
        ("t.jsonl", b'{"a": "1", "b": null}\n\n'),
    ],
)
def test_one_row_in_every_form(table_file: Callable[[str, bytes], Candidate], name: str, body: bytes) -> None:
    assert read_rows(table_file(name, body)) == [{"a": "1", "b": None}]


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("t.csv", b"a,b\n1\n", "line 2"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2"),
        ("t.csv", b'a\n"1\n', "malformed"),
        ("t.csv", b"\xff\xfe\x00", "UTF-8"),
        ("t.json", b"[1, 2]", "list of objects"),
        ("t.json", b"{", "malformed"),
    ],
)
def test_what_is_no_table(
    table_file: Callable[[str, bytes], Candidate], name: str, body: bytes, why: str
) -> None:
    with pytest.raises(SourceUnreadable, match=why) as refused:
        read_rows(table_file(name, body))
    assert refused.value.remedy


@given(
    st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()), max_size=5)
)
def test_json_rows_come_back_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    candidate = candidate_of(tmp_path_factory.mktemp("rows"), "t.json", json.dumps(rows).encode())
    assert read_rows(candidate) == rows


class Known(MemoryCatalog):
    """A catalog whose one table has this key."""

    key: tuple[str, ...] = ("RID",)

    def facts(self) -> CatalogFacts:
        return CatalogFacts({"isa:t": TableFacts("isa:t", {}, keys=(("RID",), self.key))})


def test_rows_in_doubt_need_a_key_to_be_recognised_by(table_file: Callable[[str, bytes], Candidate]) -> None:
    table = table_file("t.csv", b"a\n1\n2\n")
    bare = Known()
    assert insert_rows(bare, table, in_doubt=False) == 2
    with pytest.raises(Conflict, match="no key"):
        insert_rows(bare, table, in_doubt=True)
    assert len(bare.tables["isa:t"]) == 2
    keyed = Known(keys={"isa:t": [("a",)]})
    keyed.key = ("a",)
    assert [insert_rows(keyed, table, in_doubt=True) for _ in range(2)] == [2, 0]
