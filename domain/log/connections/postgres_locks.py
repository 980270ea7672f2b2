"""Locks of PostgreSQL, each named by the log or the schema that it guards.

An advisory lock is a number that holds in a whole database. The upper half of Milepost's numbers
says what the lock is for. The lower half is the oid of the table of events, or of the schema. So
Mileposts in two schemas of one database do not stop one another. `pg_locks` shows the two halves as
`classid` and `objid`.

An earlier release holds a number of its own for the whole database, and holds it exclusively. This
release holds that number, too, but shared. So an old and a new server over the same log exclude one
another while they are replaced one by one, and new servers over two logs do not.
"""

from __future__ import annotations

from typing import Final, LiteralString

LOG: Final[LiteralString] = "'milepost_events'::regclass"


def _number(purpose: LiteralString, guarded: LiteralString = LOG) -> LiteralString:
    return f"({purpose}::bigint << 32) | {guarded}::oid::bigint"


LOCK_LOG: Final[LiteralString] = f"""
    SELECT pg_catalog.pg_advisory_xact_lock_shared(hashtext('milepost events')),
           pg_catalog.pg_advisory_xact_lock({_number("1297088513")})
"""
"""One writer of the log at a time, until the transaction ends."""
# Not a cast to regnamespace: it reads the name as SQL reads one without quotation marks.
SCHEMA: Final[LiteralString] = (
    "(SELECT pg_namespace.oid FROM pg_namespace WHERE nspname = current_schema())"
)
LOCK_SCHEMA: Final[LiteralString] = f"""
    SELECT pg_catalog.pg_advisory_xact_lock_shared(hashtext('milepost schema')),
           pg_catalog.pg_advisory_xact_lock({_number("1297088514", SCHEMA)})
"""
"""One process at a time makes tables in this schema, until the transaction ends."""
LOCK_PROJECTOR: Final[LiteralString] = f"""
    SELECT pg_catalog.pg_try_advisory_lock_shared(hashtext('milepost projector'))
       AND pg_catalog.pg_try_advisory_lock({_number("1297088515")})
"""
"""One active projector of the log, until the session ends."""
LOCK_REBUILD: Final[LiteralString] = f"""
    SELECT pg_catalog.pg_try_advisory_lock_shared(hashtext('milepost rebuild'))
       AND pg_catalog.pg_try_advisory_lock({_number("1297088516")})
"""
"""One rebuild of the log's rows, until the session ends."""
UNLOCK: Final[LiteralString] = "SELECT pg_catalog.pg_advisory_unlock_all()"
"""Release all locks of a session before it ends."""
