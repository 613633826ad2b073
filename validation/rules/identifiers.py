"""Check digits of identifiers: what a pattern cannot say."""

from __future__ import annotations

import re

_ROR_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""


def orcid_fault(orcid: str) -> str:
    """Why the text is not an ORCID, or empty when it is one (shape, then ISO 7064 MOD 11-2)."""
    if not re.fullmatch(r"https://orcid\.org/\d{4}-\d{4}-\d{4}-\d{3}[\dX]", orcid, re.ASCII):
        return "an ORCID looks like https://orcid.org/0000-0002-1825-0097"
    digits = orcid.rsplit("/", 1)[1].replace("-", "")
    total = 0
    for digit in digits[:15]:
        total = (total + int(digit)) * 2
    check = "0123456789X"[(12 - total % 11) % 11]
    return "" if check == digits[15] else f"the last digit should be {check}: one of the digits is mistyped"


def ror_fault(ror: str) -> str:
    """Why the text is not a ROR, or empty when it is one (shape, then the two check digits)."""
    if not re.fullmatch(r"https://ror\.org/0[0-9a-hjkmnp-tv-z]{6}[0-9]{2}", ror, re.ASCII):
        return "a ROR looks like https://ror.org/04t3en479"
    name = ror.rsplit("/", 1)[1]
    number = 0
    for character in name[:7]:
        number = number * 32 + _ROR_ALPHABET.index(character)
    check = 98 - number * 100 % 97
    return "" if check == int(name[7:]) else f"it should end in {check:02d}: one character is mistyped"
