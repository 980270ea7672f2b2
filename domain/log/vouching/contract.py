"""The contract of vouching: an event that is visible is not always as durable as a receipt says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from domain.errors import Unavailable
from domain.log.stored import Stored


class NotDurableYet(Unavailable):
    """It is not certain yet that the newest events survive a failover, so nothing is signed."""


class Vouching(Protocol):
    """Waits until events are as durable as a receipt promises."""

    def vouched(self, positions: Collection[int], seconds: float) -> Sequence[Stored]:
        """Return the events at these positions, once no failover loses them or any before them.

        Raises `NotDurableYet` after about `seconds`, and the library's `PersistenceError`.
        """
        ...
