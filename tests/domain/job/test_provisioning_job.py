"""What a provisioning job decides."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings

from domain.errors import JobAlreadyRegistered, NothingToStop
from domain.job.events import (
    Fact,
    JobEvent,
    StopRequested,
)
from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.job.runs.orders import Requested
from tests.support.jobs.histories import (
    FAILED,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.jobs.strategies import events, facts, minute
from tests.support.stores.deployment import NOON

LIVE = {"server_id": "srv-live", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def test_queueing_states_the_registration() -> None:
    assert job_after().queue(QUEUED).facts == [QUEUED]


def test_a_job_may_be_queued_after_its_first_callback() -> None:
    assert job_after(PROVISIONING).queue(QUEUED).facts == [QUEUED]


def test_a_job_is_queued_once() -> None:
    with pytest.raises(JobAlreadyRegistered):
        job_after(QUEUED, FAILED).queue(QUEUED)


def test_a_second_registration_in_the_history_changes_nothing_but_the_version() -> None:
    other = msgspec.structs.replace(QUEUED, agent_id="other")

    assert job_after(QUEUED, other) == msgspec.structs.replace(job_after(QUEUED), version=2)


def test_a_job_is_in_progress_until_it_has_ended() -> None:
    assert job_after(QUEUED).in_progress
    assert job_after(QUEUED, PROVISIONING).in_progress
    assert not job_after(QUEUED, PROVISIONING, RUNNING).in_progress
    assert not job_after(QUEUED, PROVISIONING, FAILED).in_progress


def test_a_running_instance_can_be_asked_to_stop() -> None:
    asked = job_after(QUEUED, RUNNING).stop(Requested(minute(9), "ada"))

    assert asked.facts == [StopRequested(recorded_at=minute(9), requested_by="ada")]


@pytest.mark.parametrize(
    "history",
    [
        (QUEUED,),
        (QUEUED, PROVISIONING),
        (QUEUED, PROVISIONING, FAILED),
        (QUEUED, RUNNING, StopRequested(recorded_at=minute(8))),
    ],
)
def test_there_is_nothing_to_stop_unless_it_is_running(history: tuple[Fact, ...]) -> None:
    with pytest.raises(NothingToStop):
        job_after(*history).stop(Requested(minute(9), "ada"))


def test_a_retry_can_be_stopped_although_the_first_attempt_was() -> None:
    history: list[Fact] = [
        PROVISIONING,
        StopRequested(recorded_at=minute(1)),
        FAILED,
    ]
    for word in (callback(status="provisioning"), callback(status="running")):
        history += job_after(*history).report(word, minute(6)).facts

    assert job_after(*history).stop(Requested(minute(7))).facts != []


@settings(deadline=None)
@given(events(facts()))
def test_whatever_happened_a_job_still_decides(history: list[JobEvent]) -> None:
    """Reporting and timing out never raise, and the outcome's job is the fold of its events."""
    job = after(ProvisioningJob("job"), history)

    words = [callback(status=status, **LIVE) for status in ("provisioning", "running", "failed")]
    outcomes = [job.report(word, NOON) for word in (*words, callback(type="heartbeat"))]
    assert all(outcome.events for outcome in outcomes)
    for outcome in (*outcomes, job.time_out(NOON)):
        assert outcome.job == after(job, outcome.events)


def after(job: ProvisioningJob, events: Iterable[JobEvent]) -> ProvisioningJob:
    for event in events:
        job = evolve(job, event)
    return job
