"""What others have done to the tables of Milepost, with which it would not be right.

A trigger may drop or change each row that is written, a collation may take two ids for one, and a
sequence may number events out of order: all without an error. So each start looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from domain.log.connections.postgres import PostgresDatastore
from domain.log.schema.postgres_rights import SEQUENCE

# Of the bits of tgtype, 1 means for each row, 2 before, 4 insert, 8 delete and 16 update. Other
# triggers can only fail. Nothing changes an event, so a trigger that forbids that is welcome.
TRIGGERS: Final = """
    SELECT 1 AS place, pg_catalog.format('the trigger %%I of the table %%I may change or drop what '
           'Milepost writes: drop it, or make it an AFTER trigger', tgname, name) AS fault
      FROM pg_trigger JOIN made ON made.oid = tgrelid
     WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgtype::integer & 3 = 3
       AND tgtype::integer & CASE name WHEN 'milepost_events' THEN 4 ELSE 28 END <> 0
"""
RULES: Final = """
    SELECT 2, pg_catalog.format('the rule %%I of the table %%I does something else than what '
           'Milepost asks for: drop it', rulename, name)
      FROM pg_rewrite JOIN made ON made.oid = ev_class
     WHERE is_instead AND ev_type <> '1'
"""
# Milepost sets row_security to off, with which PostgreSQL refuses each statement.
POLICIES: Final = """
    SELECT 3, pg_catalog.format('row-level security hides rows of the table %%I, and Milepost '
           'needs every row: disable it, or give the account BYPASSRLS', name)
      FROM made WHERE row_security_active(made.oid)
"""
COLUMNS: Final = """
    SELECT 4, pg_catalog.format('the column %%I of the table %%I takes different texts for equal, '
           'and so one id for another: give it the type text COLLATE "C"', attname, name)
      FROM pg_attribute JOIN made ON made.oid = attrelid JOIN pg_type ON pg_type.oid = atttypid
      LEFT JOIN pg_collation ON pg_collation.oid = attcollation
     WHERE attnum::integer > 0 AND NOT attisdropped
       AND (NOT collisdeterministic OR typname = 'citext')
"""
NUMBERS: Final = """
    SELECT 5, 'the sequence ' || %s::text || ' gives positions out of order: ALTER SEQUENCE '
           || %s::text || ' INCREMENT 1 CACHE 1 NO CYCLE'
      FROM pg_sequence
     WHERE seqrelid = to_regclass(%s)::oid
       AND (seqincrement < 1::bigint OR seqcache > 1::bigint OR seqcycle)
"""
# An owner reads and changes everything in a table. One that made a table of a later release before
# Milepost did would have its tokens or sessions.
OWNERS: Final = """
    SELECT 6, pg_catalog.format('the table %%I belongs to %%I, unlike milepost_events: ALTER TABLE '
           '%%I OWNER TO %%I', name, rolname, name, pg_get_userbyid(log.relowner))
      FROM made JOIN pg_roles ON pg_roles.oid = made.relowner
      JOIN pg_class AS log ON log.oid = to_regclass('milepost_events')::oid
      JOIN pg_namespace ON pg_namespace.oid = log.relnamespace
      JOIN pg_database ON datname = current_database()
     WHERE NOT rolsuper AND made.relowner <> log.relowner
       AND made.relowner <> nspowner AND made.relowner <> datdba
       AND rolname <> current_user
"""
SELECT_FAULT: Final[LiteralString] = f"""
    WITH made AS (
         SELECT pg_class.oid, relowner, relname::text AS name
           FROM pg_catalog.unnest(%s::text[]) AS wanted (name)
           JOIN pg_class ON pg_class.oid = to_regclass(wanted.name)::oid)
    SELECT fault FROM (
           {TRIGGERS} UNION ALL {RULES} UNION ALL {POLICIES} UNION ALL {COLUMNS}
           UNION ALL {NUMBERS} UNION ALL {OWNERS}) AS found
     ORDER BY place, fault LIMIT 1
"""


def fault_of(datastore: PostgresDatastore, tables: Sequence[str]) -> str | None:
    """Return why Milepost would not be right over these tables; None if nothing is wrong.

    The answer is a sentence without its full stop, and says what to do.
    """
    rows = datastore.rows(SELECT_FAULT, (list(tables), SEQUENCE, SEQUENCE, SEQUENCE))
    return str(rows[0]["fault"]) if rows else None
