"""Tampering with keys by SQL: keys that point at another event, and missing keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, LiteralString

import pytest

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.events import Fact, HeartbeatReceived, JobEvent, RollbackRequested, StatusReported
from domain.job.keys.key import Key
from domain.log.store import Append
from projections.verification.findings import Finding
from projections.verification.inspection.log_pages import PAGE
from tests.support.projectors.verifying import carried_over, verification, verify, verify_job
from tests.support.stores.deployment import NOON, Deployment, settle
from tests.support.stores.tampering import Database

Places = set[tuple[str, int | None, str | None, int | None]]


@pytest.fixture
def named(databases: Deployment) -> Deployment:
    """A store whose jobs use names of every kind.

    Job one failed and left a machine behind, two runs, three is in progress, and four is not
    registered.
    """
    ask = databases.milepost
    machine: Any = {
        "server_id": "srv-1",
        "server_ip": "203.0.113.7",
        "tailscale_ip": "100.64.0.7",
    }

    def queue(job_id: str, agent_id: str, user_id: str) -> None:
        ask.queue(
            QueueJob(
                job_id=job_id,
                agent_id=agent_id,
                user_id=user_id,
                workflow="vm@1",
                idempotency_key=f"k/{job_id}",
                digest=f"d-{job_id}",
            )
        )

    queue("one", "a", "ada")
    ask.record(Callback(job_id="one", status="provisioning", callback_id="c-1", **machine))
    ask.record(Callback(job_id="one", status="failed", callback_id="c-2", digest="f"))
    queue("two", "a", "ada")
    ask.record(Callback(job_id="two", status="running", callback_id="c-1", **machine))
    queue("three", "b", "bob")
    ask.record(Callback(job_id="three", type="heartbeat", callback_id="h"))
    ask.record(Callback(job_id="four", type="heartbeat", callback_id="h/1"))
    for digest in ("d1", "d2"):
        ask.record(
            Callback(
                job_id="four", type="heartbeat", callback_id="h/1", id_signed=False, digest=digest
            )
        )
    settle(databases)
    names = "SELECT name, job_id, version FROM milepost_keys ORDER BY name"
    assert [tuple(row) for row in Database(databases).rows(names)] == [
        ("agent/a", "two", 1),
        ("agent/b", "three", 1),
        ("callback/four/h/1", "four", 1),
        ("callback/one/c-1", "one", 2),
        ("callback/one/c-2", "one", 4),
        ("callback/three/h", "three", 2),
        ("callback/two/c-1", "two", 3),
        ("in-progress/bob", "three", 1),
        ("registration//k/one", "one", 1),
        ("registration//k/three", "three", 1),
        ("registration//k/two", "two", 1),
        ("unsigned-callback/four/d1/h/1", "four", 2),
        ("unsigned-callback/four/d2/h/1", "four", 3),
    ]
    assert verify(databases).findings == []
    return databases


ONE, ONE_FAILED, ONE_ROLLBACK = ("key", 1, "one", 1), ("key", 3, "one", 3), ("key", 4, "one", 4)
ONE_STARTED = ("key", 2, "one", 2)
TWO, TWO_RUNS = ("key", 5, "two", 1), ("key", 7, "two", 3)
THREE, THREE_LIVES = ("key", 8, "three", 1), ("key", 9, "three", 2)
FOUR, FOUR_UNSIGNED = ("key", 10, "four", 1), ("key", 12, "four", 3)
UPDATE = "UPDATE milepost_keys SET "
INSERT = "INSERT INTO milepost_keys (name, job_id, version, digest) VALUES "


@pytest.mark.parametrize(
    ("statement", "places", "found"),
    [
        (
            f"{UPDATE} version = 2 WHERE name = 'callback/one/c-2'",
            {ONE_STARTED, ONE_ROLLBACK},
            "it points at version 2 of job 'one'",
        ),
        # The callback's own event, where a receipt is to tell the rollback that it asked for.
        (
            f"{UPDATE} version = 3 WHERE name = 'callback/one/c-2'",
            {ONE_ROLLBACK},
            "it points at version 3 of job 'one'",
        ),
        (f"{UPDATE} version = 2 WHERE name = 'callback/two/c-1'", {TWO_RUNS}, "version 2 of job"),
        # The id alone does not name an unsigned callback: its body does, too.
        (
            f"{UPDATE} version = 3 WHERE name = 'unsigned-callback/four/d1/h/1'",
            {("key", 11, "four", 2), FOUR_UNSIGNED},
            "HeartbeatReceived, which did not take it",
        ),
        (
            f"{UPDATE} version = 4 WHERE name = 'callback/one/c-1'",
            {ONE_STARTED, ONE_ROLLBACK},
            "RollbackRequested, which did not take it",
        ),
        (
            f"{UPDATE} job_id = 'two', version = 3 WHERE name = 'callback/one/c-1'",
            {ONE_STARTED, TWO_RUNS},
            "StatusReported, which did not take it",
        ),
        (
            f"{UPDATE} digest = 'g' WHERE name = 'callback/one/c-2'",
            {ONE_ROLLBACK},
            "the digest 'g' in the place of 'f'",
        ),
        ("DELETE FROM milepost_keys WHERE name = 'callback/one/c-2'", {ONE_ROLLBACK}, "none"),
        ("DELETE FROM milepost_keys WHERE name = 'callback/four/h/1'", {FOUR}, "none"),
        (
            f"{UPDATE} job_id = 'two' WHERE name = 'registration//k/one'",
            {ONE, TWO},
            "it points at version 1 of job 'two'",
        ),
        (f"{UPDATE} digest = '' WHERE name = 'registration//k/one'", {ONE}, "the digest ''"),
        ("DELETE FROM milepost_keys WHERE name = 'registration//k/three'", {THREE}, "none"),
        # To the agent's earlier registration.
        (
            f"{UPDATE} job_id = 'one' WHERE name = 'agent/a'",
            {TWO},
            "it points at version 1 of job 'one'",
        ),
        # To a later one, of another agent.
        (
            f"{UPDATE} job_id = 'three' WHERE name = 'agent/a'",
            {THREE},
            "JobQueued, which did not take it",
        ),
        (f"{UPDATE} digest = 'eve' WHERE name = 'agent/b'", {THREE}, "'eve' in the place of 'bob'"),
        ("DELETE FROM milepost_keys WHERE name = 'agent/a'", {ONE, TWO}, "none"),
        (
            f"{UPDATE} job_id = 'two' WHERE name = 'in-progress/bob'",
            {TWO},
            "a job of the user ada",
        ),
        (f"{UPDATE} digest = 'x' WHERE name = 'in-progress/bob'", {THREE}, "where there is none"),
        (f"{INSERT} ('in-progress/ada', 'one', 1, '')", {ONE}, "one that is failed"),
        (f"{INSERT} ('in-progress/ada', 'two', 1, '')", {TWO}, "one that is running"),
        (f"{INSERT} ('in-progress/eve', 'four', 1, '')", {FOUR}, "a job that was not registered"),
        (f"{INSERT} ('agent/c', 'three', 1, 'bob')", {THREE}, "JobQueued, which did not take it"),
        (
            f"{INSERT} ('callback/three/never', 'three', 2, '')",
            {THREE_LIVES},
            "HeartbeatReceived, which did not take it",
        ),
        (f"{INSERT} ('x', 'three', 2, '')", {THREE_LIVES}, "which did not take it"),
        (f"{INSERT} ('x', 'ghost', 2, '')", {("key", None, "ghost", 2)}, "none"),
    ],
)
def test_a_wrong_or_missing_key_is_found(
    named: Deployment, statement: LiteralString, places: Places, found: str
) -> None:
    assert Database(named).run(statement) == 1

    verified = verify(named)

    assert verified.places == places
    assert any(found in each.found for each in verified.findings), verified.findings


@pytest.mark.parametrize(
    ("statement", "job_id"),
    [
        ("DELETE FROM milepost_keys WHERE name = 'callback/one/c-2'", "one"),
        (f"{UPDATE} version = 2 WHERE name = 'callback/two/c-1'", "two"),
        ("DELETE FROM milepost_keys WHERE name = 'registration//k/three'", "three"),
        (f"{UPDATE} job_id = 'one' WHERE name = 'agent/a'", "two"),
        (f"{UPDATE} digest = 'eve' WHERE name = 'agent/b'", "three"),
        (f"{INSERT} ('in-progress/ada', 'one', 1, '')", "one"),
    ],
)
def test_the_names_of_one_job_are_verified_with_it(
    named: Deployment, statement: LiteralString, job_id: str
) -> None:
    assert Database(named).run(statement) == 1

    assert verify_job(named, job_id).findings == verify(named).findings[:1]
    for other in {"one", "two", "three", "four"} - {job_id}:
        assert verify_job(named, other).findings == []


def test_a_free_key_of_a_job_in_progress_gives_no_finding(named: Deployment) -> None:
    """The key may be free between one job's end and the next callback of another job's retry."""
    assert Database(named).run("DELETE FROM milepost_keys WHERE name = 'in-progress/bob'") == 1

    assert verify(named).findings == []


def test_keys_of_events_that_cannot_be_read_are_accepted(named: Deployment) -> None:
    """The event may use the name. Verifying reports that it cannot be read."""
    Database(named).run(
        "UPDATE milepost_events SET topic = 'FromTheFuture' WHERE notification_id IN (1, 3, 10)"
    )

    kinds = {found.kind for found in verify(named).findings}

    assert kinds > {"changed", "unreadable"}
    assert "key" not in kinds


def test_every_name_of_a_very_long_job_is_looked_up(databases: Deployment) -> None:
    """This holds also if a page ends between a callback and the facts decided with it."""

    def fact(version: int) -> Fact:
        at = NOON + timedelta(seconds=version)
        if version == PAGE:
            return StatusReported(recorded_at=at, status="failed", callback_id=f"id-{version}")
        if version == PAGE + 1:
            return RollbackRequested(recorded_at=at, attempt=1)
        return HeartbeatReceived(recorded_at=at, callback_id=f"id-{version}", digest="d")

    versions = range(1, 2 * PAGE + 100)
    to_row = databases.milepost.mapper.to_stored_event
    rows = [to_row(JobEvent("long", version, fact(version))) for version in versions]
    keys = [
        Key(f"callback/long/id-{version}", "long", version, "d")
        for version in versions
        if version not in (PAGE, PAGE + 1)
    ]
    keys.append(Key(f"callback/long/id-{PAGE}", "long", PAGE + 1, ""))
    databases.milepost.store.transact({}, [], lambda _: Append(rows, keys))
    settle(databases)
    assert verify(databases).findings == []
    gone = {1, PAGE - 1, PAGE, PAGE + 2, versions[-1]}
    for version in gone:
        Database(databases).run(
            "DELETE FROM milepost_keys WHERE name = ?", [f"callback/long/id-{version}"]
        )

    verified = verify(databases)

    placed = (gone - {PAGE}) | {PAGE + 1}
    assert verified.places == {("key", version, "long", version) for version in placed}


def test_findings_about_jobs_are_not_reported_again_when_the_keys_go_on(named: Deployment) -> None:
    """Rows of unknown jobs are reported last of the jobs, before the keys."""
    database, reported = Database(named), list[Finding]()
    for table in ("instances", "timelines"):
        database.run(f"UPDATE milepost_{table} SET job_id = 'nobody' WHERE job_id = 'four'")
    database.run(f"{INSERT}('callback/nobody/c', 'nobody', 1, '')")

    def stopped_at_a_key(finding: Finding) -> None:
        reported.append(finding)
        if finding.kind == "key":
            raise KeyboardInterrupt

    first = verification(named, stopped_at_a_key)
    with pytest.raises(KeyboardInterrupt):
        first.run(first.begin("here", NOON), "here", lambda _: None)
    before = [finding for finding in reported if finding.kind == "row"]

    second = verification(named, reported.append)
    second.run(carried_over(first.state), "here", lambda _: None)

    assert before
    assert [finding for finding in reported if finding.kind == "row"] == before
