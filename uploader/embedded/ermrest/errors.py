"""Answers other than success: one exception that carries the status and the words a DERIVA server uses."""

from __future__ import annotations

PHRASES = {
    400: "Request malformed.",
    401: "Access requires authentication.",
    403: "Access forbidden.",
    404: "Resource not found.",
    405: "Request method not allowed.",
    409: "Request conflicts with state of server.",
    412: "Precondition failed.",
    413: "Request entity too large.",
    415: "The request input type is not supported.",
    500: "Internal server error.",
    501: "Request not implemented.",
    507: "Insufficient storage.",
}


class Refusal(Exception):
    """The request ends with an error status; nothing was changed."""

    def __init__(self, status: int, detail: str, *, from_database: bool = False) -> None:
        super().__init__(f"{PHRASES[status]} Detail: {detail}")
        self.status = status
        self.detail = detail
        self.from_database = from_database
        """Worded by PostgreSQL at a DERIVA server; such texts end with one more line break."""


def malformed(detail: str) -> Refusal:
    """400: the request cannot be understood."""
    return Refusal(400, detail)


def damaged() -> Refusal:
    """500: the file of the catalog holds something else than we wrote."""
    return Refusal(
        500, "the file of this catalog is damaged; it was left as it is. Restore it from a backup."
    )


def not_found(detail: str) -> Refusal:
    """404: the resource does not exist."""
    return Refusal(404, detail)


def conflict(detail: str) -> Refusal:
    """409: the request contradicts the model."""
    return Refusal(409, detail)


def violates_model(error: str) -> Refusal:
    """409: the rows contradict a constraint; `error` is worded as PostgreSQL words it."""
    return Refusal(409, f"Input data violates model. ERROR:  {error}", from_database=True)


def bad_input(error: str) -> Refusal:
    """400: a value or the body itself cannot be read; `error` is worded as PostgreSQL words it."""
    return Refusal(400, f"Bad {error}", from_database=True)


def not_implemented(feature: str) -> Refusal:
    """501: a feature of ERMrest that the embedded catalog leaves out, by name."""
    return Refusal(501, f"{feature} are not part of the embedded catalog; a DERIVA server has them.")
