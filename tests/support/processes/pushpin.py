"""A real Pushpin of Debian, with the key, the route and the ports that the documentation shows."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.people.shown_code import block
from tests.support.processes.lacking import lacking
from tests.support.processes.server import PATIENCE_SECONDS, free_port, port_is_free

PAGE: Final = "operations/streaming.md"
INTERNAL: Final = Path("/usr/lib/pushpin/internal.conf")
# Beside what the page shows: every file in a folder, every port a free one, zurl as its child.
AROUND: Final = """
[global]
include={folder}/internal.conf
rundir={folder}/run
ipc_prefix=t-
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
logdir={folder}/log
[proxy]
routesfile={folder}/routes
[handler]
push_in_spec=ipc://{folder}/run/push
push_in_sub_specs=ipc://{folder}/run/sub
command_spec=ipc://{folder}/run/command
"""


class Ports(NamedTuple):
    """Where readers ask Pushpin, and where Milepost publishes to it."""

    port: int
    control: int


def settings(control: int) -> dict[str, str]:
    """Return Milepost's settings of the page, with this control port."""
    lines = block(PAGE, "# milepost.env").splitlines()[1:]
    shown = dict(line.split("=", 1) for line in lines)
    shown["MILEPOST_GRIP_CONTROL_URI"] = f"http://127.0.0.1:{control}"
    return shown


class Pushpin:
    """Pushpin before a server at this port; start it as often as needed."""

    def __init__(self, folder: Path, backend: int, ports: Ports) -> None:
        self.port = ports.port
        self._control = ports.control
        self._folder = folder
        self._log = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("run", "log"):
            (folder / name).mkdir()
        internal = INTERNAL.read_text().replace("/var/run/zurl/", f"{folder}/run/t-")
        (folder / "internal.conf").write_text(internal)
        routes = block(PAGE, "# /etc/pushpin/routes").partition("\n")[2]
        assert "127.0.0.1:8000" in routes
        (folder / "routes").write_text(routes.replace("127.0.0.1:8000", f"127.0.0.1:{backend}"))
        around = AROUND.format(folder=folder)
        shown = block(PAGE, "# /etc/pushpin/pushpin.conf")
        assert "push_in_http_port=5561" in shown
        assert "http_port=127.0.0.1:7999" in shown
        for name in ("runner", "proxy", "handler"):
            lines = shown.partition(f"[{name}]\n")[2].partition("\n\n")[0]
            around = around.replace(f"[{name}]\n", f"[{name}]\n{lines}\n")
        written = around.replace("port=5561", f"port={ports.control}")
        written = written.replace("127.0.0.1:7999", f"127.0.0.1:{ports.port}")
        (folder / "pushpin.conf").write_text(written)

    def start(self) -> None:
        """Start it, and return when it takes requests."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/bin/pushpin", f"--config={self._folder}/pushpin.conf"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while port_is_free(self._control) or not self._answers():
            alive = self._process.poll() is None and time.monotonic() < deadline
            assert alive, self._log.read_text()
            time.sleep(0.02)  # another process is waited for, up to the deadline

    def _answers(self) -> bool:
        """Tell whether an answer of the server comes through."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """End all its processes."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(PATIENCE_SECONDS)


@contextmanager
def pushpin(backend: int, ports: Ports) -> Iterator[Pushpin]:
    """Run Pushpin before a server until the context is left."""
    if not INTERNAL.exists():
        lacking("streams over Pushpin are tested with pushpin, which is not installed")
    # A short path: a socket's may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="mp-pp-", dir="/tmp") as folder:
        made = Pushpin(Path(folder), backend, ports)
        made.start()
        try:
            yield made
        finally:
            made.kill()


def free_ports() -> Ports:
    """Return ports that nobody listens on."""
    return Ports(free_port(), free_port())
