"""How one attempt folds, and how attempts are told apart."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.job.attempt.fold import evolve
from domain.job.attempt.progress import MAX_STEPS
from domain.job.attempt.state import Attempt
from domain.job.callback import Callback
from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobTimedOut,
    MetadataReported,
    StatusReported,
    StepReported,
)
from domain.job.provisioning_job import ProvisioningJob
from domain.job.provisioning_job import evolve as evolve_job
from tests.support.deployment import NOON
from tests.support.strategies import minute

PROVISIONING = StatusReported(recorded_at=NOON, status="provisioning")
RUNNING = StatusReported(recorded_at=minute(5), status="running")
FAILED = StatusReported(recorded_at=minute(5), status="failed", error="boom")
SILENCE = JobTimedOut(recorded_at=minute(16), attempt=1, silent_since=NOON, error="Timeout")


def step(name: str, recorded_at: datetime, occurred_at: datetime | None = None) -> StepReported:
    return StepReported(recorded_at=recorded_at, step=name, occurred_at=occurred_at)


def folded(*facts: Fact) -> Attempt:
    attempt = Attempt()
    for fact in facts:
        attempt = evolve(attempt, fact)
    return attempt


def told(*callbacks: Callback, job: ProvisioningJob | None = None) -> ProvisioningJob:
    """Return the job after these callbacks, which arrive a minute apart, half an hour late."""
    job = job or ProvisioningJob("job")
    for callback in callbacks:
        job = job.report(callback, minute(30 + job.version)).job
    return job


def provisioning(**said: object) -> Callback:
    return msgspec.convert({"job_id": "job", "status": "provisioning", **said}, Callback)


def failed(**said: object) -> Callback:
    return msgspec.convert({"job_id": "job", "status": "failed", "error": "boom", **said}, Callback)


def test_an_attempt_is_queued_until_its_workflow_is_heard_of() -> None:
    assert Attempt().status == "queued"
    assert folded(PROVISIONING).status == "provisioning"
    assert folded(step("vm_created", NOON)).status == "provisioning"
    assert folded(HeartbeatReceived(recorded_at=NOON)).status == "queued"


def test_the_first_word_claims_the_attempt() -> None:
    assert folded(step("vm_created", minute(1)), PROVISIONING).claimed_at == minute(1)


def test_a_claim_that_is_known_to_be_earlier_counts() -> None:
    late = msgspec.structs.replace(PROVISIONING, recorded_at=minute(9), occurred_at=NOON)

    assert folded(step("vm_created", minute(1), minute(1)), late).claimed_at == NOON


def test_a_final_status_sticks() -> None:
    """Without the senders' clocks, the first one to arrive is the end."""
    assert folded(PROVISIONING, RUNNING, FAILED).status == "running"
    assert folded(PROVISIONING, FAILED, RUNNING).status == "failed"
    assert folded(PROVISIONING, FAILED, PROVISIONING).status == "failed"
    assert folded(PROVISIONING, RUNNING, PROVISIONING).status == "running"


def test_the_final_status_that_happened_first_is_the_end() -> None:
    """With the senders' clocks, the order of arrival does not matter."""
    running = msgspec.structs.replace(RUNNING, occurred_at=minute(5))
    failure = msgspec.structs.replace(FAILED, occurred_at=minute(4))

    assert folded(running, failure).final == folded(failure, running).final
    assert folded(running, failure).status == "failed"


def test_a_step_after_the_end_changes_nothing() -> None:
    ended = folded(PROVISIONING, step("vm_created", minute(1)), RUNNING)

    assert evolve(ended, step("ansible_started", minute(6))) == ended
    assert evolve(ended, step("ansible_started", minute(6), minute(6))) == ended


def test_a_heartbeat_after_the_end_changes_nothing() -> None:
    ended = folded(PROVISIONING, FAILED)

    assert evolve(ended, HeartbeatReceived(recorded_at=minute(6))) == ended


def test_a_step_that_happened_before_the_end_is_reached_although_it_comes_late() -> None:
    failure = msgspec.structs.replace(FAILED, occurred_at=minute(5))

    ended = folded(PROVISIONING, failure, step("vm_created", minute(7), minute(3)))

    assert set(ended.steps_reached) == {"vm_created"}


def test_a_step_that_happened_after_the_end_is_not_reached_although_it_came_early() -> None:
    failure = msgspec.structs.replace(FAILED, occurred_at=minute(2))

    ended = folded(PROVISIONING, step("vm_created", minute(3), minute(3)), failure)

    assert ended.steps_reached == {}


def test_a_heartbeat_moves_the_silence_while_the_job_is_provisioning() -> None:
    assert folded(PROVISIONING).silent_since == NOON
    assert folded(PROVISIONING, HeartbeatReceived(recorded_at=minute(1))).silent_since == minute(1)
    assert (
        folded(PROVISIONING, HeartbeatReceived(recorded_at=minute(1)), RUNNING).silent_since is None
    )
    assert folded(HeartbeatReceived(recorded_at=minute(1))).silent_since is None


def test_our_inference_yields_to_a_real_final_status() -> None:
    inferred = folded(PROVISIONING, SILENCE)

    assert inferred.status == "failed"
    assert evolve(inferred, RUNNING).status == "running"
    failure = evolve(inferred, FAILED).final
    assert failure is not None
    assert (failure.error, failure.inferred) == ("boom", False)


def test_our_inference_never_replaces_a_real_final_status() -> None:
    assert folded(PROVISIONING, RUNNING, SILENCE) == folded(PROVISIONING, RUNNING)
    assert folded(PROVISIONING, FAILED, SILENCE) == folded(PROVISIONING, FAILED)


def test_a_timeout_of_another_attempt_changes_nothing() -> None:
    job = told(provisioning())
    other = JobEvent("job", 2, msgspec.structs.replace(SILENCE, attempt=2))

    assert evolve_job(job, other).runs == job.runs


def test_the_latest_word_on_the_machine_counts() -> None:
    """By the senders' clocks if both are known, else by arrival."""
    first = MetadataReported(recorded_at=NOON, server_ip="10.0.0.1")
    second = MetadataReported(recorded_at=minute(1), server_ip="10.0.0.2")
    address = folded(first, second).server_ip
    assert address is not None
    assert address.value == "10.0.0.2"

    early = msgspec.structs.replace(first, occurred_at=minute(2))
    late = msgspec.structs.replace(second, occurred_at=minute(1))
    assert folded(early, late) == folded(late, early)
    address = folded(early, late).server_ip
    assert address is not None
    assert address.value == "10.0.0.1"


def test_a_callback_that_says_nothing_of_the_machine_takes_nothing_away() -> None:
    known = folded(MetadataReported(recorded_at=NOON, server_id="srv-1"))

    assert evolve(known, MetadataReported(recorded_at=minute(1), server_id="")) == known


def test_no_attempt_keeps_more_step_names_than_the_limit() -> None:
    """The state of a job whose workflow makes up step names stays small."""
    attempt = folded(*(step(f"step-{n}", NOON) for n in range(MAX_STEPS + 5)))

    assert len(attempt.steps) == MAX_STEPS


def test_provisioning_after_a_failure_opens_the_next_attempt() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    assert job.attempt.number == 2
    assert job.attempt.status == "provisioning"
    assert job.attempt.run_id is not None
    assert job.attempt.run_id.value == "2"


def test_provisioning_after_a_timeout_opens_the_next_attempt() -> None:
    job = told(provisioning())
    job = job.time_out(minute(60)).job

    assert told(provisioning(), job=job).attempt.number == 2


def test_provisioning_after_running_opens_nothing() -> None:
    running = Callback(job_id="job", status="running")

    job = told(provisioning(), running, provisioning())

    assert (job.attempt.number, job.attempt.status) == (1, "running")


def test_provisioning_after_a_failure_is_a_retry_although_the_first_one_was_lost() -> None:
    """One lost message must not decide what all later ones mean."""
    job = told(provisioning(step="vm_created"), failed(), provisioning())

    assert (job.attempt.number, job.attempt.status) == (2, "provisioning")


def test_provisioning_that_happened_before_the_failure_opens_nothing() -> None:
    """The senders' clocks tell a repeated one from a retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")
    failure = failed(occurred_at="2026-03-02T12:05:00Z")

    assert told(first, failure, first).attempt.number == 1
    same_time = provisioning(occurred_at="2026-03-02T12:05:00Z")
    assert told(first, failure, same_time).attempt.number == 1
    after = provisioning(occurred_at="2026-03-02T12:05:01Z")
    assert told(first, failure, after).attempt.number == 2


def test_a_retry_is_told_from_a_late_first_one_by_the_clocks_alone() -> None:
    """Also when the attempt's first callback never arrived."""
    failure = failed(occurred_at="2026-03-02T12:05:00Z")

    assert told(failure, provisioning(occurred_at="2026-03-02T12:06:00Z")).attempt.number == 2
    assert told(failure, provisioning(occurred_at="2026-03-02T12:04:00Z")).attempt.number == 1


def test_the_first_provisioning_repeated_after_a_timeout_opens_nothing() -> None:
    """It happened when the attempt was claimed, so it is no retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")
    job = told(first)
    job = job.time_out(minute(60)).job

    assert told(first, job=job).attempt.number == 1


def test_the_first_provisioning_repeated_after_a_failure_without_a_time_opens_nothing() -> None:
    """It happened when the attempt was claimed, so it is no retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")

    assert told(first, failed(), first).attempt.number == 1


def test_a_new_attempt_begins_with_nothing_but_its_run() -> None:
    job = told(
        provisioning(workflow_run_id="1"),
        provisioning(step="vm_created", server_id="srv-1"),
        failed(),
    )

    opened = evolve_job(
        job,
        JobEvent("job", 4, AttemptStarted(recorded_at=minute(4), number=2, workflow_run_id="2")),
    ).attempt

    assert opened.status == "queued"
    assert (opened.steps, opened.server_id, opened.earlier_run_ids) == ({}, None, ("1",))


LATE_WORDS = [
    {"type": "heartbeat"},
    {"status": "provisioning", "step": "ansible_complete", "server_id": "old"},
    {"status": "failed", "error": "of the first run"},
    {"status": "running"},
]
WITH_MACHINE = {
    "status": "running",
    "server_id": "old",
    "server_ip": "10.0.0.1",
    "tailscale_ip": "100.0.0.1",
}


def late(word: dict[str, str], **said: object) -> Callback:
    return msgspec.convert({"job_id": "job", **word, **said}, Callback)


def test_late_callbacks_of_an_earlier_run_leave_the_present_attempt_alone() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    for word in LATE_WORDS:
        assert told(late(word, workflow_run_id="1"), job=job).attempt == job.attempt


def test_late_callbacks_of_the_run_before_the_previous_one_leave_the_present_attempt_alone() -> (
    None
):
    """Every earlier run is known by its id, not only the last one."""
    job = told(
        provisioning(workflow_run_id="1"),
        failed(workflow_run_id="1"),
        provisioning(workflow_run_id="2"),
        failed(workflow_run_id="2"),
        provisioning(workflow_run_id="3"),
    )
    assert job.attempt.number == 3

    for word in LATE_WORDS:
        assert told(late(word, workflow_run_id="1"), job=job).attempt == job.attempt


def test_late_callbacks_from_before_the_retry_leave_the_present_attempt_alone() -> None:
    job = told(
        provisioning(occurred_at="2026-03-02T12:00:00Z"),
        failed(occurred_at="2026-03-02T12:05:00Z"),
        provisioning(occurred_at="2026-03-02T12:10:00Z"),
    )

    for word in LATE_WORDS[:-1]:
        callback = late(word, occurred_at="2026-03-02T12:04:00Z")
        assert told(callback, job=job).attempt == job.attempt


def test_an_earlier_run_that_ended_well_after_all_is_shown() -> None:
    """Its machine runs, whatever the run after it comes to."""
    job = told(
        provisioning(workflow_run_id="1"),
        failed(workflow_run_id="1"),
        provisioning(workflow_run_id="2"),
    )

    shown = told(late(WITH_MACHINE, workflow_run_id="1"), job=job).attempt

    assert (shown.status, shown.run_id and shown.run_id.value) == ("running", "1")


def test_a_rerun_under_the_same_run_id_hears_its_run_whatever_the_clocks_say() -> None:
    """GitHub keeps a run's id over a re-run, and the machine's clock may be slow."""
    job = told(
        provisioning(workflow_run_id="1", occurred_at="2026-03-02T12:00:00Z"),
        failed(workflow_run_id="1", occurred_at="2026-03-02T12:05:00Z"),
        provisioning(workflow_run_id="1", occurred_at="2026-03-02T12:10:00Z"),
    )
    assert job.attempt.number == 2

    slow = provisioning(step="vm_created", workflow_run_id="1", occurred_at="2026-03-02T12:04:00Z")
    after = told(slow, job=job).attempt

    assert (after.number, set(after.steps)) == (2, {"vm_created"})


def test_callbacks_of_the_present_run_go_to_the_present_attempt() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    after = told(provisioning(step="vm_created", workflow_run_id="2"), job=job).attempt

    assert set(after.steps) == {"vm_created"}


def test_a_rerun_under_the_same_run_id_hears_its_own_callbacks() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="1"))

    after = told(provisioning(step="vm_created", workflow_run_id="1"), job=job).attempt

    assert (after.number, set(after.steps)) == (2, {"vm_created"})


def test_a_moment_is_the_senders_time_if_it_was_told() -> None:
    seen = folded(step("vm_created", minute(3), NOON), step("ansible_started", minute(4))).steps

    assert seen["vm_created"].at == NOON
    assert seen["ansible_started"].at == NOON + timedelta(minutes=4)
