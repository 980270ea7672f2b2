"""The watch over deadlines in the drill, and when it and Milepost are away.

This file alone knows which chore gives jobs up, and how late it may be.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import msgspec

from domain.job.deadlines import SEED
from domain.job.health import LATE_SECONDS
from projections.chore import AT_ONCE
from projections.reactions.deadlines import DeadlineWatch
from tests.support.stores.deployment import Deployment

TICK_SECONDS = 30.0
"""How often the drill lets the watch look while callbacks arrive."""
IDLE_TICK_SECONDS = 50.0
"""How often it looks after that. A watch that does not look for a minute counts as away."""
DEADLINE_SECONDS = float(SEED.heartbeat_seconds)
START_SECONDS = float(SEED.start_seconds)
PATIENCE_SECONDS = float(LATE_SECONDS)
HOLD_SECONDS = DEADLINE_SECONDS + PATIENCE_SECONDS
"""How long timeouts wait at most where most jobs fell silent at once."""

Absence = Literal["crashed", "frozen", "partitioned"]


class Away(msgspec.Struct, frozen=True):
    """From when until when something is away, in seconds.

    A crash ends Milepost as a whole, and another watch begins after it. Frozen, Milepost hears
    nothing either, and the same watch goes on. Partitioned, the watch alone is away: callbacks are
    recorded.
    """

    begins: float
    ends: float
    how: Absence

    @property
    def is_deaf(self) -> bool:
        """True if no callback is recorded meanwhile."""
        return self.how != "partitioned"


def absences(seed: str, until: float) -> Sequence[Away]:
    """Make up when Milepost or its watch is away during a shift."""
    chance = random.Random(f"away/{seed}")
    found, time = [], chance.uniform(600, 3600)
    while time < until:
        long = chance.choice((20.0, 90.0, 400.0, 1300.0))
        how: Absence = chance.choice(("crashed", "frozen", "partitioned"))
        found.append(Away(time, time + long, how))
        time += long + chance.uniform(1800, 7200)
    return found


class Watching:
    """The chore that gives jobs up, over one deployment."""

    def __init__(self, made: Deployment) -> None:
        self._made = made
        self._away: Away | None = None
        self._watch = self._begun()

    def look(self, away: Away | None) -> None:
        """Do what is due now, unless the watch is away."""
        if away is None:
            if self._away and self._away.how == "crashed":
                self._watch = self._begun()
            self._made.projector.catch_up()
            while self._watch.step() == AT_ONCE:
                pass
        self._away = away

    def ask(self, job_id: str) -> None:
        """Judge one job, as a watch with stale rows would at any time."""
        self._made.milepost.time_out(job_id)

    def _begun(self) -> DeadlineWatch:
        made = self._made
        watch = DeadlineWatch(
            made.milepost, made.read_model, made.workflows, passed=made.clock.passed
        )
        watch.begin()
        return watch
