"""An empty store is filled in one transaction, at the positions that the events have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.job.keys.key import Key
from domain.log.recalling.snapshots import Snapshot
from domain.log.store import Append, JobStore, StoreNotEmpty
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.looking import key_of


def event(position: int, job_id: str = "job", version: int | None = None) -> Stored:
    return Stored(position, job_id, version or position, "HeartbeatReceived", b"{}")


def fill(store: JobStore, *events: Stored, claims: tuple[Key, ...] = ()) -> None:
    with store.filling() as filling:
        filling.append(events, claims, ())


def positions(store: JobStore) -> list[int]:
    return [stored.position for stored in store.events(0, 1000)]


def append(store: JobStore, *events: StoredEvent) -> list[int]:
    return list(store.transact({}, [], lambda _: Append(events)))


def test_events_are_there_as_they_were(stores: Deployment) -> None:
    given = [Stored(1, "ä/☁", 1, "Any:2", bytes(range(256))), event(2, "b", 1)]

    fill(stores.milepost.store, *given)

    assert stores.milepost.store.events(0, 10) == given


def test_gaps_between_positions_stay(databases: Deployment) -> None:
    """A rolled-back transaction may leave a gap."""
    store = databases.milepost.store

    fill(store, event(3, version=1), event(70_000, version=2))

    assert positions(store) == [3, 70_000]


def test_new_events_get_positions_after_the_largest(databases: Deployment) -> None:
    store = databases.milepost.store
    fill(store, event(3, version=1), event(70_000, version=2))

    assert append(store, StoredEvent("job", 3, "T", b""))[0] > 70_000
    another = databases.again()
    assert append(another.milepost.store, StoredEvent("job", 4, "T", b""))[0] > 70_001
    another.close()


def test_keys_are_claimed_if_free_and_pointers_move(stores: Deployment) -> None:
    store = stores.milepost.store
    with store.filling() as filling:
        filling.append(
            [event(1), event(2)],
            [Key("a", "job", 1, "x"), Key("a", "job", 2)],
            [Key("b", "job", 1)],
        )
        filling.append([event(3)], [Key("a", "job", 3)], [Key("b", "job", 3, "y")])

    assert key_of(store, "a") == Key("a", "job", 1, "x", 1)
    assert key_of(store, "b") == Key("b", "job", 3, "y", 3)


def test_what_was_appended_so_far_can_be_recalled(stores: Deployment) -> None:
    with stores.milepost.store.filling() as filling:
        filling.append([event(1, "a", 1), event(2, "b", 1)])
        filling.append([event(3, "a", 2)])

        found = filling.recall(["a", "c"])

    assert [(e.job_id, e.version) for e in found.tail] == [("a", 1), ("a", 2)]
    assert list(found.snapshots) == []


def test_snapshots_are_stored_and_recalled_with_later_events(stores: Deployment) -> None:
    """Recalling works during the filling, and after it."""
    store, snapshot = stores.milepost.store, Snapshot("job", 2, "1", b"state")
    with store.filling() as filling:
        filling.append([event(1), event(2)], snapshots=[snapshot])
        filling.append([event(3)])
        inside, all_of_it = filling.recall(["job"]), filling.history("job")

    for found in (inside, store.recall(["job"])):
        assert list(found.snapshots) == [snapshot]
        assert [e.version for e in found.tail] == [3]
    assert [e.version for e in all_of_it] == [1, 2, 3]


def test_a_store_with_events_is_not_filled(stores: Deployment) -> None:
    store = stores.milepost.store
    append(store, StoredEvent("job", 1, "T", b""), StoredEvent("job", 2, "T", b""))

    with pytest.raises(StoreNotEmpty, match="has 2 events"):
        fill(store, event(3))

    assert positions(store) == [1, 2]


def test_filling_nothing_leaves_an_empty_store(stores: Deployment) -> None:
    fill(stores.milepost.store)

    assert positions(stores.milepost.store) == []
    assert len(append(stores.milepost.store, StoredEvent("job", 1, "T", b""))) == 1


def test_an_error_leaves_nothing_behind(stores: Deployment) -> None:
    """It fails more often than the pool has connections; a filling after that succeeds."""
    store = stores.milepost.store
    for _ in range(25):
        with pytest.raises(LookupError, match="not today"):
            fill_half(store)

    assert positions(store) == []
    assert key_of(store, "name") is None
    fill(store, event(1))
    assert len(append(store, StoredEvent("job", 2, "T", b""))) == 1


def fill_half(store: JobStore) -> None:
    with store.filling() as filling:
        filling.append([event(1)], [Key("name", "job", 1)])
        raise LookupError("not today")


@pytest.mark.parametrize("twice", [event(1), event(2, version=1), event(1, "other", 1)])
def test_a_position_and_a_version_are_used_once(databases: Deployment, twice: Stored) -> None:
    store = databases.milepost.store

    with pytest.raises(IntegrityError):
        fill(store, event(1), twice)

    assert positions(store) == []


def test_another_writer_waits_until_the_store_is_filled(databases: Deployment) -> None:
    """The writer is another process. Its new event comes after all events of the filling."""
    store, other = databases.milepost.store, databases.again()
    with ThreadPoolExecutor(1) as pool:
        with store.filling() as filling:
            filling.append([event(1), event(2)])
            waiting = pool.submit(append, other.milepost.store, StoredEvent("other", 1, "T", b""))
            filling.append([event(30, version=3)])
        assert waiting.result()[0] > 30

    assert positions(store)[:3] == [1, 2, 30]
    other.close()


def test_another_reader_sees_nothing_before_the_end(databases: Deployment) -> None:
    other = databases.again()
    with databases.milepost.store.filling() as filling:
        filling.append([event(1)])
        assert positions(other.milepost.store) == []
    other.close()


def test_keys_and_snapshots_of_deleted_events_are_deleted(databases: Deployment) -> None:
    """Snapshots and keys of deleted events must not count for the events of the filling."""
    store = databases.milepost.store
    stale = Snapshot("job", 1, "1", b"{}")
    store.transact(
        {},
        [],
        lambda _: Append(
            [StoredEvent("job", 1, "T", b"")], claims=[Key("old", "job", 1)], snapshots=[stale]
        ),
    )
    empty_events(databases)

    fill(store, event(1))

    assert key_of(store, "old") is None
    assert list(store.recall(["job"]).snapshots) == []


def empty_events(made: Deployment) -> None:
    """Delete the events by SQL."""
    recorder = made.milepost.recorder
    with recorder.datastore.transaction(commit=True) as cursor:  # type: ignore[attr-defined]
        cursor.execute("DELETE FROM milepost_events")


def test_filling_notifies_listeners(postgres_dsn: str, workflows: Workflows, clock: Clock) -> None:
    """It wakes a projector that sleeps. On SQLite, the caller rings the doorbell."""
    env = {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": postgres_dsn}
    made = Deployment(env, workflows, clock)
    with psycopg.connect(postgres_dsn, autocommit=True) as listener:
        listener.execute("LISTEN milepost_events")

        fill(made.milepost.store, event(1))

        assert [each.channel for each in listener.notifies(timeout=30, stop_after=1)]
    made.close()
