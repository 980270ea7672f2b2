"""The bound of a read in bytes: the events of one read fit into memory, however long they are.

A read returns at most as many events as were asked for, and none after the one with which their
states reach `READ_BYTES`. So a read that finds events returns at least one, whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from domain.log.stored import Stored

READ_BYTES: Final = 4 * 2**20
"""About the bytes of 10,000 usual events. An event may take twenty times its bytes once decoded."""


def within_bytes(events: Iterable[Stored]) -> list[Stored]:
    """Return the first events, up to the one with which their states reach `READ_BYTES`."""
    first: list[Stored] = []
    size = 0
    for event in events:
        first.append(event)
        size += len(event.state)
        if size >= READ_BYTES:
            break
    return first


def is_full(events: Sequence[Stored], limit: int) -> bool:
    """Tell whether a read of at most `limit` events ended at a bound, so that more may follow."""
    return len(events) >= limit or sum(len(event.state) for event in events) >= READ_BYTES
