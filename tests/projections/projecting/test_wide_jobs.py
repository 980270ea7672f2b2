"""A step of the projector holds few wide jobs, however many have events in one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from domain.job.events import HeartbeatReceived, JobEvent
from domain.log.store import Append
from projections.folding.job_fold import JobFold
from projections.folding.weight import weight
from projections.projecting.stepper import HELD_BYTES, Stepper
from projections.read_model.rows import Changes
from projections.views.view import Views
from tests.support.jobs.strategies import minute
from tests.support.jobs.wide import wide_states
from tests.support.stores.deployment import Deployment

FEW, MANY = ([f"job-{number}" for number in range(jobs)] for jobs in (15, 60))
HELD: Final = HELD_BYTES // 4
"""A step holds a few of the jobs."""


def steps_over(made: Deployment, jobs: Sequence[str] = FEW, held: int = HELD) -> Stepper:
    """Return what steps over the store, in whose rows all jobs are wide."""
    fold = JobFold(made.milepost.mapper, made.workflows)
    for job_id in jobs:
        instance, timeline = fold.rows(wide_states(job_id))
        made.read_model.apply(Changes(0, 0, [instance], [timeline]))
    stepper = Stepper(made.milepost.store, made.read_model, fold, held_bytes=held)
    stepper.begin()
    return stepper


def heartbeats(made: Deployment, version: int, jobs: Sequence[str] = FEW) -> None:
    """Append a heartbeat to each job, in one transaction."""
    fact = HeartbeatReceived(recorded_at=minute(version))
    events = [
        made.milepost.mapper.to_stored_event(JobEvent(job_id, version, fact)) for job_id in jobs
    ]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def versions(made: Deployment) -> list[int]:
    """Return the versions up to which the rows are folded."""
    view = Views().timeline
    found = {job_id: made.read_model.documents(view.name, [job_id]) for job_id in FEW}
    return [view.load(job_id, found[job_id][job_id]).version for job_id in FEW]


def positions(made: Deployment, stepper: Stepper) -> Iterator[int]:
    while stepper.step():
        yield made.read_model.position()


def test_wide_jobs_of_one_batch_are_projected_in_parts_and_each_event_once(
    stores: Deployment,
) -> None:
    stepper, heavy = steps_over(stores), weight(wide_states("job"))
    heartbeats(stores, 2)

    found = list(positions(stores, stepper))

    parts = [after - before for before, after in zip([0, *found], found, strict=False)]
    assert sum(parts) == len(FEW)
    assert max(parts) * heavy < 2 * HELD
    assert versions(stores) == [2] * len(FEW)


def test_a_part_ends_before_the_first_event_of_a_job_that_is_in_the_next_one(
    stores: Deployment,
) -> None:
    stepper = steps_over(stores)
    heartbeats(stores, 2)
    heartbeats(stores, 3)

    first = stepper.step()

    assert 0 < first < len(FEW)
    assert stores.read_model.position() == first
    assert versions(stores) == [2] * first + [1] * (len(FEW) - first)


def test_remembered_wide_jobs_are_projected_in_parts_too(memory: Deployment) -> None:
    """More jobs than are remembered: no store has a part in which those are."""
    stepper, heavy = steps_over(memory, MANY, HELD_BYTES), weight(wide_states("job"))
    heartbeats(memory, 2, MANY)
    list(positions(memory, stepper))
    heartbeats(memory, 3, MANY)
    before = memory.read_model.position()

    after = next(positions(memory, stepper))

    assert 0 < (after - before) * heavy < 2 * HELD_BYTES
