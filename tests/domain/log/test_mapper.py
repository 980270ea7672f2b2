"""Facts become stored rows, and stored rows become facts."""

from __future__ import annotations

import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.cryptography import AESCipher
from eventsourcing.persistence import (
    JSONTranscoder,
    MapperDeserialisationError,
    Notification,
    StoredEvent,
)
from eventsourcing.utils import Environment
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.events import (
    CATALOGUE,
    AttemptCancelled,
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
from domain.log.mapper import JobEventMapper
from domain.log.recalling.snapshots import EVERY
from domain.workflows.definition import Workflows
from projections.read_model.filters import JobFilter
from tests.support.jobs.strategies import facts, json_values
from tests.support.stores.deployment import NOON, Clock, Deployment, prepared_env
from tests.support.stores.sealing import CIPHER, COMPRESSOR


def plain() -> JobEventMapper:
    return JobEventMapper(JSONTranscoder())


def sealing() -> JobEventMapper:
    cipher = AESCipher(Environment("", CIPHER))
    return JobEventMapper(JSONTranscoder(), compressor=ZlibCompressor(), cipher=cipher)


STORED: list[tuple[Fact, bytes]] = [
    (
        HeartbeatReceived(recorded_at=NOON, callback_id="cb-1", extra={"load": 0.5}),
        b'{"recorded_at":"2026-03-02T12:00:00Z","callback_id":"cb-1","extra":{"load":0.5}}',
    ),
    (
        MetadataReported(recorded_at=NOON, server_id="srv-1", tailscale_ip="100.64.0.7"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","server_id":"srv-1","tailscale_ip":"100.64.0.7"}',
    ),
    (
        StepReported(recorded_at=NOON, occurred_at=NOON, workflow_run_id="4711", step="vm_created"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","occurred_at":"2026-03-02T12:00:00Z",'
        b'"workflow_run_id":"4711","step":"vm_created"}',
    ),
    (
        StatusReported(
            recorded_at=NOON, signed_by="x-signature:3f2a90c1", status="failed", error="Zürich ☁"
        ),
        '{"recorded_at":"2026-03-02T12:00:00Z","signed_by":"x-signature:3f2a90c1",'
        '"status":"failed","error":"Zürich ☁"}'.encode(),
    ),
    (
        JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","agent_id":"agent","user_id":"ada",'
        b'"workflow":"vm@1"}',
    ),
    (
        AttemptStarted(recorded_at=NOON, number=2, workflow_run_id="4712"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","number":2,"workflow_run_id":"4712"}',
    ),
    (
        JobTimedOut(recorded_at=NOON, attempt=1, silent_since=NOON, error="Timeout"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1,'
        b'"silent_since":"2026-03-02T12:00:00Z","error":"Timeout"}',
    ),
    (
        StopRequested(recorded_at=NOON, requested_by="ada"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","requested_by":"ada"}',
    ),
    (
        RollbackWithdrawn(recorded_at=NOON, attempt=2),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":2}',
    ),
    (
        RollbackRequested(recorded_at=NOON, attempt=1, server_id="srv-1"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1,"server_id":"srv-1"}',
    ),
    (
        TimeoutWithdrawn(recorded_at=NOON, attempt=1),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1}',
    ),
    (
        AttemptFailed(recorded_at=NOON, attempt=1, requested_by="ada", reason="stuck"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1,"requested_by":"ada","reason":"stuck"}',
    ),
    (
        AttemptCancelled(recorded_at=NOON, attempt=1, requested_by="ada"),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1,"requested_by":"ada"}',
    ),
    (
        MachineStopped(recorded_at=NOON, attempt=1),
        b'{"recorded_at":"2026-03-02T12:00:00Z","attempt":1}',
    ),
    (
        CallbackRefused(recorded_at=NOON, reason="unknown_status", body='{"status":"done"}'),
        b'{"recorded_at":"2026-03-02T12:00:00Z","reason":"unknown_status",'
        b'"body":"{\\"status\\":\\"done\\"}"}',
    ),
]


@pytest.mark.parametrize(("fact", "state"), STORED, ids=lambda each: type(each).__name__)
def test_a_fact_is_stored_as_plain_json_under_its_own_name(fact: Fact, state: bytes) -> None:
    """An auditor can read the table. A released shape never changes."""
    stored = plain().to_stored_event(JobEvent("job", 3, fact))

    assert stored == StoredEvent("job", 3, type(fact).__name__, state)
    assert plain().to_domain_event(stored).fact == fact


def test_every_fact_of_the_catalogue_has_its_stored_shape_in_this_test() -> None:
    assert {type(fact).__name__ for fact, _ in STORED} == CATALOGUE.keys()


extras = st.dictionaries(st.text(), json_values, max_size=3)


@settings(deadline=None, max_examples=200)
@given(fact=facts(extra=extras), version=st.integers(1, 2**40))
def test_every_fact_comes_back_as_it_was(fact: Fact, version: int) -> None:
    event = JobEvent("job/ä 1", version, fact)

    for mapper in (plain(), sealing()):
        assert mapper.to_domain_event(mapper.to_stored_event(event)) == event


def test_a_notification_gives_its_position() -> None:
    stored = plain().to_stored_event(JobEvent("job", 3, STORED[0][0]))
    notification = Notification("job", 3, stored.topic, stored.state, id=77)

    assert plain().to_domain_event(notification).position == 77
    assert plain().to_domain_event(stored).position == 0


@pytest.mark.parametrize("topic", ["JobPainted", "", "domain.events:JobQueued", "Fact", "Received"])
def test_an_unknown_event_cannot_be_read(topic: str) -> None:
    with pytest.raises(MapperDeserialisationError, match="unknown event"):
        plain().to_domain_event(StoredEvent("job", 1, topic, STORED[0][1]))


BROKEN = {
    "nothing": b"",
    "half": STORED[2][1][:-9],
    "not JSON": b"\x00\x01\x02",
    "not UTF-8": b'{"recorded_at":"2026-03-02T12:00:00Z","step":"\xff"}',
    "not an object": b"[]",
    "a missing field": b'{"recorded_at":"2026-03-02T12:00:00Z"}',
    "a wrong type": b'{"recorded_at":"2026-03-02T12:00:00Z","step":7}',
    "no time": b'{"recorded_at":"yesterday","step":"vm_created"}',
    "a time without a zone": b'{"recorded_at":"2026-03-02T12:00:00","step":"vm_created"}',
    "a sender's time without a zone": b'{"recorded_at":"2026-03-02T12:00:00Z",'
    b'"occurred_at":"2026-03-02T12:00:00","step":"vm_created"}',
    "too deep": b'{"recorded_at":"2026-03-02T12:00:00Z","step":"vm_created","extra":{"a":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}}",
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_bytes_cannot_be_read(what: str) -> None:
    """They raise only the error for which a fold sets an event aside."""
    with pytest.raises(MapperDeserialisationError, match="unreadable StepReported"):
        plain().to_domain_event(StoredEvent("job", 1, "StepReported", BROKEN[what]))


@pytest.mark.parametrize("sealed", ["cipher", "compressor"])
def test_bytes_that_were_never_sealed_cannot_be_read(sealed: str) -> None:
    """For example, somebody switches encryption or compression on for a plain store."""
    both = sealing()
    mapper = JobEventMapper(
        JSONTranscoder(),
        cipher=both.cipher if sealed == "cipher" else None,
        compressor=both.compressor if sealed == "compressor" else None,
    )

    for state in (b"", b"\x00\x01\x02", STORED[2][1], b"\xff" * 40):
        with pytest.raises(MapperDeserialisationError, match="unreadable StepReported"):
            mapper.to_domain_event(StoredEvent("job", 1, "StepReported", state))


def test_fields_of_a_newer_release_are_ignored() -> None:
    state = b'{"recorded_at":"2026-03-02T12:00:00Z","requested_by":"ada","mood":{"good":true}}'

    read = plain().to_domain_event(StoredEvent("job", 1, "StopRequested", state))

    assert read.fact == StopRequested(recorded_at=NOON, requested_by="ada")


def test_an_event_of_an_older_release_gets_the_defaults() -> None:
    state = b'{"recorded_at":"2026-03-02T12:00:00Z","agent_id":"agent","workflow":"vm@1"}'

    read = plain().to_domain_event(StoredEvent("job", 1, "JobQueued", state))

    assert read.fact == JobQueued(recorded_at=NOON, agent_id="agent", workflow="vm@1")


SECRETS = ("hush-error", "203.0.113.99", "hush-extra", "hush-server", "hush-signer")


def recorded_words(made: Deployment) -> None:
    """Record words that must not be readable in the tables."""
    made.milepost.queue(QueueJob(job_id="job", agent_id="agent", workflow="vm@1", user_id="ada"))
    for status in ("provisioning", "failed"):
        made.milepost.record(
            Callback(
                job_id="job",
                status=status,
                step="vm_created",
                error=SECRETS[0],
                server_ip=SECRETS[1],
                extra={"note": [SECRETS[2]]},
                server_id=SECRETS[3],
                signed_by=SECRETS[4],
            )
        )
    for _ in range(EVERY):
        made.milepost.record(Callback(job_id="job", type="heartbeat"))
    assert made.milepost.store.recall(["job"]).snapshots


def rows(env: dict[str, str]) -> Iterator[bytes]:
    """Yield every row of every table, its columns joined."""
    if "SQLITE_DBNAME" in env:
        connection = sqlite3.connect(env["SQLITE_DBNAME"])
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield joined(row)
        connection.close()
    else:
        with psycopg.connect(env["DATABASE_URL"]) as opened:
            found = opened.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (name,) in found:
                query = psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name))
                for row in opened.execute(query):
                    yield joined(row)


def joined(row: Any) -> bytes:
    return b"|".join(
        column if isinstance(column, bytes) else str(column).encode() for column in row
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    "sealed", [CIPHER, COMPRESSOR, CIPHER | COMPRESSOR], ids=["cipher", "zlib", "both"]
)
def test_a_sealed_store_reads_like_a_plain_one(
    kind: str,
    sealed: dict[str, str],
    request: pytest.FixtureRequest,
    workflows: Workflows,
    clock: Clock,
) -> None:
    """This holds before and after projecting, for lists, and in another process."""
    made = Deployment(prepared_env(kind, request) | sealed, workflows, clock)
    recorded_words(made)
    before = made.reader.instance("job"), made.reader.timeline("job")
    assert before[0] is not None
    assert before[0].attempt.final is not None
    assert before[0].attempt.final.error == SECRETS[0]
    assert made.projector.catch_up() == made.read_model.log.newest_position()
    assert made.read_model.set_aside() == []

    another = made.again()

    assert (another.reader.instance("job"), another.reader.timeline("job")) == before
    assert list(another.reader.instances(JobFilter(user_id="ada"))) == [
        another.reader.present("job")
    ]
    assert another.milepost.find("job") == made.milepost.find("job")
    assert another.milepost.find("job").attempt == before[0].attempt
    another.close()
    made.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_tables_of_an_encrypted_store_have_no_word_of_a_callback(
    kind: str, request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> None:
    """The ids by which queries select jobs stay readable; the content of callbacks does not."""
    env = prepared_env(kind, request) | CIPHER
    made = Deployment(env, workflows, clock)
    recorded_words(made)
    made.projector.catch_up()
    document = made.read_model.documents("instances", ["job"])["job"]
    made.close()

    everything = b"\n".join(rows(env))

    assert b"StatusReported" in everything
    for secret in SECRETS:
        assert secret.encode() not in everything
        assert secret.encode() not in b64decode(document)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_tables_of_a_plain_store_have_every_word_of_a_callback(
    kind: str, request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> None:
    """So the search of the test above works."""
    env = prepared_env(kind, request)
    made = Deployment(env, workflows, clock)
    recorded_words(made)
    made.projector.catch_up()
    made.close()

    everything = b"\n".join(rows(env))

    assert all(secret.encode() in everything for secret in SECRETS)


def test_another_key_reads_nothing() -> None:
    """An event sealed with another key is unreadable, not misread."""
    other = CIPHER | {"CIPHER_KEY": b64encode(bytes(32)).decode()}
    stored = sealing().to_stored_event(JobEvent("job", 1, STORED[0][0]))
    mapper = JobEventMapper(
        JSONTranscoder(),
        compressor=ZlibCompressor(),
        cipher=AESCipher(Environment("", other)),
    )

    with pytest.raises(MapperDeserialisationError):
        mapper.to_domain_event(stored)
