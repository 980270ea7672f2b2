"""How alive a job is, in a sentence."""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec
import pytest

from domain.job import wording
from domain.job.events import (
    Fact,
    StatusReported,
)
from domain.job.health import health
from domain.job.provisioning_job import ProvisioningJob
from domain.workflows.definition import Deadlines, Workflow
from tests.domain.job.oven import CLAIMED, QUEUED, WORKFLOW, heard, step
from tests.support.jobs.histories import job_after
from tests.support.jobs.strategies import minute


def sentence(job: ProvisioningJob, at: float, workflow: Workflow | None = None) -> tuple[str, str]:
    waiting_since = job.queued.recorded_at if job.queued else None
    found = health(workflow, job.attempt, waiting_since, minute(at))
    return found.state, found.sentence or ""


@pytest.mark.parametrize(
    ("history", "at", "state", "text"),
    [
        (
            (QUEUED,),
            4.5,
            "ok",
            "Queued since 12:00:00 UTC; its workflow has not reported yet. "
            "Will be given up at 13:00:00 UTC.",
        ),
        (
            (QUEUED,),
            31,
            "late",
            "Queued for 31 min 0 s; its workflow has not reported yet. "
            "Will be given up at 13:00:00 UTC.",
        ),
        (
            (QUEUED,),
            61,
            "unresponsive",
            "Queued for 1 h 1 min; its workflow has not reported yet. "
            "Its deadline was 13:00:00 UTC; it is not given up yet.",
        ),
        ((CLAIMED,), 2, "ok", "The workflow began at 12:01:00 UTC; no heartbeat has come yet."),
        ((CLAIMED, heard(5)), 5.2, "ok", "Last heartbeat at 12:05:00 UTC."),
        (
            (CLAIMED, heard(5)),
            9 + 1 / 6,
            "late",
            "No heartbeat for 4 min 10 s; one is expected every 60 s. "
            "Will be given up at 12:20:00 UTC.",
        ),
        (
            (CLAIMED, heard(5)),
            15,
            "unresponsive",
            "No heartbeat for 10 min 0 s; one is expected every 60 s. "
            "Will be given up at 12:20:00 UTC.",
        ),
        ((CLAIMED, StatusReported(recorded_at=minute(2), status="running")), 99, "ok", ""),
    ],
)
def test_health_is_said_in_a_sentence(
    history: tuple[Fact, ...], at: float, state: str, text: str
) -> None:
    assert sentence(job_after(*history), at) == (state, text)


def test_a_definition_with_a_short_deadline_expects_heartbeats_as_often() -> None:
    """Two of three may be lost, as of those that come every 60 s when the deadline is 180 s."""
    brief = msgspec.structs.replace(WORKFLOW, deadlines=Deadlines(heartbeat_seconds=6))

    assert sentence(job_after(CLAIMED, heard(5)), 5 + 5 / 60, brief) == (
        "unresponsive",
        "No heartbeat for 5 s; one is expected every 2 s. Will be given up at 12:05:06 UTC.",
    )


def test_a_deadline_on_another_day_has_its_date() -> None:
    night = msgspec.structs.replace(QUEUED, recorded_at=minute(11.5 * 60))

    assert sentence(job_after(night), 11.75 * 60)[1].endswith(
        "given up at 2026-03-03 00:30:00 UTC."
    )


def test_a_job_that_is_alive_is_told_how_long_its_step_may_take() -> None:
    job = job_after(CLAIMED, step("lit", 2), heard(6))

    assert sentence(job, 6.5, WORKFLOW) == (
        "ok",
        "Last heartbeat at 12:06:00 UTC. Step lit may take until 12:07:00 UTC.",
    )


@pytest.mark.parametrize(
    ("history", "at", "changes_at"),
    [
        ((QUEUED,), 1, 10),  # it waits for long
        ((QUEUED,), 11, 60),  # the deadline of its start
        ((QUEUED,), 61, None),
        ((CLAIMED, heard(5)), 5.2, 7.5),  # late
        ((CLAIMED, heard(5)), 8, 15),  # unresponsive
        ((CLAIMED, heard(5)), 16, 20),  # the deadline of its heartbeats
        ((CLAIMED, heard(5)), 21, None),
        ((CLAIMED, StatusReported(recorded_at=minute(2), status="running")), 99, None),
        ((), 5, None),
    ],
)
def test_a_health_says_when_it_is_another_one_without_an_event(
    history: tuple[Fact, ...], at: float, changes_at: float | None
) -> None:
    job = job_after(*history)
    waiting_since = job.queued.recorded_at if job.queued else None
    then = health(None, job.attempt, waiting_since, minute(at)).changes_at

    assert then == (None if changes_at is None else minute(changes_at))
    if then:
        before, after = (
            health(None, job.attempt, waiting_since, then + timedelta(seconds=each))
            for each in (-1, 1)
        )
        assert (before.state, before.sentence) != (after.state, after.sentence)
        assert after.changes_at is None or after.changes_at > then


@pytest.mark.parametrize("at", [0.5, 11, 61])
@pytest.mark.parametrize("history", [(QUEUED,), (QUEUED, CLAIMED), (QUEUED, CLAIMED, heard(5)), ()])
def test_the_words_that_tick_say_what_the_sentence_does(
    history: tuple[Fact, ...], at: float
) -> None:
    job = job_after(*history)
    now = minute(at)
    found = health(None, job.attempt, job.queued.recorded_at if job.queued else None, now)

    said = wording.sentence(found.words, now)
    if found.state == "ok":
        assert any(isinstance(part, wording.Age) for part in found.words) == bool(history)
    else:
        assert re.sub(r", in [^.]+\.$", ".", said) == found.sentence
