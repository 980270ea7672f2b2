"""A job's state keeps head and tail of a long error; the event has all of it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.job.attempt.fold import evolve
from domain.job.attempt.state import Attempt
from domain.job.events import AttemptCancelled, AttemptFailed, Fact, JobTimedOut, StatusReported
from domain.job.long_text import MAX_IN_STATE, shortened
from tests.support.jobs.stories import FIRST, STEP, told
from tests.support.stores.deployment import NOON

LONG = "TASK [first]\n" + "x" * 60_000 + "\nfatal: the reason"


def test_a_text_that_is_not_long_is_kept_whole() -> None:
    assert shortened("é" * MAX_IN_STATE) == "é" * MAX_IN_STATE


def test_a_long_text_keeps_its_head_and_its_tail_and_says_where_the_rest_is() -> None:
    text = shortened(LONG)

    assert len(text) == MAX_IN_STATE
    assert text.startswith("TASK [first]\nxxx")
    assert text.endswith("xxx\nfatal: the reason")
    assert "58,031 characters and more are left out here; the job's events have them" in text


@pytest.mark.parametrize(
    "fact",
    [
        StatusReported(recorded_at=NOON, status="failed", error=LONG),
        StatusReported(recorded_at=NOON, status="cancelled", error=LONG),
        JobTimedOut(recorded_at=NOON, attempt=1, silent_since=NOON, error=LONG),
        AttemptFailed(recorded_at=NOON, attempt=1, reason=LONG),
        AttemptCancelled(recorded_at=NOON, attempt=1, reason=LONG),
    ],
)
def test_an_attempt_keeps_a_long_error_cut_whatever_ended_it(fact: Fact) -> None:
    final = evolve(Attempt(), fact).final

    assert final is not None
    assert final.error == shortened(LONG)


def test_a_long_failure_again_does_not_end_the_next_try() -> None:
    failure: dict[str, Any] = FIRST | {"error": LONG}

    job = told(STEP, failure, STEP, failure)

    assert job.attempt.number == 2
    assert job.attempt.final is None
