"""Shifts: some hundred lives over a few hours, on one store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.workflows.definition import Workflows
from tests.drill.model.kinds import life_of
from tests.drill.model.truth import Life
from tests.drill.oracle.claims import Violation, judge, weaker
from tests.drill.watching import Away, absences
from tests.drill.world import history_of, play
from tests.support.stores.deployment import Clock, Deployment

JOBS = 500
"""How many lives a shift has. Ten thousand jobs a day are 20 shifts."""
SECONDS = 24 * 3600 / 20
"""Within how many seconds the lives of a shift begin."""
IN_MEMORY = {"PERSISTENCE_MODULE": "domain.log.memory"}


class Tally(msgspec.Struct):
    """What was played, by kind of life, and the claims that did not hold.

    `weaker` counts the lives of which less can be claimed, by the reason.
    """

    lives: dict[str, int] = {}
    weaker: dict[str, int] = {}
    events: int = 0
    violations: list[Violation] = []

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for mine, others in ((self.lives, other.lives), (self.weaker, other.weaker)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count
        self.events += other.events
        self.violations.extend(other.violations)


def lives_of(shift: str, jobs: int = JOBS) -> Sequence[Life]:
    """Make up the first lives of a shift, one every `SECONDS / JOBS`."""
    return [life_of(f"{shift}/{number}", SECONDS * number / JOBS) for number in range(jobs)]


def away_in(shift: str) -> Sequence[Away]:
    """Make up when Milepost or its watch is away in a shift."""
    return absences(shift, SECONDS)


def play_shift(shift: str, workflows: Workflows, jobs: int = JOBS) -> Tally:
    """Play the first lives of a shift in memory, and judge each of them."""
    made = Deployment(IN_MEMORY, workflows, Clock())
    try:
        return play_on(made, lives_of(shift, jobs), away_in(shift))
    finally:
        made.close()


def play_on(made: Deployment, lives: Sequence[Life], away: Sequence[Away]) -> Tally:
    """Play lives on a deployment, and judge each of them."""
    play(made, lives, away)
    tally = Tally()
    for life in lives:
        history = history_of(made, life)
        reason = weaker(life, history)
        tally.add(
            Tally(
                {life.kind: 1},
                {reason: 1} if reason else {},
                len(history),
                judge(life, history, away),
            )
        )
    return tally
