"""A history in which every event is known, and ways to verify it and to tamper with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from domain.evidence.checkpoint import Checkpoint
from domain.job.events import (
    CATALOGUE,
    Fact,
    HeartbeatReceived,
    JobEvent,
    StatusReported,
    StepReported,
)
from domain.log.store import Append
from domain.log.stored import Stored
from domain.log.upcasting import Shapes
from projections.tree.grower import Grower
from projections.tree.proofs import Evidence
from projections.verification.findings import Finding
from projections.verification.inspection.contract import Inspection
from projections.verification.run import State, Summary, Verification
from tests.support.stores.deployment import NOON, Deployment
from tests.support.stores.tampering import Database

JOBS = "abc"
EACH = 200
GAP_AFTER, GAP = 300, 5
"""The positions from 301 to 305 are those of a transaction that was rolled back."""
LAST = len(JOBS) * EACH + GAP


class Place(NamedTuple):
    """An event's number in the log, from 1, its position, its job and its version."""

    number: int
    position: int
    job_id: str
    version: int


def place(number: int) -> Place:
    """Return the place of the n-th event of the history; the events of the three jobs alternate."""
    position = number if number <= GAP_AFTER else number + GAP
    earlier, job = divmod(number - 1, len(JOBS))
    return Place(number, position, JOBS[job], earlier + 1)


def fact(version: int) -> Fact:
    """Return the fact of a job's event with this version."""
    at = NOON + timedelta(seconds=version)
    if version == 2:
        return StatusReported(recorded_at=at, status="provisioning", workflow_run_id="run-1")
    if version in (50, 150):
        step = "vm_created" if version == 50 else "coffee_made"
        return StepReported(recorded_at=at, step=step, server_id="srv-1")
    return HeartbeatReceived(recorded_at=at)


def append(made: Deployment, events: Iterable[tuple[str, int]]) -> None:
    """Append events of these jobs and versions in one transaction."""
    to_row = made.milepost.mapper.to_stored_event
    rows = [to_row(JobEvent(job_id, version, fact(version))) for job_id, version in events]
    made.milepost.store.transact({}, [], lambda _: Append(rows))


def skip_positions(made: Deployment, count: int) -> None:
    """Leave a gap in the positions, as rolled-back transactions do."""
    database = Database(made)
    if database.is_sqlite:
        database.run("UPDATE sqlite_sequence SET seq = seq + ?", [count])
    else:
        database.rows(
            "SELECT nextval('milepost_events_notification_id_seq') FROM generate_series(1, ?::int)",
            [count],
        )


def of_older_release(made: Deployment, unknown: str) -> Deployment:
    """Return this store as an older release has it, which cannot read these events."""
    older = made.again()
    older.milepost.mapper.shapes = without(unknown)
    return older


def folded_by_older_release(made: Deployment) -> None:
    """Let a release fold everything that does not know steps."""
    forget_rows(made)
    older = of_older_release(made, "StepReported")
    older.projector.catch_up()
    older.close()


def without(unknown: str) -> Shapes:
    """Return the shapes of a release that does not know these events."""
    return Shapes({topic: fact for topic, fact in CATALOGUE.items() if topic != unknown}, {})


def verification(
    made: Deployment,
    report: Callable[[Finding], None],
    checkpoints: Sequence[Checkpoint] = (),
    reads: Inspection | None = None,
) -> Verification:
    """Return a verification of this store."""
    return Verification(
        made.tree,
        reads or made.inspection,
        made.read_model,
        made.milepost.mapper,
        made.workflows,
        checkpoints,
        report,
    )


class Verified(NamedTuple):
    """The findings and the summary of a verification."""

    findings: list[Finding]
    summary: Summary

    @property
    def places(self) -> set[tuple[str, int | None, str | None, int | None]]:
        """The kind, position, job and version of each finding."""
        return {(f.kind, f.position, f.job_id, f.version) for f in self.findings}

    def one(self, kind: str, position: int | None = None) -> Finding:
        """Return the one finding of this kind, at this position if it is given."""
        [found] = [f for f in self.findings if f.kind == kind and position in (None, f.position)]
        return found


def verify(made: Deployment, *checkpoints: Checkpoint) -> Verified:
    """Verify this store, from beginning to end."""
    findings: list[Finding] = []
    one = verification(made, findings.append, checkpoints)
    state = one.begin("here", NOON)
    summary = one.run(state, "here", lambda _: None)
    assert summary.findings == len(findings)
    return Verified(findings, summary)


def verify_job(made: Deployment, job_id: str, *checkpoints: Checkpoint) -> Verified:
    """Verify one job."""
    findings: list[Finding] = []
    summary = verification(made, findings.append, checkpoints).one_job(job_id, NOON)
    return Verified(findings, summary)


def carried_over(state: State) -> State:
    """Return the state as another process reads it."""
    return msgspec.json.decode(msgspec.json.encode(state), type=State)


def checkpoint(made: Deployment, size: int | None = None) -> Checkpoint:
    """Return the checkpoint of the log's first `size` events."""
    root = Evidence(made.tree).root(size)
    return Checkpoint("log.example", root.size, root.root, root.position, NOON)


def at(made: Deployment, number: int) -> Stored:
    """Return the n-th event of the history as it is stored."""
    where = place(number)
    event = made.tree.log.event(where.job_id, where.version)
    assert event is not None
    assert event.position == where.position
    return event


def begin_the_tree_anew(made: Deployment) -> None:
    """Hash the present log into a new tree, to hide a change of the log."""
    database = Database(made)
    database.run("DELETE FROM milepost_tree")
    database.run("UPDATE milepost_tree_head SET size = 0, position = 0")
    Grower(made.tree).catch_up()


def forget_rows(made: Deployment) -> None:
    """Delete all rows of the read model, as if no event were folded yet."""
    database = Database(made)
    for table in ("instances", "timelines", "set_aside", "view_snapshots", "machines"):
        database.run(f"DELETE FROM milepost_{table}")
    database.run("UPDATE milepost_read_model SET position = 0")


def fold_anew(made: Deployment) -> None:
    """Delete the rows and fold the present log again."""
    forget_rows(made)
    another = made.again()
    another.projector.catch_up()
    another.close()
