"""Settings of PostgreSQL sessions from outside: the places that set them, and hostile values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

HOSTILE: Mapping[str, str] = {
    "client_encoding": "SJIS",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "bytea_output": "escape",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "America/St_Johns",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "client_min_messages": "error",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "1h",
    "lock_timeout": "1h",
    "statement_timeout": "1h",
    "row_security": "on",
    "exit_on_error": "on",
    "enable_seqscan": "on",
    "jit": "on",
    "plan_cache_mode": "force_custom_plan",
    "idle_session_timeout": "1h",
    "transaction_timeout": "1h",
}
"""Values that other programs may want, and that change what Milepost's bytes would mean."""

Way: TypeAlias = Callable[[str, Mapping[str, str], pytest.MonkeyPatch], str]
"""Sets settings for all connections to a database; returns the URL to use from now on."""


def by_database(dsn: str, settings: Mapping[str, str], _: pytest.MonkeyPatch) -> str:
    """Set them with ALTER DATABASE."""
    _alter(dsn, sql.SQL("ALTER DATABASE {database}"), settings)
    return dsn


def by_role(dsn: str, settings: Mapping[str, str], _: pytest.MonkeyPatch) -> str:
    """Set them with ALTER ROLE."""
    _alter(dsn, sql.SQL("ALTER ROLE {role} IN DATABASE {database}"), settings)
    return dsn


def by_options(dsn: str, settings: Mapping[str, str], _: pytest.MonkeyPatch) -> str:
    """Set them with the `options` of the URL."""
    return _with(dsn, f"options={quote(_options(settings))}")


def by_url(dsn: str, settings: Mapping[str, str], _: pytest.MonkeyPatch) -> str:
    """Set the one that has a parameter of the URL, the encoding."""
    return _with(dsn, f"client_encoding={settings['client_encoding']}")


def by_pgoptions(dsn: str, settings: Mapping[str, str], patch: pytest.MonkeyPatch) -> str:
    """Set them with PGOPTIONS."""
    patch.setenv("PGOPTIONS", _options(settings))
    return dsn


def by_variables(dsn: str, settings: Mapping[str, str], patch: pytest.MonkeyPatch) -> str:
    """Set those that have a variable of libpq's."""
    patch.setenv("PGCLIENTENCODING", settings["client_encoding"])
    patch.setenv("PGDATESTYLE", settings["DateStyle"])
    patch.setenv("PGTZ", settings["TimeZone"])
    return dsn


WAYS: Mapping[str, Way] = {
    way.__name__: way
    for way in (by_database, by_role, by_options, by_url, by_pgoptions, by_variables)
}


def _with(dsn: str, parameter: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}{parameter}"


def _options(settings: Mapping[str, str]) -> str:
    # A space would end the value of an option.
    return " ".join(
        f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items()
    )


def _alter(dsn: str, what: sql.SQL, settings: Mapping[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        database, role = connection.info.dbname, connection.info.user
        whom = what.format(database=sql.Identifier(database), role=sql.Identifier(role))
        for name, value in settings.items():
            # DateStyle has two values, which a literal would make one.
            given = sql.SQL(", ").join(map(sql.Literal, value.split(", ")))
            connection.execute(
                sql.SQL("{} SET {} = {}").format(whom, sql.Identifier(name.lower()), given)
            )
