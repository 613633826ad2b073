"""What signs our requests: a bearer token or the value of the `webauthn` cookie, never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from uploader.model.errors import SettingsError

_COOKIE_NAME = "webauthn"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A token or a cookie value; both empty: anonymous."""

    token: str = ""
    cookie: str = ""

    def __repr__(self) -> str:
        kind = "token" if self.token else "cookie" if self.cookie else "anonymous"
        return f"Credentials({kind})"

    @property
    def is_anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return not (self.token or self.cookie)

    def headers(self) -> dict[str, str]:
        """The header that signs a request; empty when anonymous."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.cookie:
            return {"Cookie": f"{_COOKIE_NAME}={self.cookie}"}
        return {}


def from_environment(environment: Mapping[str, str] | None = None) -> Credentials:
    """Credentials from NANOFERRY_TOKEN or NANOFERRY_COOKIE; anonymous when neither is set."""
    source = os.environ if environment is None else environment
    token = _secret(source, "NANOFERRY_TOKEN").removeprefix("Bearer ")
    # People copy the cookie with its name; the value alone is what counts.
    cookie = _secret(source, "NANOFERRY_COOKIE").removeprefix(f"{_COOKIE_NAME}=").rstrip("; ")
    if token and cookie:
        raise SettingsError(
            "Both NANOFERRY_TOKEN and NANOFERRY_COOKIE are set.",
            detail="Nothing was sent.",
            remedy="Unset one of them: a request is signed in one way only.",
        )
    return Credentials(token=token, cookie=cookie)


def _secret(source: Mapping[str, str], name: str) -> str:
    value = source.get(name, "").strip()
    # A header can't hold these; the value itself must not show up in the message.
    if any(not "\x20" < letter < "\x7f" for letter in value.removeprefix("Bearer ")):
        raise SettingsError(
            f"{name} holds a space or a character that no token has.",
            detail="Nothing was sent.",
            remedy="Copy the value again, on one line and without quotation marks.",
        )
    return value
