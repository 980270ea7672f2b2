"""Commits that wait for a synchronous standby, and what interrupts their wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg

from tests.support.projectors.projecting import wait_until
from tests.support.stores.postgres_server import PostgresServer

Operator: TypeAlias = psycopg.Connection[tuple[object, ...]]
NOBODY = "a_standby_that_never_comes"


@contextmanager
def operating(server: PostgresServer) -> Iterator[Operator]:
    """Connect to change the server's settings; let commits wait for no standby at the end."""
    with psycopg.connect(server.dsn, autocommit=True) as operator:
        yield operator
        await_standby(operator, "")


def await_standby(operator: Operator, name: str) -> None:
    """Let commits wait for a standby of this name from now on, or for none."""
    operator.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    operator.execute("SELECT pg_reload_conf()")
    # A session sees the new setting before the checkpointer, and commits follow the checkpointer.
    wait_until(lambda: a_commit_waits(operator) is bool(name))


def a_commit_waits(operator: Operator) -> bool:
    """Commit in a session of its own, and say whether that commit waited for a standby."""
    waited = False
    with (
        psycopg.connect(operator.info.dsn, autocommit=True) as session,
        ThreadPoolExecutor(1) as thread,
    ):
        commit = thread.submit(session.execute, "SELECT pg_logical_emit_message(true, 'a', 'b')")
        while not commit.done():
            if session.info.backend_pid in waiting_for_a_standby(operator):
                waited = True
                operator.execute("SELECT pg_cancel_backend(%s)", (session.info.backend_pid,))
        commit.result()
    return waited


def waiting_for_a_standby(operator: Operator) -> Sequence[object]:
    rows = operator.execute(
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = "
        "'client backend'"
    )
    return [pid for (pid,) in rows]


def interrupt(operator: Operator, how: str, call: Future[Any]) -> None:
    """Interrupt each wait for the standby, until the caller has its answer."""

    def answered() -> bool:
        for pid in waiting_for_a_standby(operator):
            operator.execute(f"SELECT {how}(%s)", (pid,))
        return call.done()

    wait_until(lambda: bool(waiting_for_a_standby(operator)))
    wait_until(answered)
