"""A real PgBouncer in front of a PostgreSQL of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import conninfo

from tests.support.processes.lacking import lacking
from tests.support.projectors.projecting import wait_until
from tests.support.stores.postgres_server import SUPERUSER, SYSTEM_USER

PORT = 6432
"""The name of a socket: each pooler has a folder of its own."""


class PgBouncer:
    """A pooler on a Unix socket, for the server of this URL; `settings` are its own."""

    def __init__(self, server_dsn: str, **settings: object) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            lacking("poolers are tested with pgbouncer, which is not installed")
        target = conninfo.conninfo_to_dict(server_dsn)
        self._folder = Path(tempfile.mkdtemp(prefix="mp-pool-", dir="/tmp"))
        users = self._folder / "users"
        users.write_text(f'"{SUPERUSER}" ""\n')
        configured = {
            "listen_port": PORT,
            "unix_socket_dir": self._folder,
            "auth_type": "trust",
            "auth_file": users,
            "logfile": self._folder / "log",
            "max_client_conn": 100,
            **settings,
        }
        lines = [f"{name} = {value}" for name, value in configured.items()]
        config = self._folder / "pgbouncer.ini"
        config.write_text(
            "\n".join(["[databases]", f"* = host={target['host']}", "[pgbouncer]", *lines, ""])
        )
        user = SYSTEM_USER if os.geteuid() == 0 else None
        if user:
            for path in (self._folder, users, config):
                shutil.chown(path, user)
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [program, config], user=user, cwd="/", stdout=output, stderr=output
            )
        wait_until(self._answers)

    def dsn(self, of: str) -> str:
        """Return the URL through the pooler, for the URL of a database."""
        database = conninfo.conninfo_to_dict(of)["dbname"]
        return f"postgresql://{SUPERUSER}@/{database}?host={self._folder}&port={PORT}"

    def end(self) -> None:
        """End it, and delete everything."""
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.dsn("postgresql:///postgres")).close()
            return True
        return False
