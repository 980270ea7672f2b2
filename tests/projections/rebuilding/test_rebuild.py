"""A rebuild makes the rows that the events give, and no reader notices it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from domain.job.callback import Callback
from domain.log.sqlite import SQLiteRecorder
from domain.log.store import Append
from domain.workflows.definition import Workflows
from projections.comparing.rows import RowDifference
from projections.projecting.projector import Projector
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.filters import JobFilter
from projections.read_model.postgres import schema as in_postgres
from projections.read_model.rows import Changes, Row
from projections.read_model.sqlite import schema as in_sqlite
from projections.read_model.tables import TABLES
from projections.rebuilding.contract import RebuildForbidden
from projections.rebuilding.rebuild import Progress, Rebuild, RebuildInterrupted, RebuildUnderWay
from tests.support.jobs.rows import (
    JOBS,
    assert_every_read_is_right,
    assert_every_row_is_right,
    heartbeat,
    lived,
)
from tests.support.projectors.chores import EverySecond
from tests.support.projectors.projecting import PATIENCE, Crash, projector, running, wait_until
from tests.support.projectors.rebuilding import (
    NEWER,
    differences,
    folded_beside,
    rebuild_over,
    rows,
)
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.tampering import Database


def rebuild(made: Deployment, batch: int) -> Rebuild:
    """Return a rebuild that takes many steps."""
    return rebuild_over(made, batch=batch, batches=1, page=batch)


def edited(made: Deployment, statement: Any) -> None:
    """Change the database by SQL."""
    recorder: Any = made.milepost.recorder
    if isinstance(recorder, SQLiteRecorder):
        with recorder.datastore.writing() as cursor:
            cursor.execute(statement)
    else:
        with psycopg.connect(made.env["DATABASE_URL"]) as connection:
            connection.execute(statement)


def listed(made: Deployment) -> list[tuple[str, str]]:
    return [(each.job_id, each.status) for each in made.reader.instances(JobFilter())]


def release(made: Deployment, **options: Any) -> Projector:
    """Return a projector as the server wires it."""
    return projector(made, may_project=made.rebuild.is_current, **options)


def told_to_stop_after(batches: int) -> tuple[Event, Callable[[Progress], None]]:
    stop, left = Event(), iter(range(batches))
    return stop, lambda _: None if next(left, None) is not None else stop.set()


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do this again and again in another thread; raise the error of that thread."""
    stop, wrong, rounds = Event(), list[Exception](), 0

    def repeat() -> None:
        nonlocal rounds
        try:
            while not stop.is_set():
                work()
                rounds += 1
        except Exception as error:
            wrong.append(error)

    thread = Thread(target=repeat)
    thread.start()
    try:
        yield
        seen = rounds
        wait_until(lambda: rounds > seen + 3 or bool(wrong))
    finally:
        stop.set()
        thread.join(PATIENCE)
    if wrong:
        raise wrong[0]


# The rebuilt rows


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_rebuild_gives_the_rows_that_the_projector_gave(
    databases: Deployment, clock: Clock, batch: int
) -> None:
    lived(databases, clock)
    unreadable = [StoredEvent("two", 999, "JobPainted", b"{}")]
    databases.milepost.store.transact({}, [], lambda _: Append(unreadable))
    databases.projector.catch_up()
    before, aside = rows(databases), list(databases.read_model.set_aside())

    rebuilt = rebuild(databases, batch).run()

    assert rows(databases) == before
    assert list(databases.read_model.set_aside()) == aside != []
    assert databases.read_model.position() == rebuilt.position == rebuilt.events
    assert (rebuilt.began_at, rebuilt.differences) == (0, 0)
    assert databases.read_model.rebuilt_position() is None


def test_a_rebuild_goes_as_far_as_the_log_although_the_projector_did_not(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)

    rebuilt = databases.rebuild.run()

    assert rebuilt.differences == 0, "a row that is not there yet is not wrong"
    assert_every_row_is_right(databases)


def test_events_that_come_during_a_rebuild_are_folded_too(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    chance = iter(range(5))

    def interfere(_: Progress) -> None:
        if next(chance, None) is not None:
            heartbeat(databases)
            projector(databases).catch_up()

    rebuild(databases, batch=10).run(on_progress=interfere)

    assert_every_row_is_right(databases)


def test_the_served_position_never_goes_back(databases: Deployment, clock: Clock) -> None:
    """A list that has shown an event goes on showing it."""
    lived(databases, clock)
    databases.projector.catch_up()
    folded_beside(databases)
    heartbeat(databases)
    databases.projector.catch_up()
    before = databases.read_model.edition()

    assert not databases.shadow.swap()

    assert databases.read_model.edition() == before
    projector(databases, databases.shadow.read_model).catch_up()
    assert databases.shadow.swap()
    assert_every_row_is_right(databases)


def test_rows_that_are_ahead_of_a_restored_log_are_replaced(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    databases.read_model.apply(Changes(databases.read_model.position(), 10**6))

    databases.rebuild.run()

    assert_every_row_is_right(databases)


def test_the_tables_look_afterwards_as_they_were_made(databases: Deployment, clock: Clock) -> None:
    """Their indexes have the same names too, so another rebuild can work with them."""
    lived(databases, clock)
    before = schema(databases)

    for _ in range(2):
        databases.rebuild.run()
        databases.rebuild.delete_replaced()
        assert schema(databases) == before

        databases.kit.schema.apply()
        assert schema(databases) == before


def schema(made: Deployment) -> list[str]:
    recorder: Any = made.milepost.recorder
    if isinstance(recorder, SQLiteRecorder):
        with recorder.datastore.reading() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            found = [
                f"{row[0]}: {(row[1] or '').replace(chr(34), '')}" for row in cursor.fetchall()
            ]
            # An index keeps its name, which tells the generation of its table.
            return [re.sub(r"(milepost_instances_[a-z]+)_\d+", r"\1", each) for each in found]
    found = recorder.datastore.rows(
        "SELECT tablename, indexdef FROM pg_indexes WHERE tablename LIKE 'milepost_%%' UNION ALL"
        " SELECT table_name, column_name || data_type || is_nullable"
        " FROM information_schema.columns WHERE table_name LIKE 'milepost_%%' ORDER BY 1, 2"
    )
    return [" ".join(row.values()) for row in found]


@pytest.mark.parametrize("twin", [in_sqlite, in_postgres])
def test_every_table_of_rows_is_part_of_a_rebuild(twin: Any) -> None:
    created = {statement.split("EXISTS ")[1].split(" ")[0] for statement in twin.CREATE_ROWS}

    assert created == set(TABLES.names)


# Wrong rows


WRONG = {
    "a status": ("UPDATE milepost_instances SET status = 'running' WHERE job_id = 'one'", "status"),
    "a step": (
        "UPDATE milepost_instances SET current_step = 'x' WHERE job_id = 'one'",
        "current_step",
    ),
    "a document": (
        "UPDATE milepost_instances SET document = replace(document, 'of-one', 'of-eve')"
        " WHERE job_id = 'one'",
        "document.agent_id",
    ),
    "a timeline": (
        "UPDATE milepost_timelines SET document = replace(document, 'of-one', 'of-eve')"
        " WHERE job_id = 'one'",
        "document.agent_id",
    ),
    "a version that there is not": (
        "UPDATE milepost_timelines SET version = version + 1 WHERE job_id = 'one'",
        "version",
    ),
    "no document": (
        "UPDATE milepost_timelines SET document = '{' WHERE job_id = 'one'",
        "document",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_edited_row_is_reported_and_corrected(
    databases: Deployment, clock: Clock, what: str
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before, (statement, name) = rows(databases), WRONG[what]
    view = "timelines" if "timelines" in statement else "instances"
    edited(databases, statement)

    [difference] = differences(databases.rebuild.comparison())
    seen: list[RowDifference] = []
    rebuilt = databases.rebuild.run(on_difference=seen.append)

    assert (difference.job_id, difference.view) == ("one", view)
    assert difference.actual is not None
    assert difference.expected is not None
    assert name in difference.actual
    assert difference.actual[name] != difference.expected.get(name)
    assert seen == [difference]
    assert rebuilt.differences == 1
    assert rows(databases) == before
    assert differences(databases.rebuild.comparison()) == []


@pytest.mark.parametrize(
    "edit",
    [
        "version = 'x'",
        "version = x'01'",
        "version = 1, document = CAST(document AS BLOB)",
        "version = 10000, document = CAST(document AS BLOB)",
    ],
)
def test_a_row_with_values_of_other_types_is_corrected(
    sqlite: Deployment, clock: Clock, edit: str
) -> None:
    lived(sqlite, clock)
    sqlite.projector.catch_up()
    before = rows(sqlite)
    edited(sqlite, f"UPDATE milepost_timelines SET {edit} WHERE job_id = 'one'")

    assert sqlite.rebuild.run().differences == 1
    assert rows(sqlite) == before


def test_a_row_that_claims_deleted_events_is_reported(databases: Deployment, clock: Clock) -> None:
    """For example, somebody deleted the newest events or restored an older database."""
    lived(databases, clock)
    heartbeat(databases)
    databases.projector.catch_up()
    edited(
        databases,
        "DELETE FROM milepost_events WHERE notification_id ="
        " (SELECT max(notification_id) FROM milepost_events)",
    )
    seen: list[RowDifference] = []

    databases.rebuild.run(on_difference=seen.append)

    assert [(each.job_id, each.view) for each in seen] == [
        ("one", "instances"),
        ("one", "timelines"),
    ]


def test_a_job_whose_id_is_no_text_is_not_rebuilt_as_another(
    sqlite: Deployment, clock: Clock
) -> None:
    lived(sqlite, clock)
    edited(
        sqlite,
        "UPDATE milepost_events SET originator_id = CAST('two' AS BLOB)"
        " WHERE originator_id = 'two'",
    )

    with pytest.raises(RebuildForbidden, match="values of other types"):
        sqlite.rebuild.run()


def test_missing_rows_and_rows_of_no_job_are_reported_and_corrected(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before = rows(databases)
    edited(databases, "DELETE FROM milepost_timelines WHERE job_id = 'two'")
    edited(databases, "INSERT INTO milepost_timelines VALUES ('nobody', 1, '{}')")

    reported = differences(databases.rebuild.comparison())
    seen: list[RowDifference] = []
    databases.rebuild.run(on_difference=seen.append)

    assert [(each.job_id, each.view) for each in reported] == [
        ("two", "timelines"),
        ("nobody", "timelines"),
    ]
    assert reported[0].actual is None
    assert reported[1].expected is None
    assert seen == reported
    assert rows(databases) == before
    assert databases.inspection.rows_without_events("timelines", "", 10) == {}


def test_a_row_that_has_missed_an_event_is_reported(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before = rows(databases)["timelines"]["one"]
    stale = Row("one", before.version, before.document)
    heartbeat(databases)
    databases.projector.catch_up()
    position = databases.read_model.position()
    databases.read_model.apply(Changes(position, position, timelines=[stale]))

    [difference] = differences(databases.rebuild.comparison())
    seen: list[RowDifference] = []
    databases.rebuild.run(on_difference=seen.append)

    assert (difference.job_id, difference.view) == ("one", "timelines")
    assert difference.actual is not None
    assert difference.actual["version"] == stale.version
    assert seen == [difference]


def test_only_what_is_asked_for_is_compared(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    edited(databases, WRONG["a status"][0])

    assert differences(databases.rebuild.comparison(["timelines"])) == []
    assert len(differences(databases.rebuild.comparison(["instances"]))) == 1
    assert databases.rebuild.run(wanted=["timelines"]).differences == 0
    assert_every_row_is_right(databases)


def test_comparing_changes_nothing(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    edited(databases, WRONG["a status"][0])
    before, edition = rows(databases), databases.read_model.edition()

    differences(databases.rebuild.comparison())

    assert rows(databases) == before
    assert databases.read_model.edition() == edition
    assert databases.read_model.rebuilt_position() is None


def test_a_lagging_projector_makes_no_difference(databases: Deployment, clock: Clock) -> None:
    """Rows are compared with the events up to their position."""
    for seed in range(3):
        lived(databases, clock, times=9, seed=seed)
        assert differences(databases.rebuild.comparison()) == []
        projector(databases, batch=seed + 2, batches=1)._steps.step()
        assert differences(databases.rebuild.comparison()) == []


def test_what_only_one_of_two_folds_has_seen_yet_is_no_difference(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    folded_beside(databases)
    heartbeat(databases)
    databases.projector.catch_up()

    assert list(databases.rebuild.comparison().with_rebuilt()) == [], "the served rows are ahead"

    heartbeat(databases)
    projector(databases, databases.shadow.read_model).catch_up()

    assert list(databases.rebuild.comparison().with_rebuilt()) == [], "the rebuilt rows are ahead"


def test_encrypted_rows_are_compared_by_what_they_mean(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock, databases: Deployment
) -> None:
    """Each encryption of the same document gives other bytes."""
    cipher = {
        "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
        "CIPHER_KEY": "AAECAwQFBgcICQoLDA0ODw==",
    }
    sealed = Deployment({**databases.env, **cipher}, workflows, clock)
    lived(sealed, clock)
    sealed.projector.catch_up()
    before = rows(sealed)

    assert differences(sealed.rebuild.comparison()) == []
    assert sealed.rebuild.run().differences == 0
    assert rows(sealed) != before
    sealed.close()


# Interruptions


@pytest.mark.parametrize("pages", [0, 1, 4, 6])
def test_an_interrupted_rebuild_goes_on_where_it_was(
    databases: Deployment, clock: Clock, pages: int
) -> None:
    """The next rebuild goes on after the last job that was folded to its end."""
    lived(databases, clock)
    databases.projector.catch_up()
    before = rows(databases)
    stop, on_progress = told_to_stop_after(pages)
    with pytest.raises(RebuildInterrupted):
        rebuild(databases, batch=10).run(stop=stop, on_progress=on_progress)
    left = databases.read_model.rebuilt_position()
    assert left is not None
    # No job has 40 events.
    assert 10 * (pages - 4) < left <= 10 * pages
    assert rows(databases) == before

    another = databases.again()
    rebuilt = rebuild(another, batch=10).run()

    assert rebuilt.began_at == left
    assert rebuilt.events == rebuilt.position - rebuilt.began_at
    assert rows(another) == before
    another.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rebuild_that_crashes_anywhere_ends_right(
    databases: Deployment, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    lived(databases, clock, seed=seed)
    databases.projector.catch_up()
    crashes = 0

    def crash(_: object) -> None:
        nonlocal crashes
        if crashes < 8 and chance.random() < 0.4:
            crashes += 1
            raise Crash

    while True:
        try:
            rebuild(databases, batch=chance.randint(3, 20)).run(on_progress=crash)
            break
        except Crash:
            assert_every_row_is_right(databases)
            heartbeat(databases)
            databases.projector.catch_up()

    assert crashes > 0
    assert_every_row_is_right(databases)


def test_a_rebuild_can_begin_afresh(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    stop, on_progress = told_to_stop_after(2)
    with pytest.raises(RebuildInterrupted):
        rebuild(databases, batch=10).run(stop=stop, on_progress=on_progress)
    edited(databases, "UPDATE milepost_rebuilt_instances SET status = 'x'")

    assert databases.rebuild.run(afresh=True).began_at == 0

    assert_every_row_is_right(databases)
    assert differences(databases.rebuild.comparison()) == []


def test_tables_that_an_older_release_left_are_made_again(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    stop, on_progress = told_to_stop_after(2)
    with pytest.raises(RebuildInterrupted):
        rebuild(databases, batch=10).run(stop=stop, on_progress=on_progress)
    newer = databases.again(NEWER)

    assert newer.rebuild.run().began_at == 0
    newer.close()


def test_tables_that_are_ahead_of_a_restored_log_are_made_again(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.shadow.begin()
    databases.shadow.read_model.apply(
        Changes(0, 10**6, generation=databases.shadow.read_model.edition().generation)
    )

    assert databases.rebuild.run().began_at == 0
    assert_every_row_is_right(databases)


def test_tables_that_an_interrupted_rebuild_left_can_be_dropped(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before = schema(databases)
    databases.shadow.begin()

    assert databases.rebuild.drop()
    assert not databases.rebuild.drop()
    databases.rebuild.delete_replaced()

    assert schema(databases) == before
    assert_every_row_is_right(databases)


def test_a_rebuild_does_not_fold_on_into_dropped_tables(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.shadow.begin()
    zombie = projector(databases, databases.shadow.read_model, batch=5, batches=1)
    zombie._steps.begin()
    zombie._steps.step()
    databases.shadow.drop()

    with pytest.raises(PositionMoved):
        zombie.catch_up()


def test_there_is_one_rebuild_at_a_time(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    another = databases.again()
    refused = 0

    def second(_: Progress) -> None:
        nonlocal refused
        for attempt in (another.rebuild.run, another.rebuild.drop):
            with pytest.raises(RebuildUnderWay):
                attempt()
            refused += 1

    databases.rebuild.run(on_progress=second)

    assert refused >= 4
    assert another.rebuild.run().differences == 0
    another.close()


# Beside a projector and readers


def test_a_projector_drops_its_cache_after_a_swap(databases: Deployment) -> None:
    """It had folded on from a row that somebody edited. The rebuilt row stays right."""
    heartbeat(databases)
    databases.projector.catch_up()
    edited(
        databases,
        "UPDATE milepost_instances SET document = replace(document, '\"first_position\":1',"
        " '\"first_position\":7')",
    )
    another = databases.again()
    with running(projector(databases)):
        assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)

        assert another.rebuild.run().differences == 1
        assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)
        assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)

    assert differences(another.rebuild.comparison()) == []
    another.close()


def test_callbacks_reads_and_the_projector_go_on_during_rebuilds(
    databases: Deployment, clock: Clock
) -> None:
    """Prepared statements on any connection survive the swaps, and every read is right."""
    lived(databases, clock)
    databases.projector.catch_up()
    another = databases.again()
    positions: list[int] = []

    def look() -> None:
        assert_every_read_is_right_enough()
        assert {job_id for job_id, _ in listed(databases)} == {*JOBS}
        assert sum(databases.reader.counts().values()) == len(JOBS)
        positions.append(databases.read_model.position())

    def assert_every_read_is_right_enough() -> None:
        for job_id in JOBS:
            position = databases.milepost.record(Callback(job_id=job_id, type="heartbeat")).position
            instance, timeline = (
                databases.reader.instance(job_id),
                databases.reader.timeline(job_id),
            )
            assert instance is not None
            assert timeline is not None
            assert instance.position == timeline.position == position
            assert databases.reader.instance_of(f"of-{job_id}") == instance
        databases.read_model.wake()

    with running(projector(databases)), meanwhile(look):
        for _ in range(6):
            another.rebuild.run()

    assert positions == sorted(positions)
    databases.projector.catch_up()
    lived(databases, clock, times=5)
    databases.projector.catch_up()
    assert_every_row_is_right(databases)
    another.close()


def test_a_long_read_delays_the_swap_and_no_other_reader(
    postgres: Deployment, clock: Clock
) -> None:
    """A dump reads for long, and no other reader waits behind a swap that waits for it."""
    lived(postgres, clock)
    postgres.projector.catch_up()
    folded_beside(postgres)
    with psycopg.connect(postgres.env["DATABASE_URL"]) as dump:
        dump.execute("SELECT * FROM milepost_timelines").fetchone()

        assert not postgres.shadow.swap()

        assert_every_read_is_right(postgres)
        assert postgres.read_model.rebuilt_position() == postgres.read_model.position()
        heartbeat(postgres)
        assert postgres.projector.catch_up() == 1
        dump.rollback()
        projector(postgres, postgres.shadow.read_model).catch_up()
        assert postgres.shadow.swap()


def test_the_rights_on_the_tables_stay(postgres: Deployment, clock: Clock) -> None:
    """Rebuilding, serving and reporting may have three different accounts."""
    role = f"reporting_{random.randrange(2**32)}"
    owner = f"owner_{random.randrange(2**32)}"
    lived(postgres, clock)
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {role}",
            f"CREATE ROLE {owner}",
            f"GRANT SELECT ON milepost_instances TO {role}",
            *(f"ALTER TABLE {name} OWNER TO {owner}" for name in TABLES.names),
        ):
            connection.execute(statement)

        postgres.rebuild.run()

        assert connection.execute(
            "SELECT has_table_privilege(%s, 'milepost_instances', 'SELECT'),"
            " has_table_privilege(%s, 'milepost_timelines', 'SELECT')",
            (role, role),
        ).fetchone() == (True, False)
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = ANY (%s)",
            (list(TABLES.names),),
        ).fetchall()
        assert owners == [(owner,)]
        for each in (role, owner):
            connection.execute(f"DROP OWNED BY {each} CASCADE; DROP ROLE {each}")


def test_an_account_that_does_not_own_the_tables_gets_the_reason(
    postgres: Deployment, clock: Clock
) -> None:
    lived(postgres, clock)
    postgres.projector.catch_up()
    role = f"serving_{random.randrange(2**32)}"
    database_url = postgres.env["DATABASE_URL"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        serving = Deployment(
            {**postgres.env, "DATABASE_URL": database_url.replace("postgres@", f"{role}@")},
            postgres.workflows,
            clock,
            NEWER,
        )

        with pytest.raises(RebuildForbidden, match="owns the present ones"):
            serving.rebuild.run()
        assert not serving.rebuild.is_current(Event())

        assert serving.read_model.rebuilt_position() is None
        assert_every_read_is_right(serving)
        serving.close()
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


# Releases of different shapes


def test_a_new_shape_is_rebuilt_at_the_start_and_the_old_rows_are_listed_meanwhile(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before, newer = listed(databases), databases.again(NEWER)
    slow = rebuild(newer, batch=10)
    seen: list[tuple[list[tuple[str, str]], int | None]] = []

    def look(stop: Event) -> bool:
        with meanwhile(lambda: seen.append((listed(newer), newer.read_model.rebuilt_position()))):
            return slow.is_current(stop)

    with running(projector(newer, may_project=look)):
        wait_until(lambda: newer.read_model.edition().shape == NEWER)
        assert newer.reader.catching_up.wait_for(heartbeat(newer), PATIENCE)

    assert {tuple(jobs) for jobs, _ in seen} == {tuple(before)}
    assert None in {position for _, position in seen}
    assert_every_row_is_right(newer)
    newer.close()


def test_reads_of_one_job_are_right_while_rows_of_another_shape_are_served(
    databases: Deployment, clock: Clock
) -> None:
    """A read ignores a readable row of another shape: its fields may have another meaning."""
    lived(databases, clock)
    databases.projector.catch_up()
    edited(databases, WRONG["a document"][0])
    edited(databases, WRONG["a timeline"][0])
    newer = databases.again(NEWER)

    assert_every_read_is_right(newer)
    heartbeat(newer)
    assert_every_read_is_right(newer)
    newer.close()


def test_lists_work_although_the_old_rows_cannot_be_read(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    before = listed(databases)
    edited(databases, "UPDATE milepost_instances SET document = 'of another time'")
    newer = databases.again(NEWER)

    assert listed(newer) == before
    newer.close()


def test_an_older_release_beside_a_newer_one_stays_harmless(
    databases: Deployment, clock: Clock
) -> None:
    """It was the leader. It stops when it sees the newer rows, stands by, and rebuilds nothing."""
    lived(databases, clock)
    newer = databases.again(NEWER)
    with running(release(databases)):
        assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)
        with running(release(newer)):
            wait_until(lambda: newer.read_model.edition().shape == NEWER)
            for _ in range(3):
                assert newer.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)
                assert newer.reader.catching_up.wait_for(heartbeat(newer), PATIENCE)

    assert newer.read_model.edition().generation == 1, "rebuilt once"
    assert_every_row_is_right(newer)
    assert_every_read_is_right(databases)
    newer.close()


def test_an_older_release_hands_over_although_nothing_happens(databases: Deployment) -> None:
    """The leader runs the watchdog too."""
    newer, idle, taken_over = databases.again(NEWER), Event(), Event()
    with running(release(databases, chores=[EverySecond(idle.set)])):
        assert idle.wait(PATIENCE)
        with running(release(newer, chores=[EverySecond(taken_over.set)])):
            assert taken_over.wait(PATIENCE)

    newer.close()


def test_a_projector_of_an_older_release_cannot_write(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    newer = databases.again(NEWER)
    newer.rebuild.run()
    heartbeat(databases)

    with pytest.raises(PositionMoved):
        databases.projector.catch_up()

    assert not databases.rebuild.is_current(Event())
    assert newer.projector.catch_up() == 1
    newer.close()


def test_an_operator_who_goes_back_to_an_older_release_rebuilds_by_hand(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    newer = databases.again(NEWER)
    newer.rebuild.run()
    newer.close()

    rebuilt = databases.rebuild.run()

    assert rebuilt.differences is None, "rows of another shape are not compared"
    assert databases.read_model.edition().shape == SHAPE
    assert databases.rebuild.is_current(Event())
    assert_every_row_is_right(databases)


def test_shapes_are_compared_as_numbers(databases: Deployment) -> None:
    newer = databases.again("10")
    newer.rebuild.run()

    assert not databases.again("9").rebuild.is_current(Event())
    assert newer.read_model.edition().shape == "10"
    newer.close()


def test_a_database_of_a_release_without_generations_keeps_its_rows(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    databases.projector.catch_up()
    position, database = databases.read_model.position(), Database(databases)
    database.run("DROP TABLE milepost_read_model")
    database.run("CREATE TABLE milepost_read_model (shape text NOT NULL, position bigint NOT NULL)")
    database.run("INSERT INTO milepost_read_model VALUES (?, ?)", [SHAPE, position])

    later = databases.again()

    assert later.read_model.position() == position
    assert later.read_model.edition().shape == SHAPE
    heartbeat(later)
    assert later.projector.catch_up() == 1
    assert_every_row_is_right(later)
    later.close()
