"""Schema steps are applied once, whole and in order, also after interruptions and repetitions."""

from __future__ import annotations

import logging
from threading import Barrier, Thread
from typing import Any

import pytest

from domain.log.schema.postgres import PostgresSchema
from domain.log.schema.sqlite import SQLiteSchema
from domain.log.schema.steps import Part, Schema, SchemaBehind, Step, each
from tests.support.stores.deployment import Deployment
from tests.support.stores.tampering import Database

FIRST: Step[Any] = Step(1, ("one",), each("CREATE TABLE IF NOT EXISTS one (a integer)"))
SECOND: Step[Any] = Step(
    2, ("two", "one.b"), each("CREATE TABLE two (a integer)", "ALTER TABLE one ADD COLUMN b text")
)
INDEX: Step[Any] = Step(2, (), each("CREATE INDEX IF NOT EXISTS of_a ON one (a)"))


def schema(made: Deployment, *steps: Step[Any]) -> Schema[Any]:
    """Return a schema with one part that has these steps."""
    recorder: Any = made.milepost.recorder
    kind: Any = SQLiteSchema if Database(made).is_sqlite else PostgresSchema
    found: Schema[Any] = kind(recorder.datastore, Part("test", steps))
    return found


def applied(made: Deployment) -> list[int]:
    """Return the numbers of the recorded steps."""
    rows = Database(made).rows("SELECT step FROM milepost_schema WHERE part = 'test' ORDER BY step")
    return [row[0] for row in rows]


def counted(step: Step[Any], ran: list[int]) -> Step[Any]:
    """Return the step, which now counts its runs."""

    def run(cursor: Any) -> None:
        ran.append(step.number)
        step.run(cursor)

    return step._replace(run=run)


def failing(step: Step[Any], error: BaseException) -> Step[Any]:
    """Return the step, interrupted after its last statement."""

    def run(cursor: Any) -> None:
        step.run(cursor)
        raise error

    return step._replace(run=run)


def test_steps_are_applied_in_order_and_once(databases: Deployment) -> None:
    ran: list[int] = []
    steps = counted(FIRST, ran), counted(SECOND, ran)

    for _ in range(2):
        schema(databases, *steps).apply()

    assert ran == [1, 2]
    assert applied(databases) == [1, 2]
    Database(databases).run("INSERT INTO one (a, b) VALUES (1, 'b')")


def test_a_later_release_applies_only_what_is_new(databases: Deployment) -> None:
    ran: list[int] = []
    schema(databases, counted(FIRST, ran)).apply()
    Database(databases).run("INSERT INTO one (a) VALUES (7)")

    schema(databases, counted(FIRST, ran), counted(SECOND, ran)).apply()

    assert ran == [1, 2]
    assert [tuple(row) for row in Database(databases).rows("SELECT a, b FROM one")] == [(7, None)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")])
def test_an_interrupted_step_leaves_nothing_and_is_applied_next_time(
    databases: Deployment, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        schema(databases, FIRST, failing(SECOND, error)).apply()
    assert applied(databases) == [1]
    with pytest.raises(SchemaBehind, match="has no two"):
        schema(databases, FIRST, SECOND).check()

    schema(databases, FIRST, SECOND).apply()

    assert applied(databases) == [1, 2]
    schema(databases, FIRST, SECOND).check()


def test_of_processes_that_start_at_once_one_applies_each_step(databases: Deployment) -> None:
    ran: list[int] = []
    others = [databases.again() for _ in range(4)]
    begin = Barrier(len(others))

    def start(other: Deployment) -> None:
        begin.wait()
        schema(other, counted(FIRST, ran), counted(SECOND, ran)).apply()

    threads = [Thread(target=start, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()

    assert ran == [1, 2]
    assert applied(databases) == [1, 2]


def test_what_a_release_before_the_record_made_is_recorded_and_not_made_again(
    databases: Deployment,
) -> None:
    ran: list[int] = []
    Database(databases).run("CREATE TABLE one (a integer)")

    schema(databases, counted(FIRST, ran)).apply()

    assert ran == []
    assert applied(databases) == [1]


def test_a_table_that_was_dropped_is_made_again_with_its_index(databases: Deployment) -> None:
    ran: list[int] = []
    steps = counted(FIRST, ran), counted(INDEX, ran)
    schema(databases, *steps).apply()
    Database(databases).run("DROP TABLE one")

    schema(databases, *steps).apply()

    assert ran == [1, 2, 1, 2]
    Database(databases).run("DROP INDEX of_a")


def test_steps_of_a_newer_release_are_ignored_and_logged(
    databases: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    schema(databases, FIRST, SECOND).apply()
    caplog.set_level(logging.INFO, "milepost.schema")

    schema(databases, FIRST).apply()

    assert applied(databases) == [1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "a newer release applied step 2 of the test; this release knows 1 and goes on"
    ]


def test_checking_writes_nothing(databases: Deployment) -> None:
    with pytest.raises(SchemaBehind, match="milepost init-db creates it"):
        schema(databases, FIRST).check()

    assert applied(databases) == []


def test_an_account_that_may_not_write_can_use_existing_tables(sqlite: Deployment) -> None:
    """For example, a read-only copy of a file from a release without the record of steps."""
    Database(sqlite).run("CREATE TABLE one (a integer)")
    recorder: Any = sqlite.milepost.recorder
    with recorder.datastore.reading() as cursor:
        cursor.execute("PRAGMA query_only = ON")

    schema(sqlite, FIRST).apply()

    assert applied(sqlite) == []
    with pytest.raises(SchemaBehind, match="the account that owns the tables"):
        schema(sqlite, FIRST, SECOND).apply()
