"""Rows in batches: what is new, what was there, what is refused alone, what is in doubt."""

from __future__ import annotations

from typing import Any

import pytest
from port_fakes import MemoryCatalog

from uploader.model.errors import BadRequest, Conflict, Unreachable
from uploader.stages.register import RowWork, register

T = "s:T"


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog(keys={T: [("Path",)]}, lost=lambda: Unreachable("the line broke"))


def work(path: str, md5: str = "m", **parts: Any) -> RowWork:
    return RowWork(T, {"Path": path, "MD5": md5}, ("Path",), proof=("MD5",), **parts)


def test_new_rows_go_in_one_request_and_come_back_in_order(catalog: MemoryCatalog) -> None:
    done = register(catalog, [work(name) for name in "cab"])
    assert [row.row["Path"] for row in done] == ["c", "a", "b"]
    assert all(row.created and row.rid for row in done)
    assert catalog.calls == ["insert s:T 3"]


def test_a_row_with_our_checksum_is_ours(catalog: MemoryCatalog) -> None:
    catalog.tables[T] = [{"RID": "R0", "Path": "a", "MD5": "m"}]
    there, new = register(catalog, [work("a"), work("b")])
    assert (there.rid, there.created) == ("R0", False)
    assert new.created


def test_a_row_with_another_checksum_is_a_conflict_and_takes_no_other_with_it(catalog: MemoryCatalog) -> None:
    catalog.tables[T] = [{"RID": "R0", "Path": "a", "MD5": "theirs"}]
    clash, new = register(catalog, [work("a"), work("b")])
    assert isinstance(clash.error, Conflict)
    assert "MD5" in clash.error.summary
    assert new.error is None
    assert catalog.tables[T][0]["MD5"] == "theirs"


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_a_refused_row_is_found_by_halving(catalog: MemoryCatalog, count: int) -> None:
    catalog.refuses = lambda row: BadRequest("not an integer") if row["Path"] == "bad" else None
    works = [work(f"p{number}") for number in range(count)]
    works.insert(count // 2, work("bad"))
    done = register(catalog, works)
    assert [isinstance(row.error, BadRequest) for row in done] == [one.row["Path"] == "bad" for one in works]
    assert len(catalog.tables[T]) == count
    assert len(catalog.calls) <= 2 * (count + 1).bit_length() + 1


def test_a_broken_line_is_no_rows_fault(catalog: MemoryCatalog) -> None:
    catalog.lose_replies = 1
    with pytest.raises(Unreachable):
        register(catalog, [work("a")])


def test_rows_in_doubt_are_looked_for_where_the_table_has_no_key() -> None:
    catalog = MemoryCatalog(lost=lambda: Unreachable("the line broke"), lose_replies=1)
    works = [work(name) for name in "ab"]
    with pytest.raises(Unreachable):
        register(catalog, works)
    done = register(catalog, [*works, work("c")], in_doubt=True)
    assert [row.created for row in done] == [False, False, True]
    assert [row["Path"] for row in catalog.tables[T]] == ["a", "b", "c"]


def test_rows_in_doubt_are_looked_for_by_their_query_where_nothing_else_identifies_them() -> None:
    catalog = MemoryCatalog(tables={T: [{"RID": "R0", "MD5": "a"}]})
    works = [RowWork(T, {"MD5": name}, (), query=f"/entity/{T}/MD5={name}") for name in "ab"]
    there, new = register(catalog, works, in_doubt=True)
    assert (there.rid, there.created) == ("R0", False)
    assert new.created
    assert len(catalog.tables[T]) == 2


def test_rows_that_nothing_identifies_go_one_by_one(catalog: MemoryCatalog) -> None:
    register(catalog, [RowWork(T, {"Path": name}, ()) for name in "ab"])
    assert catalog.calls == ["insert s:T 1", "insert s:T 1"]


def test_an_update_writes_its_columns_and_no_others(catalog: MemoryCatalog) -> None:
    catalog.tables[T] = [{"RID": "R0", "Path": "a", "MD5": "old", "Title": "theirs"}]
    (done,) = register(catalog, [work("a", "new", rid="R0", columns=("MD5",))])
    assert done.error is None
    assert catalog.tables[T] == [{"RID": "R0", "Path": "a", "MD5": "new", "Title": "theirs"}]


def test_an_update_of_a_row_that_is_gone_says_so(catalog: MemoryCatalog) -> None:
    (done,) = register(catalog, [work("a", rid="R9", columns=("MD5",))])
    assert isinstance(done.error, Conflict)
    assert "R9" in done.error.summary
