"""The plans of PostgreSQL for the statements that callbacks and reads wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import count
from typing import Any

import pytest
from psycopg import Connection

from domain.log.postgres import PostgresRecorder
from domain.log.reading.postgres import (
    SELECT_EVENT,
    SELECT_EVENTS,
    SELECT_HISTORIES,
    SELECT_HISTORY,
    SELECT_RECALLED,
    SELECT_SOME_EVENTS,
)
from domain.log.statements.postgres import SELECT_KEYS, SELECT_TAIL
from domain.workflows.definition import Workflows
from projections.read_model.contract import SHAPE
from projections.read_model.postgres.applying import (
    FORGET_MACHINES,
    GIVE_UP_MACHINES,
    SELECT_DOCUMENTS,
)
from projections.read_model.postgres.deadlines import FIRST_DUE, SELECT_PROVISIONING, SELECT_SILENT
from projections.read_model.postgres.editions import SELECT_EDITION
from projections.read_model.postgres.history import SELECT_SNAPSHOT
from projections.read_model.postgres.listing import SELECT_LAST_RUN, first_of_attention
from projections.read_model.postgres.machines import SELECT_USES
from projections.read_model.postgres.notes import SELECT_NOTE
from projections.read_model.postgres.sighting import SIGHT, SIGHT_AGENTS
from projections.read_model.postgres.statements import of_shape
from projections.tree.postgres import SELECT_TILE_OF, SELECT_TILES
from projections.verification.inspection import postgres as inspection_postgres
from projections.verification.inspection.postgres import (
    SELECT_JOB_SNAPSHOTS,
    SELECT_JOBS_WITH_SNAPSHOTS,
    SELECT_KEYS_WITH_EVENTS,
    SELECT_ROWS,
    SELECT_VIEW_SNAPSHOTS,
)
from projections.verification.inspection.postgres import SELECT_TILES as SELECT_TILES_OF_A_LEVEL
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.prepared import PreparedDatabases
from tests.support.stores.tampering import Database

HOT = {
    "tail": SELECT_TAIL,
    "recalled": SELECT_RECALLED,
    "keys": SELECT_KEYS,
    "some events": SELECT_SOME_EVENTS,
    "sight of instances": of_shape(SIGHT["instances"], SHAPE),
    "sight of timelines": of_shape(SIGHT["timelines"], SHAPE),
    "sight of agents": of_shape(SIGHT_AGENTS, SHAPE),
    "edition": SELECT_EDITION,
    "due jobs": FIRST_DUE,
    "silent jobs": SELECT_SILENT,
    "provisioning jobs": SELECT_PROVISIONING,
    "a note": SELECT_NOTE,
    "instances": SELECT_DOCUMENTS["instances"],
    "timelines": SELECT_DOCUMENTS["timelines"],
    "jobs of machines": SELECT_USES,
    "machines of jobs that are tried again": FORGET_MACHINES,
    "machines that are given up": GIVE_UP_MACHINES,
    "history": SELECT_HISTORY,
    "events": SELECT_EVENTS,
    "snapshot of a view": of_shape(SELECT_SNAPSHOT, SHAPE),
    "tiles": SELECT_TILES,
    "the tile of a position": SELECT_TILE_OF,
    "an event": SELECT_EVENT,
    "tiles of a level": SELECT_TILES_OF_A_LEVEL,
    "histories": SELECT_HISTORIES,
    "rows of instances": SELECT_ROWS["instances"],
    "rows of timelines": SELECT_ROWS["timelines"],
    "jobs with snapshots of views": SELECT_JOBS_WITH_SNAPSHOTS,
    "snapshots of views": SELECT_VIEW_SNAPSHOTS,
    "snapshots of jobs": SELECT_JOB_SNAPSHOTS,
    "keys to verify": inspection_postgres.SELECT_KEYS,
    "keys with their events": SELECT_KEYS_WITH_EVENTS,
}
LOOKED_UP_BY = {
    "milepost_events": ("originator_version", "notification_id", "ROW(originator_id,"),
    "milepost_keys": ("name",),
    "milepost_snapshots": ("job_id",),
    "milepost_instances": ("job_id", "look_at", "status"),
    "milepost_machines": ("machine", "job_id"),
    "milepost_notes": ("name",),
    "milepost_timelines": ("job_id",),
    "milepost_view_snapshots": ("job_id",),
    "milepost_read_model": ("tables",),
    "milepost_tree": ("level", "last_position"),
}


def numbered(statement: str) -> str:
    """Return the statement with numbered parameters, as the server has them."""
    first, *others = statement.split("%s")
    numbers = count(1)
    return first + "".join(f"${next(numbers)}{other}" for other in others)


@pytest.fixture(scope="module")
def empty(prepared_databases: PreparedDatabases, workflows: Workflows) -> Iterator[Deployment]:
    """A database whose statistics say that all tables are empty; tests only ask for plans."""
    with prepared_databases.lent() as dsn:
        env = {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}
        made = Deployment(env, workflows, Clock(), has_tables=True)
        try:
            with connected(made) as connection:
                connection.execute("ANALYZE")
            yield made
        finally:
            made.close()


def connected(made: Deployment) -> AbstractContextManager[Connection[Any]]:
    recorder = made.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    return recorder.datastore.get_connection()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (first_of_attention(), "milepost_instances_attention"),
        (SELECT_LAST_RUN, "milepost_instances_workflow"),
    ],
)
def test_few_of_many_jobs_are_found_by_their_index(
    postgres: Deployment, statement: str, index: str
) -> None:
    """The list reads only the wanted jobs, and does not sort them."""
    Database(postgres).run(
        """INSERT INTO milepost_instances (job_id, version, document, first_position, status,
                                           attention_rank, attention_from, workflow)
           SELECT 'job-' || i, 1, '{}', i, 'failed', CASE WHEN mod(i, 100) = 0 THEN 0 END, now(),
                  CASE WHEN i = 7 THEN 'rare@1' ELSE 'vm@' || mod(i, 5) END
             FROM generate_series(1, 10000) AS made (i)"""
    )
    wanted: Any = numbered(statement)
    with connected(postgres) as connection:
        connection.execute("ANALYZE")
        explained = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {wanted}").fetchone()

    assert explained is not None
    plan = list(nodes(explained["QUERY PLAN"][0]["Plan"]))
    *above, scan = [node for node in plan if node["Node Type"] != "Subquery Scan"]
    assert {node["Node Type"] for node in above} <= {"Limit", "WindowAgg"}
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", index)
    assert "workflow" not in scan.get("Filter", "")


@pytest.mark.parametrize("what", HOT)
def test_a_hot_statement_looks_up_what_it_needs_however_small_the_tables_were(
    empty: Deployment, what: str
) -> None:
    """The plan for any parameters, made while the statistics say that all tables are empty.

    It never reads a whole table or index, nor a whole history of a job to filter it afterwards.
    """
    explain: Any = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered(HOT[what])}"
    with connected(empty) as connection:
        explained = connection.execute(explain).fetchone()

    assert explained is not None
    plan = list(nodes(explained["QUERY PLAN"][0]["Plan"]))
    assert [node for node in plan if "Seq Scan" in node["Node Type"]] == []
    # What is deleted was found before, by an index.
    deletes = ("ModifyTable", "Tid Scan")
    scans = [n for n in plan if "Relation Name" in n and n["Node Type"] not in deletes]
    assert scans
    for scan in scans:
        columns = LOOKED_UP_BY[scan["Relation Name"]]
        assert any(f"({column} " in scan.get("Index Cond", "") for column in columns), scan
