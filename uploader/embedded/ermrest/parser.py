"""Parses the data part of a URL (`entity/S:T/…`) into a Resource."""

from __future__ import annotations

from uploader.embedded.ermrest import syntax
from uploader.embedded.ermrest.errors import Refusal, malformed, not_implemented
from uploader.embedded.ermrest.filters import condition
from uploader.embedded.ermrest.syntax import Api
from uploader.embedded.ermrest.tokens import END, TEXT, Cursor, Token, tokens

_MAX_TOKENS = 20_000


def parse(api: Api, raw: str, start: int = 0) -> syntax.Resource:
    """The resource that `raw[start:]`, the part after `API/`, names; raises Refusal (400, 501)."""
    items = tokens(raw, start)
    if len(items) > _MAX_TOKENS:
        raise malformed("the path has too many elements")
    elements = _elements(items)
    outputs: tuple[syntax.Output, ...] = ()
    group_keys: tuple[syntax.Output, ...] = ()
    last, sort, before, after = _modifiers(elements[-1])
    elements[-1] = last
    if api is not Api.ENTITY:
        if len(elements) < 2:
            raise malformed(last[-1].fault())
        cursor = Cursor(elements.pop())
        outputs = cursor.listed(lambda: _output(cursor))
        if api is Api.ATTRIBUTEGROUP:
            group_keys, outputs = outputs, ()
            if cursor.skip(";"):
                outputs = cursor.listed(lambda: _output(cursor))
        cursor.take(END)
    steps = tuple(_step(element, is_root=index == 0) for index, element in enumerate(elements))
    return syntax.Resource(api, steps, outputs, group_keys, sort, before, after)


def _elements(items: list[Token]) -> list[list[Token]]:
    """The path elements between slashes, each closed by an END token that names the fault after it."""
    elements: list[list[Token]] = [[]]
    for token in items:
        if token.kind in {"/", END}:
            elements[-1].append(Token(END, token.text, token.position))
            if token.kind == "/":
                elements.append([])
        else:
            elements[-1].append(token)
    if len(elements) > 1 and len(elements[-1]) == 1:
        elements.pop()  # a slash at the end says nothing
    return elements


def _modifiers(
    element: list[Token],
) -> tuple[
    list[Token],
    tuple[syntax.SortKey, ...],
    tuple[str | None, ...] | None,
    tuple[str | None, ...] | None,
]:
    """Cuts `@sort(…)@before(…)@after(…)` off the last element."""
    at = next((index for index, token in enumerate(element) if token.kind == "@"), None)
    if at is None:
        return element, (), None, None
    rest = Cursor(element[at:])
    sort: tuple[syntax.SortKey, ...] = ()
    pages: dict[str, tuple[str | None, ...]] = {}
    while rest.skip("@"):
        word = rest.peek()
        if word.kind != TEXT or word.text not in {"sort", "before", "after"} or word.text in pages:
            raise malformed(word.fault())
        if (word.text == "sort") == bool(sort):
            raise malformed(word.fault())  # sort comes first and once, a page only after it
        rest.take(TEXT)
        rest.take("(")
        if word.text == "sort":
            sort = rest.listed(lambda: _sort_key(rest))
        else:
            pages[word.text] = rest.listed(lambda: _page_value(rest))
        rest.take(")")
    end = rest.take(END)
    for values in pages.values():
        if len(values) != len(sort):
            raise malformed(f"page key has {len(values)} values for {len(sort)} sort columns")
    return [*element[:at], end], sort, pages.get("before"), pages.get("after")


def _sort_key(cursor: Cursor) -> syntax.SortKey:
    name = cursor.text()
    return syntax.SortKey(name, descending=cursor.skip("::desc::"))


def _page_value(cursor: Cursor) -> str | None:
    return None if cursor.skip("::null::") else cursor.optional_text()


def _step(element: list[Token], *, is_root: bool) -> syntax.Step:
    cursor = Cursor(element)
    step = _root(cursor) if is_root else _inner(cursor, element)
    cursor.take(END)
    return step


def _root(cursor: Cursor) -> syntax.TableStep:
    return _table(cursor, _alias(cursor))


def _inner(cursor: Cursor, element: list[Token]) -> syntax.Step:
    if cursor.skip("$"):
        return syntax.ResetStep(cursor.text())
    alias = _alias(cursor)
    if cursor.peek().kind == "(" and (alias or _is_column_list(element)):
        return _link(cursor, alias)
    if cursor.peek().text in {"left", "right", "full"} and cursor.peek(1).kind == "(":
        raise not_implemented("outer joins")
    if alias or _is_table(element):
        return _table(cursor, alias)
    return syntax.FilterStep(condition(cursor))


def _alias(cursor: Cursor) -> str:
    if cursor.peek(1).kind != ":=":
        return ""
    alias = cursor.text()
    cursor.take(":=")
    return alias


def _table(cursor: Cursor, alias: str) -> syntax.TableStep:
    first = cursor.text()
    if cursor.skip(":"):
        return syntax.TableStep(cursor.text(), first, alias)
    return syntax.TableStep(first, "", alias)


def _is_table(element: list[Token]) -> bool:
    return all(token.kind in {TEXT, ":", END} for token in element)


def _is_column_list(element: list[Token]) -> bool:
    """Whether `(…)` holds nothing but column names: then it is a link and not a filter in parentheses."""
    for token in element[1:]:
        if token.kind == ")":
            return True
        if token.kind not in {TEXT, ":", ","}:
            return False
    return False


def _link(cursor: Cursor, alias: str) -> syntax.LinkStep | syntax.JoinStep:
    left = _endpoint(cursor)
    if not cursor.skip("="):
        return syntax.LinkStep(left, alias)
    return syntax.JoinStep(left, _endpoint(cursor), alias)


def _endpoint(cursor: Cursor) -> syntax.Endpoint:
    cursor.take("(")
    names = [cursor.text()]
    while len(names) < 3 and cursor.skip(":"):
        names.append(cursor.text())
    columns = [names.pop()]
    while cursor.skip(","):
        again = [cursor.text()]
        while cursor.skip(":"):
            again.append(cursor.text())
        columns.append(again.pop())
        if again and again != names:
            raise malformed("the columns of a link belong to different tables")
    cursor.take(")")
    table = names.pop() if names else ""
    return syntax.Endpoint(tuple(columns), table, names[0] if names else "")


def _output(cursor: Cursor) -> syntax.Output:
    name = _alias(cursor)
    if cursor.peek().kind == TEXT and cursor.peek(1).kind == "(":
        return _aggregate(cursor, name)
    return syntax.Output(_source(cursor), name)


def _aggregate(cursor: Cursor, name: str) -> syntax.Output:
    word = cursor.take(TEXT)
    try:
        function = syntax.Function(word.text)
    except ValueError:
        if word.text == "bin":
            raise not_implemented("bins") from None
        raise Refusal(400, f"Unknown aggregate function {word.text!r}.") from None
    cursor.take("(")
    source = _source(cursor)
    cursor.take(")")
    return syntax.Output(source, name, function)


def _source(cursor: Cursor) -> syntax.ColumnName | syntax.Star:
    if cursor.skip("*"):
        return syntax.Star()
    first = cursor.text()
    if not cursor.skip(":"):
        return syntax.ColumnName(first)
    if cursor.skip("*"):
        return syntax.Star(first)
    return syntax.ColumnName(cursor.text(), first)
