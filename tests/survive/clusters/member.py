"""A member of a Patroni cluster: Debian's Patroni, and the PostgreSQL that it runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.processes.server import free_port
from tests.survive import page
from tests.survive.clusters.processes import kill_postgres, run
from tests.survive.waiting import PATIENCE_SECONDS

FILE = "# /etc/patroni/config.yml"
PROGRAMS = Path("/usr/lib/postgresql")


class Member:
    """A member with the configuration of docs/failover.md, but for its addresses and folders."""

    def __init__(self, name: str, home: Path, etcd: str) -> None:
        home.mkdir()
        self.name, self.port, self.rest = name, free_port(), free_port()
        self._home, self._data = home, home / "data"
        text = page.filled(FILE, {"db1": name})
        ours = {
            f"{name}:5432": f"127.0.0.1:{self.port}",
            f"{name}:8008": f"127.0.0.1:{self.rest}",
            "etcd1:2379,etcd2:2379,etcd3:2379": etcd,
            "10.0.0.0/24": "127.0.0.1/32",
            "/usr/lib/postgresql/15/bin": str(_newest_programs()),
            "/var/lib/postgresql/15/milepost": str(self._data),
            "/var/lib/postgresql/pgpass": str(home / "pgpass"),
            "/var/run/postgresql": str(home),
        }
        self._config = home / "config.yml"
        self._config.write_text(page.replaced(text, ours))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        self._process = run(["/usr/bin/patroni", str(self._config)], self._home)

    def kill(self) -> None:
        """Kill Patroni and PostgreSQL, if they run, as a host that dies does."""
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
        kill_postgres(self._data)

    def last_words(self) -> str:
        """Return the end of Patroni's log."""
        lines = (self._home / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"{self.name}:", *lines[-30:]])


def _newest_programs() -> Path:
    releases = {
        int(path.parent.name): path
        for path in PROGRAMS.glob("*/bin")
        if re.fullmatch(r"\d+", path.parent.name) and (path / "postgres").exists()
    }
    return releases[max(releases)]
