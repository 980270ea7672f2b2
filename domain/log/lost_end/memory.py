"""Losses in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from domain.log.lost_end.contract import Loss


class MemoryLosses:
    """Store losses in a list."""

    def __init__(self) -> None:
        super().__init__()
        self._losses: list[Loss] = []

    def losses(self) -> Sequence[Loss]:
        """See `Losses.losses`."""
        return tuple(self._losses)

    def report_loss(self, loss: Loss, known: Collection[str]) -> bool:
        """See `Losses.report_loss`."""
        if any(other.id not in known for other in self._losses):
            return False
        self._losses.append(loss)
        return True

    def acknowledge_losses(self, at: datetime, reason: str | None) -> int:
        """See `Losses.acknowledge_losses`."""
        known = self._losses
        self._losses = [
            loss
            if loss.acknowledged_at
            else msgspec.structs.replace(loss, acknowledged_at=at, reason=reason)
            for loss in known
        ]
        return sum(loss.acknowledged_at is None for loss in known)
