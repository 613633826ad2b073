"""A request that Hatrac refuses, with the status and the words of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):
    """Becomes a text/plain answer; what was there before the request is still there."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        media_type: str = "text/plain",
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers
        self.media_type = media_type


def bad_request(text: str) -> Refusal:
    """400."""
    return Refusal(400, text)


def not_found(resource: str) -> Refusal:
    """404 for a resource given by its URL path."""
    return Refusal(404, f"Resource {resource} not found.")


def conflict(text: str) -> Refusal:
    """409."""
    return Refusal(409, text)


def precondition_failed(etag: str | None) -> Refusal:
    """412, naming the version that is there."""
    headers = {"Vary": "cookie"} if etag is None else {"ETag": etag, "Vary": "cookie"}
    return Refusal(412, "Resource state does not match requested preconditions.", headers=headers)


def method_not_allowed() -> Refusal:
    """405."""
    return Refusal(405, "Request method not allowed on this resource.")


def disk_full(reason: str) -> Refusal:
    """507: no room; nothing of the request was kept."""
    return Refusal(
        507,
        f"Insufficient storage on the server: {reason} Nothing of this request was kept, "
        "earlier objects are untouched. Free some space and send it again.",
    )
