"""The rights that an account needs on tables that another account owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, LiteralString

from psycopg import sql

from domain.log.connections.postgres import PostgresDatastore

# Nothing changes or deletes an event: an account without these rights cannot either.
APPENDS: Final = ("SELECT", "INSERT")
WRITES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
READS: Final = ("SELECT",)
ON_TABLES: Final[Mapping[str, Sequence[str]]] = {
    "milepost_events": APPENDS,
    "milepost_schema": READS,
}
"""The rights on these tables; on each other table, `WRITES`."""
SECRET: Final = frozenset({"milepost_tokens", "milepost_token_uses", "milepost_sessions"})
"""Hashes of tokens and sessions: an account that only reads the log needs none of them."""
SEQUENCE: Final = "milepost_events_notification_id_seq"
# UPDATE: after a move of the database, the sequence is set to the end of the log.
ON_SEQUENCE: Final = ("USAGE", "UPDATE")
SELECT_LACKING: LiteralString = """
    SELECT pg_catalog.format('GRANT %%s ON %%s TO %%I', string_agg(held, ', '), what,
                             current_user) AS statement
      FROM (SELECT name AS what, held,
                   pg_catalog.has_table_privilege(to_regclass(name), held) AS has
              FROM unnest(%s::text[], %s::text[]) AS needed (name, held)
             UNION ALL
            SELECT 'SEQUENCE ' || name, held,
                   pg_catalog.has_sequence_privilege(to_regclass(name), held)
              FROM unnest(%s::text[], %s::text[]) AS needed (name, held)) AS each_right
     WHERE NOT has GROUP BY what ORDER BY what
"""
SELECT_PLACE = "SELECT current_database() AS database, current_schema() AS schema"


def lacking(datastore: PostgresDatastore, tables: Iterable[str]) -> list[str]:
    """Return a GRANT for each table on which this account lacks a right that serving needs."""
    pairs = [(table, held) for table in tables for held in _to_serve(table)]
    rows = datastore.rows(
        SELECT_LACKING,
        (
            [table for table, _ in pairs],
            [held for _, held in pairs],
            [SEQUENCE for _ in ON_SEQUENCE],
            list(ON_SEQUENCE),
        ),
    )
    return [str(row["statement"]) for row in rows]


def grants(
    datastore: PostgresDatastore, tables: Iterable[str], role: str, *, only_reads: bool
) -> list[str]:
    """Return the GRANTs with which this role can serve, or with `only_reads` read the log."""
    [place] = datastore.rows(SELECT_PLACE)
    to = sql.Identifier(role)
    schema = sql.Identifier(place["schema"])
    statements = [
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(place["database"]), to),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, to),
    ]
    for table in tables:
        if not (only_reads and table in SECRET):
            held = READS if only_reads else _to_serve(table)
            statements.append(_grant(held, "TABLE", place["schema"], table, role))
    if not only_reads:
        statements.append(_grant(ON_SEQUENCE, "SEQUENCE", place["schema"], SEQUENCE, role))
    return [statement.as_string() + ";" for statement in statements]


def _grant(held: Sequence[str], kind: str, schema: str, name: str, role: str) -> sql.Composed:
    return sql.SQL("GRANT {} ON {} {} TO {}").format(
        sql.SQL(", ").join(map(sql.SQL, held)),
        sql.SQL(kind),
        sql.Identifier(schema, name),
        sql.Identifier(role),
    )


def _to_serve(table: str) -> Sequence[str]:
    return ON_TABLES.get(table, WRITES)
