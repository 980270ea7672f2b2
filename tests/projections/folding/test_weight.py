"""What a state counts for in a cache is about what it takes in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.events import JobEvent, JobQueued
from domain.job.provisioning_job import ProvisioningJob
from domain.log.recalling import recall
from projections.folding.job_fold import Folded
from projections.folding.weight import weight
from projections.views.view import Views
from tests.support.stores.deployment import NOON

VIEWS = Views()
COUNT = 3
WITH_STEPS = [{"status": "provisioning", "step": f"step-{number}"} for number in range(5)]
LIVES: Mapping[str, list[dict[str, Any]]] = {
    "a new one": [{"status": "provisioning"}],
    "with five steps": WITH_STEPS,
    "with 200 steps": [{"status": "provisioning", "step": f"a_step_{n}"} for n in range(200)],
    "with 200 long steps": [
        {"status": "provisioning", "step": f"{n} \N{ROCKET}".ljust(200)} for n in range(200)
    ],
    "with 300 heartbeats": WITH_STEPS + [{"type": "heartbeat"}] * 300,
    "with a long error": [{"status": "failed", "error": "x" * 60_000}],
    "with 50 attempts": [
        {**word, "workflow_run_id": str(run)}
        for run in range(50)
        for word in (*WITH_STEPS, {"status": "failed", "error": "the reason"})
    ],
    "with ten attempts of twenty machines": [
        {
            "status": "provisioning",
            "workflow_run_id": str(run),
            "server_id": f"{run}-{number}" * 20,
        }
        for run in range(10)
        for number in range(20)
    ],
    "with 20 attempts of long names": [
        {
            "status": "failed",
            "workflow_run_id": f"{run} \N{ROCKET}".ljust(200),
            "failed_step": f"{run} \N{ROCKET}".ljust(200),
            **{
                field: f"{run} \N{ROCKET}".ljust(200)
                for field in ("server_id", "server_ip", "tailscale_ip")
            },
        }
        for run in range(20)
    ],
    "with late steps": [{"status": "failed"}, *WITH_STEPS],
}


@cache
def lived(life: str, number: int) -> tuple[ProvisioningJob, list[JobEvent]]:
    job, now = ProvisioningJob(f"job-{number}"), NOON
    queued = JobQueued(
        recorded_at=now, agent_id=f"agent-{number}", workflow="vm@1", digest="d" * 64
    )
    outcome = job.queue(queued)
    events = [*outcome.events]
    for word in LIVES[life]:
        now += timedelta(seconds=150.5)
        said = word | {"occurred_at": now - timedelta(seconds=1)}
        outcome = outcome.job.report(Callback(job_id=job.id, **said), now)
        events += outcome.events
    return outcome.job, events


def both_views(life: str, number: int) -> Callable[[], Folded]:
    """Return what reads the views from their documents: so they share nothing."""
    job, events = lived(life, number)
    instance, timeline = VIEWS.instance.load(job.id, None), VIEWS.timeline.load(job.id, None)
    for event in events:
        instance = VIEWS.instance.evolve(instance, event)
        timeline = VIEWS.timeline.evolve(timeline, event)
    documents = VIEWS.instance.dump(instance), VIEWS.timeline.dump(timeline)
    return lambda: (
        VIEWS.instance.load(job.id, documents[0]),
        VIEWS.timeline.load(job.id, documents[1]),
    )


def decision_state(life: str, number: int) -> Callable[[], recall.Folded]:
    """Return what reads the state from its snapshot."""
    job, _ = lived(life, number)
    stored = msgspec.json.encode(job)
    return lambda: recall.Folded(msgspec.json.decode(stored, type=ProvisioningJob))


def measured(reads: Sequence[Callable[[], Any]]) -> float:
    """Return how many bytes each of the states takes that are read."""
    gc.collect()
    tracemalloc.start()
    states = {f"job-{number}": read() for number, read in enumerate(reads)}
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / len(states)


@pytest.mark.parametrize("life", LIVES)
def test_a_jobs_state_counts_for_about_what_it_takes(life: str) -> None:
    reads = [decision_state(life, number) for number in range(COUNT)]

    assert 0.7 < reads[1]().weight() / measured(reads) < 1.6


@pytest.mark.parametrize("life", LIVES)
def test_both_views_count_for_about_what_they_take(life: str) -> None:
    reads = [both_views(life, number) for number in range(COUNT)]

    assert 0.7 < weight(reads[1]()) / measured(reads) < 1.6
