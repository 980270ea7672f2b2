"""Events that were set aside are tried again when a projector begins, a few jobs at a time."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.job.callback import Callback
from domain.job.events import CATALOGUE, JobEvent
from domain.log.mapper import JobEventMapper
from domain.log.memory import MemoryRecorder
from domain.log.store import Append
from domain.log.upcasting import Shapes, Upcaster
from projections.folding.job_fold import JobFold
from projections.projecting.stepper import Stepper
from projections.read_model.memory import MemoryReadModel
from projections.read_model.rows import Changes
from tests.support.stores.deployment import NOON, Deployment

JOBS = [f"job-{number}" for number in range(6)]


class LaterMapper(JobEventMapper):
    """The mapper of a later release, which can read one more event."""

    shapes = Shapes(CATALOGUE, {"StepTaken": Upcaster("StepReported", dict)})


class Noted(MemoryReadModel):
    """A read model that notes how many rows it was given at a time."""

    def __init__(self, recorder: MemoryRecorder) -> None:
        super().__init__(recorder)
        self.written: list[int] = []

    def apply(self, changes: Changes) -> None:
        super().apply(changes)
        self.written.append(len(changes.instances))


@pytest.mark.parametrize(("held_bytes", "written"), [(1, [1] * len(JOBS)), (2**20, [len(JOBS)])])
def test_rows_are_written_once_their_states_fill_the_bound(
    memory: Deployment, held_bytes: int, written: list[int]
) -> None:
    milepost, recorder = memory.milepost, memory.milepost.recorder
    assert isinstance(recorder, MemoryRecorder)
    step = Callback(job_id="job", status="provisioning", step="vm_created").facts(NOON)[0]
    named = milepost.mapper.to_stored_event(JobEvent("job", 1, step))
    unknown = [StoredEvent(job_id, 1, "StepTaken", named.state) for job_id in JOBS]
    milepost.store.transact({}, [], lambda _: Append(unknown))
    read_model = Noted(recorder)
    Stepper(milepost.store, read_model, JobFold(milepost.mapper, memory.workflows)).step()
    assert len(read_model.set_aside()) == len(JOBS)
    read_model.written.clear()

    later = JobFold(LaterMapper(JSONTranscoder()), memory.workflows)
    stepper = Stepper(milepost.store, read_model, later, held_bytes=held_bytes)
    stepper.begin()
    stepper.try_again()

    assert read_model.written == written
    assert read_model.set_aside() == []
