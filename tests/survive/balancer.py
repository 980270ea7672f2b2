"""A real haproxy before two servers, with the configuration of docs/failover.md."""

from __future__ import annotations

import csv
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.processes.server import Server, free_port
from tests.survive import page
from tests.survive.waiting import PATIENCE_SECONDS, until

FILE = "# haproxy.cfg"
PROXIES = {"10.0.0.10": "127.0.0.1"}
"""Where the page has haproxy, and where it is here."""


class Balancer:
    """haproxy, on a free port, before these servers."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.port = free_port()
        # A short path: a socket's may have 107 characters.
        self._folder = tempfile.TemporaryDirectory(prefix="mp-lb-", dir="/tmp")
        home = Path(self._folder.name)
        self._admin, self._log = home / "admin.sock", home / "log"
        file = home / "haproxy.cfg"
        one, two = servers
        text = page.filled(
            FILE,
            {
                "/run/haproxy/admin.sock": str(self._admin),
                "bind :80\n": f"bind 127.0.0.1:{self.port}\n",
                "10.0.0.21:8000": f"127.0.0.1:{one.port}",
                "10.0.0.22:8000": f"127.0.0.1:{two.port}",
            },
        )
        file.write_text(text)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/haproxy", "-db", "-f", str(file)], stdout=log, stderr=log
            )

    def until_both_are_up(self) -> None:
        """Wait until haproxy sends requests to both servers."""
        until(self._has_both, f"haproxy does not call both servers UP: {self._log.read_text()}")

    def remove(self) -> None:
        """End haproxy, and delete its files."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        self._folder.cleanup()

    def _has_both(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        return self._admin.exists() and list(self._states().values()) == ["UP", "UP"]

    def _states(self) -> Mapping[str, str]:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(PATIENCE_SECONDS)
            admin.connect(str(self._admin))
            admin.sendall(b"show stat\n")
            with admin.makefile() as said:
                rows = list(csv.DictReader(said))
        return {row["svname"]: row["status"] for row in rows if row["svname"] in ("one", "two")}


Balance = Callable[[Sequence[Server]], Balancer]
"""Starts haproxy before these servers."""
