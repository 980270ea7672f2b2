"""A read ends at its bound in bytes, and whoever reads goes on after it."""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.callback import Callback
from domain.job.events import HeartbeatReceived, JobEvent
from domain.log.bounded import READ_BYTES, is_full
from domain.log.reading.contract import pages_of
from domain.log.recalling.recall import recall
from domain.log.recalling.snapshots import EVERY
from domain.log.store import MAX_MISSED_BYTES, Append
from domain.log.stored import Stored
from tests.support.jobs.large_events import LARGE, store_large
from tests.support.stores.deployment import NOON, Deployment


def versions(events: Sequence[Stored]) -> list[tuple[str, int]]:
    return [(event.job_id, event.version) for event in events]


def test_a_read_in_order_of_position_ends_with_the_event_that_fills_it(stores: Deployment) -> None:
    store_large(stores, *["one", "two"] * 4)

    events = stores.milepost.store.events(0, 100)

    assert versions(events) == [("one", 1), ("two", 1), ("one", 2), ("two", 2)]
    assert is_full(events, 100)
    assert len(stores.milepost.store.events(0, 3)) == 3
    assert not is_full(stores.milepost.store.events(6, 100), 100)


def test_a_read_job_by_job_ends_with_the_event_that_fills_it(stores: Deployment) -> None:
    store_large(stores, *["one", "two"] * 3)

    events = stores.milepost.store.histories(("", 0), 100)

    assert versions(events) == [("one", 1), ("one", 2), ("one", 3), ("two", 1)]


def test_one_event_that_is_larger_than_the_bound_is_read(stores: Deployment) -> None:
    store_large(stores, "one", "one", size=READ_BYTES + 1)

    assert versions(stores.milepost.store.events(0, 100)) == [("one", 1)]
    assert versions(stores.milepost.store.history("one", 1)) == [("one", 2)]


def test_a_jobs_history_is_read_page_by_page(stores: Deployment) -> None:
    store_large(stores, *["one"] * 9)

    pages = list(pages_of(stores.milepost.store.history, "one"))

    assert [len(page) for page in pages] == [4, 4, 1]


def test_jobs_with_large_events_are_recalled_whole(stores: Deployment) -> None:
    store_large(stores, *["one", "two", "three"] * 3)

    recalled = recall(stores.milepost.store, ["one", "two", "three"], stores.milepost.mapper)

    assert {job_id: folded.job.version for job_id, folded in recalled.items()} == {
        "one": 3,
        "two": 3,
        "three": 3,
    }


def test_a_large_event_of_another_process_is_recalled_without_the_lock(stores: Deployment) -> None:
    stores.milepost.record(Callback(job_id="one", type="heartbeat"))
    fact = HeartbeatReceived(recorded_at=NOON, extra={"log": "x" * MAX_MISSED_BYTES})
    missed = stores.milepost.mapper.to_stored_event(JobEvent("one", 2, fact))
    stores.milepost.store.transact({}, [], lambda _: Append([missed]))

    assert stores.milepost.record(Callback(job_id="one", type="heartbeat")).version == 3


def test_jobs_that_a_full_read_did_not_come_to_are_recalled_from_their_snapshots(
    stores: Deployment,
) -> None:
    """Else the first callbacks after a start would fold the whole history of long jobs."""
    jobs = ["one", "two", "three"]
    for job_id in jobs:
        for _ in range(EVERY):
            stores.milepost.record(Callback(job_id=job_id, type="heartbeat"))
        for version in range(EVERY + 1, EVERY + 6):
            fact = HeartbeatReceived(recorded_at=NOON, extra={"log": "x" * LARGE})
            stored = stores.milepost.mapper.to_stored_event(JobEvent(job_id, version, fact))
            stores.milepost.store.transact({}, [], lambda _, stored=stored: Append([stored]))  # type: ignore[misc]

    recalled = recall(stores.milepost.store, jobs, stores.milepost.mapper)

    assert {
        job_id: (folded.snapshot_version, folded.job.version) for job_id, folded in recalled.items()
    } == dict.fromkeys(jobs, (EVERY, EVERY + 5))
