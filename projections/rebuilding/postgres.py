"""A rebuild's tables in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, LiteralString

import psycopg
from eventsourcing.persistence import (
    OperationalError,
    ProgrammingError,
)
from psycopg import Cursor
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from psycopg.rows import DictRow

from domain.log.connections.postgres import ONE_AT_A_TIME
from domain.log.postgres import PostgresRecorder
from domain.log.reading.postgres import SELECT_NEWEST
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.postgres.editions import SELECT_EDITION
from projections.read_model.postgres.read_model import PostgresReadModel
from projections.read_model.postgres.schema import CREATE, INDEX
from projections.read_model.rows import Row
from projections.read_model.tables import TABLES
from projections.rebuilding.contract import FirstPassLeft, RebuildForbidden, can_go_on

LOCK_REBUILDS: Final = "SELECT pg_try_advisory_lock(hashtext('milepost rebuild'))"
DROP: Final[LiteralString] = f"DROP TABLE IF EXISTS {', '.join(TABLES.names)}"
# A generation number that no earlier tables had.
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
SELECT_LAST: Final[LiteralString] = TABLES.renamed(
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
# The row with the generation number of dropped tables stays until new tables have a higher one.
# Otherwise a process that still folds into the dropped tables would write into the new ones.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# Objects that make DROP fail, and triggers and policies, which DROP removes silently. Parts of a
# table, such as its indexes and its row type, do not count.
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
# Every role keeps its rights on the table that replaces a served one.
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
# While the swap waits for a long reader, every other reader waits for the swap: 50 ms a table.
SOON: Final = "SET LOCAL lock_timeout = '50ms'"
# Readers wait until the swap's COMMIT ends. So it waits for no disk and no standby: after a crash,
# the older tables are served, and the rebuild swaps again. A DROP would wait for the disk all the
# same, so the replaced tables are dropped later.
NOT_WAITING: Final = "SET LOCAL synchronous_commit = off"
# The projector updates the same row first in each batch: it waits, and then sees a new generation.
SERVE: Final = """
    UPDATE milepost_read_model AS served
       SET shape = rebuilt.shape, position = rebuilt.position, generation = rebuilt.generation
      FROM milepost_read_model AS rebuilt
     WHERE served.tables = 'served' AND rebuilt.tables = 'rebuilt' AND rebuilt.shape = %s
       AND NOT EXISTS (SELECT FROM milepost_read_model WHERE tables = 'past')
       AND (rebuilt.position >= served.position
            OR served.position > (SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events))
"""
LOCK_TABLES: Final[LiteralString] = f"LOCK TABLE {', '.join(TABLES.names)} IN ACCESS EXCLUSIVE MODE"
RENAME: Final[tuple[LiteralString, ...]] = tuple(
    f"ALTER TABLE {before} RENAME TO {after}"
    for before, after in zip(
        TABLES.names + TABLES.rebuilt, TABLES.dropped + TABLES.names, strict=True
    )
)
# No number of an index occurs twice, and it makes no name too long.
RENAME_REPLACED_INDEXES: Final = """
    SELECT format('ALTER INDEX %%s RENAME TO %%I', indexrelid::regclass,
                  'milepost_dropped_' || indexrelid) AS statement
      FROM unnest(%s::text[]) AS t (served)
      JOIN pg_index ON indrelid = served::regclass
"""
RENAME_INDEXES: Final = """
    SELECT format('ALTER INDEX %%s RENAME TO %%I', indexrelid::regclass,
                  replace(relname, 'milepost_rebuilt_', 'milepost_')) AS statement
      FROM unnest(%s::text[]) AS t (served)
      JOIN pg_index ON indrelid = served::regclass
      JOIN pg_class ON pg_class.oid = indexrelid
"""
# The account of a server may not drop what a rebuild of the owner has left.
SELECT_DROPPED: Final = """
    SELECT pg_has_role(relowner, 'USAGE') AS is_ours
      FROM unnest(%s::text[]) AS t (name) JOIN pg_class ON pg_class.oid = to_regclass(name)
"""
DROP_REPLACED: Final[LiteralString] = f"DROP TABLE IF EXISTS {', '.join(TABLES.dropped)}"
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    view: TABLES.renamed(
        f"SELECT job_id, version, document FROM milepost_{view}"
        " WHERE job_id > %s ORDER BY job_id LIMIT %s"
    )
    for view in ("instances", "timelines")
}


class PostgresShadow:
    """The tables of a rebuild, beside the served ones in the same database."""

    def __init__(self, recorder: PostgresRecorder, shape: LiteralString = SHAPE) -> None:
        self.read_model = PostgresReadModel(recorder, shape, rebuilt=True)
        self._datastore = recorder.datastore

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """See `Shadow.lock`."""
        # The server releases a session lock when the process ends, also when it crashes.
        try:
            with self._datastore.session() as connection:
                locked = connection.execute(LOCK_REBUILDS).fetchone()
                yield bool(locked and locked[0])
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(ONE_AT_A_TIME)
                _refuse_dependents(cursor)
                left = cursor.execute(TABLES.renamed(SELECT_EDITION)).fetchone()
                past = cursor.execute(SELECT_PAST).fetchone()
                row = cursor.execute(SELECT_NEWEST).fetchone()
                newest = int(row["position"]) if row else 0
                if left and not afresh:
                    reached = max(left["position"], past["position"] if past else 0)
                    if can_go_on(self.read_model.shape, left["shape"], reached, newest):
                        return int(left["position"])
                for statement in (DROP, *CREATE):
                    cursor.execute(TABLES.renamed(statement))
                cursor.execute(BEGIN_EDITION, (self.read_model.shape,))
                cursor.execute(BEGIN_PAST, (newest,))
                for made in (SAME_RIGHTS, SAME_OWNER):
                    _run_made(cursor, made, list(TABLES.names), list(TABLES.rebuilt))
                return 0
        except ProgrammingError as error:
            if isinstance(error.__cause__, InsufficientPrivilege):
                raise RebuildForbidden.to_this_account(error) from error
            raise

    def first_pass(self) -> FirstPassLeft | None:
        """See `Shadow.first_pass`."""
        past = self._datastore.rows(SELECT_PAST)
        if not past:
            return None
        last = self._datastore.rows(SELECT_LAST)
        return FirstPassLeft(past[0]["position"], last[0]["job_id"] if last else "")

    def end_first_pass(self, generation: int, position: int, until: int) -> None:
        """See `Shadow.end_first_pass`."""
        with self._datastore.transaction(commit=True) as cursor:
            if cursor.execute(END_PAST, (generation, position, until)).rowcount != 1:
                raise PositionMoved
            cursor.execute(FORGET_PAST)

    def make_indexes(self) -> None:
        """Make the indexes only now, because they would have slowed the folding; then analyze."""
        with self._datastore.transaction(commit=True) as cursor:
            for statement in INDEX:
                cursor.execute(TABLES.renamed(statement))
            cursor.execute(ANALYZE)

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        self.clear()
        if self._dropped():
            return False
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SOON)
                cursor.execute(NOT_WAITING)
                if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                    return False
                for statement in (END_EDITION, LOCK_TABLES):
                    cursor.execute(statement)
                # Look once more: an object made since the beginning would be lost.
                _refuse_dependents(cursor)
                _run_made(cursor, RENAME_REPLACED_INDEXES, list(TABLES.names))
                for statement in RENAME:
                    cursor.execute(statement)
                _run_made(cursor, RENAME_INDEXES, list(TABLES.names))
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(TABLES.renamed(DROP))
            for statement in (FORGET_DROPPED, FORGET_PAST):
                cursor.execute(statement)
            return cursor.execute(DROP_EDITION).rowcount > 0

    def clear(self) -> bool:
        """Drop the replaced tables. PostgreSQL does so at once, so slices are not needed."""
        dropped = self._dropped()
        if not dropped or not all(dropped):
            return False
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SOON)
                cursor.execute(DROP_REPLACED)
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        return True

    def _dropped(self) -> Sequence[bool]:
        """Return for each replaced table that is left whether this account may drop it."""
        rows = self._datastore.rows(SELECT_DROPPED, (list(TABLES.dropped),))
        return [row["is_ours"] for row in rows]

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row]:
        """See `Shadow.rows`."""
        return [Row(**row) for row in self._datastore.rows(SELECT_ROWS[view], (after, limit))]


def _refuse_dependents(cursor: Cursor[DictRow]) -> None:
    for row in cursor.execute(SELECT_DEPENDENTS, (list(TABLES.names),)).fetchall():
        raise RebuildForbidden.by(row["what"], row["name"])


def _run_made(cursor: Cursor[DictRow], made: LiteralString, *tables: list[LiteralString]) -> None:
    """Run the statements that a query makes for these tables."""
    for row in cursor.execute(made, tables).fetchall():
        cursor.execute(row["statement"])
