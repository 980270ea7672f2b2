"""The session of a connection to PostgreSQL: what values and names mean in it.

Settings of a session come from many places: the URL, variables such as PGCLIENTENCODING, the role,
the database and the server. Some of them change what Milepost's bytes mean. With the client
encoding SJIS, the driver sends "¥" as the byte of a backslash, and PostgreSQL then reads an escape
in Milepost's JSON: the name of one job becomes that of another. So every connection that Milepost
makes begins with `begin`, which sets and checks these settings in one round trip.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

# PostgreSQL begins the session with it, and RESET ALL and DISCARD ALL return to it.
STARTUP: Final = {"client_encoding": "UTF8"}

SETTINGS: Final[dict[LiteralString, LiteralString]] = {
    # How values travel: the driver reads other forms differently, or not at all.
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # Of a commit that no standby has, PostgreSQL only warns.
    "client_min_messages": "warning",
    # A statement that waited for a lock sees what was committed meanwhile.
    "default_transaction_isolation": "read committed",
    # The server ends a transaction whose process hangs, and with it the locks of the transaction.
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
    # A rebuild makes indexes for minutes, and a commit may wait for a standby.
    "statement_timeout": "0",
    # A filtered read would leave out events without a word: fail instead.
    "row_security": "off",
    # An error would end the session, and with it the reason of the error.
    "exit_on_error": "off",
    # Plans are kept from when the tables were small, and every statement has its index.
    "enable_seqscan": "off",
    # Before PostgreSQL 18, a forbidden scan costs so much in a plan that every statement with one
    # is compiled first: 150 ms for an update of a table with one row. Milepost's statements are
    # short.
    "jit": "off",
    "plan_cache_mode": "auto",
}
"""Every setting that Milepost relies on. Where the account, the database or the URL may rightly
differ (read-only sessions, durability beyond `on`), Milepost follows them.
"""
OF_NEWER_SERVERS: Final[dict[LiteralString, LiteralString]] = {
    # From PostgreSQL 14 and 17 on. The session that LISTENs is idle for hours, and an import is one
    # transaction.
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
"""The same, of servers that know them."""
OF_TCP: Final[dict[LiteralString, LiteralString]] = {
    # Until the server notices that the host of a session has vanished, the session holds its locks:
    # for two hours, as most systems are set.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""The same, of sessions over TCP. A Unix socket ignores them: both its ends are on one host."""


def _set(name: LiteralString, value: LiteralString) -> LiteralString:
    return f"pg_catalog.set_config('{name}', '{value}', false)"


# A commit is on the disk before it is acknowledged; a server that waits for more may do so.
DURABLE: LiteralString = """
    pg_catalog.set_config('synchronous_commit',
        CASE pg_catalog.current_setting('synchronous_commit')
        WHEN 'off' THEN 'on'
        ELSE pg_catalog.current_setting('synchronous_commit') END, false)
"""
# All names mean tables of one schema. PostgreSQL's own schema stays before it, and temporary tables
# come last, so that neither another schema of the path nor a temporary table can take the place of
# a table of Milepost. Of functions with one name, the one wins whose types are exactly those of the
# call. So each call of Milepost is exact or names pg_catalog: else who may create functions in the
# schema of the tables would have Milepost run them.
# Without a schema that this account may use, the path is empty: else PostgreSQL would make the
# tables as temporary ones, which end with their session.
# Names are qualified here, because the path is not trusted yet. OFFSET 0: the schemas are read
# before the path changes.
SESSION: LiteralString = f"""
    SELECT home.holding,
           pg_catalog.pg_backend_pid(),
           pg_catalog.set_config('search_path', COALESCE(pg_catalog.quote_ident(
               COALESCE(home.holding[1], home.schemas[1], home.usual))
               OPERATOR(pg_catalog.||) ', pg_temp', ''), false),
           {DURABLE},
           {", ".join(_set(name, value) for name, value in {**SETTINGS, **OF_TCP}.items())},
           {
    ", ".join(
        f"CASE WHEN pg_catalog.current_setting('{name}', true) IS NOT NULL"
        f" THEN {_set(name, value)} END"
        for name, value in OF_NEWER_SERVERS.items()
    )
}
      FROM (SELECT ARRAY(SELECT name::pg_catalog.text
                           FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS name
                          WHERE NOT pg_catalog.starts_with(name::pg_catalog.text, 'pg_')
                        ) AS schemas,
                   ARRAY(SELECT name::pg_catalog.text
                           FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS name
                          WHERE NOT pg_catalog.starts_with(name::pg_catalog.text, 'pg_')
                            AND pg_catalog.to_regclass(
                                    pg_catalog.format('%I.milepost_events', name)) IS NOT NULL
                        ) AS holding,
                   CASE WHEN pg_catalog.has_schema_privilege(
                       pg_catalog.to_regnamespace('public')::pg_catalog.oid, 'USAGE')
                   THEN 'public' END AS usual
            OFFSET 0) AS home
"""


class UnfitDatabase(psycopg.OperationalError):
    """Bytes or names would not mean one thing in this database; the message says why."""


def begin(connection: Connection[Any]) -> bool:
    """Prepare a new connection, and commit each of its statements by itself.

    Return whether the connection ends in PostgreSQL itself, and not in a pooler. Raises
    `UnfitDatabase`.
    """
    connection.autocommit = True
    encoding = _reported(connection, b"server_encoding")
    if encoding != "UTF8":
        raise UnfitDatabase(
            f"the database is encoded in {encoding}; Milepost needs UTF8: make a database with "
            "ENCODING 'UTF8', and take the events along with milepost export and import"
        )
    [row] = connection.cursor(row_factory=tuple_row).execute(SESSION).fetchall()
    holding, session = row[:2]
    if len(holding) > 1:
        raise UnfitDatabase(
            f"the schemas {' and '.join(holding)} of the search path each have a table "
            "milepost_events; name one of them in MILEPOST_DATABASE_URL: "
            f"?options=-csearch_path%3D{holding[-1]}"
        )
    if (spoken := _reported(connection, b"client_encoding")) != "UTF8":
        raise UnfitDatabase(f"the session stays encoded in {spoken}; Milepost needs UTF8")
    # A pooler makes a number of its own up for each client.
    return bool(session == connection.info.backend_pid)


def _reported(connection: Connection[Any], name: bytes) -> str:
    # PostgreSQL reports these by itself, so to ask costs no round trip.
    return (connection.pgconn.parameter_status(name) or b"").decode()
