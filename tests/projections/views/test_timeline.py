"""The timeline, folded from facts."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, TypeAlias

import msgspec
import pytest

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.state import Attempt
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
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
from projections.views.timeline import GAP, MAX_GAPS, MAX_LATE, Gap, Timeline, evolve
from tests.support.jobs.strategies import minute, numbered
from tests.support.stores.deployment import NOON

QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1")
PROVISIONING = StatusReported(recorded_at=NOON, status="provisioning", workflow_run_id="1")
FAILED = StatusReported(recorded_at=minute(1), status="failed", error="boom")
TIMED_OUT = JobTimedOut(recorded_at=minute(16), attempt=1, silent_since=NOON, error="Timeout")
Order: TypeAlias = type[AttemptFailed | AttemptCancelled]
ORDERS: tuple[Order, ...] = (AttemptFailed, AttemptCancelled)
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
    [chapter] = story(PROVISIONING, TIMED_OUT, heartbeat(1200))

    assert chapter.gaps == (Gap(NOON, minute(16)),)
    assert chapter.attempt.status == "failed"


@pytest.mark.parametrize("order", ORDERS)
def test_the_silence_before_an_operators_end_is_a_gap(order: Order) -> None:
    [chapter] = story(QUEUED, PROVISIONING, heartbeat(60), order(recorded_at=minute(30), attempt=1))

    assert chapter.gaps == (Gap(minute(1), minute(30)),)


@pytest.mark.parametrize("order", ORDERS)
def test_an_operators_end_after_a_word_is_no_gap(order: Order) -> None:
    [chapter] = story(QUEUED, PROVISIONING, order(recorded_at=minute(2), attempt=1))

    assert chapter.gaps == ()


@pytest.mark.parametrize("order", ORDERS)
def test_an_operators_end_continues_the_silence_that_timed_out(order: Order) -> None:
    ended = order(recorded_at=minute(180), attempt=1)

    [chapter] = story(QUEUED, PROVISIONING, step("vm_created", 5), TIMED_OUT, ended)

    assert chapter.gaps == (Gap(NOON, minute(5)), Gap(minute(5), minute(180)))


@pytest.mark.parametrize("order", ORDERS)
def test_a_word_after_the_timeout_divides_the_silence(order: Order) -> None:
    ended = order(recorded_at=minute(180), attempt=1)

    [chapter] = story(QUEUED, PROVISIONING, TIMED_OUT, step("vm_created", 20), ended)

    assert chapter.gaps == (Gap(NOON, minute(16)), Gap(minute(20), minute(180)))


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_to_a_job_that_waits_makes_no_gap_of_its_own(order: Order) -> None:
    """A start deadline has left a gap already, which lasts until the order."""
    ended = order(recorded_at=minute(180), attempt=1)

    assert story(QUEUED, ended)[0].gaps == ()
    assert story(QUEUED, TIMED_OUT, ended)[0].gaps == (Gap(NOON, minute(180)),)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_to_a_retry_that_waits_makes_no_gap(order: Order) -> None:
    retry = msgspec.structs.replace(RETRY, because="retry", workflow_run_id=None)

    _, second = story(PROVISIONING, FAILED, retry, order(recorded_at=minute(180), attempt=2))

    assert second.gaps == ()


def test_an_order_that_changes_nothing_makes_no_gap() -> None:
    first = AttemptCancelled(recorded_at=minute(1), attempt=1)
    again = AttemptFailed(recorded_at=minute(180), attempt=1)

    assert story(PROVISIONING, first, again)[0].gaps == ()
    assert story(PROVISIONING, FAILED, again)[0].gaps == ()


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
    late = [step(f"step-{number}", 2) for number in range(MAX_LATE + 5)]

    assert len(story(PROVISIONING, FAILED, *late)[0].late) == MAX_LATE


def test_late_steps_of_all_attempts_together_are_limited() -> None:
    """Else a sender makes a timeline of megabytes by many runs that fail at once."""
    late = [step(f"late-{number}", 2, "1") for number in range(MAX_LATE + 5)]
    later = [step(f"later-{number}", 40, "2") for number in range(5)]
    ended = msgspec.structs.replace(FAILED, recorded_at=minute(39), workflow_run_id="2")

    chapters = folded(PROVISIONING, FAILED, *late, RETRY, AGAIN, ended, *later).chapters

    assert sum(len(each.late) for each in chapters.values()) == MAX_LATE


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
