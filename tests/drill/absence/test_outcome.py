"""What the drill of absences calls a broken promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drill.absence.outcome import Outcome

SET = Outcome(name="ahead", due=900, took=0, ended=905)
AWAY = Outcome(name="frozen", due=900, took=960, ended=1_171)


@pytest.mark.parametrize("outcome", [SET, AWAY])
def test_a_dead_job_that_ends_in_time_breaks_nothing(outcome: Outcome) -> None:
    assert outcome.violations() == []


def test_where_nobody_was_away_a_dead_job_may_end_two_heartbeats_late() -> None:
    assert replace(SET, ended=1_020).violations() == []
    assert replace(SET, ended=1_021).violations()


def test_after_a_return_a_dead_job_ends_with_the_patience() -> None:
    """The absence ended 1,020 s after the last word, and patience lasts 150 s."""
    assert replace(AWAY, ended=1_180).violations() == []
    assert replace(AWAY, ended=1_181).violations()


def test_an_absence_before_the_deadline_gives_no_more_than_it_took() -> None:
    short = replace(AWAY, took=20)

    assert replace(short, ended=1_040).violations() == []
    assert replace(short, ended=1_041).violations()


@pytest.mark.parametrize("ended", [None, 899])
def test_a_dead_job_that_never_ends_or_too_early_breaks_a_promise(ended: float | None) -> None:
    assert replace(SET, ended=ended).violations()


def test_each_job_that_was_wrongly_given_up_is_named() -> None:
    broken = replace(SET, wrong=("alive-1 (Timeout)", "pending (Timeout)")).violations()

    assert len(broken) == 2
    assert "alive-1" in broken[0]
    assert "pending" in broken[1]
