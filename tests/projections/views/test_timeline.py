"""The timeline, folded from facts."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import msgspec

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.progress import MAX_STEPS
from domain.job.attempt.state import Attempt
from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobQueued,
    JobTimedOut,
    RollbackRequested,
    StatusReported,
    StepReported,
    StopRequested,
)
from projections.views.timeline import GAP, MAX_GAPS, Gap, Timeline, evolve
from tests.support.jobs.strategies import minute, numbered
from tests.support.stores.deployment import NOON

QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1")
PROVISIONING = StatusReported(recorded_at=NOON, status="provisioning", workflow_run_id="1")
FAILED = StatusReported(recorded_at=minute(1), status="failed", error="boom")
RETRY = AttemptStarted(
    recorded_at=minute(30), number=2, occurred_at=minute(30), workflow_run_id="2"
)
AGAIN = StatusReported(recorded_at=minute(30), status="provisioning", workflow_run_id="2")


def step(name: str, at: int, run_id: str | None = None) -> StepReported:
    return StepReported(recorded_at=minute(at), step=name, workflow_run_id=run_id)


def heartbeat(seconds: float) -> HeartbeatReceived:
    return HeartbeatReceived(recorded_at=NOON + timedelta(seconds=seconds))


def folded(*facts: Fact) -> Timeline:
    timeline = Timeline("job")
    for event in numbered(list(facts)):
        timeline = evolve(timeline, event)
    return timeline


class Told(NamedTuple):
    """An attempt, and what its chapter adds to it."""

    attempt: Attempt
    gaps: tuple[Gap, ...]
    late: dict[str, Timestamp]


def story(*facts: Fact) -> list[Told]:
    return [Told(attempt, chapter.gaps, chapter.late) for attempt, chapter in folded(*facts).story]


def test_a_timeline_begins_with_one_attempt() -> None:
    [chapter] = story(QUEUED)

    assert (chapter.attempt.number, chapter.attempt.status) == (1, "queued")
    assert (folded(QUEUED).agent_id, folded(QUEUED).queued_at) == ("agent", NOON)


def test_a_second_registration_changes_nothing() -> None:
    other = msgspec.structs.replace(QUEUED, agent_id="other")

    assert folded(QUEUED, other) == msgspec.structs.replace(folded(QUEUED), version=2, position=20)


def test_every_step_has_its_moment() -> None:
    [chapter] = story(QUEUED, PROVISIONING, step("vm_created", 1), step("tea_made", 2))

    assert chapter.attempt.steps == {
        "vm_created": Timestamp(minute(1)),
        "tea_made": Timestamp(minute(2)),
    }


def test_a_silence_of_two_minutes_is_no_gap() -> None:
    [chapter] = story(PROVISIONING, heartbeat(GAP.total_seconds()))

    assert chapter.gaps == ()


def test_a_longer_silence_is_a_gap() -> None:
    [chapter] = story(PROVISIONING, heartbeat(60), heartbeat(180.001))

    assert chapter.gaps == (Gap(minute(1), NOON + timedelta(seconds=180.001)),)


def test_any_callback_ends_a_silence() -> None:
    [chapter] = story(PROVISIONING, step("vm_created", 2), heartbeat(240))

    assert chapter.gaps == ()


def test_waiting_in_the_queue_is_no_gap() -> None:
    late = msgspec.structs.replace(PROVISIONING, recorded_at=minute(10))

    assert story(QUEUED, late)[0].gaps == ()


def test_the_silence_before_the_end_is_a_gap_and_the_one_after_it_is_not() -> None:
    failed = msgspec.structs.replace(FAILED, recorded_at=minute(5))

    [chapter] = story(PROVISIONING, failed, heartbeat(1200))

    assert chapter.gaps == (Gap(NOON, minute(5)),)


def test_a_timeout_is_a_gap() -> None:
    timed_out = JobTimedOut(recorded_at=minute(16), attempt=1, silent_since=NOON, error="Timeout")

    [chapter] = story(PROVISIONING, timed_out, heartbeat(1200))

    assert chapter.gaps == (Gap(NOON, minute(16)),)
    assert chapter.attempt.status == "failed"


def test_a_chapter_has_the_newest_gaps() -> None:
    heartbeats = [heartbeat(number * 300) for number in range(MAX_GAPS + 20)]

    [chapter] = story(PROVISIONING, *heartbeats)

    assert len(chapter.gaps) == MAX_GAPS
    assert chapter.gaps[-1].until == heartbeats[-1].recorded_at


def test_a_step_that_was_first_reported_after_the_end_is_late() -> None:
    """The step changes no progress, but the timeline shows it."""
    [chapter] = story(PROVISIONING, FAILED, step("vm_created", 2), step("vm_created", 3))

    assert chapter.attempt.steps == {}
    assert chapter.late == {"vm_created": Timestamp(minute(2))}


def test_a_step_that_was_reached_is_never_late() -> None:
    [chapter] = story(PROVISIONING, step("vm_created", 0), FAILED, step("vm_created", 2))

    assert set(chapter.attempt.steps) == {"vm_created"}
    assert chapter.late == {}


def test_late_steps_are_limited_too() -> None:
    late = [step(f"step-{number}", 2) for number in range(MAX_STEPS + 5)]

    assert len(story(PROVISIONING, FAILED, *late)[0].late) == MAX_STEPS


def test_a_retry_opens_a_chapter_and_the_earlier_one_stays() -> None:
    earlier = story(QUEUED, PROVISIONING, step("vm_created", 1), FAILED)

    first, second = story(QUEUED, PROVISIONING, step("vm_created", 1), FAILED, RETRY, AGAIN)

    assert first.attempt == msgspec.structs.replace(earlier[0].attempt, replaced=True)
    assert (second.attempt.number, second.attempt.status) == (2, "provisioning")
    assert second.gaps == ()


def test_an_attempt_that_has_started_opens_no_second_chapter() -> None:
    assert len(story(PROVISIONING, FAILED, RETRY, RETRY)) == 2


def test_a_late_callback_of_the_first_run_is_in_the_first_chapter() -> None:
    told = (PROVISIONING, FAILED, RETRY, AGAIN)
    before, present = story(*told)

    first, second = story(*told, step("vm_created", 31, run_id="1"))

    assert second == present
    assert first.attempt == before.attempt
    assert set(first.late) == {"vm_created"}


def test_a_callback_of_the_second_run_is_in_the_second_chapter() -> None:
    first, second = story(PROVISIONING, FAILED, RETRY, AGAIN, step("vm_created", 31, run_id="2"))

    assert set(second.attempt.steps) == {"vm_created"}
    assert first.attempt.steps == {}


def test_a_late_callback_of_the_first_of_three_runs_is_in_no_later_chapter() -> None:
    third = msgspec.structs.replace(RETRY, number=3, workflow_run_id="3", recorded_at=minute(60))
    told = (
        PROVISIONING,
        msgspec.structs.replace(FAILED, workflow_run_id="1"),
        RETRY,
        AGAIN,
        msgspec.structs.replace(FAILED, recorded_at=minute(31), workflow_run_id="2"),
        third,
        msgspec.structs.replace(AGAIN, workflow_run_id="3", recorded_at=minute(60)),
    )
    *_, present = story(*told)

    *_, last = story(*told, step("vm_created", 61, run_id="1"))

    assert last == present


def test_requests_are_dated_and_say_nothing_else() -> None:
    before = folded(QUEUED, PROVISIONING).runs.present

    for fact, name in (
        (StopRequested(recorded_at=minute(1)), "stop_requested_at"),
        (RollbackRequested(recorded_at=minute(1), attempt=1), "rollback_requested_at"),
    ):
        after = folded(QUEUED, PROVISIONING, fact).runs.present
        assert after == msgspec.structs.replace(before, **{name: minute(1)})
