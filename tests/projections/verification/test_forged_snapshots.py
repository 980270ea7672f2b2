"""Tampering with snapshots by SQL: of the views, and of the jobs from which decisions begin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.commands import QueueJob
from domain.log.snapshots import SHAPE
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from tests.support.deployment import Clock, Deployment, settle, store_env
from tests.support.sealing import CIPHER
from tests.support.tampering import Database
from tests.support.verifying import append, forget_rows, of_older_release, verify, verify_job

VIEWS = ("instances", "timelines")
EVENTS = 230
KEPT_EVERY = 50


def projector(made: Deployment, every: int = KEPT_EVERY, batch: int = 60) -> Projector:
    """Return a projector that keeps the views of jobs often."""
    return Projector(
        made.milepost.store,
        made.read_model,
        made.milepost.mapper,
        made.workflows,
        batch=batch,
        batches=1,
        snapshot_every=every,
    )


@pytest.fixture(params=["sqlite", "postgres", "sqlite encrypted"])
def kept(request: pytest.FixtureRequest, workflows: Workflows) -> Iterator[Deployment]:
    """A store with a job of some hundred events, and snapshots of it."""
    kind, *sealed = request.param.split()
    env = store_env(kind, request) | (CIPHER if sealed else {})
    made = Deployment(env, workflows, Clock())
    queued = QueueJob(job_id="long", agent_id="agent", user_id="ada", workflow="vm@1")
    made.milepost.queue(queued)
    for number in range(2, EVENTS + 1):
        made.clock.advance(1 if number % 7 else -1)
        if number == 2:
            callback = Callback(job_id="long", status="provisioning")
        elif number in (60, 110, 160):
            callback = Callback(job_id="long", status="provisioning", step=f"step-{number}")
        else:
            callback = Callback(job_id="long", type="heartbeat")
        made.milepost.record(callback)
    projector(made).catch_up()
    settle(made)
    try:
        yield made
    finally:
        made.close()


def view_snapshots(made: Deployment) -> list[tuple[str, int]]:
    """Return view and version of what is kept."""
    select = "SELECT view, version FROM milepost_view_snapshots ORDER BY version, view"
    return [tuple(row) for row in Database(made).rows(select)]


def snapshot_version(made: Deployment) -> int:
    """Return the version that decisions about the job begin from."""
    [[version]] = Database(made).rows("SELECT version FROM milepost_snapshots")
    return int(version)


def test_nothing_is_found_in_snapshots_that_nobody_touched(kept: Deployment) -> None:
    assert view_snapshots(kept) == [(v, n) for n in (60, 120, 180, 230) for v in VIEWS]
    assert snapshot_version(kept) == 200

    assert verify(kept).findings == []
    assert verify_job(kept, "long").findings == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_document_of_another_version_is_found(kept: Deployment, view: str) -> None:
    """Which is what a forger can do with an encrypted one, too."""
    Database(kept).run(
        "UPDATE milepost_view_snapshots SET document = (SELECT document "
        "FROM milepost_view_snapshots AS other WHERE other.view = ? AND other.version = 60) "
        "WHERE view = ? AND version = 180",
        [view, view],
    )

    verified = verify(kept)

    assert verified.places == {("snapshot", 180, "long", 180)}
    assert any(
        f.expected.startswith(f"snapshot of {view} document.version 180") and f.found == "60"
        for f in verified.findings
    )
    assert verify_job(kept, "long").findings == verified.findings


@pytest.mark.parametrize(
    ("statement", "place", "told"),
    [
        (
            "UPDATE milepost_view_snapshots SET document = '{' WHERE version = 120",
            ("snapshot", 120, "long", 120),
            "document that can be read",
        ),
        (
            "UPDATE milepost_view_snapshots SET recorded_at = '2026-03-02T11:00:00.000000+00:00' "
            "WHERE version = 60 AND view = 'timelines'",
            ("snapshot", 60, "long", 60),
            "recorded_at 2026-03-02T12:",
        ),
        (
            "UPDATE milepost_view_snapshots SET version = 121 WHERE version = 120",
            ("snapshot", 121, "long", 121),
            " document.version 121, as the events have it",
        ),
        (
            "UPDATE milepost_view_snapshots SET version = 231 WHERE version = 230",
            ("snapshot", None, "long", 231),
            "the event that the snapshot of instances is of",
        ),
        (
            "UPDATE milepost_view_snapshots SET version = 0 WHERE version = 60",
            ("snapshot", None, "long", 0),
            "the event that the snapshot of timelines is of",
        ),
        (
            "UPDATE milepost_view_snapshots SET view = 'x' "
            "WHERE version = 60 AND view = 'timelines'",
            ("snapshot", 60, "long", 60),
            "snapshot of x view one that there is",
        ),
        (
            "UPDATE milepost_snapshots SET version = 199",
            ("snapshot", 199, "long", 199),
            "that can be read",
        ),
        (
            "UPDATE milepost_snapshots SET version = 231",
            ("snapshot", None, "long", 231),
            "the event that the snapshot of the job is of",
        ),
        (
            "UPDATE milepost_snapshots SET state = CAST('{' AS BLOB)",
            ("snapshot", 200, "long", 200),
            "that can be read",
        ),
    ],
)
def test_an_edited_or_impossible_snapshot_is_found(
    kept: Deployment, statement: Any, place: tuple[object, ...], told: str
) -> None:
    database = Database(kept)
    if not database.is_sqlite:
        statement = statement.replace("AS BLOB", "AS bytea")
    assert database.run(statement)

    verified = verify(kept)

    assert verified.places == {place}
    assert any(told in f.expected for f in verified.findings), verified.findings
    assert verify_job(kept, "long").findings == verified.findings


def test_snapshots_of_a_job_that_never_was_are_found(kept: Deployment) -> None:
    database = Database(kept)
    database.run("UPDATE milepost_view_snapshots SET job_id = 'ghost' WHERE version = 60")
    database.run("UPDATE milepost_snapshots SET job_id = 'ghost too'")

    assert verify(kept).places == {
        ("snapshot", None, "ghost", 60),
        ("snapshot", None, "ghost too", 200),
    }


def test_a_forged_state_that_decisions_would_begin_from_is_found(kept: Deployment) -> None:
    """It says that the job runs; the next callback would be believed to be a late one."""
    database, mapper = Database(kept), kept.milepost.mapper
    [[state]] = database.rows("SELECT state FROM milepost_snapshots")
    there = msgspec.json.decode(mapper.unseal(state))
    there["stop_requested"] = True
    forged = mapper.seal(msgspec.json.encode(there))
    database.run("UPDATE milepost_snapshots SET state = ?", [forged])

    found = verify(kept).one("snapshot", 200)

    assert (found.job_id, found.version) == ("long", 200)
    assert found.expected == "snapshot stop_requested null, as the events have it"
    assert found.found == "true"


def test_snapshots_that_are_not_there_are_no_finding(kept: Deployment) -> None:
    """Nor are those that this release passes over."""
    database = Database(kept)
    database.run("DELETE FROM milepost_view_snapshots WHERE version <> 120 AND view = 'instances'")
    assert verify(kept).findings == []
    database.run("UPDATE milepost_snapshots SET shape = ?", [f"not {SHAPE}"])
    assert verify(kept).findings == []
    database.run("DELETE FROM milepost_view_snapshots")
    database.run("DELETE FROM milepost_snapshots")
    assert verify(kept).findings == []


def test_every_forged_snapshot_of_a_very_long_job_is_found(databases: Deployment) -> None:
    """Also where its events come in several pages, and what is kept of it in some more."""
    append(databases, [("long", version) for version in range(1, 4_501)])
    projector(databases, every=40, batch=40).catch_up()
    settle(databases)
    assert len(view_snapshots(databases)) == 2 * 4_500 // 40 - 1
    assert verify(databases).findings == []
    Database(databases).run(
        "UPDATE milepost_view_snapshots SET document = replace(document, 'run-1', 'run-2') "
        "WHERE view = 'timelines' AND version IN (40, 2000, 4480)"
    )

    verified = verify(databases)

    assert verified.places == {("snapshot", n, "long", n) for n in (40, 2_000, 4_480)}
    assert len(verified.findings) == 3


def test_snapshots_without_what_an_older_release_set_aside_are_right(kept: Deployment) -> None:
    """Until a projector of this one tries again; and others are forged all the same."""
    older = of_older_release(kept, "StepReported")
    forget_rows(kept)
    projector(older).catch_up()
    older.close()
    assert len(view_snapshots(kept)) == 8
    assert "snapshot" not in {found.kind for found in verify(kept).findings}

    Database(kept).run("UPDATE milepost_view_snapshots SET version = 229 WHERE version = 230")

    assert {f.version for f in verify(kept).findings if f.kind == "snapshot"} == {229}
    Database(kept).run("DELETE FROM milepost_set_aside")
    found = {f.version for f in verify(kept).findings if f.kind == "snapshot"}
    assert found == {60, 120, 180, 229}
