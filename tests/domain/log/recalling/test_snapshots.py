"""Snapshots spare reading, and change no decision."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from eventsourcing.cryptography import AESCipher
from eventsourcing.persistence import IntegrityError, JSONTranscoder, StoredEvent
from eventsourcing.utils import Environment
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import NothingToStop
from domain.job.attempt.final import Final
from domain.job.attempt.progress import MAX_STEPS
from domain.job.attempt.state import Attempt
from domain.job.callback import Callback
from domain.job.commands.callbacks import RecordCallback
from domain.job.commands.operators import StopJob
from domain.job.commands.registration import QueueJob
from domain.job.events import (
    AttemptFailed,
    AttemptStarted,
    CallbackRefused,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    MachineStopped,
    MetadataReported,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StepReported,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.state import Runs
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import Folded, fold, recall
from domain.log.recalling.snapshots import EVERY, SHAPE, Snapshot, restore, snapshot_of
from domain.log.store import MAX_TAIL, Append, TooMuchMissed
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from domain.writing.batch import Batch, Receipt
from tests.support.jobs.strategies import events, facts, numbered
from tests.support.stores.deployment import NOON, Clock, Deployment
from tests.support.stores.looking import look

PLAIN = JobEventMapper(JSONTranscoder())
HEARTBEAT = Callback(job_id="job", type="heartbeat")


def step(number: int) -> Callback:
    return Callback(job_id="job", status="provisioning", step=f"step-{number}", server_id="srv-1")


def long_ago(made: Deployment, count: int, *, unreadable: int = 0) -> None:
    """Store a history as a release without snapshots did."""
    history: list[Fact] = [
        StatusReported(recorded_at=NOON, status="provisioning"),
        *(StepReported(recorded_at=NOON, step=f"step-{number % 300}") for number in range(count)),
    ]
    stored = [
        StoredEvent("job", event.originator_version, "JobPainted", b"{}")
        if event.originator_version == unreadable
        else made.milepost.mapper.to_stored_event(event)
        for event in numbered(history[:count])
    ]
    made.milepost.store.transact({}, [], lambda _: Append(stored))


def live(made: Deployment, count: int, batch: int = 7) -> None:
    """Record that many callbacks, a few in each transaction."""
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        made.milepost.committing.commit([RecordCallback(step(number)) for number in numbers])


def from_the_first_event(made: Deployment) -> ProvisioningJob:
    stored = made.milepost.store.history("job")
    return fold(Folded(ProvisioningJob("job")), stored, made.milepost.mapper).job


def cold(made: Deployment) -> Folded:
    """Return the job as a process that has just started folds it."""
    return recall(made.milepost.store, ["job"], made.milepost.mapper)["job"]


def snapshots(made: Deployment) -> list[int]:
    """Return the versions of the job's snapshots."""
    return [snapshot.version for snapshot in made.milepost.store.recall(["job"]).snapshots]


def placed(events: Iterable[StoredEvent]) -> list[Stored]:
    """Return events with their positions, as a read of the store returns them."""
    return [
        Stored(position, str(e.originator_id), e.originator_version, e.topic, e.state)
        for position, e in enumerate(events, start=1)
    ]


def versions(made: Deployment) -> list[int]:
    return [stored.version for stored in made.milepost.store.history("job")]


@contextmanager
def another_process(made: Deployment) -> Iterator[Deployment]:
    another = made.again()
    yield another
    another.close()


def execute(made: Deployment, statement: Any) -> None:
    """Change the tables by SQL, without Milepost."""
    if "SQLITE_DBNAME" in made.env:
        with sqlite3.connect(made.env["SQLITE_DBNAME"]) as connection:
            connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(made.env["DATABASE_URL"]) as opened:
            opened.execute(statement)


# The content of a snapshot


@settings(deadline=None, max_examples=200)
@given(history=events(facts()), cut=st.integers(0, 25))
def test_a_job_that_goes_on_from_its_snapshot_is_the_fold_of_all_its_events(
    workflows: Workflows, history: list[JobEvent], cut: int
) -> None:
    """This holds for a snapshot at any version, and for any events before and after it."""
    made = Deployment({"PERSISTENCE_MODULE": "domain.log.memory"}, workflows, Clock())
    mapper = made.milepost.mapper
    stored = [mapper.to_stored_event(event) for event in history]
    before = fold(Folded(ProvisioningJob("job")), placed(stored[:cut]), mapper)
    append = Append(stored, snapshots=[snapshot_of(before.job, mapper)])
    made.milepost.store.transact({}, [], lambda _: append)

    assert cold(made).job == from_the_first_event(made)
    assert made.milepost.find("job") == from_the_first_event(made)
    made.close()


def test_a_long_job_is_loaded_as_if_all_its_events_were_folded(stores: Deployment) -> None:
    live(stores, 250)

    assert snapshots(stores) == [210]
    assert cold(stores) == Folded(from_the_first_event(stores), 210)
    assert stores.milepost.find("job") == from_the_first_event(stores)


def test_a_snapshot_does_not_grow_with_the_history() -> None:
    steps = [StepReported(recorded_at=NOON, step=f"{number:04}") for number in range(900)]
    stored = [PLAIN.to_stored_event(event) for event in numbered([*steps])]
    start = Folded(ProvisioningJob("job"))

    sizes = {
        len(snapshot_of(fold(start, placed(stored[:n]), PLAIN).job, PLAIN).state)
        for n in (MAX_STEPS, 900)
    }

    assert len(sizes) == 1


# When a snapshot is made


def test_a_cold_callback_reads_few_events_of_a_long_job(stores: Deployment) -> None:
    """This holds for any number of callbacks in a transaction."""
    live(stores, 1000)
    for number in range(EVERY):
        read = stores.milepost.store.recall(["job"])
        assert len(read.tail) < EVERY + 7
        stores.milepost.record(step(number))

    assert versions(stores) == list(range(1, 1000 + EVERY + 1))


def test_jobs_are_recalled_side_by_side(stores: Deployment) -> None:
    """One recall returns jobs with a snapshot, jobs without one, and unknown jobs."""
    live(stores, 105, batch=105)
    stores.milepost.record(HEARTBEAT)
    stores.milepost.record(msgspec.structs.replace(HEARTBEAT, job_id="short"))

    read = stores.milepost.store.recall(["short", "job", "nobody"])

    assert [(each.job_id, each.version) for each in read.snapshots] == [("job", 105)]
    tail = {(each.job_id, each.version) for each in read.tail}
    assert tail == {("job", 106), ("short", 1)}
    jobs = recall(stores.milepost.store, ["short", "job", "nobody"], stores.milepost.mapper)
    assert {job_id: each.job.version for job_id, each in jobs.items()} == {
        "short": 1,
        "job": 106,
        "nobody": 0,
    }


def test_a_short_job_has_no_snapshot(stores: Deployment) -> None:
    live(stores, EVERY - 1)
    assert snapshots(stores) == []

    stores.milepost.record(HEARTBEAT)
    assert snapshots(stores) == [EVERY]


def test_a_job_from_before_there_were_snapshots_gets_one_with_its_next_callback(
    stores: Deployment,
) -> None:
    long_ago(stores, 1234)
    assert snapshots(stores) == []

    assert stores.milepost.record(HEARTBEAT).version == 1235

    assert snapshots(stores) == [1235]
    assert cold(stores).job == from_the_first_event(stores)


def test_a_refusal_leaves_no_snapshot_and_does_not_put_off_the_next(stores: Deployment) -> None:
    long_ago(stores, EVERY)

    with pytest.raises(NothingToStop):
        stores.milepost.stop("job")
    assert snapshots(stores) == []

    stores.milepost.record(HEARTBEAT)
    assert snapshots(stores) == [EVERY + 1]


def test_a_refusal_in_a_batch_does_not_stop_the_snapshots_of_others(stores: Deployment) -> None:
    long_ago(stores, EVERY)

    refused, receipt = stores.milepost.committing.commit(
        [StopJob("job", None), RecordCallback(msgspec.structs.replace(HEARTBEAT, job_id="other"))]
    )

    assert isinstance(refused, NothingToStop)
    assert isinstance(receipt, Receipt)
    assert snapshots(stores) == [EVERY]


def test_a_transaction_that_fails_leaves_no_snapshot(stores: Deployment) -> None:
    long_ago(stores, 1)
    store, mapper = stores.milepost.store, stores.milepost.mapper
    again = stores.milepost.recorder.select_events("job")
    wrong = snapshot_of(ProvisioningJob("job", 1), mapper)

    with pytest.raises(IntegrityError):
        store.transact({}, [], lambda _: Append(again, snapshots=[wrong]))
    assert store.transact({}, [], lambda _: Append(snapshots=[wrong])) == ()

    assert snapshots(stores) == []


def test_a_job_with_an_event_that_cannot_be_read_gets_no_snapshot(stores: Deployment) -> None:
    """A later release may be able to read the event. A snapshot would hide it."""
    long_ago(stores, 150, unreadable=120)

    for _ in range(3):
        stores.milepost.record(HEARTBEAT)

    assert snapshots(stores) == []
    assert not cold(stores).whole
    assert stores.milepost.find("job").version == 153


def test_a_job_gets_no_snapshot_after_an_event_that_cannot_be_read(stores: Deployment) -> None:
    """This holds also if another process appends it to a known job. The earlier snapshot stays."""
    live(stores, 150)
    before = snapshots(stores)
    unreadable = StoredEvent("job", 151, "JobPainted", b"{}")
    stores.milepost.store.transact({}, [], lambda _: Append([unreadable]))

    live(stores, 150)

    assert snapshots(stores) == before
    assert versions(stores) == list(range(1, 302))
    assert cold(stores) == Folded(from_the_first_event(stores), before[0], whole=False)


# Snapshots change no decision


def test_two_processes_that_write_in_turn_leave_no_gap(databases: Deployment) -> None:
    with another_process(databases) as another:
        receipts = [
            (another if number % 2 else databases).milepost.record(step(number))
            for number in range(230)
        ]

        assert [receipt.version for receipt in receipts] == list(range(1, 231))
        assert another.milepost.find("job") == from_the_first_event(databases)
    assert len(databases.milepost.store.recall(["job"]).tail) < EVERY
    assert cold(databases).job == from_the_first_event(databases)


def test_every_process_that_starts_goes_on_from_the_snapshot(databases: Deployment) -> None:
    live(databases, 150)

    for number in range(151, 156):
        with another_process(databases) as another:
            assert another.milepost.record(HEARTBEAT).version == number

    assert versions(databases) == list(range(1, 156))
    assert cold(databases).job == from_the_first_event(databases)


def much_happens(made: Deployment) -> None:
    """Let another process record more events of the job; this process knows one event of it."""
    missed = [
        made.milepost.mapper.to_stored_event(event)
        for event in numbered([HeartbeatReceived(recorded_at=NOON)] * (MAX_TAIL + 2))
    ]
    newest = snapshot_of(ProvisioningJob("job", MAX_TAIL + 2), PLAIN)
    made.milepost.store.transact({}, [], lambda _: Append(missed[1:], snapshots=[newest]))


def test_a_process_that_missed_much_of_a_job_goes_on_from_the_snapshot(
    stores: Deployment,
) -> None:
    """Another process had the job for days: this one folds the missed events without the lock."""
    stores.milepost.record(HEARTBEAT)
    much_happens(stores)
    found = look(stores.milepost.store, {"job": 1})
    assert len(found.tail) == MAX_TAIL + 1

    with pytest.raises(TooMuchMissed):
        Batch([RecordCallback(HEARTBEAT)], {}, PLAIN).decide(found)
    assert stores.milepost.record(HEARTBEAT).version == MAX_TAIL + 3

    assert cold(stores).job == from_the_first_event(stores)


def test_what_was_missed_of_a_job_costs_no_other_job_its_place_in_memory(
    databases: Deployment,
) -> None:
    """The other job is not read again: a read would see that its registration was deleted."""
    other = Callback(job_id="other", type="heartbeat")
    databases.milepost.queue(QueueJob(job_id="other", agent_id="agent", workflow="vm@1"))
    databases.milepost.record(other)
    databases.milepost.record(HEARTBEAT)
    much_happens(databases)
    execute(databases, "DELETE FROM milepost_events WHERE topic = 'JobQueued'")

    assert databases.milepost.record(HEARTBEAT).version == MAX_TAIL + 3

    assert databases.milepost.record(other).warning is None
    with another_process(databases) as another:
        assert another.milepost.record(other).warning == "job 'other' is not registered"


def test_deleting_the_snapshots_changes_nothing(databases: Deployment) -> None:
    live(databases, 150)
    before = cold(databases).job

    execute(databases, "DELETE FROM milepost_snapshots")

    assert snapshots(databases) == []
    assert databases.milepost.find("job") == before
    assert databases.milepost.record(HEARTBEAT).version == 151
    with another_process(databases) as another:
        assert another.milepost.record(HEARTBEAT).version == 152
    assert snapshots(databases) == [152]
    assert cold(databases).job == from_the_first_event(databases)


def sealed_with(key: str) -> JobEventMapper:
    settings = {"CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher", "CIPHER_KEY": key}
    return JobEventMapper(JSONTranscoder(), cipher=AESCipher(Environment("", settings)))


WRONG = ProvisioningJob("job", 150, runs=Runs((Attempt(announced=True),)))
USELESS: dict[str, Callable[[], Snapshot]] = {
    "of another shape": lambda: msgspec.structs.replace(snapshot_of(WRONG, PLAIN), shape="0"),
    "sealed with another key": lambda: snapshot_of(WRONG, sealed_with(AESCipher.create_key(16))),
    "garbage": lambda: Snapshot("job", 150, SHAPE, b"\x00\xff"),
    "nothing": lambda: Snapshot("job", 150, SHAPE, b""),
    "of no job": lambda: Snapshot("job", 150, SHAPE, b"null"),
    "of another job": lambda: Snapshot("job", 150, SHAPE, b'{"id":"other","version":150}'),
    "of another version": lambda: Snapshot("job", 150, SHAPE, b'{"id":"job","version":149}'),
}


@pytest.mark.parametrize("what", USELESS)
def test_a_snapshot_that_cannot_be_used_is_ignored_and_replaced(
    stores: Deployment, what: str
) -> None:
    long_ago(stores, 160)
    tick = stores.milepost.mapper.to_stored_event(
        JobEvent("job", 161, HeartbeatReceived(recorded_at=NOON))
    )
    append = Append([tick], snapshots=[USELESS[what]()])
    stores.milepost.store.transact({}, [], lambda _: append)
    assert snapshots(stores) == [150]

    assert stores.milepost.find("job") == from_the_first_event(stores)
    assert stores.milepost.record(HEARTBEAT).version == 162

    assert snapshots(stores) == [162]
    assert cold(stores).job == from_the_first_event(stores)


def test_a_snapshot_that_is_ahead_of_the_events_is_ignored(databases: Deployment) -> None:
    """For example, somebody restored an older log, or a failover lost events."""
    live(databases, 150)
    execute(databases, "DELETE FROM milepost_events WHERE originator_version > 50")

    with another_process(databases) as another:
        assert another.milepost.find("job").version == 50
        assert another.milepost.record(HEARTBEAT).version == 51

    assert versions(databases) == list(range(1, 52))


def test_a_database_of_an_older_release_gets_the_table(databases: Deployment) -> None:
    long_ago(databases, 150)
    execute(databases, "DROP TABLE milepost_snapshots")

    with another_process(databases) as newer:
        assert newer.milepost.record(HEARTBEAT).version == 151
        assert snapshots(newer) == [151]


# The shape of snapshots

STORED = Path(__file__).parent / "snapshots"
"""What a snapshot of `LIFE` contains, by shape."""
SIGNED: dict[str, Any] = {"recorded_at": NOON, "occurred_at": NOON - timedelta(minutes=5)}
LIFE: list[Fact] = [
    JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1"),
    StatusReported(recorded_at=NOON, status="provisioning", workflow_run_id="4711"),
    JobTimedOut(recorded_at=NOON, attempt=1, silent_since=NOON, error="Timeout"),
    AttemptStarted(recorded_at=NOON, number=2, occurred_at=NOON, workflow_run_id="4712"),
    StatusReported(**SIGNED, status="provisioning", attempt=2),
    StepReported(**SIGNED, step="vm_created", workflow_run_id="4712", server_id="1", attempt=2),
    MetadataReported(recorded_at=NOON, server_ip="10.0.0.1", tailscale_ip="100.64.0.7", attempt=2),
    HeartbeatReceived(recorded_at=NOON, attempt=2),
    JobTimedOut(recorded_at=NOON, attempt=2, silent_since=NOON, error="Timeout", deadline="step"),
    TimeoutWithdrawn(recorded_at=NOON, attempt=2),
    StatusReported(**SIGNED, status="failed", error="boom", failed_step="provision", attempt=2),
    RollbackRequested(recorded_at=NOON, attempt=2, server_id="1"),
    StopRequested(recorded_at=NOON),
    AttemptStarted(**SIGNED, number=3, workflow_run_id="9", run_attempt=2, because="run"),
    StatusReported(recorded_at=NOON, status="running", server_id="2", attempt=3),
    AttemptStarted(**SIGNED, number=4, because="failure", before=3),
    MetadataReported(recorded_at=NOON, server_id="4", attempt=4),
    StatusReported(**SIGNED, status="cancelled", server_id="3", step="vm_created", attempt=4),
    RollbackRequested(recorded_at=NOON, attempt=4, server_id="3"),
    RollbackRequested(recorded_at=NOON, attempt=4, server_id="4"),
    RollbackWithdrawn(recorded_at=NOON, attempt=4),
    MachineStopped(recorded_at=NOON, attempt=4),
    AttemptStarted(recorded_at=NOON, number=5, because="retry", requested_by="ada"),
    AttemptFailed(recorded_at=NOON, attempt=5, requested_by="ada", reason="stuck"),
    AttemptStarted(recorded_at=NOON, number=6, because="rerun"),
    StatusReported(recorded_at=NOON, status="stopped", attempt=6),
    CallbackRefused(recorded_at=NOON, reason="unknown_status"),
]


def test_another_content_of_snapshots_needs_another_shape() -> None:
    """A change of a snapshot's content, or of the way it is folded, needs another `SHAPE`."""
    life = map(PLAIN.to_stored_event, numbered(LIFE))
    job = fold(Folded(ProvisioningJob("job")), placed(life), PLAIN).job

    snapshot = snapshot_of(job, PLAIN)

    assert restore(snapshot, PLAIN) == job
    assert snapshot.state == (STORED / f"{SHAPE}.json").read_bytes().strip()
    # Every field has another value than its default, so the comparison covers all fields.
    state = msgspec.json.decode(snapshot.state)
    assert tuple(state) == ProvisioningJob.__struct_fields__
    attempts = state["runs"]["attempts"]
    # It takes 128 KiB of steps to leave steps out; `tests/domain/job/runs/test_step_room.py` does.
    every = set(Attempt.__struct_fields__) - {"steps_left_out"}
    assert {name for each in attempts for name in each} == every
    ends = [each["final"] for each in attempts if "final" in each]
    assert {name for each in ends for name in each} == set(Final.__struct_fields__)
