"""Cuts a stream into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order; itertools has it from Python 3.12 on."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
