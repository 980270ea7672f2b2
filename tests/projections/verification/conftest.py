"""Fixtures: a store in which every event is known."""

from __future__ import annotations

import pytest

from domain.job.commands.registration import QueueJob
from tests.support.projectors.verifying import (
    EACH,
    GAP,
    GAP_AFTER,
    JOBS,
    append,
    place,
    skip_positions,
)
from tests.support.stores.deployment import Deployment, settle


@pytest.fixture
def history(databases: Deployment) -> Deployment:
    """A store with the events that `place` describes, folded and hashed."""
    for job_id in JOBS:
        databases.milepost.queue(
            QueueJob(job_id=job_id, agent_id=f"of-{job_id}", user_id=f"u-{job_id}", workflow="vm@1")
        )
    places = [place(number) for number in range(1, len(JOBS) * EACH + 1)]
    append(databases, [p[2:] for p in places[len(JOBS) : GAP_AFTER]])
    skip_positions(databases, GAP)
    append(databases, [p[2:] for p in places[GAP_AFTER:]])
    settle(databases)
    assert [(e.position, e.job_id, e.version) for e in databases.tree.log.events(0, 1000)] == [
        p[1:] for p in places
    ]
    return databases
