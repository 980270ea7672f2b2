"""What came of a happening, and what of it breaks a promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.job.health import LATE_SECONDS

TWO_HEARTBEATS: Final = 120
BEFORE_SECONDS: Final = 60
"""How long the dead job has been silent when it happens."""
A_ROUND: Final = 10
"""The time for a round of the watch, for its commit, and for the drill to see it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was seen. Times are real seconds since the dead job was claimed, its last word.

    `took` is how long the absence took; a set clock takes 0 s. `due` is the length of the heartbeat
    deadline. `ended` is when the dead job was seen as failed, None if it never was.
    `wrong` names each job that was given up and should not have been. `seen` are the sentences of
    `/readyz` in their order.
    """

    name: str
    due: int
    took: float
    ended: float | None
    wrong: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    answered: int = 0
    unanswered: int = 0

    @property
    def limit(self) -> float:
        """The latest end of the dead job: two heartbeats late, not counting the absence.

        After the return from an absence, Milepost is patient for 150 s and not longer.
        """
        returned = BEFORE_SECONDS + self.took
        return min(
            self.due + self.took + TWO_HEARTBEATS,
            max(self.due, returned) + LATE_SECONDS + A_ROUND,
        )

    def violations(self) -> list[str]:
        """Say which promises were broken."""
        broken = [f"{self.name}: {job} was given up" for job in self.wrong]
        if self.ended is None:
            broken.append(f"{self.name}: the dead job was not given up")
        elif self.ended < self.due:
            broken.append(f"{self.name}: the dead job was given up before it was due")
        elif self.ended > self.limit:
            broken.append(f"{self.name}: the dead job was given up after {self.limit:.0f} s")
        return broken
