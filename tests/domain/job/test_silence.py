"""A job that falls silent is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.job.events import (
    Fact,
    JobTimedOut,
)
from tests.support.jobs.histories import (
    FAILED,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON


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
