"""Sets and tables of numbers that take a few bytes an item: for what is kept of every file of a large dataset."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

_FEWEST_SLOTS = 64
_MASK = (1 << 64) - 1


class HashTable:
    """Hash (64 bits) -> a number below 2**32 - 1; 16 to 24 bytes an item where a dict takes 150.

    Two different things of one hash are taken for one: among a million that happens once in 40 million times.
    """

    __slots__ = ("_items", "_keys", "_values")

    def __init__(self) -> None:
        self._items = 0
        self._keys = array("Q", bytes(8 * _FEWEST_SLOTS))
        self._values = array("I", bytes(4 * _FEWEST_SLOTS))
        """The number and one; 0: the slot is free."""

    def __len__(self) -> int:
        return self._items

    def claim(self, key: int, value: int = 0) -> int | None:
        """The number that stands under this hash; None: there was none, and now there is this one."""
        key &= _MASK
        slot = self._slot(key)
        if held := self._values[slot]:
            return held - 1
        self._keys[slot], self._values[slot] = key, value + 1
        self._items += 1
        if self._items * 4 > len(self._keys) * 3:
            self._grow()
        return None

    def __contains__(self, key: int) -> bool:
        return self._values[self._slot(key & _MASK)] != 0

    def _slot(self, key: int) -> int:
        """Where the hash stands, or the free slot where it would."""
        keys, values = self._keys, self._values
        slots = len(keys)
        slot = key % slots
        while values[slot] and keys[slot] != key:
            slot += 1
            if slot == slots:
                slot = 0
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        # By half: doubling would leave up to two thirds of a large table empty. Odd, so that no hash clusters.
        slots = len(keys) * 3 // 2 | 1
        self._keys, self._values = array("Q", bytes(8 * slots)), array("I", bytes(4 * slots))
        for key, value in zip(keys, values, strict=True):
            if value:
                slot = self._slot(key)
                self._keys[slot], self._values[slot] = key, value


class Ranges:
    """Whole numbers as the ranges they form: a series without gaps takes as much as one number."""

    __slots__ = ("_highs", "_lows", "count")

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        self.count = 0
        """How many numbers there are."""

    def add(self, number: int) -> bool:
        """Put a number in; whether it is new."""
        lows, highs = self._lows, self._highs
        after = bisect_right(lows, number)
        if after and number <= highs[after - 1]:
            return False
        self.count += 1
        joins_before = after > 0 and highs[after - 1] == number - 1
        joins_after = after < len(lows) and lows[after] == number + 1
        if joins_before and joins_after:
            highs[after - 1] = highs[after]
            del lows[after], highs[after]
        elif joins_before:
            highs[after - 1] = number
        elif joins_after:
            lows[after] = number
        else:
            lows.insert(after, number)
            highs.insert(after, number)
        return True

    def add_range(self, low: int, high: int) -> None:
        """Put in the numbers from `low` to `high`, none of which may be there, as one range."""
        after = bisect_right(self._lows, low)
        self._lows.insert(after, low)
        self._highs.insert(after, high)
        self.count += high - low + 1

    def gaps(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """(First, last) of every gap between two numbers that both lie from `low` to `high`."""
        at = max(0, bisect_right(self._lows, low) - 1)
        while at + 1 < len(self._lows) and self._lows[at + 1] <= high:
            if self._highs[at] >= low:
                yield self._highs[at] + 1, self._lows[at + 1] - 1
            at += 1

    @property
    def low(self) -> int:
        """The least number; there must be one."""
        return self._lows[0]

    @property
    def high(self) -> int:
        """The greatest number; there must be one."""
        return self._highs[-1]
