"""Vouching in a store without standbys: what is visible is durable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence

from domain.log.reading.contract import NEWEST
from domain.log.stored import Stored


class LocalVouching:
    """Return events at once. SQLite shows a commit only after its fsync."""

    @abstractmethod
    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """See `Log.events`."""

    def vouched(self, positions: Collection[int], seconds: float) -> Sequence[Stored]:
        """See `Vouching.vouched`."""
        return [event for position in positions for event in self.events(position - 1, 1, position)]
