"""The bound of a read in bytes: what one read returns fits into memory, however long its parts are.

A read returns at most as many items as were asked for, and none after the one with which their
sizes reach `READ_BYTES`. So a read that finds items returns at least one, whatever its length. The
items of the log are events; the rows of a list have the same bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from domain.log.stored import Stored

Item = TypeVar("Item")

READ_BYTES: Final = 4 * 2**20
"""About the bytes of 10,000 usual events. An event may take twenty times its bytes once decoded."""


def within_bytes(events: Iterable[Stored]) -> list[Stored]:
    """Return the first events, up to the one with which their states reach `READ_BYTES`."""
    return first_within(events, _size_of)


def is_full(events: Sequence[Stored], limit: int) -> bool:
    """Tell whether a read of at most `limit` events ended at a bound, so that more may follow."""
    return has_reached(events, limit, _size_of)


def first_within(items: Iterable[Item], size_of: Callable[[Item], int]) -> list[Item]:
    """Return the first items, up to the one with which their sizes reach `READ_BYTES`."""
    first: list[Item] = []
    size = 0
    for item in items:
        first.append(item)
        size += size_of(item)
        if size >= READ_BYTES:
            break
    return first


def has_reached(items: Sequence[Item], limit: int, size_of: Callable[[Item], int]) -> bool:
    """Tell whether items reach the limit in number, or `READ_BYTES` in size."""
    return len(items) >= limit or sum(map(size_of, items)) >= READ_BYTES


def _size_of(event: Stored) -> int:
    return len(event.state)
