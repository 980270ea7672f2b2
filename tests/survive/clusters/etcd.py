"""The etcd of a Patroni cluster: one member, which no drill kills."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.processes.server import free_port
from tests.survive.clusters.processes import run
from tests.survive.waiting import PATIENCE_SECONDS


class Etcd:
    """An etcd on free ports; `address` is where clients reach it."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.address, self._peer = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        client, peer = f"http://{self.address}", f"http://{self._peer}"
        options = {
            "--data-dir": str(self._home / "data"),
            "--listen-client-urls": client,
            "--advertise-client-urls": client,
            "--listen-peer-urls": peer,
            "--initial-advertise-peer-urls": peer,
            "--initial-cluster": f"default={peer}",
        }
        words = [word for option in options.items() for word in option]
        self._process = run(["/usr/bin/etcd", *words], self._home)

    def kill(self) -> None:
        """End it, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
