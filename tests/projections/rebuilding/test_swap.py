"""The swap is short, and breaks no object that other people made."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event
from typing import Any, LiteralString

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from domain.job.events import StopRequested
from domain.log.store import Append
from projections.rebuilding.contract import RebuildForbidden
from projections.rebuilding.rebuild import LONGEST_PAUSE, Progress, RebuildInterrupted
from projections.rebuilding.sqlite import SLICE
from tests.support.jobs.rows import assert_every_row_is_right, heartbeat, lived
from tests.support.projectors.projecting import Rests
from tests.support.projectors.rebuilding import NEWER, differences, folded_beside, rebuild_over
from tests.support.stores.deployment import NOON, Clock, Deployment
from tests.support.stores.tampering import Database

MANY = 2 * SLICE + 50
WANTED = [
    "agent_id,first_position",
    "attention_rank,first_position",
    "first_position",
    "look_at,job_id",
    "status,first_position",
    "user_id,first_position",
    "workflow,first_position",
]


def many_jobs(made: Deployment) -> None:
    state = msgspec.json.encode(StopRequested(recorded_at=NOON))
    events = [StoredEvent(f"job-{n:04}", 1, "StopRequested", state) for n in range(MANY)]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def rows_to_go(made: Deployment) -> int:
    """Count the rows of the replaced and dropped tables."""
    database = Database(made)
    return sum(database.rows(f"SELECT COUNT(*) FROM {name}")[0][0] for name in to_go(made))


def to_go(made: Deployment) -> Sequence[LiteralString]:
    found = Database(made).rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in found if name.startswith("milepost_dropped_")]


def indexed(made: Deployment) -> Sequence[str]:
    """Return the columns of every index of the served instances, without the primary key."""
    found = Database(made).rows(
        "SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name))"
        " FROM pragma_index_list('milepost_instances') AS list WHERE origin = 'c'"
    )
    return sorted(columns for (columns,) in found)


# On SQLite


def test_a_swap_deletes_no_rows(sqlite: Deployment) -> None:
    """Deleting all rows would hold the write lock for long."""
    many_jobs(sqlite)
    sqlite.projector.catch_up()
    folded_beside(sqlite)
    assert to_go(sqlite) == []

    assert sqlite.shadow.swap()

    assert rows_to_go(sqlite) == 2 * MANY
    assert indexed(sqlite) == WANTED


def test_replaced_rows_are_deleted_in_slices_and_others_write_between_them(
    sqlite: Deployment, clock: Clock
) -> None:
    many_jobs(sqlite)
    lived(sqlite, clock)
    sqlite.projector.catch_up()
    sqlite.rebuild.run()
    left = rows_to_go(sqlite)

    while sqlite.shadow.clear():
        assert left - SLICE <= rows_to_go(sqlite) <= left
        left = rows_to_go(sqlite)
        heartbeat(sqlite)
        sqlite.projector.catch_up()

    assert to_go(sqlite) == []
    assert_every_row_is_right(sqlite)
    assert differences(sqlite.rebuild.comparison()) == []


def test_the_next_rebuild_deletes_what_an_interrupted_one_left(sqlite: Deployment) -> None:
    many_jobs(sqlite)
    sqlite.projector.catch_up()
    sqlite.rebuild.run()
    sqlite.shadow.clear()
    replaced = set(to_go(sqlite))

    again = sqlite.again()
    again.rebuild.run()

    assert replaced
    assert not replaced & set(to_go(again))
    again.rebuild.delete_replaced()
    assert to_go(again) == []
    assert indexed(again) == WANTED
    assert differences(again.rebuild.comparison()) == []
    again.close()


def test_a_rebuild_afresh_does_not_wait_for_the_deletion_of_the_former_one(
    sqlite: Deployment,
) -> None:
    many_jobs(sqlite)
    folded_beside(sqlite)

    sqlite.shadow.begin(afresh=True)

    assert rows_to_go(sqlite) == 2 * MANY
    sqlite.rebuild.run()
    assert indexed(sqlite) == WANTED
    assert differences(sqlite.rebuild.comparison()) == []


def test_a_deletion_that_is_stopped_leaves_the_rest(sqlite: Deployment) -> None:
    many_jobs(sqlite)
    sqlite.rebuild.run()
    stop, before = Event(), to_go(sqlite)
    stop.set()

    sqlite.rebuild.delete_replaced(stop)
    with pytest.raises(RebuildInterrupted):
        sqlite.rebuild.run(stop=stop)

    assert to_go(sqlite) == before != []


def test_a_deletion_that_was_frozen_during_a_slice_does_not_rest_as_long(
    sqlite: Deployment, clock: Clock
) -> None:
    """The pause after a slice grows with the time of the slice: here, 16 minutes."""

    class Frozen:
        def __getattr__(self, name: str) -> Any:
            return getattr(sqlite.shadow, name)

        def clear(self) -> bool:
            clock.advance(960)
            return sqlite.shadow.clear()

    many_jobs(sqlite)
    sqlite.rebuild.run()
    rests = Rests()

    rebuild_over(sqlite, Frozen(), clock=clock.passed).delete_replaced(rests)

    assert 0 < max(rests.seconds) <= LONGEST_PAUSE


def test_there_is_one_set_of_indexes_whoever_prepares_and_rebuilds(sqlite: Deployment) -> None:
    many_jobs(sqlite)
    for _ in range(3):
        sqlite.kit.schema.apply()
        assert indexed(sqlite) == WANTED
        sqlite.rebuild.run()
        assert indexed(sqlite) == WANTED

    Database(sqlite).run("DROP INDEX milepost_instances_agent_3")
    Database(sqlite).run("DROP TABLE milepost_set_aside")
    sqlite.kit.schema.apply()

    assert indexed(sqlite) == WANTED


def test_an_index_over_some_rows_only_does_not_count(sqlite: Deployment) -> None:
    database = Database(sqlite)
    database.run("DROP INDEX milepost_instances_newest")
    database.run("CREATE INDEX own ON milepost_instances (first_position) WHERE user_id IS NULL")
    database.run("DROP TABLE milepost_set_aside")

    sqlite.kit.schema.apply()

    assert indexed(sqlite).count("first_position") == 2


def test_views_over_the_tables_show_the_new_ones(sqlite: Deployment, clock: Clock) -> None:
    """This holds also beside a view that was broken before."""
    lived(sqlite, clock)
    sqlite.projector.catch_up()
    database = Database(sqlite)
    database.run("CREATE VIEW own AS SELECT job_id, status FROM milepost_instances")
    database.run("CREATE VIEW broken AS SELECT * FROM nowhere")
    before = database.rows("SELECT * FROM own ORDER BY job_id")
    database.run("UPDATE milepost_instances SET status = 'x'")

    sqlite.rebuild.run()
    sqlite.rebuild.delete_replaced()

    assert database.rows("SELECT * FROM own ORDER BY job_id") == before
    assert_every_row_is_right(sqlite)


# Objects that depend on the tables


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
def test_an_object_that_a_swap_would_break_is_named_before_anything_is_folded(
    postgres: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    lived(postgres, clock)
    statement, name = OWN[what]
    Database(postgres).run(statement)
    newer = postgres.again(NEWER)

    with pytest.raises(RebuildForbidden, match=f"^The {name}.* depends on the table milepost_"):
        newer.rebuild.run()
    with caplog.at_level(logging.WARNING, "milepost.rebuild"):
        for _ in range(3):
            assert not newer.rebuild.is_current(Event())

    assert len([record for record in caplog.records if name in record.getMessage()]) == 1
    assert newer.read_model.rebuilt_position() is None
    newer.close()


def test_nothing_of_our_own_and_nothing_that_goes_with_the_table_forbids_a_rebuild(
    postgres: Deployment, clock: Clock
) -> None:
    lived(postgres, clock)
    database = Database(postgres)
    database.run("CREATE INDEX own ON milepost_instances ((version + 1)) WHERE status <> 'x'")
    database.run("ALTER TABLE milepost_instances ADD CONSTRAINT own CHECK (version > 0)")
    database.run("CREATE STATISTICS own ON agent_id, user_id FROM milepost_instances")

    for _ in range(2):
        postgres.rebuild.run()

    assert_every_row_is_right(postgres)


def test_an_object_that_is_made_during_a_rebuild_forbids_its_swap(
    postgres: Deployment, clock: Clock
) -> None:
    """The folded rows stay: after the object is dropped, the rebuild goes on."""
    lived(postgres, clock)
    database, making = Database(postgres), iter([OWN["a view"][0]])

    def make(_: Progress) -> None:
        for statement in making:
            database.run(statement)

    with pytest.raises(RebuildForbidden, match="view own depends on the table milepost_instances"):
        postgres.rebuild.run(on_progress=make)
    with pytest.raises(RebuildForbidden, match="view own depends on the table milepost_instances"):
        postgres.rebuild.run()
    newest = postgres.read_model.log.newest_position()
    assert postgres.read_model.rebuilt_position() == newest
    database.run("DROP VIEW own")

    assert postgres.rebuild.run().began_at == newest
    assert_every_row_is_right(postgres)


def test_a_trigger_forbids_a_rebuild_because_sqlite_would_drop_it_silently(
    sqlite: Deployment, clock: Clock
) -> None:
    lived(sqlite, clock)
    sqlite.projector.catch_up()
    trigger: Any = "CREATE TRIGGER own AFTER UPDATE ON milepost_instances BEGIN SELECT 1; END"
    Database(sqlite).run(trigger)

    with pytest.raises(RebuildForbidden, match="The trigger own depends on the table"):
        sqlite.rebuild.run()

    assert sqlite.read_model.rebuilt_position() is None
    Database(sqlite).run("DROP TRIGGER own")
    sqlite.rebuild.run()
    assert_every_row_is_right(sqlite)


def test_a_trigger_that_is_made_during_a_rebuild_forbids_its_swap(
    sqlite: Deployment, clock: Clock
) -> None:
    """Otherwise the trigger would run for every row that is deleted."""
    lived(sqlite, clock)
    sqlite.projector.catch_up()
    folded_beside(sqlite)
    Database(sqlite).run("CREATE TABLE own AS SELECT job_id FROM milepost_instances")
    Database(sqlite).run(
        "CREATE TRIGGER follows AFTER DELETE ON milepost_instances BEGIN"
        " DELETE FROM own WHERE job_id = OLD.job_id; END"
    )
    before = Database(sqlite).rows("SELECT COUNT(*) FROM own")

    with pytest.raises(RebuildForbidden, match="trigger follows"):
        sqlite.shadow.swap()

    assert not sqlite.shadow.clear()
    assert Database(sqlite).rows("SELECT COUNT(*) FROM own") == before
    assert_every_row_is_right(sqlite)


def test_a_table_that_milepost_did_not_drop_is_not_deleted_for_its_name(sqlite: Deployment) -> None:
    Database(sqlite).run("CREATE TABLE milepost_dropped_notes AS SELECT 1 AS note")

    assert not sqlite.shadow.clear()

    assert Database(sqlite).rows("SELECT note FROM milepost_dropped_notes") == [(1,)]
