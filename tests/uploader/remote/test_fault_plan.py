"""The stand-in itself: the same seed makes the same trouble, whatever the order of arrival."""

from __future__ import annotations

import random

from fault_proxy import Fault, FaultPlan, Kind
from loopback_server import Asked


def request(number: int, method: str = "PUT") -> Asked:
    return Asked(method, f"/hatrac/lab/{number}", {}, b"", 1)


def struck(plan: FaultPlan, order: list[int]) -> set[int]:
    return {number for number in order if plan.strike(request(number)) is not None}


def test_trouble_depends_on_the_seed_not_on_the_order() -> None:
    order = list(range(200))
    shuffled = random.Random(5).sample(order, len(order))
    first = struck(FaultPlan([Fault(Kind.CUT_AFTER, rate=0.3)], seed=1), order)
    assert first == struck(FaultPlan([Fault(Kind.CUT_AFTER, rate=0.3)], seed=1), shuffled)
    assert first != struck(FaultPlan([Fault(Kind.CUT_AFTER, rate=0.3)], seed=2), order)
    assert 30 < len(first) < 90


def test_a_fault_strikes_where_when_and_as_often_as_planned() -> None:
    plan = FaultPlan([Fault(Kind.FULL, "^PUT /hatrac", after=2, at_most=3)])
    assert struck(plan, list(range(10))) == {2, 3, 4}
    assert plan.strike(request(1, "GET")) is None
    assert plan.struck[Kind.FULL] == 3


def test_repetition_gets_through_unless_the_fault_stays() -> None:
    passing = FaultPlan([Fault(Kind.ABORTED)])
    assert [passing.strike(request(1)) is None for _ in range(3)] == [False, True, True]
    staying = FaultPlan([Fault(Kind.SIGNED_OUT, per_request=None)])
    assert [staying.strike(request(1)) is None for _ in range(3)] == [False, False, False]
