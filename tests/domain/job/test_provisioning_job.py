"""What a provisioning job decides."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings

from domain.errors import JobAlreadyRegistered, NothingToStop
from domain.job.callback import Callback
from domain.job.events import (
    Fact,
    JobEvent,
    JobTimedOut,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StopRequested,
)
from domain.job.hints import about_callback
from domain.job.provisioning_job import ProvisioningJob, evolve
from tests.support.deployment import NOON
from tests.support.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.strategies import events, facts, minute


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
    asked = job_after(QUEUED, RUNNING).stop("ada", minute(9))

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
        job_after(*history).stop("ada", minute(9))


def test_a_silence_of_900_seconds_is_borne() -> None:
    assert job_after(PROVISIONING).time_out(NOON + timedelta(seconds=900)).facts == []


def test_a_silence_of_more_than_900_seconds_fails_the_job() -> None:
    late = NOON + timedelta(seconds=900.001)

    assert job_after(PROVISIONING).time_out(late).facts == [
        JobTimedOut(
            recorded_at=late,
            attempt=1,
            silent_since=NOON,
            error="Timeout: No heartbeat for 900s",
            due_at=NOON + timedelta(seconds=900),
        )
    ]


def test_the_message_counts_whole_seconds() -> None:
    [timed_out] = job_after(PROVISIONING).time_out(NOON + timedelta(seconds=1234.9)).facts

    assert isinstance(timed_out, JobTimedOut)
    assert timed_out.error == "Timeout: No heartbeat for 1234s"


def test_silence_counts_from_the_last_heartbeat() -> None:
    heartbeat = callback(type="heartbeat").facts(minute(10))

    assert job_after(PROVISIONING, *heartbeat).time_out(minute(25)).facts == []
    assert job_after(PROVISIONING, *heartbeat).time_out(minute(26)).facts != []


@pytest.mark.parametrize(
    "history", [(), (PROVISIONING, RUNNING), (QUEUED, FAILED), (PROVISIONING, FAILED)]
)
def test_only_a_job_in_progress_times_out(history: tuple[Fact, ...]) -> None:
    assert job_after(*history).time_out(minute(10_000)).facts == []


def test_a_job_times_out_once() -> None:
    history = (PROVISIONING, *job_after(PROVISIONING).time_out(minute(16)).facts)

    assert job_after(*history).time_out(minute(60)).facts == []


def test_a_failure_asks_for_a_rollback_of_the_machine() -> None:
    outcome = job_after(PROVISIONING, MACHINE).report(callback(status="failed"), minute(5))

    assert outcome.facts == [
        StatusReported(recorded_at=minute(5), status="failed"),
        RollbackRequested(
            recorded_at=minute(5), attempt=1, server_id="srv-1", server_ip="203.0.113.7"
        ),
    ]


def test_a_failure_that_names_the_machine_itself_asks_for_its_rollback() -> None:
    *_, last = job_after().report(callback(status="failed", server_id="srv-1"), minute(5)).facts

    assert last == RollbackRequested(recorded_at=minute(5), attempt=1, server_id="srv-1")


def test_a_failure_without_a_machine_asks_for_no_rollback() -> None:
    assert job_after(PROVISIONING).report(callback(status="failed"), minute(5)).facts == [
        StatusReported(recorded_at=minute(5), status="failed")
    ]


def test_a_timeout_asks_for_a_rollback_too() -> None:
    *_, last = job_after(PROVISIONING, MACHINE).time_out(minute(16)).facts

    assert isinstance(last, RollbackRequested)


def test_a_machine_that_becomes_known_after_the_failure_is_wanted_rolled_back() -> None:
    late = callback(status="provisioning", step="vm_created", server_id="srv-1")

    *_, last = job_after(PROVISIONING, FAILED).report(late, minute(6)).facts

    assert last == RollbackRequested(recorded_at=minute(6), attempt=1, server_id="srv-1")


def test_a_rollback_is_requested_once() -> None:
    history: list[Fact] = [PROVISIONING, MACHINE]
    for word in (
        callback(status="failed"),
        callback(status="failed"),
        callback(status="provisioning", step="vm_created", server_id="srv-2"),
        callback(type="heartbeat"),
    ):
        history += job_after(*history).report(word, minute(6)).facts

    assert sum(isinstance(fact, RollbackRequested) for fact in history) == 1


def test_every_attempt_may_request_its_own_rollback() -> None:
    history: list[Fact] = []
    for word in (
        callback(status="provisioning"),
        callback(status="failed", server_id="srv-1"),
        callback(status="provisioning"),
        callback(status="failed", server_id="srv-2"),
    ):
        history += job_after(*history).report(word, minute(6)).facts

    wanted = [fact for fact in history if isinstance(fact, RollbackRequested)]
    assert [(fact.attempt, fact.server_id) for fact in wanted] == [(1, "srv-1"), (2, "srv-2")]


def test_a_running_job_wants_no_rollback() -> None:
    whole = callback(
        status="running", server_id="srv-1", server_ip="203.0.113.7", tailscale_ip="100.64.0.7"
    )

    reported = job_after(PROVISIONING).report(whole, minute(5)).facts

    assert not any(isinstance(fact, RollbackRequested) for fact in reported)


def test_a_job_that_runs_after_all_wants_no_rollback() -> None:
    """The real final status wins over our inference before the rollback is decided."""
    timed_out = job_after(PROVISIONING).time_out(minute(16)).facts
    whole = callback(
        status="running", server_id="srv-1", server_ip="203.0.113.7", tailscale_ip="100.64.0.7"
    )

    job = job_after(PROVISIONING, *timed_out)

    reported = job.report(whole, minute(17)).facts
    assert not any(isinstance(fact, RollbackRequested) for fact in reported)


def test_a_retry_can_be_stopped_although_the_first_attempt_was() -> None:
    history: list[Fact] = [
        PROVISIONING,
        StopRequested(recorded_at=minute(1)),
        FAILED,
    ]
    for word in (callback(status="provisioning"), callback(status="running")):
        history += job_after(*history).report(word, minute(6)).facts

    assert job_after(*history).stop(None, minute(7)).facts != []


def warning(job: ProvisioningJob, word: Callback) -> str | None:
    return "; ".join(about_callback(job, word, job.report(word, minute(9)))) or None


def test_a_callback_for_a_job_that_nobody_registered_is_warned_of() -> None:
    assert warning(job_after(), callback(type="heartbeat")) == "job 'job' is not registered"


def test_a_callback_that_comes_too_late_to_change_anything_is_warned_of() -> None:
    heartbeat, step = callback(type="heartbeat"), callback(status="provisioning", step="vm_created")

    running, failed = job_after(QUEUED, RUNNING), job_after(QUEUED, PROVISIONING, FAILED)

    assert "is already running" in (warning(running, heartbeat) or "")
    assert "is already failed" in (warning(failed, step) or "")
    assert "is already failed" in (warning(failed, callback(status="running")) or "")


def test_a_callback_that_is_as_it_should_be_is_not_warned_of() -> None:
    """Nor is a retry, nor a real final status after our inference."""
    step, retry = (
        callback(status="provisioning", step="vm_created"),
        callback(status="provisioning"),
    )
    timed_out = job_after(QUEUED, PROVISIONING).time_out(minute(60)).facts

    assert warning(job_after(QUEUED, PROVISIONING), step) is None
    assert warning(job_after(QUEUED), callback(status="failed")) is None
    assert warning(job_after(QUEUED, PROVISIONING, FAILED), retry) is None
    silent = job_after(QUEUED, PROVISIONING, *timed_out)
    assert warning(silent, callback(status="running")) is None


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


# A retry of an attempt that never announced itself, and machines that are wanted


def run(**said: object) -> Callback:
    return Callback(job_id="job", **said)  # type: ignore[arg-type]


def played(*callbacks: Callback) -> tuple[ProvisioningJob, list[Fact]]:
    job, facts = ProvisioningJob("job"), list[Fact]()
    for word in callbacks:
        outcome = job.report(word, NOON)
        job, facts = outcome.job, facts + outcome.facts
    return job, facts


LIVE = {"server_id": "srv-live", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def test_another_run_after_a_failure_is_a_retry_though_the_first_never_announced_itself() -> None:
    """Its first callback was refused while the database was away, so the workflow failed."""
    job, facts = played(
        run(status="failed", workflow_run_id="1", error="curl: (22) 503"),
        run(status="provisioning", workflow_run_id="2"),
        run(status="running", workflow_run_id="2", **LIVE),
    )

    assert (job.attempt.number, job.attempt.status) == (2, "running")
    assert not [fact for fact in facts if isinstance(fact, RollbackRequested)]


def test_a_machine_that_says_it_runs_is_not_rolled_back_whatever_became_of_the_attempt() -> None:
    job, facts = played(run(status="failed"), run(status="running", **LIVE))

    assert job.attempt.status == "running"
    assert not [fact for fact in facts if isinstance(fact, RollbackRequested)]


def test_a_rollback_after_a_timeout_is_withdrawn_when_the_machine_turns_out_to_run() -> None:
    job, _ = played(run(status="provisioning", step="vm_created", server_id="srv-1"))
    job = job.time_out(NOON + timedelta(seconds=901)).job
    assert job.attempt.rollback_requested_at

    facts = job.report(run(status="running"), NOON + timedelta(seconds=902)).facts

    assert isinstance(facts[-1], RollbackWithdrawn)


def test_words_of_a_superseded_run_are_warned_of() -> None:
    first = callback(status="provisioning", workflow_run_id="1")
    second = callback(status="provisioning", workflow_run_id="2")
    job = job_after(QUEUED).report(first, minute(1)).job.report(second, minute(2)).job

    late = warning(job, callback(status="provisioning", step="vm_created", workflow_run_id="1"))

    assert late == "another run has taken the place of run '1', so this changes only its own"


def test_a_heartbeat_of_a_run_that_has_not_begun_is_warned_of() -> None:
    job = job_after(QUEUED).report(callback(status="provisioning", workflow_run_id="1"), NOON).job

    said = warning(job, callback(type="heartbeat", workflow_run_id="2"))

    assert said == "run '2' has not begun, so this changes nothing"


def test_a_clock_that_is_wrong_is_warned_of() -> None:
    ahead = callback(status="provisioning", occurred_at=minute(99))
    behind = callback(status="provisioning", occurred_at=minute(-81))

    assert warning(job_after(QUEUED), ahead) == "the sender's clock is 5400 s ahead of ours"
    assert "is 5400 s behind ours, or this" in (warning(job_after(QUEUED), behind) or "")
    assert warning(job_after(QUEUED), callback(type="heartbeat", occurred_at=minute(8))) is None
