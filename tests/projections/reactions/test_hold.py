"""Where most jobs fall silent at once, timeouts wait, and say why they did."""

from __future__ import annotations

import logging

import pytest

from domain.job.events import JobTimedOut
from projections.reactions.deadlines import noted
from projections.reactions.hold import Held
from projections.read_model.contract import RESUMED
from tests.support.jobs.strategies import minute
from tests.support.projectors.watching import heartbeat, queue, status, watch_over
from tests.support.stores.deployment import NOON, Deployment


class Fleet:
    """Jobs, each with a heartbeat every 60 s at a second of its own, until they fall silent."""

    def __init__(self, made: Deployment, *job_ids: str) -> None:
        self.made, self.clock = made, made.clock
        self.watch = watch_over(made)
        self.heard = list(job_ids)
        self.live(240)

    def live(self, seconds: int) -> None:
        """Let time pass, with heartbeats of those that can be heard, and rounds."""
        for _ in range(seconds // 10):
            self.clock.advance(10)
            for number, job_id in enumerate(self.heard):
                if self.clock.passed() % 60 == number % 6 * 10:
                    heartbeat(self.made, job_id)
            self.made.projector.catch_up()
            self.watch.step()

    def silence(self, *job_ids: str) -> None:
        self.heard = [job_id for job_id in self.heard if job_id not in job_ids]

    def failed(self, *job_ids: str) -> list[str]:
        return [job_id for job_id in job_ids if status(self.made, job_id) == "failed"]

    @property
    def sentence(self) -> str:
        return noted(self.made.read_model).sentence(self.clock())


NINE = tuple(f"job-{number}" for number in range(9))


@pytest.fixture
def fleet(memory: Deployment) -> Fleet:
    return Fleet(memory, *NINE)


def timeout_of(made: Deployment, job_id: str) -> JobTimedOut:
    stored = made.milepost.store.history(job_id)
    [fact] = [
        fact
        for row in stored
        if isinstance(fact := made.milepost.mapper.read(row).fact, JobTimedOut)
    ]
    return fact


def test_jobs_that_fall_silent_at_once_are_held(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.silence(*NINE[:5])

    fleet.live(1000)

    assert fleet.failed(*NINE) == []
    assert fleet.sentence.startswith("5 of 9 jobs in progress fell silent at once")
    said = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.getMessage() for each in said] == [fleet.sentence]


@pytest.mark.parametrize("silent", [1, 4])
def test_fewer_jobs_may_well_die_at_once(fleet: Fleet, silent: int) -> None:
    fleet.silence(*NINE[:silent])

    fleet.live(1000)

    assert fleet.failed(*NINE) == list(NINE[:silent])


def test_half_of_the_jobs_are_not_most_of_them(memory: Deployment) -> None:
    ten = [f"job-{number}" for number in range(10)]
    fleet = Fleet(memory, *ten)
    fleet.silence(*ten[:5])

    fleet.live(1000)

    assert fleet.failed(*ten) == ten[:5]


def test_jobs_that_die_one_after_the_other_are_not_held(fleet: Fleet) -> None:
    for job_id in NINE[:8]:
        fleet.silence(job_id)
        fleet.live(400)
    fleet.live(1000)

    assert fleet.failed(*NINE) == list(NINE[:8])


def test_a_hold_ends_when_some_are_heard_again(fleet: Fleet) -> None:
    fleet.silence(*NINE)
    fleet.live(1000)
    assert fleet.failed(*NINE) == []

    fleet.heard = list(NINE[:6])
    fleet.live(100)
    assert fleet.failed(*NINE) == []
    fleet.live(200)

    assert fleet.failed(*NINE) == list(NINE[6:])
    assert "Then some of them were heard again." in str(timeout_of(fleet.made, NINE[6]).held)


def test_a_hold_ends_after_one_more_heartbeat_deadline(fleet: Fleet) -> None:
    fleet.silence(*NINE)
    fleet.live(1740)
    assert fleet.failed(*NINE) == []

    fleet.live(120)

    assert fleet.failed(*NINE) == list(NINE)
    timed_out = timeout_of(fleet.made, NINE[0])
    assert "9 of 9 jobs in progress fell silent at once" in str(timed_out.held)
    assert "Then one more heartbeat deadline passed." in str(timed_out.held)
    assert timed_out.error.startswith("Timeout: No heartbeat for ")


def test_an_operator_ends_a_hold(fleet: Fleet) -> None:
    fleet.silence(*NINE)
    fleet.live(1000)

    fleet.made.read_model.keep_note(RESUMED, fleet.clock().isoformat())
    fleet.live(20)

    assert fleet.failed(*NINE) == list(NINE)
    assert "Then an operator ended the wait." in str(timeout_of(fleet.made, NINE[0]).held)


def test_what_an_operator_said_about_an_earlier_hold_ends_no_later_one(fleet: Fleet) -> None:
    fleet.made.read_model.keep_note(RESUMED, fleet.clock().isoformat())
    fleet.silence(*NINE)

    fleet.live(1000)

    assert fleet.failed(*NINE) == []


def test_a_job_that_falls_silent_later_does_not_name_the_hold(fleet: Fleet) -> None:
    fleet.silence(*NINE[:8])
    fleet.live(1900)
    fleet.silence(NINE[8])
    fleet.live(1000)

    assert timeout_of(fleet.made, NINE[8]).held is None


def test_pending_jobs_wait_with_the_others(fleet: Fleet) -> None:
    """Their workflows may have begun, and could not say so either."""
    queue(fleet.made, "pending")
    fleet.live(2700)
    fleet.silence(*NINE)
    fleet.live(960)
    assert fleet.sentence

    assert fleet.failed("pending") == []


def test_a_second_hold_is_about_other_jobs(fleet: Fleet) -> None:
    fleet.silence(*NINE)
    fleet.live(1900)
    assert fleet.failed(*NINE) == list(NINE)
    more = [f"more-{number}" for number in range(6)]
    fleet.heard = list(more)
    fleet.live(240)
    fleet.silence(*more)

    fleet.live(1000)

    assert fleet.failed(*more) == []
    assert fleet.sentence.startswith("6 of 6 ")


def test_a_new_projector_goes_on_with_the_stored_hold(databases: Deployment) -> None:
    fleet = Fleet(databases, *NINE)
    fleet.silence(*NINE)
    fleet.live(1000)
    held = fleet.sentence

    fleet.watch = watch_over(databases.again())
    fleet.live(600)
    assert fleet.sentence == held
    fleet.live(300)

    assert fleet.failed(*NINE) == list(NINE)


@pytest.mark.parametrize(
    ("silent", "of", "holds"), [(4, 4, False), (5, 5, True), (5, 9, True), (5, 10, False)]
)
def test_more_than_half_and_more_than_four_are_most(silent: int, of: int, holds: bool) -> None:
    assert (Held().begun(NOON, silent, of).hold is not None) == holds


def test_without_a_hold_nothing_ends() -> None:
    assert Held().end(0, minute(99), 900, NOON) is None
