"""What is exported is what was asked for, and the manifest says what that is."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from domain.evidence.merkle import Frontier, entry, leaf_hash
from domain.log.store import Append
from domain.log.stored import Stored
from domain.transfer import exporting
from domain.transfer.exporting import Export, Selection
from domain.transfer.jsonl import CannotOpen, Portable
from tests.support.jobs.lives import live
from tests.support.stores.deployment import NOON, Deployment, store_env
from tests.support.stores.sealing import CIPHER, COMPRESSOR


def exported(
    made: Deployment, stop: int | None = None, sealed: bool = False, **selected: Any
) -> tuple[Export, list[Portable]]:
    """Export, and return all that came."""
    upto = made.read_model.log.newest_position() if stop is None else stop
    milepost = made.milepost
    taken = Export(milepost.store, milepost.mapper, Selection(**selected), upto, sealed=sealed)
    return taken, [event for _, some in taken.batches() for event in some]


def log(made: Deployment) -> list[Stored]:
    return list(made.milepost.store.events(0, 1000))


def manifest(taken: Export) -> Any:
    return taken.manifest("0.1.0", NOON, format="jsonl", format_version=1, length=0, sha256="")


def test_the_whole_log_is_exported_in_order(stores: Deployment) -> None:
    live(stores)

    taken, events = exported(stores)

    assert [(e.position, e.job_id, e.version, e.topic, e.state) for e in events] == [
        (e.position, e.job_id, e.version, e.topic, e.state) for e in log(stores)
    ]
    made = manifest(taken)
    assert (made.complete, made.filters) == (True, {})
    assert (made.first_position, made.last_position) == (events[0].position, events[-1].position)
    assert (made.events, made.jobs) == (len(events), 4)
    assert (made.sealed, made.decrypted, made.decompressed) == (False, False, False)


def test_the_manifest_of_the_whole_log_has_its_merkle_root(stores: Deployment) -> None:
    live(stores)
    leaves = [
        leaf_hash(entry(e.position, str(e.job_id), e.version, e.topic, e.state))
        for e in log(stores)
    ]

    taken, _ = exported(stores)

    root = manifest(taken).merkle
    assert (root.size, root.root) == (len(leaves), Frontier().grown(leaves).root)


def test_what_comes_after_the_beginning_is_not_exported(stores: Deployment) -> None:
    """An export that takes long while callbacks come is the log as it stood."""
    stop = live(stores)
    live_on = StoredEvent("stray", 99, "HeartbeatReceived", b"{}")
    stores.milepost.store.transact({}, [], lambda _: Append([live_on]))

    taken, events = exported(stores, stop)

    assert [event.position for event in events] == [e.position for e in log(stores)[:-1]]
    assert manifest(taken).complete


def test_an_empty_log_is_an_export_too(stores: Deployment) -> None:
    taken, events = exported(stores)

    assert events == []
    made = manifest(taken)
    assert (made.complete, made.events, made.jobs, made.first_position) == (True, 0, 0, None)
    assert made.merkle.size == 0


@pytest.mark.parametrize(
    ("selected", "jobs"),
    [
        ({"job_id": "plain"}, {"plain"}),
        ({"job_id": "nobody"}, set()),
        ({"user_id": "ada"}, {"early/ä"}),
        ({"user_id": "bob"}, {"plain", "waiting"}),
        ({"user_id": "bob", "job_id": "plain"}, {"plain"}),
        ({"user_id": "ada", "job_id": "plain"}, set()),
        ({"user_id": "nobody"}, set()),
    ],
)
def test_events_of_a_job_or_of_a_users_jobs(
    stores: Deployment, selected: dict[str, Any], jobs: set[str]
) -> None:
    """All of them: also what was heard before the job was registered for the user."""
    live(stores)

    taken, events = exported(stores, **selected)

    assert [e.position for e in events] == [e.position for e in log(stores) if e.job_id in jobs]
    made = manifest(taken)
    assert (made.complete, made.merkle, made.filters) == (False, None, selected)
    assert (made.events, made.jobs) == (len(events), len(jobs))


def test_events_of_a_time(stores: Deployment) -> None:
    """Since is with, until is without."""
    live(stores)
    times = [stores.milepost.mapper.read(e).fact.recorded_at for e in log(stores)]
    since, until = NOON + timedelta(seconds=2), NOON + timedelta(seconds=5)

    _, events = exported(stores, since=since, until=until)

    chosen = [since <= time < until for time in times]
    assert 3 < sum(chosen) < len(chosen)
    assert [e.position for e in events] == [
        e.position for e, is_chosen in zip(log(stores), chosen, strict=True) if is_chosen
    ]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(3, 5, [3, 4, 5]), (None, 2, [1, 2]), (1, 1, [1]), (12, 99, [12, 13, 14, 15]), (99, None, [])],
)
def test_events_of_a_range_of_positions(
    memory: Deployment, first: int | None, last: int | None, expected: list[int]
) -> None:
    assert live(memory) == 15

    taken, events = exported(memory, from_position=first, to_position=last)

    assert [event.position for event in events] == expected
    assert not manifest(taken).complete


def test_a_log_is_held_a_few_events_at_a_time(databases: Deployment) -> None:
    more = [StoredEvent("job", n, "T", b"") for n in range(1, 2 * exporting.BATCH + 2)]
    databases.milepost.store.transact({}, [], lambda _: Append(more))

    taken, _ = exported(databases, 0)
    assert [len(some) for _, some in taken.batches()] == []
    taken = Export(
        databases.milepost.store, databases.milepost.mapper, Selection(), len(more), sealed=False
    )

    assert [(at, len(some)) for at, some in taken.batches()] == [
        (exporting.BATCH, exporting.BATCH),
        (2 * exporting.BATCH, exporting.BATCH),
        (len(more), 1),
    ]


SEALED = {"cipher": CIPHER, "zlib": COMPRESSOR, "both": CIPHER | COMPRESSOR}


@pytest.mark.parametrize("how", SEALED)
def test_a_sealed_store_is_opened_or_left_as_it_is(
    how: str, memory: Deployment, request: pytest.FixtureRequest
) -> None:
    """Opened, the export is that of a plain store; the root is that of what is stored."""
    made = Deployment(
        store_env("sqlite", request) | SEALED[how], memory.workflows, type(memory.clock)()
    )
    live(made)
    live(memory)
    plain = exported(memory)[1]

    opened, as_plain = exported(made)
    sealed, as_stored = exported(made, sealed=True)

    assert as_plain == plain
    assert not any(event.sealed for event in as_plain)
    assert [event.state for event in as_stored] == [event.state for event in log(made)]
    assert all(event.sealed for event in as_stored)
    said = [(m.sealed, m.decrypted, m.decompressed) for m in map(manifest, (opened, sealed))]
    assert said == [(False, how != "zlib", how != "cipher"), (True, False, False)]
    assert [opened.decrypted, sealed.decrypted] == [how != "zlib", False]
    assert manifest(opened).merkle == manifest(sealed).merkle
    made.close()


def test_to_leave_a_plain_store_as_it_is_changes_nothing(stores: Deployment) -> None:
    live(stores)

    taken, events = exported(stores, sealed=True)

    assert events == exported(stores)[1]
    assert not manifest(taken).sealed


@pytest.mark.parametrize("selected", [{}, {"since": NOON}])
def test_what_another_key_sealed_cannot_be_opened(
    selected: dict[str, Any], memory: Deployment, request: pytest.FixtureRequest
) -> None:
    """The export ends; it does not leave the event out, or in as rubbish."""
    env = store_env("sqlite", request)
    made = Deployment(env | CIPHER, memory.workflows, memory.clock)
    live(made)
    made.close()
    another_key = CIPHER | {"CIPHER_KEY": b64encode(bytes(32)).decode()}
    other = Deployment(env | another_key, memory.workflows, memory.clock)

    with pytest.raises(CannotOpen, match="position 1 cannot be opened with this CIPHER_KEY"):
        exported(other, **selected)
    assert len(exported(other, sealed=True)[1]) == 15
    other.close()


def test_an_event_without_a_time_cannot_be_asked_for_by_time(stores: Deployment) -> None:
    odd = StoredEvent("job", 1, "Odd", b"[]")
    stores.milepost.store.transact({}, [], lambda _: Append([odd]))

    assert [event.state for event in exported(stores)[1]] == [b"[]"]
    with pytest.raises(CannotOpen, match="position 1 has no time"):
        exported(stores, until=NOON)
