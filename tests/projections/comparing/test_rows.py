"""Comparing rows with events: `rebuild --dry-run` and `verify` name the same differences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import pytest

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from projections.comparing.contract import ServedRow, ServedRows
from projections.comparing.rows import LOOKS, RowComparison, RowDifference
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from tests.support.projectors.verifying import folded_by_older_release, verify
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.tampering import Database

JOB = "one"


@pytest.fixture
def lived(databases: Deployment, clock: Clock) -> Deployment:
    """A store with one job in progress, folded and hashed."""
    live(databases, clock)
    return databases


def live(made: Deployment, clock: Clock, workflow: str = "vm@1") -> None:
    made.milepost.queue(QueueJob(job_id=JOB, agent_id="agent", workflow=workflow))
    for step in ("vm_created", "network_configured"):
        clock.advance(30)
        made.milepost.record(Callback(job_id=JOB, status="provisioning", step=step))
    settle(made)


def dry_run(made: Deployment) -> list[RowDifference]:
    return [each for _, found in made.rebuild.comparison().with_events() for each in found]


def verified(made: Deployment) -> list[tuple[str, str]]:
    """Return what verifying expects of rows, and the actual values."""
    return [(f.expected, f.found) for f in verify(made).findings if f.kind == "row"]


def put_back(made: Deployment, view: str, row: tuple[Any, ...]) -> None:
    """Give a view's row the version and document that it had before."""
    statement: Any = f"UPDATE milepost_{view} SET version = ?, document = ? WHERE job_id = ?"
    assert Database(made).run(statement, [*row, JOB]) == 1


def row(made: Deployment, view: str) -> tuple[Any, ...]:
    statement: Any = f"SELECT version, document FROM milepost_{view} WHERE job_id = ?"
    [found] = Database(made).rows(statement, [JOB])
    return tuple(found)


def test_both_name_what_differs_in_the_same_words(lived: Deployment) -> None:
    Database(lived).run("UPDATE milepost_instances SET status = 'running'")
    Database(lived).run(
        "UPDATE milepost_timelines SET document = replace(document, 'vm_created', 'vm_x')"
    )

    instance, timeline = dry_run(lived)

    assert (instance.expected, instance.actual) == (
        {"status": "provisioning"},
        {"status": "running"},
    )
    assert timeline.expected is not None
    names = [
        f"{each.view} {name} " for each in (instance, timeline) for name in each.expected or ()
    ]
    expected = [expected for expected, _ in verified(lived)]
    assert len(names) == len(expected) > 1
    assert all(text.startswith(name) for name, text in zip(names, expected, strict=True))
    assert any(name.startswith("document.runs.attempts[0].") for name in timeline.expected)


def test_a_row_that_has_missed_an_event_is_found(lived: Deployment) -> None:
    """The row is right for its own version, but the position is after a later event."""
    before = row(lived, "timelines")
    lived.milepost.record(Callback(job_id=JOB, type="heartbeat"))
    settle(lived)
    assert verified(lived) == []
    put_back(lived, "timelines", before)

    [difference] = dry_run(lived)

    version = before[0]
    assert (difference.view, difference.version) == ("timelines", version + 1)
    assert verified(lived)[0] == (
        f"timelines version {version + 1}, as the events have it",
        f"{version}",
    )


def test_a_row_that_waits_for_the_projector_is_right(lived: Deployment) -> None:
    lived.milepost.record(Callback(job_id=JOB, type="heartbeat"))
    lived.milepost.record(Callback(job_id="another", type="heartbeat"))

    assert dry_run(lived) == []
    assert verified(lived) == []


def test_a_row_with_a_version_of_another_type_is_found(sqlite: Deployment, clock: Clock) -> None:
    live(sqlite, clock)
    Database(sqlite).run("UPDATE milepost_timelines SET version = 'x'")

    [difference] = dry_run(sqlite)

    assert difference.actual == {"version": "x"}
    assert [found for _, found in verified(sqlite)] == ["x"]


@pytest.mark.parametrize(("step", "is_right"), [("vm_created", True), ("coffee_made", False)])
def test_where_the_workflow_is_not_defined_any_step_that_was_reached_may_be_current(
    databases: Deployment, clock: Clock, step: str, is_right: bool
) -> None:
    """Another release may order the steps differently, but the attempt must have reached it."""
    live(databases, clock, workflow="gone@7")
    Database(databases).run("UPDATE milepost_instances SET current_step = ?", [step])

    assert [each.actual for each in dry_run(databases)] == (
        [] if is_right else [{"current_step": step}]
    )
    assert [found for _, found in verified(databases)] == ([] if is_right else [step])


@pytest.mark.parametrize(("workflow", "is_right"), [("gone@7", True), ("vm@1", False)])
def test_where_the_workflow_is_not_defined_the_deadlines_may_be_those_of_another_default(
    databases: Deployment, clock: Clock, workflow: str, is_right: bool
) -> None:
    live(databases, clock, workflow=workflow)
    Database(databases).run("UPDATE milepost_instances SET due_at = NULL, look_at = NULL")

    assert (dry_run(databases) == []) == is_right
    assert (verified(databases) == []) == is_right


def test_the_dry_run_reports_a_row_without_an_event_that_is_set_aside(
    databases: Deployment, clock: Clock
) -> None:
    """A rebuild would correct the row. Verifying reports only the set-aside event."""
    live(databases, clock)
    folded_by_older_release(databases)
    assert {f.kind for f in verify(databases).findings} == {"aside"}

    differences = dry_run(databases)

    assert [(each.view, each.is_set_aside) for each in differences] == [
        ("instances", True),
        ("timelines", True),
    ]
    databases.rebuild.run()
    assert dry_run(databases) == []


def test_what_is_set_aside_by_mistake_makes_no_row_wrong_that_waits(lived: Deployment) -> None:
    event = lived.tree.log.event(JOB, 2)
    assert event is not None
    Database(lived).run(
        "INSERT INTO milepost_set_aside (position, job_id, version, topic, error, view)"
        " VALUES (?, ?, ?, ?, 'unreadable', 'instances')",
        [event.position, JOB, event.version, event.topic],
    )
    lived.milepost.record(Callback(job_id=JOB, type="heartbeat"))

    assert verified(lived) == []
    assert dry_run(lived) == []


class Changing:
    """Reads of a row that changes at each read."""

    def __init__(self, real: ServedRows, rows: Iterator[ServedRow | None]) -> None:
        self._real, self._rows = real, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, ServedRow]:
        found = next(self._rows)
        return {JOB: found} if found else {}


@pytest.mark.parametrize(("wrong", "is_found"), [(1, False), (LOOKS, False), (LOOKS + 1, True)])
def test_a_row_is_wrong_when_it_stays_wrong(lived: Deployment, wrong: int, is_found: bool) -> None:
    """A row that changes at each look is being projected. The last two looks read the same row."""
    real = lived.inspection
    right = real.rows("instances", [JOB])[JOB]
    reads = [
        right._replace(columns={**right.columns, "status": f"wrong {min(number, LOOKS - 1)}"})
        for number in range(wrong)
    ]
    rows: list[ServedRow | None] = [*reads, *([right] * (LOOKS + 1))]
    comparison = RowComparison(
        cast("ServedRows", Changing(real, iter(rows))),
        lived.read_model,
        lived.milepost.mapper,
        lived.workflows,
        ["instances"],
    )

    found = list(comparison.differences([(Instance(JOB, version=1), Timeline(JOB))]))

    assert bool(found) == is_found
