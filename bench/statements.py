"""What each statement costs PostgreSQL for a callback; the release before, too, if it is named.

This needs a PostgreSQL with pg_stat_statements, which MILEPOST_BENCH_DATABASE_URL names:

    shared_preload_libraries = pg_stat_statements
    pg_stat_statements.track_planning = on

The times are the server's, for planning and for running. Running includes waiting: COMMIT waits for
the disk, and the lock of the log waits for another writer. On an idle machine the rest is CPU time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import psycopg

from bench.before import VARIABLE
from bench.contenders import check
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, register
from bench.load import load, steps
from bench.stage import Stage

HAS_STATEMENTS: Final = """
    SELECT count(*) = 1 FROM pg_settings
     WHERE name = 'pg_stat_statements.track_planning' AND setting = 'on'
"""
RESET: Final = "SELECT pg_stat_statements_reset()"
SELECT: Final = """
    SELECT query, calls, total_plan_time * 1000 AS planning, total_exec_time * 1000 AS running
      FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY total_plan_time + total_exec_time DESC
"""
SMALLEST_SHARE: Final = 0.3
"""The least time of a statement that is shown, in microseconds for each callback."""
_WORDS: Final = re.compile(r"milepost_\w+|milepost \w+")


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Print a line for each statement of a release under load; claim nothing."""
    with psycopg.connect(stage.postgres()) as connection:
        row = connection.execute(HAS_STATEMENTS).fetchone()
    if not (row and row[0]):
        click.echo("statements is left out: the server has no pg_stat_statements.", err=True)
        return
    programs: dict[str, Path | None] = {"now": None}
    if before := os.environ.get(VARIABLE):
        programs["before"] = Path(before)
    for name, program in programs.items():
        for statement, calls, planning, running in _spent(stage, effort, program):
            click.echo(
                f"| {name} | {statement} | {calls:.3f} | {planning:.1f} | {running:.1f} |", err=True
            )
    yield from ()


def _spent(
    stage: Stage, effort: Effort, program: Path | None
) -> Iterator[tuple[str, float, float, float]]:
    """Yield each statement with its calls and its times for a callback, in microseconds."""
    database, requests = stage.postgres(), steps(effort.jobs)
    with stage.milepost(database, program=program) as server:
        register(database, effort.jobs, stage.folder / "home")
        load(server, requests, effort.seconds, folder=stage.folder)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute(RESET)
            stored = events_in(database)
            result = load(server, requests, effort.seconds, folder=stage.folder)
            check(result, events_in(database) - stored)
            rows = connection.execute(SELECT).fetchall()
    for query, calls, planning, running in rows:
        if (planning + running) / result.answered >= SMALLEST_SHARE:
            yield (_name(query), *(each / result.answered for each in (calls, planning, running)))


def _name(query: str) -> str:
    """Return a statement's verb and what it is about."""
    if query.startswith("PREPARE"):
        return f"EXECUTE {query.split()[1]}"
    about = " ".join(dict.fromkeys(_WORDS.findall(query)))
    return f"{query.split()[0].upper()} {about}".strip()
