"""How an attempt ended, and which of two ends counts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from domain.job.attempt.clocks import Timestamp
from domain.job.events import DeadlineKind

Outcome = Literal["running", "failed", "cancelled", "timed_out", "stopped"]


class Final(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How the attempt ended.

    `inferred` means that Milepost concluded it from a `deadline` that was missed, `ordered` that an
    operator ended the attempt. A `cancelled` attempt has the status `failed`. An `unnamed` end was
    reported by a word that named no run, so it may have been another run's. `removed` means that
    the machine was reported gone before any end was. Of a long `error`, only head and tail are
    kept.
    """

    status: Literal["running", "failed"]
    moment: Timestamp
    error: str | None = None
    step: str | None = None
    failed_step: str | None = None
    inferred: bool = False
    deadline: DeadlineKind | None = None
    ordered: bool = False
    cancelled: bool = False
    unnamed: bool = False
    removed: bool = False

    def yields_to(self, other: Final) -> bool:
        """Tell whether `other` replaces this final status.

        An operator's word stands. A reported status replaces an inferred one, and the end of a
        machine of which no end was reported yet. Of two reported ones, the earlier one wins.
        """
        if self.ordered or other.ordered:
            return self.inferred
        if self.removed and not other.inferred:
            return True
        if self.inferred != other.inferred:
            return self.inferred
        if not (self.moment.occurred_at and other.moment.occurred_at):
            return False
        return other._rank() < self._rank()

    def _rank(self) -> tuple[datetime, str, str, str, str]:
        # The earliest final status wins. The other fields break ties without regard to arrival.
        return (
            self.moment.at,
            self.status,
            self.error or "",
            self.step or "",
            self.failed_step or "",
        )
