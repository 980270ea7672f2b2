"""How one attempt folds."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.fold import evolve
from domain.job.attempt.progress import MAX_STEPS
from domain.job.attempt.state import Attempt
from domain.job.events import (
    Fact,
    HeartbeatReceived,
    MetadataReported,
    StepReported,
)
from tests.support.jobs.histories import FAILED, PROVISIONING, RUNNING, TIMED_OUT
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON


def step(name: str, recorded_at: datetime, occurred_at: datetime | None = None) -> StepReported:
    return StepReported(recorded_at=recorded_at, step=name, occurred_at=occurred_at)


def folded(*facts: Fact) -> Attempt:
    attempt = Attempt()
    for fact in facts:
        attempt = evolve(attempt, fact)
    return attempt


def test_an_attempt_is_queued_until_its_workflow_is_heard_of() -> None:
    assert Attempt().status == "queued"
    assert folded(PROVISIONING).status == "provisioning"
    assert folded(step("vm_created", NOON)).status == "provisioning"
    assert folded(HeartbeatReceived(recorded_at=NOON)).status == "queued"


def test_the_first_word_claims_the_attempt() -> None:
    assert folded(step("vm_created", minute(1)), PROVISIONING).claim == Timestamp(minute(1))


def test_a_claim_that_is_known_to_be_earlier_counts() -> None:
    late = msgspec.structs.replace(PROVISIONING, recorded_at=minute(9), occurred_at=NOON)

    claim = folded(step("vm_created", minute(1), minute(1)), late).claim

    assert claim == Timestamp(minute(9), NOON)


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

    assert set(ended.steps) == {"vm_created"}


def test_a_heartbeat_moves_the_silence_while_the_job_is_provisioning() -> None:
    assert folded(PROVISIONING).silent_since == NOON
    assert folded(PROVISIONING, HeartbeatReceived(recorded_at=minute(1))).silent_since == minute(1)
    assert (
        folded(PROVISIONING, HeartbeatReceived(recorded_at=minute(1)), RUNNING).silent_since is None
    )
    assert folded(HeartbeatReceived(recorded_at=minute(1))).silent_since is None


def test_our_inference_yields_to_a_real_final_status() -> None:
    inferred = folded(PROVISIONING, TIMED_OUT)

    assert inferred.status == "failed"
    assert evolve(inferred, RUNNING).status == "running"
    failure = evolve(inferred, FAILED).final
    assert failure is not None
    assert (failure.error, failure.inferred) == ("boom", False)


def test_our_inference_never_replaces_a_real_final_status() -> None:
    assert folded(PROVISIONING, RUNNING, TIMED_OUT) == folded(PROVISIONING, RUNNING)
    assert folded(PROVISIONING, FAILED, TIMED_OUT) == folded(PROVISIONING, FAILED)


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


def test_a_moment_is_the_senders_time_if_it_was_told() -> None:
    seen = folded(step("vm_created", minute(3), NOON), step("ansible_started", minute(4))).steps

    assert seen["vm_created"].at == NOON
    assert seen["ansible_started"].at == NOON + timedelta(minutes=4)
