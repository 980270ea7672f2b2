"""A rebuild's tables in PostgreSQL; its twin is `sqlite_shadow.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from eventsourcing.persistence import (
    OperationalError,
    ProgrammingError,
)
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from psycopg.rows import DictRow, tuple_row

from domain.log.parameters import as_json
from domain.log.postgres import PostgresRecorder
from domain.log.postgres_datastore import ONE_AT_A_TIME
from domain.log.reading.postgres import SELECT_NEWEST, STORED
from domain.log.stored import Stored
from projections.read_model.contract import SHAPE, InstanceRow, PositionMoved, Row
from projections.read_model.postgres import (
    CREATE,
    INDEX,
    SELECT_EDITION,
    TABLES,
    PostgresReadModel,
)
from projections.rebuilding.contract import Left, Moment, RebuildForbidden

TAKE: Final = "SELECT pg_try_advisory_lock(hashtext('milepost rebuild')) AS taken"
DROP: Final[LiteralString] = f"DROP TABLE IF EXISTS {', '.join(TABLES.names)}"
# Another number than those have that were here.
BEGIN_EDITION: Final = """
    INSERT INTO milepost_read_model
    SELECT 'rebuilt', %s, 0, MAX(generation) + 1 FROM milepost_read_model
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = 0, generation = excluded.generation
"""
BEGIN_PAST: Final = """
    INSERT INTO milepost_read_model
    SELECT 'past', shape, %s, generation FROM milepost_read_model WHERE tables = 'rebuilt'
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = excluded.position, generation = excluded.generation
"""
SELECT_PAST: Final = "SELECT position FROM milepost_read_model WHERE tables = 'past'"
SELECT_LAST: Final[LiteralString] = TABLES.turned(
    "SELECT job_id FROM milepost_instances ORDER BY job_id DESC LIMIT 1"
)
END_PAST: Final = """
    UPDATE milepost_read_model AS rebuilt SET position = past.position
      FROM milepost_read_model AS past
     WHERE rebuilt.tables = 'rebuilt' AND past.tables = 'past'
       AND past.generation = rebuilt.generation
       AND rebuilt.generation = %s AND rebuilt.position = %s AND past.position = %s
"""
FORGET_PAST: Final = "DELETE FROM milepost_read_model WHERE tables = 'past'"
END_EDITION: Final = "DELETE FROM milepost_read_model WHERE tables IN ('rebuilt', 'past')"
# What is left of dropped tables is their number, which no others must get: whoever still folds into
# them would take the others for theirs.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# What DROP would not go without; triggers and policies, which would be gone without a word. What is
# part of one of the tables goes with it.
SELECT_DEPENDENTS: Final = """
    WITH served AS (
         SELECT oid, oid::regclass::text AS name, reltype FROM pg_class
          WHERE oid = ANY (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)),
    part AS (
         SELECT 'pg_class'::regclass AS classid, oid, name FROM served
          UNION ALL
         SELECT 'pg_class'::regclass, indexrelid, name FROM pg_index JOIN served ON oid = indrelid
          UNION ALL
         SELECT 'pg_type'::regclass, pg_type.oid, name
           FROM pg_type JOIN served ON pg_type.oid = reltype OR typelem = reltype)
    SELECT CASE WHEN rule.oid IS NULL THEN pg_describe_object(d.classid, d.objid, d.objsubid)
                ELSE pg_describe_object('pg_class'::regclass, rule.ev_class, 0) END AS what, name
      FROM pg_depend AS d
      JOIN part ON part.classid = d.refclassid AND part.oid = d.refobjid
      LEFT JOIN pg_rewrite AS rule ON d.classid = 'pg_rewrite'::regclass AND rule.oid = d.objid
     WHERE d.deptype = 'n'
       AND NOT EXISTS (
           SELECT FROM pg_depend AS own
             JOIN served ON own.refclassid = 'pg_class'::regclass AND own.refobjid = served.oid
            WHERE own.classid = d.classid AND own.objid = d.objid AND own.deptype IN ('a', 'i'))
     UNION ALL
    SELECT 'trigger ' || tgname, name FROM pg_trigger JOIN served ON served.oid = tgrelid
     WHERE NOT tgisinternal
     UNION ALL
    SELECT 'policy ' || polname, name FROM pg_policy JOIN served ON served.oid = polrelid
     ORDER BY 1 LIMIT 1
"""
# Whoever may use a served table may use the one that takes its place.
SAME_RIGHTS: Final = """
    SELECT format('GRANT %%s ON %%I TO %%s', acl.privilege_type, rebuilt,
                  CASE acl.grantee WHEN 0 THEN 'PUBLIC'
                  ELSE quote_ident(pg_get_userbyid(acl.grantee)) END) AS statement
      FROM unnest(%s::text[], %s::text[]) AS t (served, rebuilt)
      JOIN pg_class ON pg_class.oid = to_regclass(served)
     CROSS JOIN LATERAL aclexplode(relacl) AS acl
     WHERE acl.grantee <> relowner
"""
SAME_OWNER: Final = """
    SELECT format('ALTER TABLE %%I OWNER TO %%I', rebuilt, pg_get_userbyid(relowner)) AS statement
      FROM unnest(%s::text[], %s::text[]) AS t (served, rebuilt)
      JOIN pg_class ON pg_class.oid = to_regclass(served)
"""
ANALYZE: Final[LiteralString] = f"ANALYZE {', '.join(TABLES.rebuilt)}"
# While this waits for somebody who reads for long, all others wait for this: so not for long.
SOON: Final = "SET LOCAL lock_timeout = '200ms'"
# The row is also what a projector moves first: it waits, and then finds another generation.
SERVE: Final = """
    UPDATE milepost_read_model AS served
       SET shape = rebuilt.shape, position = rebuilt.position, generation = rebuilt.generation
      FROM milepost_read_model AS rebuilt
     WHERE served.tables = 'served' AND rebuilt.tables = 'rebuilt' AND rebuilt.shape = %s
       AND NOT EXISTS (SELECT FROM milepost_read_model WHERE tables = 'past')
       AND (rebuilt.position >= served.position
            OR served.position > (SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events))
"""
LOCK: Final[LiteralString] = f"LOCK TABLE {', '.join(TABLES.names)} IN ACCESS EXCLUSIVE MODE"
RENAME: Final[tuple[LiteralString, ...]] = tuple(
    f"ALTER TABLE {rebuilt} RENAME TO {served}"
    for served, rebuilt in zip(TABLES.names, TABLES.rebuilt, strict=True)
)
RENAME_INDEXES: Final = """
    SELECT format('ALTER INDEX %%s RENAME TO %%I', indexrelid::regclass,
                  replace(relname, 'milepost_rebuilt_', 'milepost_')) AS statement
      FROM unnest(%s::text[]) AS t (served)
      JOIN pg_index ON indrelid = served::regclass
      JOIN pg_class ON pg_class.oid = indexrelid
"""
SELECT_JOBS: Final = """
    SELECT originator_id AS job_id
      FROM milepost_events WHERE originator_id > %s AND originator_version = 1
     ORDER BY originator_id LIMIT %s
"""
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    "instances": """
        SELECT job_id, version, document, first_position, agent_id, user_id, status, current_step,
               silent_since
          FROM milepost_instances
    """,
    "timelines": "SELECT job_id, version, document FROM milepost_timelines",
}
AFTER: Final[LiteralString] = " WHERE job_id > %s ORDER BY job_id LIMIT %s"
OF_JOBS: Final[LiteralString] = (
    " WHERE job_id = ANY (ARRAY (SELECT json_array_elements_text(%s::json)))"
)
OF_STRANGERS: Final[LiteralString] = """
    WHERE NOT EXISTS (SELECT FROM milepost_events WHERE originator_id = job_id) ORDER BY job_id
"""
SELECT_EVENTS: Final = f"""
    SELECT {STORED} FROM milepost_events
     WHERE originator_id = ANY (ARRAY (SELECT json_array_elements_text(%s::json)))
     ORDER BY originator_id, originator_version
"""
ONE_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
KINDS: Final[dict[str, type[Row | InstanceRow]]] = {"instances": InstanceRow, "timelines": Row}


class PostgresShadow:
    """Keep the tables of a rebuild beside the served ones."""

    def __init__(self, recorder: PostgresRecorder, shape: LiteralString = SHAPE) -> None:
        self.read_model = PostgresReadModel(recorder, shape, rebuilt=True)
        self._datastore = recorder.datastore

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """See `Shadow.taken`."""
        # A session lock on a connection of its own: gone with the process, however it ends.
        try:
            with psycopg.connect(**self._datastore.conninfo, autocommit=True) as connection:
                taken = connection.execute(TAKE).fetchone()
                yield bool(taken and taken[0])
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(ONE_AT_A_TIME)
                names = list(TABLES.names)
                for dependent in cursor.execute(SELECT_DEPENDENTS, (names,)).fetchall():
                    raise RebuildForbidden.by(dependent["what"], dependent["name"])
                left = cursor.execute(TABLES.turned(SELECT_EDITION)).fetchone()
                past = cursor.execute(SELECT_PAST).fetchone()
                found = cursor.execute(SELECT_NEWEST).fetchone()
                newest = int(found["position"]) if found else 0
                if left and left["shape"] == self.read_model.shape and not afresh:
                    if max(left["position"], past["position"] if past else 0) <= newest:
                        return int(left["position"])
                for statement in (DROP, *CREATE):
                    cursor.execute(TABLES.turned(statement))
                cursor.execute(BEGIN_EDITION, (self.read_model.shape,))
                cursor.execute(BEGIN_PAST, (newest,))
                for made in (SAME_RIGHTS, SAME_OWNER):
                    for row in cursor.execute(made, (names, list(TABLES.rebuilt))).fetchall():
                        cursor.execute(row["statement"])
                return 0
        except ProgrammingError as error:
            if isinstance(error.__cause__, InsufficientPrivilege):
                raise RebuildForbidden.to_this_account(error) from error
            raise

    def past(self) -> Left | None:
        """See `Shadow.past`."""
        found = self._datastore.rows(SELECT_PAST)
        if not found:
            return None
        last = self._datastore.rows(SELECT_LAST)
        return Left(found[0]["position"], last[0]["job_id"] if last else "")

    def end_past(self, generation: int, position: int, until: int) -> None:
        """See `Shadow.end_past`."""
        with self._datastore.transaction(commit=True) as cursor:
            if cursor.execute(END_PAST, (generation, position, until)).rowcount != 1:
                raise PositionMoved
            cursor.execute(FORGET_PAST)

    def settle(self) -> None:
        """Make the indexes, which would only have slowed the folding, and let them be known."""
        with self._datastore.transaction(commit=True) as cursor:
            for statement in INDEX:
                cursor.execute(TABLES.turned(statement))
            cursor.execute(ANALYZE)

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SOON)
                if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                    return False
                for statement in (END_EDITION, LOCK):
                    cursor.execute(statement)
                # Once more: what was made since the beginning would be lost.
                for each in cursor.execute(SELECT_DEPENDENTS, (list(TABLES.names),)).fetchall():
                    raise RebuildForbidden.by(each["what"], each["name"])
                for statement in (DROP, *RENAME):
                    cursor.execute(statement)
                for row in cursor.execute(RENAME_INDEXES, (list(TABLES.names),)).fetchall():
                    cursor.execute(row["statement"])
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(TABLES.turned(DROP))
            for statement in (FORGET_DROPPED, FORGET_PAST):
                cursor.execute(statement)
            return cursor.execute(DROP_EDITION).rowcount > 0

    def clear(self) -> bool:
        """Return False: to drop a table takes no time here, so that they are gone at once."""
        return False

    def jobs(self, after: str, limit: int) -> Sequence[str]:
        """See `Shadow.jobs`."""
        return [row["job_id"] for row in self._datastore.rows(SELECT_JOBS, (after, limit))]

    def strangers(self, view: str) -> Sequence[str]:
        """See `Shadow.strangers`."""
        return [row["job_id"] for row in self._datastore.rows(SELECT_ROWS[view] + OF_STRANGERS)]

    @contextmanager
    def moment(self) -> Iterator[Moment]:
        """See `Shadow.moment`."""
        with self._datastore.get_connection() as connection, connection.transaction():
            connection.execute(ONE_MOMENT)
            yield _Moment(connection)

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row | InstanceRow]:
        """See `Shadow.rows`."""
        statement = TABLES.turned(SELECT_ROWS[view] + AFTER)
        return [KINDS[view](**row) for row in self._datastore.rows(statement, (after, limit))]


class _Moment:
    def __init__(self, connection: Connection[DictRow]) -> None:
        self._connection = connection

    def position(self) -> int:
        """See `Moment.position`."""
        found = self._connection.execute(SELECT_EDITION).fetchone()
        return int(found["position"]) if found else 0

    def rows(self, view: str, job_ids: Sequence[str]) -> Mapping[str, Row | InstanceRow]:
        """See `Moment.rows`."""
        found = self._connection.execute(SELECT_ROWS[view] + OF_JOBS, (as_json(job_ids),))
        return {row["job_id"]: KINDS[view](**row) for row in found}

    def events(self, job_ids: Sequence[str]) -> Iterator[Stored]:
        """See `Moment.events`."""
        # A cursor of the server's, so that a long history is never here as a whole.
        cursor: Any = self._connection.cursor("milepost_history", row_factory=tuple_row)
        with cursor:
            cursor.itersize = 2000
            cursor.execute(SELECT_EVENTS, (as_json(job_ids),))
            yield from map(Stored._make, cursor)
