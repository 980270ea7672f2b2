"""A loss: a process noticed that events which it had seen are not in the log any more.

The twins `sqlite.py` and `postgres.py` have the losses in a table beside the events, so that every
process and every command sees them. A loss is acknowledged once, and its row stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a process had seen, and that the log does not have at its position any more.

    Version `version` of the job `job_id` was at `position` when it was last seen, at `seen_at`. The
    log ended at `log_position` when the loss was noticed. The newest seen event that the log
    still has is at `agreed_position`, and was seen at `agreed_at`. These are 0 and None if the log
    has none of the seen events.
    """

    id: str
    noticed_at: datetime
    position: int
    job_id: str
    version: int
    seen_at: datetime
    log_position: int
    agreed_position: int = 0
    agreed_at: datetime | None = None
    acknowledged_at: datetime | None = None
    reason: str | None = None

    def sentence(self) -> str:
        """Say what was lost, without a full stop."""
        lost = (
            f"position {self.position} was version {self.version} of job {self.job_id!r} at "
            f"{self.seen_at:%Y-%m-%d %H:%M:%S} UTC, and is not any more"
        )
        if self.agreed_at is None:
            return f"{lost}; nothing that was seen is in the log"
        return (
            f"{lost}; what was seen up to position {self.agreed_position}, at "
            f"{self.agreed_at:%Y-%m-%d %H:%M:%S} UTC, is in the log"
        )


class Losses(Protocol):
    """Losses beside the events. Every method may raise the library's `PersistenceError`."""

    def losses(self) -> Sequence[Loss]:
        """Return all losses, the oldest first, also acknowledged ones."""
        ...

    def report_loss(self, loss: Loss, known: Collection[str]) -> bool:
        """Record a loss, unless a loss is recorded whose id is not among the known ones.

        Returns whether it was recorded. When several processes notice a loss, one records it.
        """
        ...

    def acknowledge_losses(self, at: datetime, reason: str | None) -> int:
        """Acknowledge all losses that are open; return their number."""
        ...
