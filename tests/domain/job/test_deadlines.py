"""Which deadline an attempt misses first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.state import Attempt
from domain.job.deadlines import Question, due, look_at, unresponsive_at
from domain.job.events import (
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    StatusReported,
)
from domain.job.provisioning_job import ProvisioningJob
from domain.workflows.definition import Workflow
from tests.domain.job.oven import CLAIMED, QUEUED, WORKFLOW, heard, step
from tests.support.jobs.histories import callback, job_after
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON


def due_of(job: ProvisioningJob, workflow: Workflow | None = WORKFLOW) -> tuple[object, ...]:
    found = due(workflow, job.attempt, job.queued.recorded_at if job.queued else None)
    return (found.kind, found.at) if found else ()


def looked(attempt: Attempt) -> datetime | None:
    """Return from when on the row of an attempt has to be looked at."""
    first = due(None, attempt, None)
    return look_at(None, first.at if first else None, unresponsive_at(None, attempt))


@pytest.mark.parametrize(
    ("history", "kind", "at"),
    [
        ((QUEUED,), "start", 10),
        ((QUEUED, CLAIMED), "heartbeat", 3),
        ((CLAIMED, heard(9)), "heartbeat", 11),
        ((CLAIMED, heard(30)), "attempt", 31),
        ((CLAIMED, step("lit", 2), heard(6)), "step", 7),
        ((CLAIMED, step("fire", 2), heard(6)), "step", 7),
        ((CLAIMED, step("lit", 2), step("heated", 3), heard(6)), "heartbeat", 8),
        ((CLAIMED, step("heated", 3), step("lit", 4), heard(8)), "heartbeat", 10),
        ((CLAIMED, step("polished", 2), heard(6)), "heartbeat", 8),
    ],
)
def test_the_deadline_that_comes_first_counts(
    history: tuple[Fact, ...], kind: str, at: float
) -> None:
    assert due_of(job_after(*history)) == (kind, minute(at))


@pytest.mark.parametrize(
    "history",
    [
        (),
        (heard(1),),
        (QUEUED, CLAIMED, StatusReported(recorded_at=minute(2), status="running")),
        (QUEUED, StatusReported(recorded_at=minute(2), status="failed")),
    ],
    ids=["nobody registered it", "heard before claims were known", "running", "failed"],
)
def test_an_attempt_that_waits_for_nothing_has_no_deadline(history: tuple[Fact, ...]) -> None:
    assert due_of(job_after(*history)) == ()


def test_the_seeds_deadlines_are_those_of_a_definition_that_names_none() -> None:
    assert due_of(job_after(QUEUED), None) == ("start", minute(60))
    assert due_of(job_after(QUEUED, CLAIMED), None) == ("heartbeat", minute(16))


@pytest.mark.parametrize(
    ("history", "at", "kind", "error"),
    [
        ((QUEUED,), 11, "start", "Timeout: No callback of the workflow for 660s"),
        ((CLAIMED,), 4, "heartbeat", "Timeout: No heartbeat for 180s"),
        ((CLAIMED, step("lit", 2), heard(8)), 9, "step", "Timeout: Step lit has taken 420s"),
        ((CLAIMED, heard(31)), 32, "attempt", "Timeout: The attempt has taken 1860s"),
    ],
)
def test_a_timeout_names_its_deadline_and_when_it_was_due(
    history: tuple[Fact, ...], at: float, kind: str, error: str
) -> None:
    job = job_after(*history)

    [timed_out] = job.time_out(minute(at), WORKFLOW).facts

    assert isinstance(timed_out, JobTimedOut)
    assert (timed_out.deadline, timed_out.error) == (kind, error)
    assert (kind, timed_out.due_at) == due_of(job)
    assert job.time_out(timed_out.due_at or NOON, WORKFLOW).facts == []


def test_a_question_is_about_the_time_when_it_was_asked() -> None:
    """The transaction may have waited long for a database, and nobody could be heard meanwhile."""
    job = job_after(CLAIMED)

    assert job.time_out(minute(60), WORKFLOW, Question(asked_at=minute(3))).facts == []
    assert job.time_out(minute(60), WORKFLOW, Question(asked_at=minute(4))).facts != []


def test_what_is_allowed_for_a_jump_of_the_clock_is_for_the_job_as_it_was_seen() -> None:
    job = job_after(CLAIMED)
    back = {"heartbeat": -3600.0}

    [timed_out] = job.time_out(minute(-55), WORKFLOW, Question(allowance=back, version=1)).facts  # type: ignore[arg-type]
    assert isinstance(timed_out, JobTimedOut)
    assert job.time_out(minute(-55), WORKFLOW, Question(allowance=back, version=2)).facts == []  # type: ignore[arg-type]
    ahead = Question(allowance={"heartbeat": 1200.0}, version=1)
    assert job.time_out(minute(23), WORKFLOW, ahead).facts == []
    assert job.time_out(minute(24), WORKFLOW, ahead).facts != []


def test_waiting_before_the_first_start_of_this_release_is_free() -> None:
    job = job_after(QUEUED)
    upgraded = Question(first_start=minute(1000))

    assert job.time_out(minute(1010), WORKFLOW, upgraded).facts == []
    assert job.time_out(minute(1010.1), WORKFLOW, upgraded).facts != []


def test_the_first_heartbeat_claims_a_pending_job() -> None:
    outcome = job_after(QUEUED).report(callback(type="heartbeat"), minute(2))

    assert outcome.facts == [HeartbeatReceived(recorded_at=minute(2), claims=True)]
    assert outcome.job.attempt.status == "provisioning"
    assert outcome.job.attempt.silent_since == minute(2)


def test_a_later_heartbeat_claims_nothing() -> None:
    job = job_after(QUEUED).report(callback(type="heartbeat"), minute(2)).job

    assert job.report(callback(type="heartbeat"), minute(3)).facts == [heard(3)]


def test_a_heartbeat_after_the_end_claims_nothing() -> None:
    job = job_after(QUEUED, StatusReported(recorded_at=minute(2), status="failed"))

    outcome = job.report(callback(type="heartbeat"), minute(3))

    assert outcome.facts == [heard(3)]
    assert outcome.job.attempt == job.attempt


def test_a_heartbeat_of_an_old_log_leaves_the_job_pending() -> None:
    assert job_after(QUEUED, heard(2)).attempt.status == "queued"


def test_a_heartbeat_that_was_sent_before_the_claim_claims_whatever_came_first() -> None:
    early = callback(type="heartbeat", occurred_at=minute(1))
    late = callback(status="provisioning", occurred_at=minute(2))

    one = job_after(QUEUED).report(early, minute(3)).job.report(late, minute(4)).job
    other = job_after(QUEUED).report(late, minute(3)).job.report(early, minute(4)).job

    assert one.attempt.claim == Timestamp(minute(3), minute(1))
    assert other.attempt.claim == Timestamp(minute(4), minute(1))


@pytest.mark.parametrize("seconds", [1, 59, 60, 299, 300, 899])
def test_a_row_is_looked_at_before_it_is_due_and_never_while_heartbeats_come(seconds: int) -> None:
    last = NOON + timedelta(seconds=seconds)
    job = job_after(CLAIMED, HeartbeatReceived(recorded_at=last))

    first, looked_at = due(None, job.attempt, None), looked(job.attempt)

    assert first is not None
    assert looked_at is not None
    assert looked_at <= first.at - timedelta(seconds=300)
    assert looked_at > last + timedelta(seconds=180)


def test_what_is_looked_at_changes_once_in_five_minutes() -> None:
    attempts = [job_after(CLAIMED, heard(n)).attempt for n in range(2, 32)]

    assert len({looked(attempt) for attempt in attempts}) == 30 // 5 + 1


@pytest.mark.parametrize("time", [datetime.min, datetime.max])
def test_an_event_of_any_time_has_a_deadline(time: datetime) -> None:
    """An import takes what a file says, and the rows of a job must not stop the projector."""
    then = time.replace(tzinfo=UTC)
    job = job_after(msgspec.structs.replace(CLAIMED, recorded_at=then))

    first, looked_at = due(None, job.attempt, None), looked(job.attempt)

    assert first is not None
    assert looked_at is not None
    assert looked_at <= first.at
