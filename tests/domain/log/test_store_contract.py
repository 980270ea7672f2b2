"""Every store fulfils the contract of the event store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from threading import Event, Thread
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, StoredEvent
from psycopg import conninfo, sql

from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.job.keys.key import Key
from domain.log.postgres import PostgresRecorder
from domain.log.recalling.snapshots import EVERY
from domain.log.sqlite import SQLiteRecorder
from domain.log.store import Append, Found, JobStore
from domain.log.stored import Stored
from domain.writing.batch import Receipt
from tests.support.stores.deployment import Deployment
from tests.support.stores.looking import key_of, look
from tests.support.stores.tampering import Database


def event(job_id: str, version: int) -> StoredEvent:
    return StoredEvent(job_id, version, "HeartbeatReceived", b"{}")


def append(
    store: JobStore,
    *events: StoredEvent,
    claims: Sequence[Key] = (),
    pointers: Sequence[Key] = (),
    releases: Sequence[tuple[str, str]] = (),
) -> Sequence[int]:
    return store.transact({}, [], lambda _: Append(events, claims, pointers, releases))


def places(store: JobStore) -> list[tuple[int, str, int]]:
    return [
        (stored.position, str(stored.job_id), stored.version) for stored in store.events(0, 10_000)
    ]


def test_what_is_decided_is_appended_and_gets_its_positions(stores: Deployment) -> None:
    store = stores.milepost.store

    positions = append(store, event("one", 1), event("two", 1), event("one", 2))

    assert places(store) == list(zip(positions, ["one", "two", "one"], [1, 1, 2], strict=True))


def test_positions_increase_strictly(stores: Deployment) -> None:
    store = stores.milepost.store

    positions = [
        *append(store, event("one", 1), event("two", 1)),
        *append(store, event("two", 2)),
        *append(store, event("one", 2), event("one", 3)),
    ]

    assert positions == sorted(set(positions))
    assert positions[0] >= 1


def test_nothing_is_appended_when_nothing_is_decided(stores: Deployment) -> None:
    store = stores.milepost.store

    assert list(append(store)) == []

    assert places(store) == []


def test_a_transaction_sees_the_events_from_the_known_version_on_in_order(
    stores: Deployment,
) -> None:
    store = stores.milepost.store
    append(store, event("b", 1), event("a", 1), event("b", 2), event("c", 1), event("b", 3))

    found = look(store, {"b": 1, "a": 0, "d": 0})

    tail = [(stored.job_id, stored.version) for stored in found.tail]
    assert [each for each in tail if each[0] == "b"] == [("b", 1), ("b", 2), ("b", 3)]
    assert [each for each in tail if each[0] == "a"] == [("a", 1)]
    assert len(tail) == 4
    assert {type(stored.state) for stored in found.tail} == {bytes}


@pytest.mark.parametrize("job_id", ["0017", "1e3", "null", "a'b\"c", "ä/☁", "%_", "[1]", " a "])
def test_a_job_may_have_any_name(memory: Deployment, job_id: str, tmp_path: Path) -> None:
    """An id may look like a number, a pattern or JSON."""
    env = {"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(tmp_path / "names.db")}
    sqlite = Deployment(env, memory.workflows, memory.clock)
    for store in (memory.milepost.store, sqlite.milepost.store):
        append(store, event(job_id, 1), claims=[Key(job_id, job_id, 1)])
        found = look(store, {job_id: 0}, [job_id])
        assert [stored.job_id for stored in found.tail] == [job_id]
        assert [stored.job_id for stored in store.recall([job_id]).tail] == [job_id]
        assert found.keys[job_id].job_id == job_id
    sqlite.close()


def test_a_refusal_to_decide_leaves_nothing_behind(stores: Deployment) -> None:
    """The store works after the refusal."""
    store = stores.milepost.store

    def refuse(_: Found) -> Append:
        raise LookupError("not today")

    for _ in range(25):  # more often than there are connections
        with pytest.raises(LookupError, match="not today"):
            store.transact({"one": 0}, ["name"], refuse)

    assert places(store) == []
    assert len(append(store, event("one", 1))) == 1


def test_a_version_is_given_once(stores: Deployment) -> None:
    """A conflict rolls back its whole transaction."""
    store = stores.milepost.store
    append(store, event("one", 1))

    with pytest.raises(IntegrityError):
        append(store, event("two", 1), event("one", 1), claims=[Key("name", "two", 1)])

    assert [place[1:] for place in places(store)] == [("one", 1)]
    assert key_of(store, "name") is None
    assert len(append(store, event("one", 2))) == 1


def test_a_claim_is_stored_only_if_its_name_is_free(stores: Deployment) -> None:
    store = stores.milepost.store

    append(store, event("one", 1), claims=[Key("name", "one", 1, "first")])
    append(store, event("two", 1), claims=[Key("name", "two", 1, "second")])

    key = key_of(store, "name")
    assert key is not None
    assert (key.job_id, key.version, key.digest) == ("one", 1, "first")


def test_a_pointer_moves(stores: Deployment) -> None:
    store = stores.milepost.store

    append(store, event("one", 1), pointers=[Key("name", "one", 1, "first")])
    append(store, event("two", 1), pointers=[Key("name", "two", 1, "second")])

    key = key_of(store, "name")
    assert key is not None
    assert (key.job_id, key.version, key.digest) == ("two", 1, "second")


def test_a_release_drops_the_key_of_its_holder_only(stores: Deployment) -> None:
    store = stores.milepost.store
    append(store, event("one", 1), claims=[Key("name", "one", 1), Key("other", "one", 1)])

    append(store, event("two", 1), releases=[("name", "two"), ("missing", "two")])
    assert key_of(store, "name") is not None

    append(store, event("one", 2), releases=[("name", "one")])
    assert key_of(store, "name") is None
    assert key_of(store, "other") is not None


def test_releases_go_before_claims_and_claims_before_pointers(stores: Deployment) -> None:
    store = stores.milepost.store
    append(store, event("one", 1), claims=[Key("name", "one", 1)])

    append(
        store,
        event("two", 1),
        releases=[("name", "one")],
        claims=[Key("name", "two", 1), Key("moving", "two", 1)],
        pointers=[Key("moving", "three", 1)],
    )
    append(store, event("three", 1))

    key, moving = key_of(store, "name"), key_of(store, "moving")
    assert key is not None
    assert key.job_id == "two"
    assert moving is not None
    assert moving.job_id == "three"


def test_a_transaction_sees_the_keys_with_the_positions_of_their_events(
    stores: Deployment,
) -> None:
    store = stores.milepost.store
    append(store, event("other", 1))
    _, second = append(store, event("one", 1), event("one", 2), claims=[Key("a", "one", 2, "d")])

    found = look(store, names=["a", "b"])

    assert found.keys == {"a": Key("a", "one", 2, "d", position=second)}


def test_a_key_by_itself_has_its_position_too(stores: Deployment) -> None:
    store = stores.milepost.store
    _, second = append(store, event("other", 1), event("one", 1), claims=[Key("a", "one", 1, "d")])

    assert key_of(store, "a") == Key("a", "one", 1, "d", position=second)
    assert key_of(store, "b") is None


def test_events_are_selected_in_order_and_from_where_one_likes(stores: Deployment) -> None:
    store = stores.milepost.store
    positions = append(store, *(event("one", version) for version in range(1, 8)))

    assert [stored.version for stored in store.history("one")] == [*range(1, 8)]
    assert [stored.position for stored in store.events(positions[2], 3)] == list(positions[3:6])
    until_fifth = store.events(positions[2], 3, positions[4])
    assert [stored.position for stored in until_fifth] == list(positions[3:5])
    assert list(store.events(positions[-1], 3)) == []
    assert list(store.history("nobody")) == []


def test_many_threads_append_without_a_gap(stores: Deployment) -> None:
    """The transaction decides under its lock, so threads never conflict."""
    store = stores.milepost.store

    def add(_: int) -> int:
        def decide(found: Found) -> Append:
            return Append([event("one", len(found.tail) + 1)])

        return store.transact({"one": 0}, [], decide)[0]

    with ThreadPoolExecutor(8) as pool:
        positions = list(pool.map(add, range(60)))

    assert len(set(positions)) == 60
    assert [place[2] for place in places(store)] == list(range(1, 61))


def test_what_is_stored_outlives_the_process(databases: Deployment) -> None:
    append(databases.milepost.store, event("one", 1), claims=[Key("name", "one", 1)])

    another = databases.again()

    assert places(another.milepost.store) == places(databases.milepost.store)
    assert key_of(another.milepost.store, "name") == key_of(databases.milepost.store, "name")
    another.close()


# SQLite alone


def test_every_sqlite_connection_waits_for_the_disk(sqlite: Deployment) -> None:
    """Each connection of the pool has synchronous=FULL and a write-ahead log."""
    recorder = sqlite.milepost.recorder
    assert isinstance(recorder, SQLiteRecorder)
    with ExitStack() as stack:
        for writes in (True, False, False, False, False):
            connection = stack.enter_context(recorder.datastore.get_connection(commit=writes))
            with connection.cursor() as cursor:
                assert cursor.execute("PRAGMA synchronous").fetchone()[0] == 2
                assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_sqlite_never_gives_the_position_of_a_deleted_event_again(sqlite: Deployment) -> None:
    """A reader that has seen the position would mistake the new event for the old one."""
    store = sqlite.milepost.store
    _, newest = append(store, event("one", 1), event("one", 2))
    connection = sqlite3.connect(sqlite.env["SQLITE_DBNAME"])
    with connection:
        connection.execute("DELETE FROM milepost_events WHERE notification_id = ?", (newest,))
    connection.close()

    [position] = append(store, event("one", 2))

    assert position > newest


# PostgreSQL alone


class Follower:
    """Reads the log again and again, as a projector does, and records what it reads."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.seen: list[int] = []
        self.missed: set[int] = set()
        self.looks = 0

    def follow(self, stop: Event) -> None:
        while True:
            last_look = stop.is_set()
            visible = [stored.position for stored in self._store.events(0, 10_000)]
            newest = self.seen[-1] if self.seen else 0
            self.missed |= {position for position in visible if position < newest} - set(self.seen)
            self.seen += [position for position in visible if position > newest]
            self.looks += 1
            if last_look:
                return


def test_positions_become_visible_in_order_whoever_writes(postgres: Deployment) -> None:
    """With two processes and many threads, versions have no gap and a reader misses no event."""
    another = postgres.again()
    stop, follower = Event(), Follower(another.milepost.store)
    thread = Thread(target=follower.follow, args=(stop,))

    def write(number: int) -> Receipt:
        milepost = (postgres if number % 2 else another).milepost
        return milepost.record(Callback(job_id=f"job-{number % 5}", type="heartbeat"))

    thread.start()
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(write, range(400)))
    stop.set()
    thread.join(30)

    assert follower.missed == set()
    assert follower.seen == sorted(receipt.position or 0 for receipt in receipts)
    assert follower.looks > 1
    for job_id in {receipt.job_id for receipt in receipts}:
        written = sorted(receipt.version for receipt in receipts if receipt.job_id == job_id)
        assert written == list(range(1, 81))
    another.close()


def test_a_transaction_that_rolled_back_leaves_a_gap_in_positions_only(
    postgres: Deployment,
) -> None:
    store = postgres.milepost.store
    append(store, event("one", 1))
    with pytest.raises(IntegrityError):
        append(store, event("one", 2), event("one", 1))

    append(store, event("one", 2))

    assert [place[1:] for place in places(store)] == [("one", 1), ("one", 2)]


def test_a_database_that_is_away_is_heard_of_as_unavailable(
    postgres: Deployment, postgres_server_dsn: str
) -> None:
    """No callback gets a receipt, and no caller gets the driver's own exception."""
    postgres.milepost.record(Callback(job_id="job", status="provisioning"))
    name = str(psycopg.conninfo.conninfo_to_dict(postgres.env["DATABASE_URL"])["dbname"])
    with psycopg.connect(postgres_server_dsn, autocommit=True) as server:
        close = psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        server.execute(close.format(psycopg.sql.Identifier(name)))
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )

    with pytest.raises(StoreUnavailable):
        postgres.milepost.record(Callback(job_id="job", status="failed"))


def test_a_connection_that_died_is_replaced_unnoticed(
    postgres: Deployment, postgres_server_dsn: str
) -> None:
    """For example, the server was restarted. The next callback is recorded once."""
    postgres.milepost.record(Callback(job_id="job", status="provisioning"))
    with psycopg.connect(postgres_server_dsn, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (psycopg.conninfo.conninfo_to_dict(postgres.env["DATABASE_URL"])["dbname"],),
        )

    assert postgres.milepost.record(Callback(job_id="job", status="failed")).version == 2
    assert postgres.milepost.find("job").attempt.status == "failed"


# PostgreSQL: effects of other sessions and of another server


def test_every_postgres_connection_waits_for_the_disk(postgres: Deployment) -> None:
    """This holds also if the server's default is not to wait."""
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as other:
        off = "ALTER DATABASE {} SET synchronous_commit = off"
        other.execute(sql.SQL(off).format(sql.Identifier(other.info.dbname)))
    another = postgres.again()
    recorder = another.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)

    with ExitStack() as stack:
        for _ in range(6):  # more than the pool has open
            connection = stack.enter_context(recorder.datastore.get_connection())
            shown = connection.execute("SHOW synchronous_commit").fetchone()
            assert shown == {"synchronous_commit": "on"}
    another.close()


def test_a_vacuum_does_not_keep_a_callback_waiting(postgres: Deployment) -> None:
    postgres.milepost.record(Callback(job_id="one", status="provisioning"))
    with psycopg.connect(postgres.env["DATABASE_URL"]) as maintenance:
        maintenance.execute("LOCK TABLE milepost_events IN SHARE UPDATE EXCLUSIVE MODE")

        assert postgres.milepost.record(Callback(job_id="one", type="heartbeat")).version == 2


def test_a_server_that_lost_events_gets_no_gap_in_versions(postgres: Deployment) -> None:
    """An asynchronous failover cuts the connections and loses the newest events."""
    for _ in range(3):
        postgres.milepost.record(Callback(job_id="one", type="heartbeat"))
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as other:
        other.execute("DELETE FROM milepost_events WHERE originator_version > 1")
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert postgres.milepost.record(Callback(job_id="one", type="heartbeat")).version == 2


LOSE: dict[int, LiteralString] = {
    0: "DELETE FROM milepost_events",
    1: "DELETE FROM milepost_events WHERE originator_version > 1",
}


def run_in(env: dict[str, str], statement: LiteralString) -> None:
    """Run a statement on a connection outside Milepost's pool."""
    if "SQLITE_DBNAME" in env:
        with sqlite3.connect(env["SQLITE_DBNAME"]) as file:
            file.execute(statement)
        file.close()
    else:
        with psycopg.connect(env["DATABASE_URL"]) as connection:
            connection.execute(statement)


@pytest.mark.parametrize("left", [1, 0])
def test_a_log_that_lost_events_gets_no_gap_though_no_connection_was_cut(
    databases: Deployment, left: int
) -> None:
    """A read may notice the failover first and replace the connections; snapshots are due."""
    for _ in range(EVERY - 1):
        databases.milepost.record(Callback(job_id="one", status="provisioning"))
    run_in(databases.env, LOSE[left])

    receipts = [
        databases.milepost.record(Callback(job_id="one", type="heartbeat")) for _ in range(2)
    ]

    assert [receipt.version for receipt in receipts] == [left + 1, left + 2]
    assert databases.again().milepost.find("one") == databases.milepost.find("one")


def test_a_transaction_reads_the_newest_rows_whatever_the_default_isolation(
    postgres: Deployment,
) -> None:
    """The transaction waits for the lock, and must then see what the last holder committed."""
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as other:
        level = "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'"
        other.execute(sql.SQL(level).format(sql.Identifier(other.info.dbname)))
    one, two = postgres.again(), postgres.again()
    callbacks = [Callback(job_id="one", type="heartbeat")] * 40
    with ThreadPoolExecutor(2) as pool:
        receipts = list(
            pool.map(
                lambda made: [made.milepost.record(callback).version for callback in callbacks],
                (one, two),
            )
        )

    assert sorted(chain.from_iterable(receipts)) == list(range(1, 81))
    one.close()
    two.close()


def test_a_server_that_was_read_only_is_written_again(postgres: Deployment) -> None:
    """Managed databases become read-only while their disk is full."""
    callback = Callback(job_id="one", type="heartbeat")
    postgres.milepost.record(callback)
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as other:
        read_only = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        name = sql.Identifier(other.info.dbname)
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        other.execute("SET default_transaction_read_only = off")
        other.execute(sql.SQL(read_only).format(name, sql.SQL("on")))
        other.execute(cut)
        with pytest.raises(StoreUnavailable):
            postgres.milepost.record(callback)
        other.execute(sql.SQL(read_only).format(name, sql.SQL("off")))

    assert postgres.milepost.record(callback).version == 2


def test_a_role_without_the_right_to_create_can_use_existing_tables(
    postgres: Deployment,
) -> None:
    postgres.milepost.record(Callback(job_id="one", type="heartbeat"))
    role = f"reader_{uuid4().hex}"
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        owner.execute(
            sql.SQL(
                "GRANT ALL ON ALL TABLES IN SCHEMA public TO {r};"
                "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {r}"
            ).format(r=sql.Identifier(role))
        )
    dsn = conninfo.make_conninfo(postgres.env["DATABASE_URL"], user=role)
    env = {**postgres.env, "DATABASE_URL": dsn}

    humble = Deployment(env, postgres.workflows, postgres.clock)

    assert humble.milepost.record(Callback(job_id="one", type="heartbeat")).version == 2
    humble.close()


def test_the_log_is_read_from_any_position_as_far_as_is_wanted(stores: Deployment) -> None:
    store = stores.milepost.store
    append(store, event("one", 1), event("two", 1), event("one", 2))
    first, second, third = store.events(0, 10)

    assert [(each.job_id, each.version) for each in (first, second, third)] == [
        ("one", 1),
        ("two", 1),
        ("one", 2),
    ]
    assert [each.position for each in (first, second, third)] == [
        stored.id for stored in store_as_recorder(stores).select_notifications(None, 10)
    ]
    assert list(store.events(first.position, 1)) == [second]
    assert list(store.events(third.position, 10)) == []


def test_a_stored_state_is_read_as_bytes_also_if_it_was_overwritten_with_text(
    sqlite: Deployment,
) -> None:
    append(sqlite.milepost.store, event("one", 1))
    Database(sqlite).run("UPDATE milepost_events SET state = CAST(state AS TEXT)")

    [stored] = sqlite.milepost.store.events(0, 10)

    assert stored.state == b"{}"
    assert sqlite.milepost.store.events(0, 10) == [Stored(1, "one", 1, "HeartbeatReceived", b"{}")]


def test_the_library_reads_the_same_events(stores: Deployment) -> None:
    """The library's own reads return the same events as ours, in the library's types."""
    recorder = store_as_recorder(stores)
    append(stores.milepost.store, *(event("one", version) for version in range(1, 5)))

    notified = recorder.select_notifications(2, 2)
    assert [(n.id, n.originator_id, n.originator_version) for n in notified] == [
        (2, "one", 2),
        (3, "one", 3),
    ]
    from_there = recorder.select_notifications(2, 9, 3, inclusive_of_start=False)
    assert [n.id for n in from_there] == [3]
    assert recorder.select_notifications(None, 9, topics=["Other"]) == []
    newest = recorder.select_events("one", lte=3, desc=True, limit=1)
    assert [e.originator_version for e in newest] == [3]
    assert [e.originator_version for e in recorder.select_events("one", gt=1, limit=2)] == [2, 3]


def test_events_are_read_by_job_and_version(stores: Deployment) -> None:
    store = stores.milepost.store
    append(store, event("b", 1), event("a", 1), event("b", 2), event("a", 2))

    def read(*asked: Any) -> list[tuple[str, int]]:
        return [(each.job_id, each.version) for each in store.histories(*asked)]

    assert read(("", 0), 9) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert read(("a", 1), 2) == [("a", 2), ("b", 1)]
    assert read(("", 0), 9, 3) == [("a", 1), ("b", 1), ("b", 2)]
    assert [store.count(upto) for upto in (0, 3, 99)] == [0, 3, 4]
    assert store.event("b", 2) == store.events(2, 1)[0]
    assert store.event("b", 3) is None
    assert store.newest_position() == 4


def store_as_recorder(made: Deployment) -> ApplicationRecorder:
    """Return the store as a recorder of the library."""
    return made.milepost.recorder
