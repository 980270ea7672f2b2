"""A PostgreSQL URL as libpq understands it."""

from __future__ import annotations

from typing import Any


def parts_of(url: str) -> dict[str, Any]:
    """Return the parameters that the URL names; raise `ValueError` for a URL that is none.

    The error's message leaves out the URL and libpq's own message: both contain the password.
    """
    # Loading PostgreSQL's driver takes 90 ms of CPU, and a process over SQLite never needs it.
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError("PostgreSQL does not understand this URL") from None
