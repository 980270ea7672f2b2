"""The hold: where most jobs fall silent at once, probably Milepost cannot be reached."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

MORE_THAN: Final = 4
"""A hold needs more silent jobs than this: of a few jobs, most may well die at once."""


class Hold(msgspec.Struct, frozen=True):
    """Timeouts wait since `since`: `silent` of `of` jobs in progress had fallen silent by then."""

    since: datetime
    silent: int
    of: int

    def sentence(self) -> str:
        """Return what an operator has to know."""
        return (
            f"{self.silent:,} of {self.of:,} jobs in progress fell silent at once, so probably "
            f"nobody can reach Milepost; timeouts wait since {self.since:%H:%M:%S} UTC"
        )


class Held(msgspec.Struct, frozen=True):
    """The present hold, and the last one that ended.

    The last hold was about all jobs that were unresponsive by `until`; their timeouts say `why`.
    A later hold is about other jobs, so no job is held twice.
    """

    hold: Hold | None = None
    until: datetime | None = None
    why: str | None = None

    def begun(self, now: datetime, silent: int, of: int) -> Held:
        """Return the same, with a hold if more than half of the jobs are silent."""
        if silent <= MORE_THAN or 2 * silent <= of:
            return self
        return msgspec.structs.replace(self, hold=Hold(now, silent, of))

    def end(
        self, still: int, now: datetime, seconds: float, resumed_at: datetime | None
    ) -> str | None:
        """Return why the hold ends now; None if it goes on.

        `still` of its jobs are silent still. `seconds` is one heartbeat deadline.
        """
        if self.hold is None:
            return None
        if resumed_at and resumed_at >= self.hold.since:
            return "an operator ended the wait"
        if still < self.hold.silent:
            return "some of them were heard again"
        if now > self.hold.since + timedelta(seconds=seconds):
            return "one more heartbeat deadline passed"
        return None

    def ended(self, now: datetime, reason: str) -> Held:
        """Return the same after the end of its hold."""
        assert self.hold is not None
        hold = self.hold
        why = (
            f"Timeouts waited from {hold.since:%Y-%m-%d %H:%M:%S} to {now:%H:%M:%S} UTC: "
            f"{hold.silent:,} of {hold.of:,} jobs in progress fell silent at once. Then {reason}."
        )
        return Held(None, now, why)

    def again(self, now: datetime, silent: int) -> Held:
        """Return the same after the clock was set: its times mean nothing to the new clock."""
        hold = self.hold and msgspec.structs.replace(self.hold, since=now, silent=silent)
        return Held(hold, self.until and min(self.until, now), self.why)
