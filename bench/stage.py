"""The stage: a PostgreSQL that waits for the disk, servers on free ports, a folder for it all."""

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

from api.serving.cores import usable
from tests.support.postgres_server import PostgresServer, create_database

SECRET = "a callback secret for measurements"  # noqa: S105  guards nothing
ADMIN_TOKEN = "an-admin-token-for-measurements"  # noqa: S105
ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0


class Stage:
    """What all measurements of one run share; leaving it ends every process it started."""

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
        """Return the processes of PostgreSQL, if this run has started it; else none."""
        if self._given:
            return []
        pid = (self._postgres.folder / "postmaster.pid").read_text().splitlines()[0]
        postmaster = psutil.Process(int(pid))
        return [postmaster, *postmaster.children()]

    def postgres(self) -> str:
        """Return the URL of an empty PostgreSQL database."""
        return create_database(self._dsn)

    def sqlite(self) -> str:
        """Return the URL of an SQLite file that is not there yet."""
        return f"sqlite:///{self.folder / uuid4().hex}.db"

    def describe(self) -> str:
        """Say what the measurements ran on."""
        with psycopg.connect(self._dsn) as connection:
            found = connection.execute(
                "SELECT current_setting('server_version'), current_setting('fsync')"
            ).fetchone()
        assert found is not None
        python = ".".join(map(str, sys.version_info[:3]))
        return f"{os.cpu_count()} cores, Python {python}, PostgreSQL {found[0]}, fsync {found[1]}"

    @contextmanager
    def milepost(
        self,
        database: str,
        *options: str,
        program: Path | None = None,
        settings: Mapping[str, str] = {},
    ) -> Iterator[Server]:
        """Run `milepost serve` over a database, as anybody would.

        `program` is the command of another release, which brings its own modules.
        """
        environment = {**self._settings(database), **settings}
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
        *,
        one_core: bool = False,
    ) -> Iterator[Server]:
        """Run a baseline under the server that Milepost runs under, and placed like it if asked."""
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--log-level", "error"]
        command += ["--blocking-threads", str(threads), "--workers", str(workers)]
        if target.endswith("create_app"):
            command.append("--factory")
        environment = {"BENCH_DATABASE_URL": database}
        if one_core and (cores := usable()):
            environment["BENCH_ONE_CORE"] = str(cores[0])
        with self._server([*command, f"bench.baselines.{target}"], environment) as server:
            yield server

    def _settings(self, database: str) -> dict[str, str]:
        return {
            "MILEPOST_HOME": str(self.folder / "home"),
            "MILEPOST_DATABASE_URL": database,
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": ADMIN_TOKEN,
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
    """A server that answers."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"


def _free_port() -> int:
    # Bound without SO_REUSEPORT, so a forgotten server on the port would be noticed here.
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
    raise RuntimeError(f"nobody listens on {port} after {START_SECONDS} s: {log.read_text()}")
