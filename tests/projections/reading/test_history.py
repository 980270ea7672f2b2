"""History: each event with what it said and changed, in pages, with filters, and by user."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    StopRequested,
)
from domain.log.store import Append
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.reading.entries import Entry, Wanted, attempt_of
from projections.reading.history import History, Page
from projections.views import instance, timeline
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from tests.support.jobs.strategies import events, facts, minute, moments
from tests.support.stores.deployment import NOON, Clock, Deployment, prepared_env

ALL = Wanted()
CIPHER = {
    "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
    "CIPHER_KEY": b64encode(bytes(16)).decode(),
}


@pytest.fixture(params=["sqlite", "postgres"])
def sealed(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment whose events and documents are encrypted."""
    made = Deployment({**prepared_env(request.param, request), **CIPHER}, workflows, clock)
    yield made
    made.close()


def recorded(made: Deployment, **said: Any) -> None:
    """Record a callback a minute after the last one."""
    made.clock.advance(60)
    made.milepost.record(Callback(**{"job_id": "job", "signed_by": "x-signature:00", **said}))


def queued(made: Deployment, job_id: str = "job", user_id: str | None = "ada") -> None:
    made.milepost.queue(
        QueueJob(job_id=job_id, agent_id=f"of {job_id}", user_id=user_id, workflow="vm@1")
    )


def lived(made: Deployment) -> None:
    """Two attempts of one job, a minute between any two callbacks."""
    queued(made)
    recorded(made, status="provisioning", workflow_run_id="1")
    recorded(made, status="provisioning", step="vm_created", extra={"mode": "full"})
    recorded(made, status="failed", error="exit 1")
    recorded(made, status="provisioning", workflow_run_id="2")
    recorded(made, type="heartbeat", workflow_run_id="1")
    recorded(made, status="running", server_id="a", server_ip="b", tailscale_ip="c")


def versions(entries: Sequence[Entry]) -> list[int]:
    return [entry.stored.version for entry in entries]


def positions(page: Page) -> list[int]:
    return [entry.stored.position for entry in page.entries]


def everything(made: Deployment, **wanted: Any) -> list[Entry]:
    return list(made.history.entries("job", Wanted(**wanted)))


# The history of one job


def test_each_event_comes_with_the_job_before_and_after_it(stores: Deployment) -> None:
    lived(stores)
    state = Instance("job")

    for entry, stored in zip(everything(stores), stores.read_model.log.history("job"), strict=True):
        event = stores.milepost.mapper.read(stored)
        after = instance.evolve(state, event)
        assert (entry.stored, entry.fact) == (stored, event.fact)
        assert (entry.before, entry.after, entry.error) == (state, after, None)
        state = after


def test_an_event_belongs_to_the_attempt_that_sent_it(stores: Deployment) -> None:
    """A late callback belongs to its attempt also after the end of the attempt."""
    lived(stores)

    kinds = [(entry.stored.topic, entry.attempt) for entry in everything(stores)]

    assert kinds == [
        ("JobQueued", 1),
        ("StatusReported", 1),
        ("StepReported", 1),
        ("StatusReported", 1),
        ("AttemptStarted", 2),
        ("StatusReported", 2),
        ("HeartbeatReceived", 1),
        ("MetadataReported", 2),
        ("StatusReported", 2),
    ]


@given(events(facts(moments)))
def test_every_callback_belongs_to_an_attempt_there_was(history: list[JobEvent]) -> None:
    state = reduce(timeline.evolve, history, Timeline("job"))
    numbers = {attempt.number for attempt in state.runs.attempts}

    for fact in (HeartbeatReceived(recorded_at=NOON), StopRequested(recorded_at=NOON)):
        assert attempt_of(fact, state) in numbers


@pytest.mark.parametrize(
    ("fact", "number"),
    [
        (AttemptStarted(recorded_at=NOON, number=3), 3),
        (JobTimedOut(recorded_at=NOON, attempt=2, silent_since=NOON, error="?"), 2),
        (JobQueued(recorded_at=NOON, agent_id="a", workflow="vm@1"), 1),
    ],
)
def test_what_milepost_decided_says_itself_which_attempt_it_is_about(
    fact: Fact, number: int
) -> None:
    assert attempt_of(fact, Timeline("job")) == number


def test_what_was_said_is_there_with_what_only_the_sender_knew(stores: Deployment) -> None:
    lived(stores)

    said = [entry.said for entry in everything(stores)]

    assert said[2] == {"step": "vm_created", "mode": "full"}
    assert said[3] == {"status": "failed", "error": "exit 1"}
    assert said[0] == {
        "agent_id": "of job",
        "user_id": "ada",
        "region": "us-east",
        "workflow": "vm@1",
    }


def test_pages_are_the_whole_history_however_long_they_are(stores: Deployment) -> None:
    lived(stores)
    whole = everything(stores)

    for limit in range(1, 11):
        after, found, more = 0, list[Entry](), True
        while more:
            page = stores.history.of_job("job", after, limit, ALL)
            assert len(page.entries) <= limit
            found += page.entries
            after, more = page.following, page.more
        assert found == whole
    assert stores.history.of_job("job", 9, 10, ALL) == Page([], 9, more=False)


def test_filters_choose_entries_and_change_none(stores: Deployment) -> None:
    lived(stores)
    whole = everything(stores)

    def chosen(**wanted: Any) -> list[int]:
        found = everything(stores, **wanted)
        assert found == [whole[version - 1] for version in versions(found)]
        return versions(found)

    assert chosen(kinds=["StepReported", "JobQueued"]) == [1, 3]
    assert chosen(since=minute(3)) == [4, 5, 6, 7, 8, 9]
    assert chosen(until=minute(1)) == [1, 2]
    assert chosen(since=minute(1), until=minute(2)) == [2, 3]
    assert chosen(attempt=1) == [1, 2, 3, 4, 7]
    assert chosen(attempt=2, kinds=["StatusReported"], since=minute(5)) == [9]
    assert chosen(since=datetime.min.replace(tzinfo=NOON.tzinfo)) == versions(whole)


def test_a_page_looks_through_a_bounded_number_of_events(
    stores: Deployment,
) -> None:
    """So an empty page may have more events after it."""
    history = History(stores.read_model, stores.milepost.mapper, scanned=3)
    lived(stores)

    wanted = Wanted(kinds=["MetadataReported"])
    pages = [history.of_job("job", after, 10, wanted) for after in (0, 3, 6, 9)]

    assert [(versions(page.entries), page.following, page.more) for page in pages] == [
        ([], 3, True),
        ([], 6, True),
        ([8], 9, True),
        ([], 9, False),
    ]


def test_what_was_recorded_before_a_snapshot_is_not_looked_through(stores: Deployment) -> None:
    lived(stores)
    Projector(
        stores.milepost.store,
        stores.read_model,
        stores.milepost.mapper,
        stores.workflows,
        batch=1,
        snapshot_every=1,
    ).catch_up()

    page = stores.history.of_job("job", 0, 1, Wanted(since=minute(6)))
    assert stores.history._skipping("job", 0, Wanted(since=minute(6))) == 7
    assert versions(page.entries) == [8]


def test_a_page_ends_before_it_has_too_many_bytes(stores: Deployment) -> None:
    """It has at least one event, however large that is."""
    for size in (1, 1, 600, 600, 1200, 1, 1):
        recorded(stores, type="heartbeat", extra={"text": "x" * size})
    whole = everything(stores)
    history = History(stores.read_model, stores.milepost.mapper, page_bytes=1000)

    for read in (partial(history.of_job, "job"), history.of_all):
        pages = [read(after, 100, ALL) for after in (0, 4, 5)]
        assert [entry for page in pages for entry in page.entries] == whole
        assert [(page.following, page.more) for page in pages] == [(4, True), (5, True), (7, False)]


def test_a_page_with_a_filter_ends_before_it_has_read_too_many_bytes(stores: Deployment) -> None:
    for _ in range(3):
        recorded(stores, type="heartbeat", extra={"text": "x" * 600})
    recorded(stores, status="provisioning", step="vm_created")
    history = History(stores.read_model, stores.milepost.mapper, page_bytes=1000)

    wanted = Wanted(kinds=["StepReported"])
    pages = [history.of_job("job", after, 10, wanted) for after in (0, 2)]

    assert [(versions(page.entries), page.following, page.more) for page in pages] == [
        ([], 2, True),
        ([4], 4, False),
    ]


def test_a_page_is_whole_however_many_reads_it_takes(stores: Deployment) -> None:
    for number in range(100):
        recorded(stores, job_id=f"job-{number % 2}", type="heartbeat")

    assert positions(stores.history.of_all(0, 500, ALL)) == list(range(1, 101))
    assert stores.history.of_all(0, 80, ALL).more
    assert not stores.history.of_all(20, 80, ALL).more
    assert len(stores.history.of_job("job-1", 0, 500, ALL).entries) == 50


# Events that cannot be read


def unreadable(made: Deployment, version: int, topic: str, state: bytes) -> None:
    row = StoredEvent("job", version, topic, state)
    made.milepost.store.transact({}, [], lambda _: Append([row]))


def test_an_event_that_cannot_be_read_is_shown_as_such(stores: Deployment) -> None:
    queued(stores)
    unreadable(stores, 2, "JobPainted", b'{"colour":"red","recorded_at":"2026-03-02T12:01:00Z"}')
    unreadable(stores, 3, "StepReported", b"\x00\xff")
    recorded(stores, status="provisioning", step="vm_created")

    first, painted, broken, last = everything(stores)

    assert (first.error, last.error) == (None, None)
    assert "unknown event 'JobPainted'" in str(painted.error)
    assert painted.said == {"colour": "red", "recorded_at": "2026-03-02T12:01:00Z"}
    assert "unreadable StepReported" in str(broken.error)
    assert (broken.fact, broken.said, broken.attempt) == (None, {}, 1)
    assert last.after.attempt.steps.keys() == {"vm_created"}


def test_an_event_that_cannot_be_read_is_of_the_time_of_the_one_before(stores: Deployment) -> None:
    recorded(stores, type="heartbeat")
    unreadable(stores, 2, "JobPainted", b"{}")
    recorded(stores, type="heartbeat")

    assert versions(everything(stores, until=minute(1))) == [1, 2]
    assert versions(everything(stores, since=minute(2))) == [3]


# The whole log


def test_the_whole_log_is_shown_in_order_with_each_job_as_it_was(stores: Deployment) -> None:
    for step in ("vm_created", "ansible_started"):
        for job_id in ("one", "two"):
            recorded(stores, job_id=job_id, status="provisioning", step=step)

    page = stores.history.of_all(2, 10, ALL)

    assert positions(page) == [3, 4]
    assert [set(entry.before.attempt.steps) for entry in page.entries] == [{"vm_created"}] * 2
    for entry in page.entries:
        alone = stores.history.of_job(entry.stored.job_id, 1, 1, ALL).entries
        assert [entry] == alone


def test_a_reader_can_go_on_after_any_page_of_the_log(stores: Deployment) -> None:
    for number in range(7):
        recorded(stores, job_id=f"job-{number % 3}", type="heartbeat")
    whole = stores.history.of_all(0, 100, ALL)
    assert (len(whole.entries), whole.following, whole.more) == (7, 7, False)

    first = stores.history.of_all(0, 3, ALL)
    second = stores.history.of_all(first.following, 100, ALL)

    assert first.more
    assert [*first.entries, *second.entries] == whole.entries
    recorded(stores, type="heartbeat")
    assert positions(stores.history.of_all(second.following, 100, ALL)) == [8]


def test_the_log_is_filtered_too(stores: Deployment) -> None:
    lived(stores)
    recorded(stores, job_id="another", status="provisioning", step="vm_created")

    def chosen(**wanted: Any) -> list[int]:
        return positions(stores.history.of_all(0, 100, Wanted(**wanted)))

    assert chosen(kinds=["StepReported"]) == [3, 10]
    assert chosen(attempt=2) == [5, 6, 8, 9]
    assert chosen(since=minute(6)) == [8, 9, 10]


def test_a_page_of_the_log_ends_before_it_costs_too_much(stores: Deployment) -> None:
    """A page folds its jobs' earlier events to know their states; it has at least one event."""
    history = History(stores.read_model, stores.milepost.mapper, afforded=4)
    for _ in range(4):
        for job_id in ("one", "two", "three"):
            recorded(stores, job_id=job_id, type="heartbeat")

    page = history.of_all(9, 10, ALL)

    assert (positions(page), page.following, page.more) == ([10, 11], 11, True)
    assert positions(history.of_all(11, 10, ALL)) == [12]


def test_a_user_sees_the_events_of_their_own_jobs(stores: Deployment) -> None:
    queued(stores, "one", "ada")
    queued(stores, "two", "bob")
    recorded(stores, job_id="one", type="heartbeat")
    stores.projector.catch_up()
    recorded(stores, job_id="one", type="heartbeat")

    page = stores.history.of_all(0, 10, ALL, "ada")

    assert positions(page) == [1, 3]
    stores.projector.catch_up()
    assert positions(stores.history.of_all(page.following, 10, ALL, "ada")) == [4]


def test_an_encrypted_log_is_shown(sealed: Deployment) -> None:
    lived(sealed)
    sealed.projector.catch_up()

    assert everything(sealed)[2].said == {"step": "vm_created", "mode": "full"}
    assert len(sealed.history.of_all(0, 10, ALL).entries) == 9


# Without folding


def test_events_alone_are_those_of_the_history_without_states(stores: Deployment) -> None:
    queued(stores)
    for number in range(5):
        recorded(stores, status="provisioning", step=f"step-{number}")

    alone = stores.history.alone("job", 2, 3)

    folded = stores.history.of_job("job", 2, 3, ALL).entries
    assert [entry.stored.version for entry in alone] == [3, 4, 5]
    assert [(entry.fact, entry.said) for entry in alone] == [
        (entry.fact, entry.said) for entry in folded
    ]
    assert all(entry.after == Instance("job") for entry in alone)
    assert stores.history.alone("job", 6, 3) == []


def test_an_event_has_both_views_after_it(stores: Deployment) -> None:
    queued(stores)
    recorded(stores, status="provisioning", step="vm_created")
    recorded(stores, status="failed", error="no quota")
    present = stores.reader.instance("job")
    assert present is not None

    for version in range(1, present.version + 1):
        entry, state = stores.history.after("job", version)
        assert entry.stored.version == state.instance.version == state.timeline.version == version
        assert entry.after == state.instance
    assert state.instance == present
    assert state.timeline == stores.reader.timeline("job")
