"""The head of a request: what every request says once, what this one adds, and nothing that could say more."""

from __future__ import annotations

from collections.abc import Mapping

from uploader.model.errors import BadRequest


def standing_lines(headers: Mapping[str, str]) -> bytes:
    """The header lines that all requests share, encoded once."""
    return _lines(headers).encode("latin-1")


def request_head(
    method: str, target: str, standing: bytes, headers: Mapping[str, str], *, length_bytes: int | None
) -> bytes:
    """The whole head; raises BadRequest when target or headers hold what does not belong there.

    `target` is path and query, percent-encoded; it is sent as it is.
    """
    refuse_odd_target(target)
    own = _lines(headers)
    if "Accept-Encoding" not in headers:
        own += "Accept-Encoding: identity\r\n"
    if length_bytes is not None:
        own += f"Content-Length: {length_bytes}\r\n"
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (
        method.encode("ascii"),
        target.encode("ascii"),
        standing,
        own.encode("latin-1"),
    )


def refuse_odd_target(target: str) -> None:
    """Raise BadRequest for a path that is no address on a server.

    Paths also come out of receipts, rows and answers. One that does not begin with a slash could go on with the
    host name ("@elsewhere.org/"); a line break would be the beginning of another request.
    """
    if (
        not target.startswith("/")
        or not target.isascii()
        or not target.isprintable()
        or " " in target
        or "#" in target
    ):
        raise BadRequest(
            f"{target[:200]!r} is no address on a server.",
            detail="Nothing was sent.",
            remedy="It comes from a receipt, a record or the server: check where that is from.",
        )


def _lines(headers: Mapping[str, str]) -> str:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    count = len(headers)
    is_sound = text.count("\n") == count and text.count("\r") == count and "\0" not in text
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        is_sound = False
    if not is_sound:
        # Without the value: a login may stand in it.
        raise BadRequest(
            f"One of the headers {', '.join(headers)[:200]} can't be sent.",
            detail="It holds a line break or a letter that no header has. Nothing was sent.",
            remedy="Check the names and the login that the request is made of.",
        )
    return text
