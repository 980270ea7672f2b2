"""A real `milepost serve` process, and a client for it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

SECRET = "a callback secret for tests"  # noqa: S105
TOKEN = "an-admin-token-for-tests"  # noqa: S105
MILEPOST = Path(sys.executable).with_name("milepost")
PATIENCE_SECONDS = 30
FIRST_PORT, PORT_SHARES, PORTS_OF_A_SHARE = 12_000, 8, 2_500


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Server:
    """A server with known credentials on a free port; start it as often as needed."""

    def __init__(
        self,
        home: Path,
        database_url: str | None = None,
        *options: str,
        command: Sequence[str | Path] = (MILEPOST,),
    ) -> None:
        self.home = home
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = home / "server.log"
        self._command = [*command, "serve", "--port", str(self.port), *options]
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(home),
            "MILEPOST_HOME": str(home / "milepost"),
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": TOKEN,
        }
        self.database_url = database_url or f"sqlite:///{home / 'test.db'}"
        self.env["MILEPOST_DATABASE_URL"] = self.database_url
        self.process: subprocess.Popen[bytes] | None = None
        self.patience: float = PATIENCE_SECONDS
        """How many seconds a request waits for its answer."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Server:
        """Start it, and return when it is ready."""
        if self.process is not None:
            self.process.wait(PATIENCE_SECONDS)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self.env,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until(lambda: self.get("/readyz").status == 200, "is not ready")
        return self

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End every process of it at once, as a power cut does."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self.until(lambda: port_is_free(self.port), "still holds its port")

    def processes(self) -> list[psutil.Process]:
        """Return the parent and its workers."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        workers = []
        for child in parent.children():
            with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    workers.append(child)
        return [parent, *workers]

    def until(self, condition: Any, complaint: str) -> None:
        """Wait for a condition; fail with the server's log if it does not come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if condition():
                    return
            if time.monotonic() > deadline:
                last_words = "\n".join(self.log.read_text().splitlines()[-40:])
                raise AssertionError(f"the server {complaint}:\n{last_words}")
            time.sleep(0.02)  # another process is waited for, up to the deadline

    def get(self, path: str, token: str = TOKEN) -> Answer:
        """GET over a connection of its own."""
        return self.request("GET", path, headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """POST JSON with the admin token."""
        headers = {"Authorization": f"Bearer {TOKEN}", **headers}
        return self.request("POST", path, json.dumps(body).encode(), headers)

    def callback(self, body: Mapping[str, object], **headers: str) -> Answer:
        """POST a signed callback."""
        raw = json.dumps(body, indent=2).encode()
        signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        signed = {"X-Signature": signature, **headers}
        return self.request("POST", "/api/webhooks/github", raw, signed)

    def command(self, *arguments: str) -> str:
        """Run a command of `milepost` over the server's database; return what it prints."""
        done = subprocess.run(
            [MILEPOST, *arguments], env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """Send a request over a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.patience)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            text = response.read()
            parsed = json.loads(text) if text[:1] in (b"{", b"[") else text.decode()
            return Answer(response.status, parsed, dict(response.getheaders()))
        finally:
            connection.close()

    def instance(self, agent_id: str) -> Any:
        """Return the agent's instance document."""
        answer = self.get(f"/api/agents/{agent_id}/instance")
        assert answer.status == 200, answer
        return answer.body


@contextlib.contextmanager
def running(home: Path, database_url: str | None = None, *options: str) -> Iterator[Server]:
    """Run a server until the context is left."""
    server = Server(home, database_url, *options)
    try:
        yield server.start()
    finally:
        server.kill()


Make = Callable[..., Server]
"""Makes a server of the arguments that `Server` takes after its folder."""


def _ports() -> Iterator[int]:
    """Yield ports in turn, each test process its own.

    Linux gives connections, and servers that ask for any port, those from 32,768 on. So a server
    that a test stops finds its port free when it starts again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % PORT_SHARES * PORTS_OF_A_SHARE
    begin = os.getpid() % PORTS_OF_A_SHARE  # two runs on one machine begin at different ports
    share = range(first, first + PORTS_OF_A_SHARE)
    return itertools.cycle((*share[begin:], *share[:begin]))


def free_port() -> int:
    """Return a port that nobody listens on, and that no other test gets soon."""
    return next(filter(_nobody_has, _PORTS))


def _nobody_has(port: int) -> bool:
    """Tell whether the port has no socket and no connection that the system remembers."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_is_free(port: int) -> bool:
    """Tell whether one could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_PORTS = _ports()
