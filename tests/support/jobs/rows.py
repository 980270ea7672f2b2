"""Jobs that much happens to, and what the rows of the read model must say of them."""

from __future__ import annotations

import random
from collections.abc import Mapping

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.runs.machines import machines_in_use
from projections.read_model.machines import MOST_USES, digest_of
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import State, View, Views
from tests.support.stores.deployment import Clock, Deployment

JOBS = ("one", "two", "three")
STEPS = ("vm_created", "network_configured", "ansible_started", "coffee_made")
VIEWS = Views()


def lived(made: Deployment, clock: Clock, times: int = 60, seed: int = 7) -> None:
    """Let many things happen to a few jobs."""
    chance = random.Random(seed)
    for job_id in JOBS:
        if made.milepost.find(job_id).queued is None:
            made.milepost.queue(QueueJob(job_id=job_id, agent_id=f"of-{job_id}", workflow="vm@1"))
    for _ in range(times):
        clock.advance(chance.choice((1, 30, 200)))
        job_id = chance.choice(JOBS)
        made.milepost.record(
            chance.choice(
                (
                    Callback(job_id=job_id, type="heartbeat"),
                    Callback(job_id=job_id, status="provisioning", server_id="srv-2"),
                    Callback(job_id=job_id, status="provisioning", step=chance.choice(STEPS)),
                    Callback(job_id=job_id, status="failed", error="boom", server_id="srv-1"),
                )
            )
        )


def heartbeat(made: Deployment, job_id: str = "one") -> int:
    """Record a heartbeat and wake the projector; return the position of the event."""
    position = made.milepost.record(Callback(job_id=job_id, type="heartbeat")).position
    made.read_model.wake()
    assert position is not None
    return position


def folded(made: Deployment, view: View[State], state: State) -> State:
    """Fold a job's events directly."""
    for stored in made.milepost.store.events(0, 10_000):
        if stored.job_id == state.job_id:
            state = view.evolve(state, made.milepost.mapper.read(stored))
    return state


def loaded(view: View[State], documents: Mapping[str, str]) -> dict[str, State]:
    """Return the states that these documents hold, by job."""
    return {job_id: view.load(job_id, document) for job_id, document in documents.items()}


def assert_every_row_is_right(made: Deployment) -> None:
    """Rows are what one fold of their job's events gives, and they go as far as the events do."""
    assert loaded(VIEWS.instance, made.read_model.documents("instances", JOBS)) == {
        job_id: folded(made, VIEWS.instance, Instance(job_id)) for job_id in JOBS
    }
    assert loaded(VIEWS.timeline, made.read_model.documents("timelines", JOBS)) == {
        job_id: folded(made, VIEWS.timeline, Timeline(job_id)) for job_id in JOBS
    }
    assert made.read_model.position() == made.read_model.log.newest_position()
    assert_every_machine_is_right(made)


def assert_every_machine_is_right(made: Deployment) -> None:
    """Each job has a row for each machine that it works or runs on."""
    for server_id in ("srv-1", "srv-2"):
        instances = [folded(made, VIEWS.instance, Instance(job_id)) for job_id in JOBS]
        using = [each.job_id for each in instances if server_id in machines_in_use(each.runs)]
        found = made.read_model.uses_of([digest_of(server_id)])
        assert found is not None
        assert [use.job_id for use in found.uses] == sorted(using)[:MOST_USES]


def assert_every_read_is_right(made: Deployment) -> None:
    """Reads are what one fold of the job's events gives, however far the rows go."""
    for job_id in JOBS:
        instance = folded(made, VIEWS.instance, Instance(job_id))
        assert made.reader.instance(job_id) == instance
        assert made.reader.instance_of(f"of-{job_id}") == instance
        assert made.reader.timeline(job_id) == folded(made, VIEWS.timeline, Timeline(job_id))
