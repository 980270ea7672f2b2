"""A store that is filled from an export is the store that it was made of, or stays empty."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.job.callback import Callback
from domain.job.events import JobEvent
from domain.log.mapper import JobEventMapper
from domain.log.store import Append, StoreNotEmpty
from domain.log.stored import Stored
from domain.transfer.exporting import Export, Selection
from domain.transfer.importing import SNAPSHOT_AFTER, Imported, fill
from domain.transfer.jsonl import FORMAT, FORMAT_VERSION, InvalidExport, encode
from domain.transfer.manifest import Manifest, Root
from tests.support.jobs.lives import live
from tests.support.stores.deployment import NOON, Clock, Deployment, prepared_env
from tests.support.stores.sealing import CIPHER, COMPRESSOR

KINDS = ("memory", "sqlite", "postgres")
Taken = tuple[list[bytes], Manifest]


def export(made: Deployment, *, sealed: bool = False) -> Taken:
    """Return the lines and the manifest of an export of all."""
    stop = made.read_model.log.newest_position()
    taken = Export(made.milepost.store, made.milepost.mapper, Selection(), stop, sealed=sealed)
    lines = [encode(event) for _, some in taken.batches() for event in some]
    content = b"".join(lines)
    file = {"length": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = taken.manifest("0", NOON, format=FORMAT, format_version=FORMAT_VERSION, **file)
    return lines, manifest


def take_in(made: Deployment, taken: Taken) -> Imported:
    return fill(made.milepost.store, made.milepost.mapper, taken[0], taken[1])


def rows(made: Deployment) -> list[Any]:
    return list(made.milepost.store.events(0, 1000))


@pytest.fixture
def old(memory: Deployment) -> Deployment:
    """A store in which things have happened."""
    live(memory)
    return memory


@pytest.fixture
def another(request: pytest.FixtureRequest, memory: Deployment) -> Iterator[Callable[..., Any]]:
    """Make an empty store, on SQLite unless said otherwise."""
    made: list[Deployment] = []

    def make(kind: str = "sqlite", **env: str) -> Deployment:
        made.append(Deployment(prepared_env(kind, request) | env, memory.workflows, Clock()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_every_event_comes_back_where_it_was_with_its_bytes(
    old: Deployment, stores: Deployment
) -> None:
    taken = export(old)

    imported = take_in(stores, taken)

    assert rows(stores) == rows(old)
    assert (imported.events, imported.jobs, imported.last_position) == (15, 4, 15)
    assert (imported.unread, imported.merkle) == (0, taken[1].merkle)
    assert export(stores)[0] == taken[0]


def test_the_read_model_is_folded_as_it_was(old: Deployment, stores: Deployment) -> None:
    take_in(stores, export(old))

    for made in (old, stores):
        assert made.projector.catch_up() == 15
    assert stores.read_model.counts() == old.read_model.counts()
    for job_id in ("early/ä", "plain", "stray", "waiting"):
        assert stores.reader.instance(job_id) == old.reader.instance(job_id)
        assert stores.reader.timeline(job_id) == old.reader.timeline(job_id)
        assert stores.milepost.find(job_id) == old.milepost.find(job_id)


def test_an_empty_export_leaves_an_empty_store(memory: Deployment, stores: Deployment) -> None:
    taken = export(memory)

    assert take_in(stores, taken).events == 0
    assert take_in(stores, taken).merkle == Root(0, hashlib.sha256(b"").digest())


def test_a_store_with_events_stays_as_it_is(old: Deployment, stores: Deployment) -> None:
    stores.milepost.store.transact({}, [], lambda _: Append([StoredEvent("x", 1, "T", b"")]))

    with pytest.raises(StoreNotEmpty, match="1 events already"):
        take_in(stores, export(old))

    assert len(rows(stores)) == 1


def test_what_cannot_be_read_is_kept_and_counted(memory: Deployment, stores: Deployment) -> None:
    """An event of a newer release, bytes that are no JSON: as in the store that they come from."""
    odd = [
        StoredEvent("job", 1, "JobPainted", b'{"colour":"red"}'),
        StoredEvent("job", 2, "StepReported", b"\xff\x00"),
        StoredEvent("job", 3, "StepReported", b'{ "step":"x" }'),
    ]
    memory.milepost.store.transact({}, [], lambda _: Append(odd))

    assert take_in(stores, export(memory)).unread == 3
    assert rows(stores) == rows(memory)


def changed(lines: list[bytes], what: str) -> list[bytes]:
    """Return the lines of an export that something happened to."""
    match what:
        case "nothing":
            return []
        case "an event less":
            return [*lines[:5], *lines[6:]]
        case "the first event less":
            return lines[1:]
        case "the last event less":
            return lines[:-1]
        case "twice":
            return [*lines[:6], *lines[5:]]
        case "exchanged":
            return [*lines[:2], lines[3], lines[2], *lines[4:]]
        case "a byte changed":
            return [*lines[:4], lines[4].replace(b"vm_created", b"mv_created"), *lines[5:]]
        case "cut off":
            return [*lines[:-1], lines[-1][:40]]
        case "rubbish":
            return [*lines[:7], b"\xff\xfe\n", *lines[8:]]
        case _:
            return [*lines, lines[-1].replace(b'"position":15', b'"position":16')]


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("nothing", "0 events in 0 bytes .* there should be 15"),
        ("an event less", "Line .*not a whole log"),
        ("the first event less", "Line 1: version 2 of job 'early/ä' comes where 1 should"),
        ("the last event less", "not the one of its manifest"),
        ("twice", "Line 7: position 6 comes after 6"),
        ("exchanged", "Line 4: position 3 comes after 4"),
        ("a byte changed", "not the one of its manifest"),
        ("cut off", "Line 15: it has no end"),
        ("rubbish", "Line 8: "),
        ("more", "Line 16: version 1 of job 'waiting' comes where 2 should"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_of_what_is_not_the_whole_log_nothing_is_kept(
    kind: str, what: str, fault: str, old: Deployment, another: Callable[..., Deployment]
) -> None:
    stores = another(kind)
    lines, manifest = export(old)

    with pytest.raises(InvalidExport, match=fault):
        take_in(stores, (changed(lines, what), manifest))

    assert rows(stores) == []
    assert take_in(stores, (lines, manifest)).events == 15


def test_without_a_manifest_only_what_is_left_out_between_is_noticed(
    old: Deployment, another: Callable[..., Deployment]
) -> None:
    """Which is why one has to say that one goes without."""
    lines, _ = export(old)
    milepost = another().milepost

    with pytest.raises(InvalidExport, match="not a whole log"):
        fill(milepost.store, milepost.mapper, changed(lines, "an event less"), None)
    assert fill(milepost.store, milepost.mapper, lines[:-1], None).events == 14


def test_another_root_than_the_manifests_is_noticed(
    old: Deployment, another: Callable[..., Deployment]
) -> None:
    lines, manifest = export(old)
    stores = another()

    with pytest.raises(InvalidExport, match="Merkle root"):
        take_in(stores, (lines, msgspec.structs.replace(manifest, merkle=Root(15, b"x" * 32))))

    assert rows(stores) == []


@contextmanager
def sealing(
    another: Callable[..., Deployment], env: dict[str, str]
) -> Iterator[tuple[Deployment, Deployment]]:
    """Make a sealed store in which things have happened, and an empty one."""
    old, new = another("sqlite", **env), another("postgres", **env)
    live(old)
    yield old, new


SEALED = {"cipher": CIPHER, "zlib": COMPRESSOR, "both": CIPHER | COMPRESSOR}


@pytest.mark.parametrize("how", SEALED)
def test_a_sealed_export_keeps_bytes_and_root(how: str, another: Callable[..., Deployment]) -> None:
    with sealing(another, SEALED[how]) as (sealed, new):
        taken = export(sealed, sealed=True)

        imported = take_in(new, taken)

        assert rows(new) == rows(sealed)
        assert imported.merkle == taken[1].merkle
        assert export(new, sealed=True)[0] == taken[0]
        assert new.milepost.find("plain") == sealed.milepost.find("plain")


@pytest.mark.parametrize("how", SEALED)
def test_an_opened_export_is_sealed_anew(how: str, another: Callable[..., Deployment]) -> None:
    """With new nonces, so it says that the root is another one."""
    with sealing(another, SEALED[how]) as (sealed, new):
        taken = export(sealed)

        imported = take_in(new, taken)

        assert imported.merkle is None
        assert b"recorded_at" not in b"".join(row.state for row in rows(new))
        assert export(new)[0] == taken[0]
        assert new.milepost.find("plain") == sealed.milepost.find("plain")


def test_an_opened_export_makes_a_plain_store(another: Callable[..., Deployment]) -> None:
    with sealing(another, CIPHER) as (sealed, _):
        taken, plain = export(sealed), another("memory")

        imported = take_in(plain, taken)

        assert b"recorded_at" in rows(plain)[0].state
        assert imported.merkle != taken[1].merkle


def test_a_plain_export_is_sealed_where_it_comes_to(
    old: Deployment, another: Callable[..., Deployment]
) -> None:
    taken, new = export(old), another(**CIPHER)

    assert take_in(new, taken).merkle is None
    assert export(new)[0] == taken[0]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "Line 1: the event is sealed; set CIPHER_KEY"),
        (CIPHER | {"CIPHER_KEY": "A" * 43 + "="}, "Line 1: the event cannot be opened"),
        (COMPRESSOR, "Line 1: the event cannot be opened"),
    ],
)
def test_sealed_events_want_the_key_that_sealed_them(
    settings: dict[str, str], fault: str, another: Callable[..., Deployment]
) -> None:
    """Their keys are told by what is in them."""
    with sealing(another, CIPHER) as (sealed, _):
        new = another("memory", **settings)

        with pytest.raises(InvalidExport, match=fault):
            take_in(new, export(sealed, sealed=True))

        assert rows(new) == []


def test_progress_is_told_in_bytes(old: Deployment, another: Callable[..., Deployment]) -> None:
    lines, manifest = export(old)
    milepost, told = another().milepost, list[int]()

    fill(milepost.store, milepost.mapper, lines, manifest, told.append, batch=4)

    assert told == sorted(told)
    assert len(told) == 4
    assert told[-1] == manifest.length


class Counting(JobEventMapper):
    """Counts the stored events that are folded again."""

    calls = 0

    def read(self, stored: Stored) -> JobEvent:
        Counting.calls += 1
        return super().read(stored)


def test_jobs_that_take_turns_are_not_folded_from_their_beginnings(
    memory: Deployment, another: Callable[..., Deployment]
) -> None:
    """4,000 bytes remember fewer jobs: each is recalled from a snapshot and a few events."""
    jobs, length = 6, 120
    for n in range(length):
        for job in range(jobs):
            memory.milepost.record(
                Callback(job_id=f"job-{job}", type="heartbeat", callback_id=f"{n}")
            )
    lines, manifest = export(memory)
    made, mapper = another(), Counting(JSONTranscoder())

    fill(made.milepost.store, mapper, lines, manifest, batch=3, remembered_bytes=4_000)

    assert 0 < Counting.calls <= jobs * length * SNAPSHOT_AFTER
    assert rows(made) == rows(memory)
    recalled = made.milepost.store.recall([f"job-{job}" for job in range(jobs)])
    assert len(recalled.snapshots) == jobs
    for job in range(jobs):
        assert made.milepost.find(f"job-{job}") == memory.milepost.find(f"job-{job}")


def test_a_job_with_an_unreadable_event_gets_no_snapshot(
    memory: Deployment, another: Callable[..., Deployment]
) -> None:
    """A later release may read that event."""
    odd = [StoredEvent("odd", n, "JobPainted", b"{}") for n in range(1, 3 * SNAPSHOT_AFTER)]
    odd += [StoredEvent(f"other-{n}", 1, "JobPainted", b"{}") for n in range(9)]
    memory.milepost.store.transact({}, [], lambda _: Append(odd))
    made = another()

    fill(
        made.milepost.store,
        made.milepost.mapper,
        export(memory)[0],
        None,
        batch=3,
        remembered_bytes=1,
    )

    assert list(made.milepost.store.recall(["odd"]).snapshots) == []
