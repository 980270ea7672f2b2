"""Two PostgreSQL with the settings of docs/failover.md: a primary and its synchronous standby."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Literal

import psycopg

from tests.support.processes.server import free_port
from tests.support.stores.postgres_server import SUPERUSER, PostgresServer
from tests.survive import page
from tests.survive.clusters.processes import kill_postgres
from tests.survive.waiting import PATIENCE_SECONDS, until

FILE = "# postgresql.conf"
Rejoining = Literal["pg_rewind", "pg_basebackup"]
Interrupting = Literal["pg_cancel_backend", "pg_terminate_backend"]
WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"


class Node(PostgresServer):
    """One of the two. Its name and its port are its own, all else is as the page says."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, free_port()
        super().__init__(
            settings={
                "listen_addresses": "127.0.0.1",
                "port": self.port,
                # pg_rewind would copy a socket in the data folder.
                "unix_socket_directories": "''",
            }
        )
        self._configured = (self.folder / "postgresql.conf").read_text() + page.filled(
            FILE, {"cluster_name = 'db1'": f"cluster_name = '{name}'"}
        )
        self._configure()

    @property
    def conninfo(self) -> str:
        """How the other node and operators connect."""
        return f"host=127.0.0.1 port={self.port} user={SUPERUSER} dbname=postgres"

    @contextmanager
    def operator(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Yield a connection of an operator."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            yield connection

    def kill(self) -> None:
        """Kill the postmaster, as a host that dies does."""
        kill_postgres(self.folder)

    def promote(self) -> None:
        """Make the standby the primary."""
        self._run("pg_ctl", "-w", "-t", str(PATIENCE_SECONDS), "promote")

    def follow(self, primary: Node, how: Rejoining) -> None:
        """Become the standby of the other node, with its data, and return when it streams."""
        if how == "pg_rewind":
            # What this node wrote last, and its standby never got, is taken back.
            self._run("pg_rewind", f"--source-server={primary.conninfo}", "-R", "--no-sync")
        else:
            for path in self.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            self._run("pg_basebackup", "-d", primary.conninfo, "-R", "-c", "fast", "--no-sync")
        self._configure()
        self.start()
        with primary.operator() as operator:
            until(lambda: _streams(operator, self.name), f"{self.name} does not stream")

    def interrupt(self, how: Interrupting, least: int) -> None:
        """Interrupt commits that wait for the standby, so many of them and more."""
        interrupted = 0

        def enough() -> bool:
            nonlocal interrupted
            interrupted += len(operator.execute(f"SELECT {how}(pid) {WAITING}").fetchall())
            return interrupted >= least

        with self.operator() as operator:
            until(enough, f"no commits of {self.name} wait for the standby")

    def _configure(self) -> None:
        (self.folder / "postgresql.conf").write_text(self._configured)


class Pair:
    """A primary and its standby, which change places."""

    def __init__(self) -> None:
        self.primary, self.standby = Node("db1"), Node("db2")

    def start(self) -> Pair:
        """Start both, and make the database."""
        self.primary.start()
        self.standby.follow(self.primary, "pg_basebackup")
        with self.primary.operator() as operator:
            page.make_database(operator)
        return self

    def remove(self) -> None:
        """Stop and delete both."""
        with ExitStack() as stack:
            for node in (self.primary, self.standby):
                stack.callback(node.remove)

    @property
    def addresses(self) -> Mapping[str, str]:
        """What the page calls the two hosts, and where they are here."""
        nodes = {node.name: node for node in (self.primary, self.standby)}
        return {f"{name}:5432": f"127.0.0.1:{node.port}" for name, node in nodes.items()}

    def fail_over(self) -> None:
        """Promote the standby; the old primary, which is down, is now called the standby."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self, how: Rejoining) -> None:
        """Let the old primary follow the new one."""
        with self.primary.operator() as operator:
            # pg_rewind looks for the new timeline in the control file, which a checkpoint writes.
            operator.execute("CHECKPOINT")
        self.standby.follow(self.primary, how)


def _streams(operator: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    rows = operator.execute(
        "SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming' "
        "AND sync_state IN ('sync', 'quorum')",
        (name,),
    )
    return bool(rows.fetchall())
