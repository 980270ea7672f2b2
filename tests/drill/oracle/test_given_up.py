"""The oracle sees a live job that is given up, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from domain.job.events import JobTimedOut, TimeoutWithdrawn
from tests.drill.model.senders import time_at
from tests.drill.oracle.written import Written

BEAT: dict[str, Any] = {"type": "heartbeat"}
FIRST: dict[str, Any] = {"workflow_run_id": "101", "run_attempt": 1}
SECOND: dict[str, Any] = {"workflow_run_id": "102", "run_attempt": 1}
LIVE = "a live job is given up"
STAYS = "a live job stays given up"


def timed_out(attempt: int, at: float) -> JobTimedOut:
    return JobTimedOut(
        recorded_at=time_at(at), attempt=attempt, silent_since=time_at(0), error="Timeout"
    )


def test_an_attempt_is_given_up_within_the_deadline_of_its_heartbeat() -> None:
    life = Written("nameless")
    life.hear(0, 0, status="provisioning")
    life.hear(0, 60, **BEAT)

    life.decide(timed_out(1, at=960))

    assert LIVE in life.broken()


def test_a_job_is_given_up_though_its_newest_run_was_heard_in_another_attempt() -> None:
    """The heartbeat of run 102 got the name, and so the attempt, of run 101."""
    life = Written("counted")
    life.hear(0, 0, status="provisioning", **FIRST)
    life.hear(1, 2, status="provisioning", **SECOND)
    life.hear(1, 500, **BEAT, **FIRST)

    life.time_out(1000)

    assert LIVE in life.broken()


def test_a_superseded_run_is_given_up_after_the_newest_one() -> None:
    """A heartbeat from before the timeout came between the two: it is no evidence."""
    life = Written("counted with clocks")
    life.hear(0, 0, occurred_at=time_at(0), status="provisioning", **FIRST)
    life.hear(1, 30, occurred_at=time_at(30), status="provisioning", **SECOND)
    life.time_out(935)
    life.hear(1, 940, sent=500, occurred_at=time_at(500), **BEAT, **SECOND)
    life.time_out(965)

    given_up = [event.fact for event in life.history if isinstance(event.fact, JobTimedOut)]
    assert [fact.attempt for fact in given_up] == [2, 1]
    assert not life.broken() & {LIVE, STAYS}


def test_a_run_that_only_a_heartbeat_began_is_given_up_by_itself() -> None:
    """It began after a timeout, which a late heartbeat of the earlier run takes back."""
    life = Written("counted")
    life.hear(0, 0, status="provisioning", **FIRST)
    life.time_out(901)
    life.hear(1, 1000, **BEAT, **SECOND)
    life.hear(0, 1300, **BEAT, **FIRST)

    life.time_out(1901)

    given_up = [event.fact for event in life.history if isinstance(event.fact, JobTimedOut)]
    assert [fact.attempt for fact in given_up] == [1, 2]
    assert LIVE not in life.broken()


def test_a_superseded_run_is_given_up_after_a_failure_was_reported() -> None:
    """The newest run's words name no run, so they are recorded in the attempt that failed."""
    life = Written("seed")
    life.hear(0, 0, status="provisioning", workflow_run_id="101")
    life.hear(1, 10, status="provisioning", workflow_run_id="102")
    life.hear(2, 870, status="provisioning", step="vm_created")
    life.hear(2, 880, **BEAT)
    life.hear(1, 890, status="failed", workflow_run_id="102")
    life.time_out(905)

    assert isinstance(life.history[-1].fact, JobTimedOut)
    assert LIVE not in life.broken()


@pytest.mark.parametrize("dated", [None, 1000.0])
def test_a_heartbeat_that_was_sent_after_the_timeout_has_to_take_it_back(
    dated: float | None,
) -> None:
    life = Written("counted")
    said = {"occurred_at": time_at(dated)} if dated else {}
    life.hear(0, 0, status="provisioning", **FIRST)
    life.time_out(901)
    life.hear(0, 1001, sent=1000, **BEAT, **FIRST, **said)
    assert STAYS not in life.broken()

    life.forget(TimeoutWithdrawn)

    assert STAYS in life.broken()
