"""Record ids: numbers in upper-case base 32 without I, L, O and U, in groups of four."""

from __future__ import annotations

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP_SIZE = 4


def encode(number: int) -> str:
    """The text of a positive number, as RIDs and snapshot times are written (`1-1A2B`).

    ERMrest encodes 64 bits in 13 groups of five and fills up on the right, so that the last bit is always 0: ids
    rise by two.
    """
    rest = number << 1
    symbols = []
    while True:
        rest, last = divmod(rest, len(SYMBOLS))
        symbols.append(SYMBOLS[last])
        if not rest:
            break
    text = "".join(reversed(symbols))
    first = len(text) % GROUP_SIZE
    groups = [text[start : start + GROUP_SIZE] for start in range(first, len(text), GROUP_SIZE)]
    return "-".join([text[:first], *groups] if first else groups)


def decode(text: str) -> int:
    """The number that `encode` would write like this, rounded down; raises ValueError."""
    number = 0
    for symbol in text.replace("-", ""):
        number = number * len(SYMBOLS) + SYMBOLS.index(symbol)
    return number >> 1
