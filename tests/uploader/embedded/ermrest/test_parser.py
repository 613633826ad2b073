"""Any path is parsed or refused with 400 or 501; text goes through a URL unharmed."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.embedded.ermrest import syntax
from uploader.embedded.ermrest.errors import Refusal
from uploader.embedded.ermrest.parser import parse
from uploader.embedded.ermrest.syntax import Api, Operator

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
PUNCTUATION = st.sampled_from(
    [*"/:;,=()&!@$*%", "::null::", ":=", "::gt::", "any(", "@sort(", "S:T", "a", "%C3%A9"]
)


@given(api=st.sampled_from(Api), path=st.lists(PUNCTUATION, max_size=25).map("".join))
def test_a_path_is_parsed_or_refused(api: Api, path: str) -> None:
    try:
        status = 200 if parse(api, path).steps else 0
    except Refusal as refusal:
        status = refusal.status
    assert status in {200, 400, 501}


@given(schema=TEXT, table=TEXT, column=TEXT, values=st.lists(TEXT, min_size=1, max_size=5))
def test_encoded_names_and_values_come_out_as_they_went_in(
    schema: str, table: str, column: str, values: list[str]
) -> None:
    listed = ",".join(quote(value, safe="") for value in values)
    path = f"{quote(schema, safe='')}:{quote(table, safe='')}/{quote(column, safe='')}=any({listed})"
    resource = parse(Api.ENTITY, path)
    assert resource.steps == (
        syntax.TableStep(table, schema),
        syntax.FilterStep(syntax.Predicate(syntax.ColumnName(column), Operator.EQ, tuple(values))),
    )


def test_and_binds_more_closely_than_or() -> None:
    (_, step) = parse(Api.ENTITY, "T/a=1;b=2&!c::null::").steps
    assert isinstance(step, syntax.FilterStep)
    one, two = (
        syntax.Predicate(syntax.ColumnName(name), Operator.EQ, (value,))
        for name, value in (("a", "1"), ("b", "2"))
    )
    null = syntax.Predicate(syntax.ColumnName("c"), Operator.NULL)
    assert step.condition == syntax.Or((one, syntax.And((two, syntax.Not(null)))))


def test_parentheses_hold_a_link_or_a_filter_by_what_is_in_them() -> None:
    (_, link, condition) = parse(Api.ENTITY, "T/(a,b)/(a=1;b=2)").steps
    assert link == syntax.LinkStep(syntax.Endpoint(("a", "b")))
    assert isinstance(condition, syntax.FilterStep)


def test_links_aliases_and_resets() -> None:
    steps = parse(Api.ENTITY, "A:=S:T/B:=(x)=(S:U:y)/$A/C:=(S:V:z)").steps
    assert steps == (
        syntax.TableStep("T", "S", "A"),
        syntax.JoinStep(syntax.Endpoint(("x",)), syntax.Endpoint(("y",), "U", "S"), "B"),
        syntax.ResetStep("A"),
        syntax.LinkStep(syntax.Endpoint(("z",), "V", "S"), "C"),
    )


def test_sorting_and_paging() -> None:
    resource = parse(Api.ATTRIBUTE, "T/a,n:=b@sort(n::desc::,a)@after(5,::null::)@before(,x)")
    assert resource.sort == (syntax.SortKey("n", descending=True), syntax.SortKey("a"))
    assert resource.after == ("5", None)
    assert resource.before == ("", "x")


@pytest.mark.parametrize(
    "path",
    [
        "T/a@after(1)",
        "T/a@sort(a)@after(1,2)",
        "T/a@sort()",
        "",
        "T/(a=1",
        "T/a==1",
        "T/" + "(" * 60 + "a=1" + ")" * 60,
    ],
)
def test_what_makes_no_sense_is_refused(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(Api.ENTITY, path)
    assert caught.value.status == 400


@pytest.mark.parametrize("path", ["T/left(a)=(S:U:b)", "T/a::ts::x"])
def test_what_is_left_out_is_named(path: str) -> None:
    with pytest.raises(Refusal, match="not part of the embedded catalog") as caught:
        parse(Api.ENTITY, path)
    assert caught.value.status == 501
