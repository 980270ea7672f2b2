"""The words of the pages: every state has a sentence, a title and a mark of its own."""

from __future__ import annotations

from typing import Any

import pytest

from api.badges.badge import state_of
from api.pages.words import announced, cut, duration, headline, lines, title
from projections.views.instance import INSTANCE_STATUSES
from projections.views.ui_steps import ShownStep


def job(
    status: str, outcome: str | None = None, at: str = "active", health: str = "ok"
) -> dict[str, Any]:
    """Return the representation of a job at the second of three steps."""
    steps = [
        ShownStep(*each)
        for each in (("a", "A", "completed"), ("b", "B", at), ("c", "C", "pending"))
    ]
    return {
        "id": "job-1",
        "status": status,
        "outcome": outcome,
        "steps": steps,
        "health": {"state": health},
    }


@pytest.mark.parametrize(
    ("shown", "sentence", "heading"),
    [
        (job("pending"), "Pending: its workflow has not reported yet.", "Pending · job-1"),
        (job("provisioning"), "Provisioning: B, step 2 of 3.", "2 of 3 · B · job-1"),
        (job("running", "running"), "Running: all steps are completed.", "Running · job-1"),
        (job("stopped", "stopped"), "Stopped: the machine is gone.", "Stopped · job-1"),
        (job("failed", "failed", "error"), "Failed at B, step 2 of 3.", "Failed · job-1"),
        (job("failed", "timed_out", "error"), "Timed out at B, step 2 of 3.", "Timed out · job-1"),
        (job("failed", "cancelled", "error"), "Cancelled at B, step 2 of 3.", "Cancelled · job-1"),
    ],
)
def test_a_job_has_a_sentence_and_a_title(
    shown: dict[str, Any], sentence: str, heading: str
) -> None:
    assert headline(shown) == sentence
    assert title(shown) == heading


@pytest.mark.parametrize("health", ["late", "unresponsive"])
def test_a_job_that_may_be_dead_says_so_in_title_and_announcement(health: str) -> None:
    shown = job("provisioning", health=health)

    assert title(shown) == f"{health.capitalize()}! · 2 of 3 · B · job-1"
    assert announced(shown).startswith(f"Provisioning: B, step 2 of 3. It is {health}")
    assert announced(job("provisioning")) == "Provisioning: B, step 2 of 3."


def test_every_status_has_a_sentence_of_its_own() -> None:
    sentences = {headline(job(status)) for status in INSTANCE_STATUSES}

    assert len(sentences) == len(INSTANCE_STATUSES)


def test_an_outcome_that_says_more_than_the_status_is_the_state() -> None:
    assert state_of(job("failed", "timed_out")) == "timed_out"
    assert state_of(job("failed", "failed")) == "failed"
    assert state_of(job("stopping", "running")) == "stopping"


def test_a_long_text_is_cut_on_one_line() -> None:
    assert cut("a\n  b") == "a b"
    assert cut("x" * 500, 10) == "xxxxxxxxxx …"


def test_a_duration_is_never_negative() -> None:
    assert duration("2026-03-02T12:00:00+00:00", "2026-03-02T11:00:00+00:00") == "PT0S"


def test_a_log_keeps_its_lines_and_tabs_and_hides_no_character() -> None:
    assert lines("a\r\n\tb\x1b[31m\u202ec") == "a\n        b\\x1b[31m\\u202ec"
