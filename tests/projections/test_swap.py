"""The swap: short, whatever there was before, and nothing of somebody's own is broken by it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any, LiteralString

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from domain.events import StopRequested
from domain.store import Append
from domain.workflow import Workflows
from projections.rebuild import Progress, RebuildInterrupted
from projections.shadow import RebuildForbidden
from projections.sqlite_shadow import SLICE
from tests.conftest import NOON, Clock, Deployment, deployment
from tests.projections.test_projector import assert_every_row_is_right, heartbeat, lived
from tests.projections.test_rebuild import NEWER, differences, folded_beside
from tests.tampering import Database

MANY = 2 * SLICE + 50
WANTED = ["agent_id,first_position", "first_position", "status,first_position"]
WANTED = sorted([*WANTED, "user_id,first_position"])


@pytest.fixture
def on_sqlite(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a SQLite file."""
    yield from deployment("sqlite", request, workflows, clock)


@pytest.fixture
def on_postgres(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a PostgreSQL database."""
    yield from deployment("postgres", request, workflows, clock)


def many_jobs(made: Deployment) -> None:
    state = msgspec.json.encode(StopRequested(recorded_at=NOON))
    events = [StoredEvent(f"job-{n:04}", 1, "StopRequested", state) for n in range(MANY)]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def rows_to_go(made: Deployment) -> int:
    """Count the rows of the tables that are to be taken away."""
    database = Database(made)
    return sum(database.rows(f"SELECT COUNT(*) FROM {name}")[0][0] for name in to_go(made))


def to_go(made: Deployment) -> Sequence[LiteralString]:
    found = Database(made).rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in found if name.startswith("milepost_dropped_")]


def indexed(made: Deployment) -> Sequence[str]:
    """Return the columns of every index of the served instances, but for their key."""
    found = Database(made).rows(
        "SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name))"
        " FROM pragma_index_list('milepost_instances') AS list WHERE origin = 'c'"
    )
    return sorted(columns for (columns,) in found)


# On SQLite


def test_a_swap_takes_nothing_away(on_sqlite: Deployment) -> None:
    """That would hold the write lock for as long as there are rows."""
    many_jobs(on_sqlite)
    on_sqlite.projector.catch_up()
    folded_beside(on_sqlite)
    assert to_go(on_sqlite) == []

    assert on_sqlite.shadow.swap()

    assert rows_to_go(on_sqlite) == 2 * MANY
    assert indexed(on_sqlite) == WANTED


def test_what_was_replaced_goes_in_slices_and_others_write_between_them(
    on_sqlite: Deployment, clock: Clock
) -> None:
    many_jobs(on_sqlite)
    lived(on_sqlite, clock)
    on_sqlite.projector.catch_up()
    on_sqlite.rebuild.run()
    left = rows_to_go(on_sqlite)

    while on_sqlite.shadow.clear():
        assert left - SLICE <= rows_to_go(on_sqlite) <= left
        left = rows_to_go(on_sqlite)
        heartbeat(on_sqlite)
        on_sqlite.projector.catch_up()

    assert to_go(on_sqlite) == []
    assert_every_row_is_right(on_sqlite)
    assert differences(on_sqlite.rebuild.comparison()) == []


def test_what_an_interrupted_one_left_to_go_goes_with_the_next(on_sqlite: Deployment) -> None:
    many_jobs(on_sqlite)
    on_sqlite.projector.catch_up()
    on_sqlite.rebuild.run()
    on_sqlite.shadow.clear()
    replaced = set(to_go(on_sqlite))

    again = on_sqlite.again()
    again.rebuild.run()

    assert replaced
    assert not replaced & set(to_go(again))
    again.rebuild.take_away()
    assert to_go(again) == []
    assert indexed(again) == WANTED
    assert differences(again.rebuild.comparison()) == []
    again.close()


def test_what_is_begun_afresh_does_not_wait_for_what_was_there(on_sqlite: Deployment) -> None:
    many_jobs(on_sqlite)
    folded_beside(on_sqlite)

    on_sqlite.shadow.begin(afresh=True)

    assert rows_to_go(on_sqlite) == 2 * MANY
    on_sqlite.rebuild.run()
    assert indexed(on_sqlite) == WANTED
    assert differences(on_sqlite.rebuild.comparison()) == []


def test_who_is_told_to_stop_leaves_the_rest(on_sqlite: Deployment) -> None:
    many_jobs(on_sqlite)
    on_sqlite.rebuild.run()
    stop, before = Event(), to_go(on_sqlite)
    stop.set()

    on_sqlite.rebuild.take_away(stop)
    with pytest.raises(RebuildInterrupted):
        on_sqlite.rebuild.run(stop=stop)

    assert to_go(on_sqlite) == before != []


def test_there_is_one_set_of_indexes_whoever_prepares_and_rebuilds(on_sqlite: Deployment) -> None:
    many_jobs(on_sqlite)
    for _ in range(3):
        on_sqlite.read_model.prepare()
        assert indexed(on_sqlite) == WANTED
        on_sqlite.rebuild.run()
        assert indexed(on_sqlite) == WANTED

    Database(on_sqlite).run("DROP INDEX milepost_instances_agent_3")
    assert indexed(on_sqlite) != WANTED
    on_sqlite.read_model.prepare()

    assert indexed(on_sqlite) == WANTED


def test_an_index_over_some_rows_only_is_none(on_sqlite: Deployment) -> None:
    database = Database(on_sqlite)
    database.run("DROP INDEX milepost_instances_newest")
    database.run("CREATE INDEX own ON milepost_instances (first_position) WHERE user_id IS NULL")

    on_sqlite.read_model.prepare()

    assert indexed(on_sqlite).count("first_position") == 2


def test_views_over_the_tables_show_the_new_ones(on_sqlite: Deployment, clock: Clock) -> None:
    """Also beside a view that has been broken all along."""
    lived(on_sqlite, clock)
    on_sqlite.projector.catch_up()
    database = Database(on_sqlite)
    database.run("CREATE VIEW own AS SELECT job_id, status FROM milepost_instances")
    database.run("CREATE VIEW broken AS SELECT * FROM nowhere")
    before = database.rows("SELECT * FROM own ORDER BY job_id")
    database.run("UPDATE milepost_instances SET status = 'x'")

    on_sqlite.rebuild.run()
    on_sqlite.rebuild.take_away()

    assert database.rows("SELECT * FROM own ORDER BY job_id") == before
    assert_every_row_is_right(on_sqlite)


# What depends on the tables


OWN: dict[str, tuple[LiteralString, str]] = {
    "a view": ("CREATE VIEW own AS SELECT job_id FROM milepost_instances", "view own"),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW own AS SELECT version FROM milepost_timelines",
        "materialized view own",
    ),
    "a foreign key": (
        "CREATE TABLE own (job_id text CONSTRAINT mine REFERENCES milepost_instances)",
        "constraint mine on table own",
    ),
    "a function": (
        "CREATE FUNCTION own(milepost_instances) RETURNS text LANGUAGE sql AS 'SELECT $1.job_id'",
        "function own",
    ),
    "a column": ("CREATE TABLE own (rows milepost_instances[])", "column rows of table own"),
    "a child": ("CREATE TABLE own () INHERITS (milepost_instances)", "table own"),
    "a trigger": (
        "CREATE TRIGGER own BEFORE UPDATE ON milepost_instances FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger own",
    ),
    "a policy": ("CREATE POLICY own ON milepost_instances USING (status <> 'x')", "policy own"),
}


@pytest.mark.parametrize("what", OWN)
def test_what_a_swap_would_break_is_told_before_anything_is_folded(
    on_postgres: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    lived(on_postgres, clock)
    statement, name = OWN[what]
    Database(on_postgres).run(statement)
    newer = on_postgres.again(NEWER)

    with pytest.raises(RebuildForbidden, match=f"^The {name}.* depends on the table milepost_"):
        newer.rebuild.run()
    with caplog.at_level(logging.WARNING, "milepost.rebuild"):
        for _ in range(3):
            assert not newer.rebuild.is_current(Event())

    assert len([record for record in caplog.records if name in record.getMessage()]) == 1
    assert newer.read_model.rebuilt_position() is None
    newer.close()


def test_nothing_of_our_own_and_nothing_that_goes_with_the_table_forbids_a_rebuild(
    on_postgres: Deployment, clock: Clock
) -> None:
    lived(on_postgres, clock)
    database = Database(on_postgres)
    database.run("CREATE INDEX own ON milepost_instances ((version + 1)) WHERE status <> 'x'")
    database.run("ALTER TABLE milepost_instances ADD CONSTRAINT own CHECK (version > 0)")
    database.run("CREATE STATISTICS own ON agent_id, user_id FROM milepost_instances")

    for _ in range(2):
        on_postgres.rebuild.run()

    assert_every_row_is_right(on_postgres)


def test_what_is_made_during_a_rebuild_forbids_its_swap(
    on_postgres: Deployment, clock: Clock
) -> None:
    """What was folded is kept: once it is gone, the rebuild goes on."""
    lived(on_postgres, clock)
    database, making = Database(on_postgres), iter([OWN["a view"][0]])

    def make(_: Progress) -> None:
        for statement in making:
            database.run(statement)

    with pytest.raises(RebuildForbidden, match="view own depends on the table milepost_instances"):
        on_postgres.rebuild.run(on_progress=make)
    with pytest.raises(RebuildForbidden, match="view own depends on the table milepost_instances"):
        on_postgres.rebuild.run()
    newest = on_postgres.read_model.newest_position()
    assert on_postgres.read_model.rebuilt_position() == newest
    database.run("DROP VIEW own")

    assert on_postgres.rebuild.run().began_at == newest
    assert_every_row_is_right(on_postgres)


def test_a_trigger_would_be_gone_without_a_word(on_sqlite: Deployment, clock: Clock) -> None:
    lived(on_sqlite, clock)
    on_sqlite.projector.catch_up()
    trigger: Any = "CREATE TRIGGER own AFTER UPDATE ON milepost_instances BEGIN SELECT 1; END"
    Database(on_sqlite).run(trigger)

    with pytest.raises(RebuildForbidden, match="The trigger own depends on the table"):
        on_sqlite.rebuild.run()

    assert on_sqlite.read_model.rebuilt_position() is None
    Database(on_sqlite).run("DROP TRIGGER own")
    on_sqlite.rebuild.run()
    assert_every_row_is_right(on_sqlite)


def test_a_trigger_that_is_made_during_a_rebuild_forbids_its_swap(
    on_sqlite: Deployment, clock: Clock
) -> None:
    """Otherwise it would do its work on every row that is taken away."""
    lived(on_sqlite, clock)
    on_sqlite.projector.catch_up()
    folded_beside(on_sqlite)
    Database(on_sqlite).run("CREATE TABLE own AS SELECT job_id FROM milepost_instances")
    Database(on_sqlite).run(
        "CREATE TRIGGER follows AFTER DELETE ON milepost_instances BEGIN"
        " DELETE FROM own WHERE job_id = OLD.job_id; END"
    )
    before = Database(on_sqlite).rows("SELECT COUNT(*) FROM own")

    with pytest.raises(RebuildForbidden, match="trigger follows"):
        on_sqlite.shadow.swap()

    assert not on_sqlite.shadow.clear()
    assert Database(on_sqlite).rows("SELECT COUNT(*) FROM own") == before
    assert_every_row_is_right(on_sqlite)


def test_a_table_of_somebodys_own_is_not_taken_away_for_its_name(on_sqlite: Deployment) -> None:
    Database(on_sqlite).run("CREATE TABLE milepost_dropped_notes AS SELECT 1 AS note")

    assert not on_sqlite.shadow.clear()

    assert Database(on_sqlite).rows("SELECT note FROM milepost_dropped_notes") == [(1,)]
