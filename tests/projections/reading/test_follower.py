"""The follower tells each event once, in the log's order, whoever commits it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event

import psycopg

from domain.job.callback import Callback
from domain.log.stored import Stored
from projections.reading.follower import SLICE, Follower, News
from projections.reading.time_travel import PointInHistory
from tests.support.projectors.projecting import PATIENCE, wait_until
from tests.support.stores.deployment import Deployment

STEPS = ("vm_created", "network_configured", "ansible_started")
OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Listening:
    """An audience that notes what is delivered to it."""

    def __init__(self, *job_ids: str) -> None:
        self.job_ids = set(job_ids)
        self.news: list[News] = []
        self.slices: list[int] = []
        self.may_take = Event()
        self.may_take.set()

    def is_there(self) -> bool:
        return bool(self.job_ids)

    def wants(self, event: Stored) -> bool:
        return event.job_id in self.job_ids

    def deliver(self, news: Sequence[News], position: int) -> None:
        self.may_take.wait(PATIENCE)
        assert position == news[-1].event.position
        self.slices.append(len(news))
        self.news += news

    @property
    def versions(self) -> list[tuple[str, int]]:
        return [(each.event.job_id, each.event.version) for each in self.news]


@contextmanager
def following(made: Deployment, audience: Listening) -> Iterator[Follower]:
    """Follow a log until the context is left."""
    follower = Follower(made.read_model, made.milepost.mapper, audience)
    follower.ensure()
    try:
        yield follower
    finally:
        follower.close()


def has_heard(audience: Listening, events: int) -> bool:
    return len(audience.news) == events


def report(made: Deployment, job_id: str, number: int) -> None:
    """Let a job report a step."""
    step = STEPS[number % len(STEPS)]
    made.milepost.record(Callback(job_id=job_id, status="provisioning", step=step))


def test_it_tells_what_is_watched_with_the_state_after_each_event(stores: Deployment) -> None:
    for number in range(3):
        report(stores, "job-1", number)
    audience = Listening("job-1", "job-2")

    with following(stores, audience):
        for number in range(6):
            for job_id in ("job-1", "job-2", "job-3"):
                report(stores, job_id, number)
        wait_until(lambda: len(audience.news) == 12)

    expected = [(f"job-{job}", n + (4 if job == 1 else 1)) for n in range(6) for job in (1, 2)]
    assert audience.versions == expected
    for news in audience.news:
        present = stores.reader.instance(news.event.job_id)
        assert present
        then = PointInHistory(news.event.version)
        assert news.instance == stores.history.instance(present, then)


def test_a_state_that_is_ahead_of_the_next_event_is_not_used(stores: Deployment) -> None:
    audience = Listening("job-1")

    with following(stores, audience) as follower:
        report(stores, "job-1", 0)
        report(stores, "job-1", 1)
        ahead = stores.reader.instance("job-1")
        assert ahead
        follower.seed(ahead)
        report(stores, "job-1", 2)
        wait_until(lambda: len(audience.news) == 3)

    assert [news.instance.version for news in audience.news] == [1, 2, 3]


def test_it_hears_of_what_other_processes_commit(databases: Deployment) -> None:
    audience, other = Listening("job-1"), databases.again()

    with following(databases, audience):
        for number in range(3):
            report(other, "job-1", number)
            wait_until(partial(has_heard, audience, number + 1))

    other.close()


def test_without_an_audience_it_ends_and_begins_again_with_the_next_one(
    memory: Deployment,
) -> None:
    audience = Listening("job-1")
    with following(memory, audience) as follower:
        report(memory, "job-1", 0)
        wait_until(lambda: len(audience.news) == 1)
        audience.job_ids.clear()
        wait_until(lambda: not follower.is_running)
        report(memory, "job-1", 1)

        audience.job_ids.add("job-1")
        follower.ensure()
        report(memory, "job-1", 2)
        wait_until(lambda: len(audience.news) == 2)

    assert audience.versions == [("job-1", 1), ("job-1", 3)]


def test_many_events_are_told_in_slices(memory: Deployment) -> None:
    audience = Listening("job-1")
    audience.may_take.clear()
    with following(memory, audience):
        for number in range(3 * SLICE):
            report(memory, "job-1", number)
        audience.may_take.set()
        wait_until(lambda: len(audience.news) == 3 * SLICE)

    assert max(audience.slices) == SLICE


def test_it_outlives_a_database_that_throws_everybody_out(postgres: Deployment) -> None:
    audience = Listening("job-1")
    with following(postgres, audience):
        report(postgres, "job-1", 0)
        wait_until(lambda: len(audience.news) == 1)

        with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(OTHERS)
        report(postgres, "job-1", 1)
        wait_until(lambda: len(audience.news) == 2)

    assert audience.versions == [("job-1", 1), ("job-1", 2)]
