"""Tables and ranges in a few bytes an item hold what a dict and a set hold."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from validation.compact import HashTable, Ranges

NUMBERS = st.lists(st.integers(-30, 60), min_size=1, max_size=80)


@given(
    st.lists(st.tuples(st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(0, 5), st.integers(0, 1 << 31)))
)
def test_the_first_claim_of_a_hash_stands(claims: list[tuple[int, int]]) -> None:
    table, held = HashTable(), dict[int, int]()
    for key, value in claims:
        plain = key % (1 << 64)
        assert (key in table) == (plain in held)
        assert table.claim(key, value) == held.get(plain)
        held.setdefault(plain, value)
    assert len(table) == len(held)
    assert all(key in table for key in held)


def test_a_table_grows_without_losing_anything() -> None:
    table = HashTable()
    for number in range(20_000):
        assert table.claim(hash(str(number)), number) is None
    assert [table.claim(hash(str(number))) for number in range(20_000)] == list(range(20_000))


@given(NUMBERS)
def test_ranges_hold_numbers_in_any_order(numbers: list[int]) -> None:
    ranges, held = Ranges(), set[int]()
    for number in numbers:
        assert ranges.add(number) is (number not in held)
        held.add(number)
    assert (ranges.low, ranges.high, ranges.count) == (min(held), max(held), len(held))


@given(NUMBERS, st.integers(-40, 70), st.integers(-40, 70))
def test_gaps_are_those_between_two_numbers_within_the_bounds(
    numbers: list[int], low: int, high: int
) -> None:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)
    within = sorted(number for number in set(numbers) if low <= number <= high)
    expected = [(a + 1, b - 1) for a, b in pairwise(within) if b - a > 1]
    assert list(ranges.gaps(low, high)) == expected
