"""Tampering by SQL with snapshots: of views, and of jobs, from which deciding starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.log.recalling.snapshots import SHAPE
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.read_model.tables import VIEWS
from tests.support.projectors.verifying import (
    append,
    forget_rows,
    of_older_release,
    verify,
    verify_job,
)
from tests.support.stores.deployment import Clock, Deployment, prepared_env, settle
from tests.support.stores.sealing import CIPHER
from tests.support.stores.tampering import Database

EVENTS = 230
SNAPSHOT_EVERY = 50


def projector(made: Deployment, every: int = SNAPSHOT_EVERY, batch: int = 60) -> Projector:
    """Return a projector that makes snapshots often."""
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
def stored(request: pytest.FixtureRequest, workflows: Workflows) -> Iterator[Deployment]:
    """A store with a job of 230 events, and its snapshots."""
    kind, *sealed = request.param.split()
    env = prepared_env(kind, request) | (CIPHER if sealed else {})
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
    """Return view and version of each view snapshot."""
    select = "SELECT view, version FROM milepost_view_snapshots ORDER BY version, view"
    return [tuple(row) for row in Database(made).rows(select)]


def snapshot_version(made: Deployment) -> int:
    """Return the version of the job's snapshot."""
    [[version]] = Database(made).rows("SELECT version FROM milepost_snapshots")
    return int(version)


def test_untouched_snapshots_give_no_finding(stored: Deployment) -> None:
    assert view_snapshots(stored) == [(v, n) for n in (60, 120, 180, 230) for v in VIEWS]
    assert snapshot_version(stored) == 200

    assert verify(stored).findings == []
    assert verify_job(stored, "long").findings == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_document_of_another_version_is_found(stored: Deployment, view: str) -> None:
    """A forger can move an encrypted document too."""
    Database(stored).run(
        "UPDATE milepost_view_snapshots SET document = (SELECT document "
        "FROM milepost_view_snapshots AS other WHERE other.view = ? AND other.version = 60) "
        "WHERE view = ? AND version = 180",
        [view, view],
    )

    verified = verify(stored)

    assert verified.places == {("snapshot", 180, "long", 180)}
    assert any(
        f.expected.startswith(f"snapshot of {view} document.version 180") and f.found == "60"
        for f in verified.findings
    )
    assert verify_job(stored, "long").findings == verified.findings


@pytest.mark.parametrize(
    ("statement", "place", "expected"),
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
    stored: Deployment, statement: Any, place: tuple[object, ...], expected: str
) -> None:
    database = Database(stored)
    if not database.is_sqlite:
        statement = statement.replace("AS BLOB", "AS bytea")
    assert database.run(statement)

    verified = verify(stored)

    assert verified.places == {place}
    assert any(expected in f.expected for f in verified.findings), verified.findings
    assert verify_job(stored, "long").findings == verified.findings


def test_snapshots_of_an_unknown_job_are_found(stored: Deployment) -> None:
    database = Database(stored)
    database.run("UPDATE milepost_view_snapshots SET job_id = 'ghost' WHERE version = 60")
    database.run("UPDATE milepost_snapshots SET job_id = 'ghost too'")

    assert verify(stored).places == {
        ("snapshot", None, "ghost", 60),
        ("snapshot", None, "ghost too", 200),
    }


def test_a_forged_state_that_deciding_would_start_from_is_found(stored: Deployment) -> None:
    """The forged state has refused callbacks that no event has."""
    database, mapper = Database(stored), stored.milepost.mapper
    [[state]] = database.rows("SELECT state FROM milepost_snapshots")
    fields = msgspec.json.decode(mapper.unseal(state))
    fields["refusals"] = 7
    forged = mapper.seal(msgspec.json.encode(fields))
    database.run("UPDATE milepost_snapshots SET state = ?", [forged])

    found = verify(stored).one("snapshot", 200)

    assert (found.job_id, found.version) == ("long", 200)
    assert found.expected == "snapshot refusals null, as the events have it"
    assert found.found == "7"


def test_missing_snapshots_give_no_finding(stored: Deployment) -> None:
    """Snapshots of another shape give no finding either."""
    database = Database(stored)
    database.run("DELETE FROM milepost_view_snapshots WHERE version <> 120 AND view = 'instances'")
    assert verify(stored).findings == []
    database.run("UPDATE milepost_snapshots SET shape = ?", [f"not {SHAPE}"])
    assert verify(stored).findings == []
    database.run("DELETE FROM milepost_view_snapshots")
    database.run("DELETE FROM milepost_snapshots")
    assert verify(stored).findings == []


def test_every_forged_snapshot_of_a_very_long_job_is_found(databases: Deployment) -> None:
    """This holds for a job with several pages of events, and of snapshots."""
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


def test_snapshots_without_an_event_that_is_set_aside_are_right(stored: Deployment) -> None:
    """They are right until a projector of this release tries again. A forged one is still found."""
    older = of_older_release(stored, "StepReported")
    forget_rows(stored)
    projector(older).catch_up()
    older.close()
    assert len(view_snapshots(stored)) == 8
    assert "snapshot" not in {found.kind for found in verify(stored).findings}

    Database(stored).run("UPDATE milepost_view_snapshots SET version = 229 WHERE version = 230")

    assert {f.version for f in verify(stored).findings if f.kind == "snapshot"} == {229}
    Database(stored).run("DELETE FROM milepost_set_aside")
    found = {f.version for f in verify(stored).findings if f.kind == "snapshot"}
    assert found == {60, 120, 180, 229}
