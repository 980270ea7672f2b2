"""What happens to a server: each is a context that lasts as long as the absence."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.drill.absence.clock import SetClock
from tests.drill.absence.jobs import CURL_SECONDS
from tests.support.processes.server import Server
from tests.support.stores.postgres_server import PostgresServer, create_database

AHEAD_SECONDS: Final = 20 * 60
BACK_SECONDS: Final = -60 * 60


@dataclass
class Site:
    """A server, with the PostgreSQL and the clock that it has to itself, if it has them."""

    server: Server
    postgres: PostgresServer | None = None
    clock: SetClock | None = None


@contextmanager
def frozen(site: Site) -> Iterator[None]:
    """Stop all processes of the server, as a debugger or a suspended host does."""
    assert site.server.process is not None
    group = site.server.process.pid
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


@contextmanager
def frozen_in_a_step(site: Site) -> Iterator[None]:
    """Stop all processes while the watch waits for a table: its step takes until the end."""
    with ExitStack() as stack:
        with psycopg.connect(site.server.database_url) as connection:
            connection.execute("LOCK TABLE milepost_notes IN ACCESS EXCLUSIVE MODE")
            site.server.until(lambda: _is_waited_for(connection), "does not look at its notes")
            stack.enter_context(frozen(site))
        yield


def _is_waited_for(connection: psycopg.Connection[Any]) -> bool:
    waiting = connection.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return waiting.fetchone() == (True,)


@contextmanager
def without_database(site: Site) -> Iterator[None]:
    """Crash the database, and start it again at the end."""
    assert site.postgres is not None
    site.postgres.stop("immediate")
    try:
        yield
    finally:
        site.postgres.start()


def clock_set(seconds: int) -> Callable[[Site], AbstractContextManager[None]]:
    """Return what sets the store's clock, once and for all."""

    @contextmanager
    def happen(site: Site) -> Iterator[None]:
        assert site.clock is not None
        site.clock.set(seconds)
        yield

    return happen


@dataclass(frozen=True)
class Happening:
    """What happens, on which database; whether it lasts, and whether it needs libfaketime."""

    happen: Callable[[Site], AbstractContextManager[None]]
    postgres: bool = False
    lasts: bool = False
    sets_clock: bool = False

    @contextmanager
    def site(self, folder: Path, workflows: Path, library: Path | None) -> Iterator[Site]:
        """Start the server and what it needs; end all of it."""
        with ExitStack() as stack:
            clock = None
            if self.sets_clock:
                assert library is not None
                clock = SetClock(library, folder / "clock")
            faked = clock.env if clock else {}
            postgres = None
            if self.postgres:
                postgres = PostgresServer(env=faked)
                stack.callback(postgres.remove)
                postgres.start()
            home = folder / "home"
            home.mkdir()
            server = Server(home, create_database(postgres.dsn) if postgres else None)
            server.env["MILEPOST_WORKFLOWS"] = str(workflows)
            if not postgres:
                server.env.update(faked)
            stack.callback(server.kill)
            server.start()
            server.patience = CURL_SECONDS
            yield Site(server, postgres, clock)


AHEAD: Final = Happening(clock_set(AHEAD_SECONDS), sets_clock=True)
BACK: Final = Happening(clock_set(BACK_SECONDS), sets_clock=True)
FROZEN: Final = Happening(frozen, lasts=True)
HAPPENINGS: Final = {
    "frozen": FROZEN,
    "frozen-postgres": replace(FROZEN, postgres=True),
    "frozen-in-step": Happening(frozen_in_a_step, lasts=True, postgres=True),
    "database": Happening(without_database, lasts=True, postgres=True),
    "ahead": AHEAD,
    "ahead-postgres": replace(AHEAD, postgres=True),
    "back": BACK,
    "back-postgres": replace(BACK, postgres=True),
}
"""`frozen`, `ahead` and `back` are on SQLite, the others on PostgreSQL."""
