"""Schema steps of a PostgreSQL database; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from eventsourcing.persistence import PersistenceError
from psycopg import Cursor
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, ReadOnlySqlTransaction
from psycopg.rows import DictRow

from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_locks import LOCK_SCHEMA
from domain.log.schema import postgres_rights, postgres_tables
from domain.log.schema.steps import Part, RightsLacking, Schema, Step, Tables, TablesAltered

# Every account may read the table: it tells the account that serves that all steps are applied.
CREATE = """
    CREATE TABLE milepost_schema (
      part text NOT NULL,
      step bigint NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (part, step));
    GRANT SELECT ON milepost_schema TO PUBLIC
"""
# The record belongs to the account that owns the tables. Else an account that may only create would
# own it, and the owner of the tables could not record the steps of the next release.
OWN = """
    DO $$ BEGIN
      IF to_regclass('milepost_events') IS NOT NULL THEN
        EXECUTE pg_catalog.format('ALTER TABLE milepost_schema OWNER TO %I', (
          SELECT pg_get_userbyid(relowner) FROM pg_class
           WHERE oid = to_regclass('milepost_events')::oid));
      END IF;
    END $$
"""
SELECT_EXISTING = """
    SELECT name FROM pg_catalog.unnest(%s::text[]) AS name
     WHERE EXISTS (
           SELECT FROM pg_attribute
            WHERE attrelid = to_regclass(split_part(name, '.', 1))::oid AND NOT attisdropped
              AND split_part(name, '.', 2) IN ('', attname))
"""
SELECT_APPLIED = "SELECT part, step FROM milepost_schema"
# A step that is applied again makes tables without the indexes of later steps: apply those steps
# again too.
FORGET_LATER = "DELETE FROM milepost_schema WHERE part = %s AND step >= %s"
RECORD = "INSERT INTO milepost_schema (part, step) VALUES (%s, %s)"
# READ COMMITTED: after this process gets the lock, it sees what the last holder committed.
SEE_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

PostgresCursor: TypeAlias = Cursor[DictRow]
PostgresPart: TypeAlias = Part[PostgresCursor]


class PostgresSchema(Schema[PostgresCursor]):
    """The steps of the tables in one database."""

    def __init__(self, datastore: PostgresDatastore, *parts: PostgresPart) -> None:
        super().__init__(*parts)
        self._datastore = datastore

    def check_rights(self) -> None:
        """See `Schema.check_rights`."""
        if lacking := postgres_rights.lacking(self._datastore, self._made()):
            raise RightsLacking.of(lacking)

    def check_tables(self) -> None:
        """See `Schema.check_tables`."""
        if fault := postgres_tables.fault_of(self._datastore, self._made()):
            raise TablesAltered(f"Milepost would not be right over these tables: {fault}.")

    def grants(self, role: str, *, only_reads: bool = False) -> Sequence[str]:
        """See `Schema.grants`."""
        return postgres_rights.grants(self._datastore, self._made(), role, only_reads=only_reads)

    def _made(self) -> list[str]:
        tables = dict.fromkeys(name.split(".")[0] for name in self._names)
        return [*tables, "milepost_schema"]

    def _tables(self) -> Tables:
        return self._read(self._datastore.rows)

    def _read(self, rows: Callable[..., Sequence[DictRow]]) -> Tables:
        named = rows(SELECT_EXISTING, (["milepost_schema", *self._names],))
        existing = frozenset(row["name"] for row in named)
        applied = rows(SELECT_APPLIED) if "milepost_schema" in existing else ()
        return Tables(frozenset((row["part"], row["step"]) for row in applied), existing)

    def _apply(self, part: PostgresPart, step: Step[PostgresCursor]) -> Tables:
        with self._datastore.transaction(commit=True) as cursor:

            def rows(statement: Any, parameters: Sequence[Any] = ()) -> Sequence[DictRow]:
                return cursor.execute(statement, parameters).fetchall()

            cursor.execute(SEE_COMMITTED)
            cursor.execute(LOCK_SCHEMA)
            tables = self._read(rows)
            if tables.await_step(part, step):
                if "milepost_schema" not in tables.existing:
                    cursor.execute(CREATE)
                    cursor.execute(OWN)
                if tables.miss(step) or not step.makes:
                    step.run(cursor)
                cursor.execute(FORGET_LATER, (part.name, step.number))
                cursor.execute(RECORD, (part.name, step.number))
            return self._read(rows)

    def _forbids(self, error: PersistenceError) -> bool:
        # PostgreSQL speaks of no schema at all, if this account may not use the only one.
        return isinstance(
            error.__cause__, InsufficientPrivilege | ReadOnlySqlTransaction | InvalidSchemaName
        )
