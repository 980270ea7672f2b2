"""The stage: a PostgreSQL with fsync, servers on free ports, and a folder for their files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from types import TracebackType
from uuid import uuid4

import psutil
import psycopg

from api.serving.http1.bounds.limits import LIMITS
from tests.support.stores.postgres_server import PostgresServer, create_database

SECRET = "a callback secret for measurements"  # noqa: S105  protects no data
ADMIN_TOKEN = "an-admin-token-for-measurements"  # noqa: S105
ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0


class Stage:
    """The database and the servers of one run; leaving the stage ends every process it started."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._given = os.environ.get("MILEPOST_BENCH_DATABASE_URL")
        self._dsn = self._given or ""

    def __enter__(self) -> Stage:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if not self._given:
            self._postgres = PostgresServer(fsync=True)
            self._stack.callback(self._postgres.remove)
            self._postgres.start()
            self._dsn = self._postgres.dsn
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def database_processes(self) -> list[psutil.Process]:
        """Return the processes of the PostgreSQL of this run; an empty list for another one."""
        if self._given:
            return []
        pid = (self._postgres.folder / "postmaster.pid").read_text().splitlines()[0]
        postmaster = psutil.Process(int(pid))
        return [postmaster, *postmaster.children()]

    def postgres(self) -> str:
        """Return the URL of an empty PostgreSQL database."""
        return create_database(self._dsn)

    def sqlite(self) -> str:
        """Return the URL of a new SQLite file."""
        return f"sqlite:///{self.folder / uuid4().hex}.db"

    def describe(self) -> str:
        """Return a description of the machine and its software."""
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('fsync')"
            ).fetchone()
        assert row is not None
        python = ".".join(map(str, sys.version_info[:3]))
        return f"{os.cpu_count()} cores, Python {python}, PostgreSQL {row[0]}, fsync {row[1]}"

    @contextmanager
    def milepost(
        self,
        database: str,
        *options: str,
        program: Path | None = None,
    ) -> Iterator[Server]:
        """Run `milepost serve` over a database, as a user would.

        `program` is the command of another release, with modules of its own.
        """
        environment = self._settings(database)
        if program:
            environment["PYTHONPATH"] = ""
        command = [str(program or Path(sys.executable).with_name("milepost")), "serve", *options]
        with self._server(command, environment) as server:
            yield server

    @contextmanager
    def silent(self, database: str) -> Iterator[Server]:
        """Run the same server with a silent route, over a database that has its tables."""
        command = [sys.executable, "-m", "bench.silent"]
        with self._server(command, self._settings(database)) as server:
            yield server

    @contextmanager
    def baseline(
        self,
        target: str,
        database: str = "",
        threads: int = 16,
        workers: int = 1,
    ) -> Iterator[Server]:
        """Run a baseline as a WSGI application under granian, a fast server for those."""
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--log-level", "error"]
        command += ["--blocking-threads", str(threads), "--workers", str(workers)]
        if target.endswith("create_app"):
            command.append("--factory")
        environment = {"BENCH_DATABASE_URL": database}
        with self._server([*command, f"bench.baselines.{target}"], environment) as server:
            yield server

    def _settings(self, database: str) -> dict[str, str]:
        return {
            "MILEPOST_HOME": str(self.folder / "home"),
            "MILEPOST_DATABASE_URL": database,
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": ADMIN_TOKEN,
            "MILEPOST_CONNECTIONS_PER_ADDRESS": str(LIMITS.connections),  # all clients are here
        }

    @contextmanager
    def _server(self, command: list[str], environment: Mapping[str, str]) -> Iterator[Server]:
        port = _free_port()
        log = self.folder / f"{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--port", str(port)],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        try:
            _wait_for(port, process, log)
            yield Server(port, process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=START_SECONDS)


class Server:
    """A running server."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"


def _free_port() -> int:
    # Without SO_REUSEPORT, this bind fails if a forgotten server has the port.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        with socket.socket() as client:
            client.settimeout(0.2)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        Event().wait(0.05)
    raise RuntimeError(
        f"the server does not listen on {port} after {START_SECONDS} s: {log.read_text()}"
    )
