"""Whether requests may go out: a state machine without threads and without a clock of its own.

Closed: requests go. After some failures in a row, or one that only a person can mend, it is open: callers wait, and
one of them at a time looks. The looker's own request is the last proof: when it gets an answer, all others go on.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from uploader.model.errors import Aborted, ChecksumMismatch, Retry, UploaderError

Jitter = Callable[[float, float], float]


class Trouble(StrEnum):
    """What must come back before requests make sense again."""

    SERVER = "server"
    LOGIN = "login"
    FIX = "fix"
    """A full disk, a quota, a certificate: a person has to change something."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Why callers wait; times are on the monotonic clock."""

    trouble: Trouble
    error: UploaderError
    began_s: float
    since_s: float
    """Patience counts from here; later than `began_s` where a dead login followed another trouble."""
    next_look_s: float
    looks: int = 0
    is_told: bool = False
    """A person has heard of this trouble."""
    was_told: bool = False
    """A person has heard of this outage, if perhaps of another trouble: its end is told as well."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to send one request."""

    epoch: int
    """How many outages had ended when it was given: an answer that comes after another one says nothing."""
    is_look: bool = False
    """Its holder looks, for all others that wait."""


@dataclass(frozen=True, slots=True)
class LookTimes:
    """When a waiting engine looks again."""

    first_s: float = 1.0
    """Upper bound of the first wait; it doubles with every look in vain."""
    longest_s: float = 60.0
    fix_s: tuple[float, float] = (30.0, 60.0)
    """While a person has to change something: between these, always."""
    poll_s: float = 0.08
    """Callers that wait look up so often: a stop or the end of an outage reaches all of them within this time."""


FAILURES_IN_A_ROW = 3
"""So many failures, of any threads, with no answer between them: the server is away."""


def trouble_of(error: UploaderError) -> Trouble | None:
    """What an error says about the server as a whole; None: it is about one request."""
    match error.retry:
        case Retry.AFTER_SIGN_IN:
            return Trouble.LOGIN
        case Retry.AFTER_FIX:
            return Trouble.FIX
        case Retry.LATER if not isinstance(error, ChecksumMismatch | Aborted):
            return Trouble.SERVER
    return None


class Breaker:
    """Not thread-safe: its owner holds a lock around every call."""

    def __init__(
        self,
        *,
        patience_s: float,
        login_patience_s: float,
        looks: LookTimes = LookTimes(),
        jitter: Jitter = random.uniform,
    ) -> None:
        self._patience_s = {
            Trouble.SERVER: patience_s,
            Trouble.FIX: patience_s,
            Trouble.LOGIN: login_patience_s,
        }
        self._looks, self._jitter = looks, jitter
        self._failures = 0
        self._failing_since_s = 0.0
        self._epoch = 0
        self._is_looking = False
        self.outage: Outage | None = None
        self.given_up: UploaderError | None = None
        """Patience is over: nothing is sent any more."""
        self.lapses = 0
        """How often the login was found dead."""

    def admit(self, now_s: float, *, writes: bool) -> Ticket | None:
        """A ticket, or None: wait and ask again. Raises the outage's error once patience is over."""
        if self.given_up is not None:
            raise copy.copy(self.given_up)
        outage = self.outage
        # A full disk over there keeps nobody from reading.
        if outage is None or (outage.trouble is Trouble.FIX and not writes):
            return Ticket(self._epoch)
        if self._is_looking:
            return None
        if now_s - outage.since_s >= self._patience_s[outage.trouble]:
            self.given_up = outage.error
            raise copy.copy(outage.error)
        if now_s < outage.next_look_s:
            return None
        self._is_looking = True
        return Ticket(self._epoch, is_look=True)

    def answered(self, ticket: Ticket) -> Outage | None:
        """The server answered, if only with a refusal; the outage that this ends, if it ends one."""
        if ticket.is_look:
            ended, self.outage = self.outage, None
            self._is_looking = False
            self._failures = 0
            self._epoch += 1
            return ended
        if self.outage is None:
            self._failures = 0
        return None

    def failed(self, ticket: Ticket, error: UploaderError, now_s: float) -> None:
        """A request came to nothing."""
        if ticket.is_look:
            self.looked_in_vain(ticket, error, now_s)
            return
        trouble = trouble_of(error)
        # What was sent before the last outage ended, or fails during one, tells nothing new.
        if trouble is None or self.outage is not None or ticket.epoch != self._epoch:
            return
        if self._failures == 0:
            self._failing_since_s = now_s
        self._failures += 1
        if trouble is Trouble.SERVER and self._failures < FAILURES_IN_A_ROW:
            return
        began_s = self._failing_since_s if trouble is Trouble.SERVER else now_s
        self._open(Outage(trouble, error, began_s, began_s, now_s), now_s)

    def looked_in_vain(self, ticket: Ticket, error: UploaderError, now_s: float) -> None:
        """The looker found it still down, or down in another way."""
        self._is_looking = False
        outage = self.outage
        if outage is None:
            raise AssertionError("somebody looks only during an outage")
        trouble = trouble_of(error) or outage.trouble
        if trouble is outage.trouble:
            self._open(replace(outage, error=error, looks=outage.looks + 1), now_s)
        else:
            # A login has a patience of its own. Other troubles share one: a server that is away and full by turns
            # would otherwise be waited for without end.
            since_s = now_s if Trouble.LOGIN in (trouble, outage.trouble) else outage.since_s
            followed = Outage(trouble, error, outage.began_s, since_s, now_s, was_told=outage.was_told)
            self._open(followed, now_s)

    def dropped(self, ticket: Ticket) -> None:
        """The holder ended without an answer and without an error of the server's (it was stopped)."""
        if ticket.is_look:
            self._is_looking = False

    def look_now(self, now_s: float) -> None:
        """A person says that it may be back: look at once, with fresh patience."""
        self.given_up = None
        if self.outage is not None:
            self.outage = replace(self.outage, since_s=now_s, next_look_s=now_s, looks=0)

    def to_tell(self) -> Outage | None:
        """The outage, once, when a person should hear of it: not of a hiccup that the first look finds gone."""
        outage = self.outage
        if outage is None or outage.is_told:
            return None
        is_hiccup = outage.looks == 0 and not outage.was_told and _asked_s(outage.error) <= LONG_S
        if outage.trouble is Trouble.SERVER and is_hiccup:
            return None
        self.outage = replace(outage, is_told=True, was_told=True)
        return outage

    def patience_of(self, trouble: Trouble) -> float:
        """How long this trouble is waited for, in seconds."""
        return self._patience_s[trouble]

    def _open(self, outage: Outage, now_s: float) -> None:
        if outage.trouble is Trouble.LOGIN and (
            self.outage is None or self.outage.trouble is not Trouble.LOGIN
        ):
            self.lapses += 1
        if outage.trouble is Trouble.FIX:
            wait_s = self._jitter(*self._looks.fix_s)
        else:
            ceiling_s = min(self._looks.first_s * 2.0 ** min(outage.looks, 30), self._looks.longest_s)
            wait_s = self._jitter(0.0, ceiling_s)
        self.outage = replace(outage, next_look_s=now_s + max(wait_s, _asked_s(outage.error)))


LONG_S = 5.0
"""A wait that the server asked for is told to a person when it is longer."""


def _asked_s(error: UploaderError) -> float:
    return float(getattr(error, "wait_s", 0.0))
