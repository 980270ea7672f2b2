"""How to copy a PostgreSQL database: the command, without secrets."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from api.settings.postgres_url import parts_of

SHOWN: Final = (
    "service",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
)
"""The parameters of a connection that say where the database is, and nothing that is secret."""


def pg_dump(database_url: str, target: Path) -> str:
    """Return the command that copies the database to the file.

    It names no password: `pg_dump` finds it in PGPASSWORD or PGPASSFILE, or asks for it.
    """
    # Also backups of SQLite files import this module, and need no driver of PostgreSQL.
    from psycopg.conninfo import make_conninfo

    given = parts_of(database_url)
    connection = make_conninfo("", **{name: given[name] for name in SHOWN if name in given})
    words = ("pg_dump", "--format=custom", f"--file={target}", f"--dbname={connection}")
    return f"umask 077; {shlex.join(words)}"
