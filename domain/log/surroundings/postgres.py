"""The surroundings of Milepost in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.log.connections.postgres import PostgresDatastore

OLD_SECONDS: Final = 600
"""A transaction is old after so many seconds. Meanwhile, the row that says how far the projector is
has had some thousand versions, and each look passes over all of them."""
# A superuser has no bound of its own, and may use the reserved connections as well.
SELECT_ALLOWED = """
    SELECT least(current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0),
                 CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit END,
                 CASE WHEN datconnlimit >= 0 AND NOT rolsuper THEN datconnlimit END) AS allowed
      FROM pg_roles CROSS JOIN pg_database
     WHERE rolname = current_user AND datname = current_database()
"""
# Of the sessions of other accounts, only their accounts are shown, except to pg_read_all_stats.
SELECT_OLDEST = """
    SELECT * FROM (
    SELECT 'a transaction of ' || usename::text
           || CASE application_name WHEN '' THEN '' ELSE ' (' || application_name || ')' END
           || ', process ' || pid::text || ', '
           || CASE state WHEN 'active' THEN 'at work' ELSE state END AS who,
           clock_timestamp() - xact_start AS age
      FROM pg_stat_activity
     WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
       AND backend_type = 'client backend' AND datname = current_database()
     UNION ALL
    SELECT 'the prepared transaction ' || gid || ' of ' || owner::text, clock_timestamp() - prepared
      FROM pg_prepared_xacts WHERE database = current_database()
    ) AS holder
     WHERE age > pg_catalog.make_interval(secs => %s) ORDER BY age DESC LIMIT 1
"""
# Before PostgreSQL 15, the schema public is made so.
SELECT_OPEN = """
    SELECT pg_catalog.format('everybody who may connect may create tables in the schema %%I, also '
           'those of the next release, and then owns the tokens in them: REVOKE CREATE ON SCHEMA '
           '%%I FROM PUBLIC', nspname, nspname) AS said
      FROM pg_namespace
     WHERE nspname = current_schema() AND pg_catalog.has_schema_privilege('public', oid, 'CREATE')
"""


class PostgresSurroundings:
    """See `Surroundings`."""

    def __init__(self, datastore: PostgresDatastore, old_seconds: float = OLD_SECONDS) -> None:
        self._datastore = datastore
        self._old_seconds = old_seconds

    def connections_allowed(self) -> int | None:
        """See `Surroundings.connections_allowed`."""
        return int(self._datastore.rows(SELECT_ALLOWED)[0]["allowed"])

    def held_back(self) -> str | None:
        """See `Surroundings.held_back`."""
        for row in self._datastore.rows(SELECT_OLDEST, (self._old_seconds,)):
            age: timedelta = row["age"]
            return (
                f"{row['who']}, has been open for {int(age.total_seconds()) // 60} min: until it "
                "ends, PostgreSQL cleans up no deleted rows, and every look at the tables grows "
                "slower"
            )
        return None

    def open_to_all(self) -> str | None:
        """See `Surroundings.open_to_all`."""
        rows = self._datastore.rows(SELECT_OPEN)
        return str(rows[0]["said"]) if rows else None
