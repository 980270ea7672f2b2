"""Signs that an attempt works: its claim, its steps, and the latest sender's time of any."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.job.attempt.clocks import Timestamp, clock_of, moment_of
from domain.job.attempt.state import Attempt
from domain.job.events import Received, StepReported

MAX_STEPS = 200
"""An attempt's state holds at most this many distinct step names, and those of its definition."""


def working(attempt: Attempt, fact: Received) -> Attempt:
    """Return the attempt with this sign that work goes on, by the sender's clock."""
    clock = clock_of(fact)
    if clock is None or attempt.final is not None:
        return attempt
    changed: dict[str, Any] = {}
    if attempt.evidence_at is None or clock > attempt.evidence_at:
        changed["evidence_at"] = clock
    if attempt.opened_at and clock < attempt.opened_at and attempt.run_id is None:
        changed["opened_at"] = clock
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def claimed(attempt: Attempt, moment: Timestamp) -> Attempt:
    """Return the attempt as claimed at this time, unless it was claimed earlier."""
    if attempt.claim is None or moment.surely_before(attempt.claim):
        return msgspec.structs.replace(attempt, claim=moment)
    return attempt


def with_step(attempt: Attempt, fact: StepReported) -> Attempt:
    """Return the attempt with this step, which claims it, too."""
    step, moment = fact.step, moment_of(fact)
    if attempt.final and not moment.surely_by(attempt.final.moment):
        return attempt if attempt.has_begun else msgspec.structs.replace(attempt, begun=True)
    attempt = claimed(attempt, moment)
    seen = attempt.steps.get(step)
    if seen is None and len(attempt.steps) >= MAX_STEPS and not fact.in_workflow:
        return attempt
    if seen is None or moment.surely_before(seen):
        if seen and attempt.run_id is None:
            moment = _said_again(moment, seen)
        return msgspec.structs.replace(attempt, steps=attempt.steps | {step: moment})
    if attempt.run_id is None and seen.surely_before(moment):
        # It may be a later try's, which a failure that comes late cuts off from this one.
        if seen.again_at is None or (moment.at > seen.again_at):
            seen = _said_again(seen, moment)
            return msgspec.structs.replace(attempt, steps=attempt.steps | {step: seen})
    return attempt


def _said_again(first: Timestamp, last: Timestamp) -> Timestamp:
    return Timestamp(
        first.recorded_at,
        first.occurred_at,
        again_at=last.again_at or last.occurred_at,
        again_recorded_at=last.again_recorded_at or last.recorded_at,
    )
