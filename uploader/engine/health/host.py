"""The health of one host, shared by everything that talks to it: repeats calls, parks them, lets them go on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from uploader.engine.health.breaker import Breaker, Jitter, LookTimes, Outage, Ticket, Trouble, trouble_of
from uploader.engine.health.budget import CallBudget, RetryBudget
from uploader.model.durations import duration
from uploader.model.errors import Aborted, Cancelled, JournalError, RemoteError, Retry, UploaderError
from uploader.model.ports import Clock
from uploader.remote.retry import TRANSFER_RETRY, Repeats, RetryPolicy

T = TypeVar("T")

SPREAD_S = 0.02
"""After an outage the callers go on one after another, so far apart on average."""
LONGEST_SPREAD_S = 2.0
SURE_S = 10.0
"""So long after the session was asked what is read counts as read by us.

Servers go on taking a dead session for up to a minute, each of their processes for itself, so no time would be safe
for ever; what is planned by a read that shows too little, the server refuses to write.
"""

_REMEDIES = {
    Trouble.SERVER: "",
    Trouble.LOGIN: "Sign in again, as the same person.",
}

OnPark = Callable[[str, str, float], None]
"""Cause, remedy, seconds until the next look. Called from any thread, once per trouble; must not call back."""
OnResume = Callable[[float], None]
"""Seconds that nothing was sent. Called once per outage that was told."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Why nothing is sent now."""

    trouble: Trouble
    cause: str
    remedy: str
    since_s: float
    """On the monotonic clock."""
    next_look_s: float
    """From now; 0 while somebody is looking."""


class HostHealth:
    """Every request to the host goes through `call`, from any thread.

    Waiting callers hold nothing and poll: no wake-up can be lost, and no thread of its own has to be ended.
    """

    def __init__(
        self,
        clock: Clock,
        probe: Callable[[], None] = lambda: None,
        *,
        sign_in_probe: Callable[[], None] = lambda: None,
        patience_s: float,
        login_patience_s: float = 0.0,
        on_park: OnPark = lambda _cause, _remedy, _next_look_s: None,
        on_resume: OnResume = lambda _after_s: None,
        stop: Callable[[], bool] = lambda: False,
        is_held: Callable[[], bool] = lambda: False,
        looks: LookTimes = LookTimes(),  # noqa: B008 - frozen
        jitter: Jitter = random.uniform,
    ) -> None:
        """`probe` raises while the server is away, `sign_in_probe` while it does not know us.

        With a patience of 0 the first outage ends everything; `math.inf` waits for ever. `is_held`: a person has
        paused the sending of bytes, so that a request that is let through may not go out for hours.
        """
        self._clock, self._probe, self._sign_in_probe = clock, probe, sign_in_probe
        self._on_park, self._on_resume, self._stop, self._jitter = on_park, on_resume, stop, jitter
        self._is_held = is_held
        self._poll_s = looks.poll_s
        self._lock = Lock()
        self._telling = Lock()
        """Held while a person is told: the end of an outage is never told before its beginning."""
        self._breaker = Breaker(
            patience_s=patience_s, login_patience_s=login_patience_s, looks=looks, jitter=jitter
        )
        self._retries = RetryBudget()
        self._waiting = 0
        self._sure_until_s = clock.monotonic() + SURE_S

    @property
    def given_up(self) -> UploaderError | None:
        """Why nothing is sent any more: patience is over, the run should end parked. None: not given up.

        An error that `call` raises while this is None is about that one request.
        """
        return self._breaker.given_up

    @property
    def parked(self) -> Parked | None:
        """Why callers wait; None: they do not."""
        outage = self._breaker.outage
        if outage is None:
            return None
        next_look_s = max(0.0, outage.next_look_s - self._clock.monotonic())
        return Parked(outage.trouble, outage.error.summary, self._remedy(outage), outage.began_s, next_look_s)

    @property
    def lapses(self) -> int:
        """How often the login was found dead."""
        return self._breaker.lapses

    def look_now(self) -> None:
        """A person says that it may be back: look at once, with fresh patience."""
        with self._lock:
            self._breaker.look_now(self._clock.monotonic())

    def repeats(self, policy: RetryPolicy) -> Repeats:
        """`call` with a policy, for adapters that know best which requests may be repeated."""

        def repeated(request: Callable[[], T], *, repeat_in_doubt: bool = True, writes: bool = False) -> T:
            return self.call(request, policy, repeat_in_doubt=repeat_in_doubt, writes=writes)

        return repeated

    def call(
        self,
        request: Callable[[], T],
        policy: RetryPolicy = TRANSFER_RETRY,
        *,
        repeat_in_doubt: bool = True,
        writes: bool = True,
    ) -> T:
        """The result of a request that is repeated while that helps, and waited with while the host is away.

        Raises the last error when the budget of the call is spent or the host is given up, Cancelled when stopped
        while it waits. With `repeat_in_doubt` false an error whose request may have been carried out is raised
        after a moment, in which it can appear on the server. Requests that do not write pass while a disk is full.
        """
        budget = CallBudget(policy, self._clock.monotonic(), self._jitter)
        while True:
            ticket = self._admitted(budget, writes=writes)
            try:
                answer = request()
            except (RemoteError, JournalError) as error:
                self._failed(ticket, error)
                # A certificate that does not hold stops those who read as well.
                writes = writes or error.retry is Retry.AFTER_FIX
                if getattr(error, "in_doubt", False) and not repeat_in_doubt:
                    self._rest(policy.settle_s)
                    raise
                wait_s = budget.wait_s(error, self._clock.monotonic())
                # An aborted transaction says that the database works: no budget of the host's is at stake.
                costs = not isinstance(error, Aborted)
            except BaseException:
                self._dropped(ticket)
                raise
            else:
                self._answered(ticket)
                return answer
            self._rest_before_repeating(wait_s, costs=costs, writes=writes)

    def trusted(self, read: Callable[[], T]) -> T:
        """What `read` returns, read by us: servers answer a dead login as if nobody had asked, without a word.

        The session is asked when that was last done some while ago; after a lapse it is read again.
        """
        while True:
            lapses = self._breaker.lapses
            found = read()
            self._make_sure()
            if self._breaker.lapses == lapses:
                return found

    def _make_sure(self) -> None:
        if self._clock.monotonic() < self._sure_until_s:
            return
        self.call(self._ask_session, writes=False)

    def _ask_session(self) -> None:
        self._sign_in_probe()
        self._sure_until_s = self._clock.monotonic() + SURE_S

    def _admitted(self, budget: CallBudget, *, writes: bool) -> Ticket:
        """A ticket, after however long the host is away; a looker's comes when its look went well."""
        began_s = self._clock.monotonic()
        ticket = self._admit(writes=writes)
        if ticket is not None and not ticket.is_look:
            return ticket
        if ticket is None:
            ticket = self._waited(writes=writes)
            if not ticket.is_look:
                self._rest(self._jitter(0.0, min(self._waiting * SPREAD_S, LONGEST_SPREAD_S)))
                # It may be away again by now.
                ticket = self._admit(writes=writes) or self._waited(writes=writes)
        waited_s = self._clock.monotonic() - began_s
        if ticket.is_look:
            budget.looked(waited_s)
        else:
            budget.parked(waited_s)
        return ticket

    def _admit(self, *, writes: bool) -> Ticket | None:
        with self._lock:
            ticket = self._breaker.admit(self._clock.monotonic(), writes=writes)
        if ticket is None or not ticket.is_look:
            return ticket
        if not self._looked(ticket):
            return None
        if self._is_held():
            # Its request may wait for a person, and everybody would wait for it: the probes have to do as proof.
            self._answered(ticket)
            return self._admit(writes=writes)
        return ticket

    def _waited(self, *, writes: bool) -> Ticket:
        with self._lock:
            self._waiting += 1
        try:
            while True:
                self._nap(self._poll_s)
                ticket = self._admit(writes=writes)
                if ticket is not None:
                    return ticket
        finally:
            with self._lock:
                self._waiting -= 1

    def _looked(self, ticket: Ticket) -> bool:
        """Whether the host is back as far as its probes tell; the looker's own request is the last proof."""
        outage = self._breaker.outage
        try:
            if outage is not None and outage.trouble is Trouble.SERVER:
                self._probe()
            if outage is not None and outage.trouble is not Trouble.FIX:
                # A server that was away may have forgotten who we are.
                self._ask_session()
        except Cancelled:
            self._dropped(ticket)
            raise
        except UploaderError as error:
            with self._lock:
                self._breaker.looked_in_vain(ticket, error, self._clock.monotonic())
            self._tell()
            return False
        except BaseException:
            self._dropped(ticket)
            raise
        return True

    def _answered(self, ticket: Ticket) -> None:
        with self._lock:
            self._retries.succeeded()
            now_s = self._clock.monotonic()
            ended = self._breaker.answered(ticket)
        if ended is None:
            return
        with self._telling:
            if ended.was_told:
                self._on_resume(now_s - ended.began_s)

    def _failed(self, ticket: Ticket, error: UploaderError) -> None:
        if trouble_of(error) is None:
            self._answered(ticket)
            return
        with self._lock:
            self._breaker.failed(ticket, error, self._clock.monotonic())
        self._tell()

    def _dropped(self, ticket: Ticket) -> None:
        with self._lock:
            self._breaker.dropped(ticket)

    def _tell(self) -> None:
        with self._telling:
            with self._lock:
                outage = self._breaker.to_tell()
                if outage is None or self._is_given_up_at_once(outage):
                    return
            next_look_s = max(0.0, outage.next_look_s - self._clock.monotonic())
            self._on_park(outage.error.summary, self._remedy(outage), next_look_s)

    def _is_given_up_at_once(self, outage: Outage) -> bool:
        """Nobody waits, so there is nothing to tell but the end, which the run tells."""
        return self._breaker.patience_of(outage.trouble) <= 0

    def _remedy(self, outage: Outage) -> str:
        remedy = _REMEDIES.get(outage.trouble, outage.error.remedy)
        patience_s = self._breaker.patience_of(outage.trouble)
        if math.isinf(patience_s):
            return f"{remedy} It waits for as long as it takes.".strip()
        words = f"It gives up after {duration(patience_s)}; the same command then goes on where it stopped."
        return f"{remedy} {words}".strip()

    def _rest_before_repeating(self, wait_s: float, *, costs: bool, writes: bool) -> None:
        with self._lock:
            outage = self._breaker.outage
            if outage is not None and (writes or outage.trouble is not Trouble.FIX):
                return  # there is a longer wait ahead, and nobody repeats anything before it is over
            if costs:
                wait_s = max(wait_s, self._retries.take(self._clock.monotonic()))
        self._rest(wait_s)

    def _rest(self, wait_s: float) -> None:
        until_s = self._clock.monotonic() + wait_s
        while (left_s := until_s - self._clock.monotonic()) > 0:
            self._nap(min(left_s, self._poll_s))

    def _nap(self, seconds: float) -> None:
        if self._stop():
            raise Cancelled("Stopped.", detail="What was acknowledged is kept.")
        self._clock.sleep(seconds)
