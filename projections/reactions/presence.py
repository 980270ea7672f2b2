"""Whether Milepost was there: absences and jumps of the clock, as two clocks show them.

The store's clock says when callbacks were recorded. The host's other clock never jumps, and counts
the sleep of the host. Together they tell a process that was stopped from a clock that was set.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.job.health import LATE_SECONDS

PATIENCE: Final = timedelta(seconds=LATE_SECONDS)
"""A job sends a heartbeat every 60 s: this is time for two of them."""
AWAY_SECONDS: Final = 60.0
"""The shortest absence that counts. A shorter one costs a job one heartbeat, of 15 that it has."""
JUMP_SECONDS: Final = 30.0
"""The smallest jump of the store's clock that counts."""
KEEP_SECONDS: Final = 15.0
"""How often the time of the last look is stored, for the next projector."""
MAX_JUMPS: Final = 20


def since_boot() -> float:
    """Return seconds of a clock that nobody sets and that counts the sleep of the host."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Jump(msgspec.Struct, frozen=True):
    """The store's clock was set when it read `before`: `seconds` ahead, or back if negative.

    `position` was that of the log's newest event.
    """

    before: datetime
    seconds: float
    position: int

    def came_after(self, since: datetime, position: int, now: datetime) -> bool:
        """Tell whether the clock was set after `since`, a time in the state of a job.

        `position` is that of the job's last event. After a clock was set back, a time may be from
        before or from after the jump. A job that was heard since then gets the later deadline.
        """
        if position <= self.position or since > now:
            return True
        return self.seconds > 0 and since <= self.before


class Presence(msgspec.Struct, frozen=True):
    """What is known of Milepost's absences. Nothing is given up before `patient_until`.

    `seen_at` is the time of the last look, by the store's clock. `reason` explains the patience.
    """

    seen_at: datetime | None = None
    patient_until: datetime | None = None
    reason: str | None = None
    jumps: tuple[Jump, ...] = ()

    def is_patient(self, now: datetime) -> bool:
        """Tell whether nothing is given up now."""
        return self.patient_until is not None and now < self.patient_until

    def patient(self, until: datetime, reason: str) -> Presence:
        """Return the same with patience until that time, or until a later one that it had."""
        if self.patient_until and self.patient_until >= until:
            return self
        return msgspec.structs.replace(self, patient_until=until, reason=reason)

    def looked(self, now: datetime, passed: float, position: int, slack: float = 0) -> Presence:
        """Return what is known after a look at `now`, `passed` real seconds after the last one.

        `slack` is the uncertainty of `passed`, in seconds: a slow look is no jump of the clock.
        """
        if self.seen_at is None:
            return msgspec.structs.replace(self, seen_at=now)
        ahead = (now - self.seen_at).total_seconds() - passed
        then = msgspec.structs.replace(self, seen_at=now)
        if abs(ahead) > JUMP_SECONDS + slack:
            jumps = (*self.jumps, Jump(self.seen_at, ahead, position))[-MAX_JUMPS:]
            # A time of the clock as it was before means nothing now.
            then = msgspec.structs.replace(then, jumps=jumps, patient_until=None)
            where = "ahead" if ahead > 0 else "back"
            return then.patient(
                now + PATIENCE, f"the store's clock was set {where} by {abs(ahead):.0f} s"
            )
        if passed > AWAY_SECONDS:
            return then.patient(now + PATIENCE, f"Milepost was away for {passed:.0f} s")
        return then

    def returned(self, now: datetime, position: int) -> Presence:
        """Return what a new projector knows: it cannot tell an absence from a clock set ahead.

        A short absence leaves the stored patience as it is. A clock that reads less than at the
        last look was set back.
        """
        if self.seen_at is None:
            return self.looked(now, 0, position).patient(now + PATIENCE, "this is the first look")
        passed = (now - self.seen_at).total_seconds()
        return self.looked(now, max(0.0, passed - KEEP_SECONDS), position, slack=KEEP_SECONDS)

    def allowance(self, since: datetime, position: int, now: datetime) -> float:
        """Return by how many seconds all jumps move a deadline whose time began at `since`."""
        return sum(each.seconds for each in self.jumps if each.came_after(since, position, now))

    def horizon(self, now: datetime) -> datetime:
        """Return the time before which a row may be due, whatever the jumps move its deadline."""
        back = sum(-each.seconds for each in self.jumps if each.seconds < 0)
        return now + timedelta(seconds=back)

    def without_old_jumps(self, now: datetime, longest: float) -> Presence:
        """Return the same without jumps that no deadline of `longest` seconds can span."""
        remaining = tuple(
            each
            for each in self.jumps
            if (now - each.before).total_seconds() - each.seconds <= longest
        )
        return self if remaining == self.jumps else msgspec.structs.replace(self, jumps=remaining)
