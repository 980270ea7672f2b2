"""Databases with empty tables: to make the tables takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, TypeAlias

import psycopg
from psycopg import Connection, OperationalError, conninfo, sql
from psycopg.errors import UndefinedTable

from api.databases import kit_over
from domain.application import Milepost
from tests.support.stores.postgres_server import create_database

# Every change to a row of a catalog gives it another xmin. Statistics of an ANALYZE change plans.
SELECT_STATE = """
    SELECT (SELECT string_agg(of::text, ',' ORDER BY part, step) FROM milepost_schema AS of),
           (SELECT md5(string_agg(format('%s %s %s', part, id, version), ',' ORDER BY part, id))
              FROM (
            SELECT 'class' AS part, oid::text AS id, format('%s %s', xmin, reltuples) AS version
              FROM pg_class WHERE oid >= 16384
             UNION ALL SELECT 'attribute', format('%s %s', attrelid, attnum), xmin::text
                         FROM pg_attribute WHERE attrelid >= 16384
             UNION ALL SELECT 'constraint', oid::text, xmin::text
                         FROM pg_constraint WHERE oid >= 16384
             UNION ALL SELECT 'function', oid::text, xmin::text FROM pg_proc WHERE oid >= 16384
             UNION ALL SELECT 'trigger', oid::text, xmin::text FROM pg_trigger
             UNION ALL SELECT 'policy', oid::text, xmin::text FROM pg_policy
             UNION ALL SELECT 'rule', oid::text, xmin::text FROM pg_rewrite WHERE oid >= 16384
             UNION ALL SELECT 'type', oid::text, xmin::text FROM pg_type WHERE oid >= 16384
             UNION ALL SELECT 'default right', oid::text, xmin::text FROM pg_default_acl
             UNION ALL SELECT 'publication', oid::text, xmin::text FROM pg_publication
             UNION ALL SELECT 'schema', oid::text, xmin::text FROM pg_namespace
                        WHERE NOT starts_with(nspname, 'pg_')
             UNION ALL SELECT 'database', oid::text, xmin::text FROM pg_database
                        WHERE datname = current_database()
             UNION ALL SELECT 'setting', setrole::text, setting.xmin::text
                         FROM pg_db_role_setting AS setting
                         JOIN pg_database ON pg_database.oid = setdatabase
                        WHERE datname = current_database()
            ) AS catalogs)
"""
SELECT_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND backend_type = 'client backend'
"""
SELECT_TABLES = """
    SELECT relname::text FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'milepost_schema'
"""
# PostgreSQL plans for ten pages of a table that it never vacuumed, also if there are fewer.
SELECT_LARGE = f"""
    {SELECT_TABLES} AND (pg_relation_size(oid) > 8 * 8192 OR pg_indexes_size(oid) > 32 * 8192)
"""
SELECT_SEQUENCES = "SELECT sequencename::text FROM pg_sequences WHERE schemaname = 'public'"
DELETE: LiteralString = "DELETE FROM {}"
TRUNCATE: LiteralString = "TRUNCATE {}"
RESTART: LiteralString = "SELECT setval({}, 1, false)"
ASKS = 50
"""How often to ask whether the session of a closed connection has ended."""

Session: TypeAlias = Connection[tuple[Any, ...]]


class Prepared(NamedTuple):
    """A database with empty tables, its state, and the statements that empty it."""

    dsn: str
    state: object
    emptying: sql.Composed


class PreparedDatabases:
    """PostgreSQL databases with empty tables; each is lent to one test at a time.

    After a test, its database is emptied. It is not lent again if the test left a session open, or
    if any table, right or setting of the database has changed. A session of ours stays in each
    database until `close`: a new one reads the catalogs anew, which takes 10 ms of CPU.
    """

    def __init__(self, server_dsn: str) -> None:
        self._server_dsn = server_dsn
        self._free: list[Prepared] = []
        self._template = ""
        self._sessions: dict[str, Session] = {}

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Yield the URL of a database."""
        prepared = self._free.pop() if self._free else self._another()
        yield prepared.dsn
        # The test may have dropped the tables, or closed the database.
        with suppress(UndefinedTable, OperationalError):
            session = self._session(prepared.dsn)
            if _is_alone(session) and _state(session) == prepared.state:
                self._free.append(_emptied(prepared, session))
                return
        if prepared.dsn in self._sessions:
            self._sessions.pop(prepared.dsn).close()

    def close(self) -> None:
        """End our sessions."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _session(self, dsn: str) -> Session:
        if dsn not in self._sessions:
            self._sessions[dsn] = psycopg.connect(dsn, autocommit=True)
        return self._sessions[dsn]

    def _another(self) -> Prepared:
        # To make the tables takes five times as long as to copy a database that has them.
        if not self._template:
            made = create_database(self._server_dsn)
            make_tables({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": made})
            self._template = str(conninfo.conninfo_to_dict(made)["dbname"])
        return _described(create_database(self._server_dsn, self._template))


def prepare_file(path: Path) -> Path:
    """Make an SQLite file with empty tables."""
    make_tables({"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(path)})
    return path


def make_tables(env: dict[str, str]) -> None:
    """Make the tables in the database of the library's settings."""
    milepost = Milepost(env)
    kit_over(milepost.recorder).schema.apply()
    milepost.close()


def _described(dsn: str) -> Prepared:
    with closing(psycopg.connect(dsn, autocommit=True)) as session:
        tables = session.execute(SELECT_TABLES).fetchall()
        sequences = session.execute(SELECT_SEQUENCES).fetchall()
        emptying = [sql.SQL(DELETE).format(sql.Identifier(name)) for (name,) in tables]
        emptying += [sql.SQL(RESTART).format(sql.Literal(name)) for (name,) in sequences]
        return Prepared(dsn, _state(session), sql.SQL("; ").join(emptying))


def _is_alone(session: Session) -> bool:
    return any(session.execute(SELECT_SESSIONS).fetchall() == [(0,)] for _ in range(ASKS))


def _state(session: Session) -> object:
    return session.execute(SELECT_STATE).fetchall()


def _emptied(prepared: Prepared, session: Session) -> Prepared:
    large = session.execute(SELECT_LARGE).fetchall()
    for (name,) in large:
        session.execute(sql.SQL(TRUNCATE).format(sql.Identifier(name)))
    session.execute(prepared.emptying)
    return prepared._replace(state=_state(session)) if large else prepared
